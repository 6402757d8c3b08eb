//! The line of an error without the secrets that stand in it. It works on text, not on values,
//! because a line is shown above all when it could not be read.

use std::ops::Range;

/// Words in the name of a key whose value is not shown.
const SENSITIVE: [&str; 6] = ["secret", "password", "authorization", "api-key", "api_key", "credential"];

/// The line with asterisks over the values of sensitive keys and over the user information of URLs, and over
/// their queries where those have a password; as long as before, so that columns stay right.
fn without_secrets(line: &str) -> String {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for (position, _) in line.match_indices('=') {
        let inside_a_value = hidden.last().is_some_and(|range| range.end > position);
        if !inside_a_value && is_sensitive(&line[..position]) {
            hidden.extend(values(line, position + 1));
        }
    }
    for (position, _) in line.match_indices("://") {
        let start = position + 3;
        let word = line[start..].split(['"', '\'', ' ']).next().unwrap_or_default();
        if let Some(length) = word.rfind('@') {
            hidden.push(start..start + length);
        }
        // `redis+unix:///path?pass=…`
        if let Some(query) = word.find('?').filter(|query| word[*query..].contains("pass")) {
            hidden.push(start + query + 1..start + word.len());
        }
    }
    let covered = |index: usize| hidden.iter().any(|range| range.contains(&index));
    let mut shown = String::with_capacity(line.len());
    for (index, character) in line.char_indices() {
        if covered(index) {
            shown.extend(std::iter::repeat_n('*', character.len_utf8()));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_sensitive(before: &str) -> bool {
    let key = before.trim_end().trim_end_matches(['"', '\'']);
    let name = key.rsplit(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).next().unwrap_or_default();
    let name = name.to_lowercase();
    SENSITIVE.iter().any(|word| name.contains(word))
}

/// The values that begin at `from`: one, or those of a list.
fn values(line: &str, from: usize) -> Vec<Range<usize>> {
    let start = from + line[from..].len() - line[from..].trim_start().len();
    let Some(list) = line[start..].strip_prefix('[') else { return value(line, start).into_iter().collect() };
    let mut found = Vec::new();
    let mut position = line.len() - list.len();
    while let Some(length) = line[position..].find(|c: char| !c.is_whitespace() && c != ',') {
        let Some(range) = value(line, position + length) else { break };
        position = line.len().min(range.end + 1);
        found.push(range);
    }
    found
}

/// The value that begins at `from`: a string or a bare word; `None` where there is none.
fn value(line: &str, from: usize) -> Option<Range<usize>> {
    let rest = &line[from..];
    let first = rest.chars().next()?;
    if first == '{' {
        return Some(from + 1..line.len());
    }
    let is_string = matches!(first, '"' | '\'');
    let quotes = if is_string { rest.chars().take_while(|c| *c == first).count() } else { 0 };
    // Two quotes are an empty string, three open one that may go on in the next line.
    let start = from + if quotes == 2 { 1 } else { quotes };
    let end = start + if is_string { string_length(&line[start..], first) } else { word_length(&line[start..]) };
    let place = line[start..end].starts_with("env:") || line[start..end].starts_with("file:");
    // A place where a secret is kept is no secret: an empty range hides nothing.
    let range = if place { end..end } else { start..end };
    (is_string || end > start).then_some(range)
}

/// The octets before the quote that ends a string; in one of double quotes a backslash takes the next
/// character's meaning.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let ends = |c: char| {
        let ends = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        ends
    };
    text.find(ends).unwrap_or(text.len())
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| " \t,#}]".contains(c)).unwrap_or(text.len())
}

/// The line with asterisks over what belongs to a string of several lines that was opened in `before`:
/// what key it belongs to cannot be seen from the line.
pub(super) fn without_continued(before: &str, line: &str) -> String {
    let Some(quotes) = open_string(before) else { return without_secrets(line) };
    let end = line.find(quotes).unwrap_or(line.len());
    "*".repeat(end) + &without_secrets(&line[end..])
}

/// The quotes of the string that is still open at the end of `before`.
fn open_string(before: &str) -> Option<&'static str> {
    let mut open: Option<&'static str> = None;
    let mut rest = before;
    loop {
        let next = match open {
            Some(quotes) => rest.find(quotes).map(|at| (at, quotes)),
            None => ["\"\"\"", "'''"].into_iter().filter_map(|quotes| Some((rest.find(quotes)?, quotes))).min(),
        };
        let Some((at, quotes)) = next else { return open };
        open = if open.is_some() { None } else { Some(quotes) };
        rest = &rest[at + quotes.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TOK-5: no secret in an error.
    #[test]
    fn secrets_of_a_line_are_not_shown() {
        for (line, shown) in [
            ("secret = \"hunter2\" # mine", "secret = \"*******\" # mine"),
            ("secret = \"env:NAME\"", "secret = \"env:NAME\""),
            ("{ id = \"a\", secret = \"env:NAME\" }", "{ id = \"a\", secret = \"env:NAME\" }"),
            ("secret = [\"one\", 'two', \"file:x\", \"three\"]", "secret = [\"***\", '***', \"file:x\", \"*****\"]"),
            ("{ id = \"a\", secret = \"b\", name = \"c\" }", "{ id = \"a\", secret = \"*\", name = \"c\" }"),
            ("secret = hunter2", "secret = *******"),
            ("secret = \"hunter2", "secret = \"*******"),
            ("secret = \"\"", "secret = \"\""),
            (r#"secret = "hun\"ter2" x"#, r#"secret = "*********" x"#),
            (r#"secret = "hunter2\\" # mine"#, r#"secret = "*********" # mine"#),
            (r"secret = 'hunter2\' # mine", r"secret = '********' # mine"),
            ("secret = \"\"\"hunter2", "secret = \"\"\"*******"),
            ("password_hash = \"$argon2id$v=19$\"", "password_hash = \"***************\""),
            ("\"Authorization\" = 'Basic ä'", "\"Authorization\" = '********'"),
            ("url = \"redis://u:p@host/0\"", "url = \"redis://***@host/0\""),
            ("url = \"redis://:p/w@host/0\"", "url = \"redis://****@host/0\""),
            ("url = \"redis+unix:///r?user=u&pass=p\"", "url = \"redis+unix:///r?*************\""),
            ("url = \"redis+unix:///r?db=1\"", "url = \"redis+unix:///r?db=1\""),
            ("secret =", "secret ="),
            ("secret = { a = \"hunter2\" }", "secret = {****************"),
            ("listen = \"127.0.0.1:1\"", "listen = \"127.0.0.1:1\""),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
    }

    /// TOK-5
    #[test]
    fn what_goes_on_from_the_lines_before_is_not_shown() {
        for (before, line, shown) in [
            ("secret = \"\"\"\n", "hunter2\\q", "*********"),
            ("secret = '''\nx\n", "hunter2''' # mine", "*******''' # mine"),
            ("a = \"\"\"x\"\"\"\n", "b = 1", "b = 1"),
            ("a = \"\"\"'''\"\"\"\n", "b = 1", "b = 1"),
        ] {
            assert_eq!(without_continued(before, line), shown, "{before}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_keeps_its_length(line in ".*", tail in "[\\[\\]{}\"',# a=@:/]*") {
            let line = format!("{line}secret ={tail}");
            proptest::prop_assert_eq!(without_secrets(&line).len(), line.len());
        }
    }
}
