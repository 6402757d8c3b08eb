//! Counts in Redis: `tg:l:<digest>`, gone when nothing of them is left.

use super::Redis;
use super::connection::{Answer, Input, Retry};
use crate::secret::hex;
use crate::store::StoreError;
use crate::store::rate::{Counted, Pace};
use std::time::Duration;

impl Redis {
    pub(in crate::store) async fn count(
        &self,
        key: &[u8],
        pace: Pace,
        patience: Duration,
    ) -> Result<Counted, StoreError> {
        let key = format!("tg:l:{}", hex(key));
        let numbers = [pace.every, pace.slack].map(|time| micros(time).to_string());
        let input = Input { keys: &[key.as_bytes()], arguments: &numbers.each_ref().map(String::as_bytes) };
        // Asked twice it may count twice: that errs on the side of the limit.
        let answer: Answer<(i64, u64)> =
            self.connection.call_within(patience, &self.scripts.count, input, Retry::Once).await?;
        let (fits, ahead) = answer.value;
        Ok(Counted { fits: fits == 1, ahead: Duration::from_micros(ahead) })
    }
}

/// Rounded up: an upper bound stays one.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}
