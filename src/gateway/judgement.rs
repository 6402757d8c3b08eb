//! Whether a request may pass: its token, and what the token is good for.

use super::Gateway;
use super::credential::Taken;
use super::failure::Failure;
use super::notes::Notes;
use super::passage::Asker;
use super::wanted::Wanted;
use crate::enforce::decide::{self, Denial, Permit};
use crate::enforce::guard::{CheckError, Identity, Invalid};
use crate::enforce::rate::RateLimit;
use crate::oauth::token::TokenDigest;
use crate::proxy::target::Target;
use crate::telemetry::Verdict;
use std::sync::Arc;

impl Gateway {
    /// The permit, or why there is none. A route in `report_only` gives one whatever was decided.
    pub(super) async fn decide(
        &self,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        taken: &mut Taken<'_>,
        asker: &Asker<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<Permit, Failure> {
        if wanted.preflight {
            return wanted.check_origin().map(|()| decide::preflight());
        }
        let mut decided = self.judge(wanted, target, taken, notes).await;
        if let (Ok(permit), Some(limit)) = (&decided, &wanted.matched.route.spec.action.rate_limit) {
            let counted = self.count(limit, permit.identity().map(|identity| &**identity), asker, notes).await;
            decided = counted.and(decided);
        }
        match decided {
            Err(failure) if wanted.matched.route.spec.action.report_only && failure.is_decision() => {
                notes.verdict = Verdict::WouldDeny;
                notes.standing = None;
                notes.reason = failure.reason();
                Ok(decide::report_only(notes.identity.clone()))
            }
            decided => decided,
        }
    }

    async fn judge(
        &self,
        wanted: &Wanted<'_>,
        target: &Target<'_>,
        taken: &mut Taken<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<Permit, Failure> {
        wanted.check_origin()?;
        let Wanted { matched, resource, .. } = wanted;
        if let Some(permit) = decide::public(matched.access) {
            return Ok(permit);
        }
        let params = matched.values(target);
        if taken.has_form() {
            notes.waited();
        }
        let sent = match std::mem::replace(&mut taken.token, Ok(None)) {
            Ok(sent) => sent,
            Err(misuse) => return Err(misuse),
        };
        let Some(sent) = sent else { return Err(Failure::NoToken(decide::needed(matched.access, &params))) };
        let checked = self.check(sent.as_bytes(), notes).await;
        taken.token = Ok(Some(sent));
        let identity = checked.map_err(|error| match error {
            CheckError::Invalid(why) => wanted.invalid(why, &params),
            CheckError::Store(error) => Failure::Store(error),
        })?;
        notes.identity = Some(Arc::clone(&identity));
        notes.verdict = Verdict::Allowed;
        decide::decide(matched.access, identity, resource, &params, &self.plan.scopes).map_err(|denial| match denial {
            Denial::Audience => wanted.invalid(Invalid::Audience, &params),
            Denial::Scope { needed } => Failure::Scope(needed),
        })
    }

    /// Counts the request against its route's limit (LIM-429).
    async fn count(
        &self,
        limit: &RateLimit,
        identity: Option<&Identity>,
        asker: &Asker<'_>,
        notes: &mut Notes<'_>,
    ) -> Result<(), Failure> {
        let taken =
            self.limiter.take(limit, (identity, notes.client.or(asker.origin.address)), &self.store, notes.now()).await;
        if limit.terms().shared {
            notes.waited();
        }
        if taken.alone {
            self.recorder.counters().limits_counted_alone.increment();
        }
        notes.standing = Some(taken.standing);
        taken.wait.map_or(Ok(()), |wait| Err(Failure::RateLimited(wait)))
    }

    async fn check(&self, token: &[u8], notes: &mut Notes<'_>) -> Result<Arc<Identity>, CheckError> {
        let now = notes.timestamp();
        let digest = TokenDigest::of(token);
        let counters = self.recorder.counters();
        if let Some(answer) = self.guard.cached(&digest, now) {
            counters.cache_hits.increment();
            return answer.map_err(CheckError::Invalid);
        }
        let asked = notes.now();
        let checked = Box::pin(self.guard.check(token, &digest, now)).await;
        notes.waited();
        match &checked {
            Err(CheckError::Invalid(Invalid::Forged)) => counters.tokens_forged.increment(),
            Err(CheckError::Store(_)) => counters.store_failures.increment(),
            Ok(_) | Err(CheckError::Invalid(_)) => {
                counters.cache_misses.increment();
                counters.store_lookups.observe(notes.now().duration_since(asked));
            }
        }
        checked
    }
}
