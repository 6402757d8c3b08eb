//! What a provider says of itself (`OpenID` Connect Discovery 1.0), and its keys: fetched once, kept for
//! an hour, fetched anew when a key is missing.

use crate::clock::{self, Timestamp};
use crate::people::https::{Https, chain};
use openidconnect::{IssuerUrl, ProviderMetadataWithLogout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Metadata and keys.
pub(super) type Metadata = ProviderMetadataWithLogout;

/// How long it is believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How long it is used although the provider does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// After a failure the provider is left alone for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// The metadata of one provider.
#[derive(Default)]
pub(super) struct Discovery {
    known: Mutex<Known>,
    /// Only one at a time asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    failed: Option<(Timestamp, String)>,
}

impl Known {
    fn within(&self, age: Duration, now: Timestamp) -> Option<Arc<Metadata>> {
        let (metadata, at) = self.metadata.as_ref()?;
        (now < at.plus(age)).then(|| Arc::clone(metadata))
    }

    /// Why it was not fetched a moment ago.
    fn failure(&self, now: Timestamp) -> Option<&str> {
        self.failed.as_ref().filter(|(at, _)| now < at.plus(PAUSE)).map(|(_, why)| &**why)
    }
}

impl Discovery {
    /// What the provider says of itself, at most an hour ago where it answers.
    pub(super) async fn metadata(
        &self,
        issuer: &IssuerUrl,
        https: &Https,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, String> {
        if let Some(known) = self.known().within(FRESH, now) {
            return Ok(known);
        }
        let _asking = self.asking.lock().await;
        let known = self.known();
        if let Some(known) = known.within(FRESH, now) {
            return Ok(known);
        }
        let fetched = match known.failure(now) {
            Some(why) => Err(why.to_owned()),
            None => self.fetch(issuer, https, now).await,
        };
        fetched.or_else(|why| known.within(STALE, now).ok_or(why))
    }

    /// What it says of itself now, in place of `old`, which lacks a key; one question at most for all who
    /// miss it.
    pub(super) async fn renewed(
        &self,
        old: &Arc<Metadata>,
        issuer: &IssuerUrl,
        https: &Https,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, String> {
        let _asking = self.asking.lock().await;
        match self.known().within(FRESH, now) {
            Some(known) if !Arc::ptr_eq(&known, old) => Ok(known),
            _ => self.fetch(issuer, https, now).await,
        }
    }

    async fn fetch(&self, issuer: &IssuerUrl, https: &Https, now: Timestamp) -> Result<Arc<Metadata>, String> {
        let fetched = Metadata::discover_async(issuer.clone(), https).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Known { metadata: Some((Arc::clone(&metadata), now)), failed: None };
                Ok(metadata)
            }
            Err(error) => {
                // The body of an answer is no business of the log.
                let why = if let openidconnect::DiscoveryError::Response(status, _, why) = &error {
                    format!("{why} ({status})")
                } else {
                    chain(&error)
                };
                // From now on, not from before the wait: the page is not to wait each time.
                known.failed = Some((clock::now(), why.clone()));
                Err(why)
            }
        }
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
