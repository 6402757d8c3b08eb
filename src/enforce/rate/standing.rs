//! Where somebody stands with a limit, and the fields that say it (draft-ietf-httpapi-ratelimit-headers).

use super::Terms;
use crate::text::decimal;
use std::time::Duration;

/// Where somebody stands with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub(super) terms: Terms,
    pub(super) remaining: u32,
    pub(super) reset: Duration,
}

impl Standing {
    /// The names and values of the fields, in order.
    pub fn fields(&self) -> [(&'static str, Vec<u8>); 2] {
        [("ratelimit-policy", self.policy()), ("ratelimit", self.state())]
    }

    /// `"client";q=100;w=1`. Seconds are whole there: a time that is not is left out.
    fn policy(&self) -> Vec<u8> {
        let mut value = self.begin(b";q=", self.terms.requests);
        if self.terms.per.subsec_nanos() == 0 {
            value.extend_from_slice(b";w=");
            decimal(&mut value, self.terms.per.as_secs());
        }
        value
    }

    /// `"client";r=50;t=1`: so many more at once, and in so many seconds as many as there can be.
    fn state(&self) -> Vec<u8> {
        let mut value = self.begin(b";r=", self.remaining);
        value.extend_from_slice(b";t=");
        decimal(&mut value, whole_seconds(self.reset));
        value
    }

    fn begin(&self, parameter: &[u8], number: u32) -> Vec<u8> {
        let mut value = Vec::with_capacity(48);
        value.push(b'"');
        value.extend_from_slice(self.terms.by.as_str().as_bytes());
        value.push(b'"');
        value.extend_from_slice(parameter);
        decimal(&mut value, number.into());
        value
    }
}

/// Rounded up: whoever waits that long has waited long enough.
pub fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
