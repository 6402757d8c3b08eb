//! Counts in Redis: `tg:l:<digest>`, gone when nothing of them is left.

use super::Redis;
use super::connection::Answer;
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
        let key = self.layout.key(&format!("l:{}", hex(key)));
        let numbers = [pace.every, pace.slack].map(|time| micros(time).to_string().into_bytes());
        // Asked twice it may count twice: that errs on the side of the limit.
        let step = self.scripts.count.step(vec![key], numbers.to_vec());
        let answer: Answer<(i64, u64)> = self.connection.call_within(patience, &step).await?;
        let (fits, ahead) = answer.value;
        Ok(Counted { fits: fits == 1, ahead: Duration::from_micros(ahead) })
    }
}

/// Rounded up: an upper bound stays one.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}
