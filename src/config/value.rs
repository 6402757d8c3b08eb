//! Values that are written as text: durations, sizes, `${NAME}`.

use std::time::Duration;

/// What to write where a duration is meant.
pub(super) const DURATION_HELP: &str = "write a number and a unit: \"250ms\", \"30s\", \"5m\", \"1h\", \"30d\"";

/// What to write where a size is meant.
pub(super) const SIZE_HELP: &str = "write a number and a unit: \"512B\", \"64KiB\", \"10MiB\", \"1GiB\"";

/// `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"30d"`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        _ => None,
    }
}

/// `"512B"`, `"64KiB"`, `"10MiB"`, `"1GiB"`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// `text` with every `${NAME}` replaced; `None`: there is none in it.
///
/// # Errors
/// The names that `variable` does not know, and what is not a name.
pub(super) fn replaced(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Vec<String>> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut done = String::new();
    let mut wrong = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        done.push_str(before);
        // Without an end it is no name; what follows may be a secret and is not repeated.
        let (name, after) = after.split_once('}').unwrap_or_default();
        match Some(name).filter(|name| is_name(name)).and_then(variable) {
            Some(value) => done.push_str(&value),
            None => wrong.push(name.to_owned()),
        }
        rest = after;
    }
    done.push_str(rest);
    if wrong.is_empty() { Ok(Some(done)) } else { Err(wrong) }
}

/// Whether `name` can be the name of an environment variable.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0', '$', '{', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_have_units() {
        for (text, millis) in
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("30d", 2_592_000_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "30", "s", "-1s", "1.5s", " 1s", "1 s", "1S", "1s ", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("10MiB", 10_485_760), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "1", "1KB", "1kib", "1TiB", "99999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn variables_are_replaced_and_unset_ones_reported() {
        let variable = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(replaced("x", &variable), Ok(None));
        assert_eq!(replaced("x${A}y${A}", &variable), Ok(Some("x1y1".to_owned())));
        assert_eq!(replaced("${B}${A}${C}", &variable), Err(vec!["B".to_owned(), "C".to_owned()]));
        assert_eq!(replaced("${A", &variable), Err(vec![String::new()]));
        assert_eq!(replaced("${}", &variable), Err(vec![String::new()]));
        assert_eq!(replaced("$A {A} $", &variable), Ok(None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = (duration(&text), size(&text), replaced(&text, &|_| None));
        }
    }
}
