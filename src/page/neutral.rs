//! Text of strangers, made harmless to look at (UI-6): no control characters, nothing that turns the
//! direction of what stands around it, nothing invisible, no towers of accents, and an end. Escaping
//! is the templates' part, isolating (`<bdi>`) too.

/// The longest name of an app, a provider or the product.
const NAME: usize = 80;
/// The longest line: an account, a device, a host, whose end is what matters: DNS ends before this.
const LINE: usize = 320;
/// The longest sentences: what a scope allows, what a message says.
const WORDS: usize = 600;
/// As many accents as any language puts on one letter.
const ACCENTS: usize = 3;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What the templates do with every text that is shown.
pub(super) trait Neutral {
    /// A name of somebody; never empty.
    fn name(&self) -> String;
    /// One value.
    fn line(&self) -> String;
    /// Sentences.
    fn words(&self) -> String;
    /// A time of RFC 3339, for people.
    fn when(&self) -> String;
    /// Its day.
    fn day(&self) -> String;
    /// The time alone, where it is on the day of `earlier`.
    fn after(&self, earlier: &str) -> Option<String>;
}

impl Neutral for str {
    fn name(&self) -> String {
        let name = neutralised(self, NAME);
        if name.is_empty() { "(without a name)".to_owned() } else { name }
    }

    fn line(&self) -> String {
        neutralised(self, LINE)
    }

    fn words(&self) -> String {
        neutralised(self, WORDS)
    }

    fn when(&self) -> String {
        moment(self).map_or_else(|| self.line(), |(day, time)| format!("{day}, {time}"))
    }

    fn day(&self) -> String {
        moment(self).map_or_else(|| self.line(), |(day, _)| day)
    }

    fn after(&self, earlier: &str) -> Option<String> {
        let ((day, time), (other, _)) = moment(self).zip(moment(earlier))?;
        (day == other).then_some(time)
    }
}

/// `2 January 2026` and `15:04 UTC`.
fn moment(text: &str) -> Option<(String, String)> {
    let (date, time) = text.split_once('T')?;
    let time = time.strip_suffix('Z')?.get(..5)?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u16>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let month = MONTHS.get(usize::from(month).checked_sub(1)?)?;
    let is_time = time.bytes().all(|octet| octet.is_ascii_digit() || octet == b':');
    is_time.then(|| (format!("{day} {month} {year}"), format!("{time} UTC")))
}

fn neutralised(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * most));
    let (mut length, mut accents, mut gap) = (0, 0, false);
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            gap = !shown.is_empty();
            continue;
        }
        if is_unseen(character) {
            continue;
        }
        if is_accent(character) {
            accents += 1;
        } else if !is_joiner(character) {
            // A joiner has no width: what follows it still stands on the letter before.
            accents = 0;
        }
        if accents > ACCENTS {
            continue;
        }
        if length + usize::from(gap) >= most {
            shown.push('…');
            break;
        }
        if gap {
            shown.push(' ');
        }
        length += 1 + usize::from(gap);
        gap = false;
        shown.push(character);
    }
    shown
}

/// Characters that turn the direction, that are not seen, or that look like nothing. The joiners that
/// Persian, the languages of India and emoji need are not among them.
pub(super) const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Of no width, and kept.
const fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Marks that are put on the letter before: the blocks of them that belong to no script.
const fn is_accent(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// UI-6
    #[test]
    fn what_turns_or_hides_text_is_left_out() {
        assert_eq!("moc.live\u{202e}\u{2066}good.com".line(), "moc.livegood.com");
        assert_eq!(" a\r\n\t b\0\u{85}c\u{200b}d ".line(), "a b cd");
        assert_eq!("a\u{2028}b\u{a0}c".words(), "a b c");
        assert_eq!(format!("e{}!", "\u{301}".repeat(50)).line(), "e\u{301}\u{301}\u{301}!");
        for between in ["\u{200b}", "\u{200d}", "\u{202e}\u{200c}"] {
            let shown = format!("e{}!", format!("\u{301}{between}").repeat(50)).line();
            assert_eq!(shown.matches('\u{301}').count(), 3, "{between:?}");
        }
        assert_eq!("\u{202e}\u{3164}".name(), "(without a name)");
        for kept in ["می\u{200c}خواهم", "👩\u{200d}💻", "Zoë 株式会社", "שלום", "a-b_c.d:e/f<g>&\"'"]
        {
            assert_eq!(kept.line(), kept);
        }
    }

    /// UI-6
    #[test]
    fn what_is_long_ends() {
        assert_eq!("ä".repeat(1000).name(), format!("{}…", "ä".repeat(80)));
        assert_eq!("ä".repeat(80).name(), "ä".repeat(80));
        assert_eq!("a ".repeat(1000).words().chars().count(), 600);
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!("2026-01-02T15:04:05Z".when(), "2 January 2026, 15:04 UTC");
        assert_eq!("2026-01-02T15:04:05.25Z".day(), "2 January 2026");
        for text in ["", "2026-01-02", "2026-13-02T15:04:05Z", "2026-00-02T15:04:05Z", "x\u{202e}T", "2026-01-02TäääZ"]
        {
            assert_eq!(text.when(), text.line());
        }
    }

    proptest! {
        /// UI-6
        #[test]
        fn any_text_is_harmless(text in "(\\PC|\\pC|[\u{300}-\u{36f}]|\\s){0,700}") {
            for (shown, most) in [(text.name(), NAME), (text.line(), LINE), (text.words(), WORDS), (text.when(), LINE)] {
                prop_assert!(shown.chars().count() <= most + 1);
                prop_assert!(!shown.chars().any(|c| c.is_control() || is_unseen(c)), "{:?}", shown);
                prop_assert!(!shown.starts_with(' ') && !shown.ends_with(' ') && !shown.contains("  "));
            }
        }
    }
}
