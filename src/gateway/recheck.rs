//! Long exchanges end with their token (PX-15): it is checked again from time to time, like that of a new
//! request, by the configuration then in force: who was removed by a reload has no valid token.

use super::Worker;
use super::credential::{Sent, Taken};
use crate::clock::{self, Timestamp};
use crate::enforce::guard::CheckError;
use crate::oauth::token::TokenDigest;
use crate::proxy::forward::Watch;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;

/// The token of one exchange.
pub(super) struct Recheck<'r> {
    pub(super) worker: &'r Worker,
    pub(super) taken: &'r Taken<'r>,
    pub(super) expires_at: Timestamp,
    /// The store did not answer the last time.
    pub(super) unanswered: Cell<bool>,
}

impl fmt::Debug for Recheck<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recheck").finish_non_exhaustive()
    }
}

impl Watch for Recheck<'_> {
    fn holds<'w>(&'w self) -> Pin<Box<dyn Future<Output = bool> + 'w>> {
        Box::pin(async move {
            let Ok(Some(sent)) = &self.taken.token else { return true };
            self.is_valid(sent).await
        })
    }
}

impl Recheck<'_> {
    /// A store that does not answer once is asked again; where it does not answer twice, the exchange ends
    /// like a new one would be refused, unless `on_store_outage = "serve-cached"`.
    async fn is_valid(&self, sent: &Sent<'_>) -> bool {
        let now = clock::now();
        if self.expires_at <= now {
            return false;
        }
        let gateway = self.worker.gateway();
        let guard = &gateway.guard;
        let digest = TokenDigest::of(sent.as_bytes());
        let checked = match guard.cached(&digest, now) {
            Some(answer) => answer.map_err(CheckError::Invalid),
            None => guard.check(sent.as_bytes(), &digest, now).await,
        };
        match checked {
            Ok(_) => {
                self.unanswered.set(false);
                true
            }
            Err(CheckError::Invalid(_)) => false,
            Err(CheckError::Store(_)) => gateway.plan.serve_cached || !self.unanswered.replace(true),
        }
    }
}
