//! What this process ended in the last minutes. A failover may forget it: replication is asynchronous, and
//! what a master acknowledged just before it died may be missing on the next one. It is then ended
//! again, by everyone who ended something.

use crate::oauth::token::{GrantId, TokenDigest};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A failover takes less.
const LIFE: Duration = Duration::from_secs(300);
/// The latest ones of more are kept.
const MOST: usize = 10_000;

/// Something that was ended. Neither comes back by itself, so that ending it again harms nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Access(TokenDigest),
    Grant(GrantId),
}

/// The latest endings, the oldest first.
#[derive(Default)]
pub(super) struct Endings(Mutex<VecDeque<(Instant, Ending)>>);

impl Endings {
    pub(super) fn note(&self, endings: impl IntoIterator<Item = Ending>) {
        self.note_at(Instant::now(), endings);
    }

    /// Those that a failover may have forgotten.
    pub(super) fn recent(&self) -> Vec<Ending> {
        self.recent_at(Instant::now())
    }

    fn note_at(&self, now: Instant, endings: impl IntoIterator<Item = Ending>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ending in endings {
            if kept.len() == MOST {
                kept.pop_front();
            }
            kept.push_back((now, ending));
        }
        Self::forget_old(&mut kept, now);
    }

    fn recent_at(&self, now: Instant) -> Vec<Ending> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self::forget_old(&mut kept, now);
        kept.iter().map(|(_, ending)| *ending).collect()
    }

    fn forget_old(kept: &mut VecDeque<(Instant, Ending)>, now: Instant) {
        while kept.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > LIFE) {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(number: usize) -> Ending {
        Ending::Access(TokenDigest::of(&number.to_be_bytes()))
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let (endings, start) = (Endings::default(), Instant::now());
        endings.note_at(start, [ending(1)]);
        endings.note_at(start + LIFE, [ending(2), Ending::Grant(GrantId([1; 16]))]);
        assert_eq!(endings.recent_at(start + LIFE), [ending(1), ending(2), Ending::Grant(GrantId([1; 16]))]);
        assert_eq!(endings.recent_at(start + LIFE + Duration::from_millis(1)).len(), 2);
    }

    #[test]
    fn no_more_than_the_latest_are_kept() {
        let endings = Endings::default();
        endings.note((0..=MOST).map(ending));
        let recent = endings.recent();
        assert_eq!((recent.len(), recent.first().copied()), (MOST, Some(ending(1))));
    }
}
