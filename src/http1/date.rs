//! The `Date` field (RFC 9110 section 6.6.1), formatted once a second for each thread.

use crate::clock;
use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

thread_local! {
    static FORMATTED: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends `date: Tue, 15 Nov 1994 08:12:31 GMT\r\n`.
pub fn append(out: &mut Vec<u8>) {
    let seconds = clock::now().as_secs();
    FORMATTED.with_borrow_mut(|(formatted, text)| {
        if *formatted != seconds {
            let moment = UNIX_EPOCH + Duration::from_secs(seconds);
            *text = format!("date: {}\r\n", httpdate::fmt_http_date(moment));
            *formatted = seconds;
        }
        out.extend_from_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H-date
    #[test]
    fn the_date_is_in_the_fixed_form() {
        let mut out = Vec::new();
        append(&mut out);
        let text = String::from_utf8(out).unwrap();
        let date = text.strip_prefix("date: ").and_then(|rest| rest.strip_suffix("\r\n")).unwrap();
        assert!(date.len() == 29 && date.ends_with(" GMT") && httpdate::parse_http_date(date).is_ok());
    }
}
