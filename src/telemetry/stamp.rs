//! RFC 3339 timestamps with milliseconds, from one civil-calendar computation a second.

use crate::clock::Timestamp;
use std::fmt::Write as _;

/// `2026-11-24T21:43:05.123Z`.
const LENGTH: usize = 24;

/// The text of the last moment asked for: within one second only three digits change.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    second: Option<u64>,
    text: String,
}

impl Stamps {
    /// The text of `now`.
    pub(super) fn at(&mut self, now: Timestamp) -> &str {
        if self.second != Some(now.as_secs()) {
            self.second = Some(now.as_secs());
            self.text.clear();
            date_time(&mut self.text, now.as_secs());
        }
        self.text.truncate(LENGTH - 4);
        // Writing to a `String` cannot fail.
        let _ = write!(self.text, "{:03}Z", now.as_millis() % 1000);
        &self.text
    }
}

/// Appends `YYYY-MM-DDTHH:MM:SS.` (Howard Hinnant's `civil_from_days`, for days since 1970).
fn date_time(text: &mut String, secs: u64) {
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.");
}

/// The text of a single moment.
pub fn rfc3339(at: Timestamp) -> String {
    Stamps::default().at(at).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_with_milliseconds() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_007, "2000-03-01T00:00:00.007Z"),
            (1_795_556_585_042, "2026-11-24T21:43:05.042Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        let mut stamps = Stamps::default();
        for (millis, text) in cases {
            assert_eq!(stamps.at(Timestamp::from_millis(millis)), text);
        }
        assert_eq!(stamps.at(Timestamp::from_millis(4_107_542_400_250)), "2100-03-01T00:00:00.250Z");
    }
}
