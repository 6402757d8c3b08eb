//! A walk over what is good at the moment, for whoever asks what there is and not for one token of it.

use super::{Backend, Filter, Store, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::TokenRecord;

impl Store {
    /// Shows `visit` what `filter` means, in no order, until it says `false`: each access token, and of each
    /// grant the refresh token that may be used, which is there when every access token of the grant has
    /// expired. What changes meanwhile may be shown or not, and something may be shown twice. A few hundred
    /// are held at once, and others are served in between.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn survey(
        &self,
        filter: &Filter,
        now: Timestamp,
        mut visit: impl FnMut(TokenRecord) -> bool,
    ) -> Result<(), StoreError> {
        let embedded = match &self.backend {
            Backend::Embedded(embedded) => embedded,
            Backend::Redis(redis) => return redis.survey(filter, now, visit).await,
        };
        let mut after = Vec::new();
        loop {
            let (records, last) = embedded.survey(filter, &after, now)?;
            if !records.into_iter().all(&mut visit) {
                return Ok(());
            }
            let Some(last) = last else { return Ok(()) };
            after = last;
            tokio::task::yield_now().await;
        }
    }
}
