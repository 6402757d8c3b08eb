//! What a resource owner allows a client: remembered, so that the same question need not be asked twice,
//! and so that there is something to take back.

use super::code::Code;
use crate::clock::Timestamp;
use crate::issue::Issuer;
use crate::issue::refusal::IssueError;
use crate::oauth::client::{Client, RegistrationId};
use crate::oauth::scope::Scope;
use crate::oauth::token::Origin;
use crate::people::users::Subject;
use crate::secret::{Digest, hex, random};
use crate::store::{Document, Kind};
use serde::{Deserialize, Serialize};

/// How often a change is tried again that somebody else was faster than.
const TRIES: usize = 8;

/// A consent as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consent {
    /// Tells it from an earlier one that was taken back: what was given under that one has ended.
    pub(super) id: String,
    pub(super) client_id: String,
    /// Whose it is, for listings: where it is has a digest of the name alone.
    #[serde(default)]
    pub(super) subject: Option<String>,
    pub(super) client_origin: Origin,
    pub(super) registration: Option<RegistrationId>,
    /// Space-separated.
    pub(super) scope: String,
    /// When it was given for the first time, in milliseconds.
    pub(super) since: u64,
}

impl Consent {
    /// Whether it was given to this client, and not to one that had its identifier before.
    fn is_of(&self, client: &Client) -> bool {
        client.is(&self.client_id, self.client_origin) && client.registration == self.registration
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope.parse().unwrap_or_default()
    }

    /// What it says after a decision about `asked` for `chosen`: what was asked and not chosen is no longer
    /// allowed.
    fn decided(self, asked: &Scope, chosen: &Scope) -> Self {
        let kept: Vec<_> = self.scope().iter().filter(|token| !asked.contains(token)).cloned().collect();
        let scope: Scope = kept.into_iter().chain(chosen.iter().cloned()).collect();
        Self { scope: scope.to_string(), ..self }
    }
}

/// Where the consent of a resource owner to a client is; those of one begin with its
/// [key](Subject::key).
pub(super) fn id(subject: &Subject, client_id: &str) -> String {
    format!("{}{}", subject.key(), Digest::of(client_id.as_bytes()).to_hex())
}

impl Issuer {
    async fn stored_consent(
        &self,
        subject: &Subject,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<Document<Consent>>, IssueError> {
        Ok(self.store.document::<Consent>(Kind::Consent, &id(subject, &client.id), now).await?)
    }

    /// What `subject` allows `client`.
    pub(super) async fn consent(
        &self,
        subject: &Subject,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<Consent>, IssueError> {
        let document = self.stored_consent(subject, client, now).await?;
        Ok(document.map(|document| document.value).filter(|consent| consent.is_of(client)))
    }

    /// Whether the consent that `code` was given under is still there.
    pub(in crate::issue) async fn consents_still(
        &self,
        code: &Code,
        client: &Client,
        now: Timestamp,
    ) -> Result<bool, IssueError> {
        self.consent_stands((&code.subject, &code.consent), client, now).await
    }

    /// Whether a consent of `subject` that is called so is still there.
    pub(in crate::issue) async fn consent_stands(
        &self,
        (subject, called): (&Subject, &str),
        client: &Client,
        now: Timestamp,
    ) -> Result<bool, IssueError> {
        let consent = self.consent(subject, client, now).await?;
        Ok(consent.is_some_and(|consent| consent.id == called))
    }

    /// Remembers that `subject`, asked by `client` for one scope, chose another, and returns what the
    /// consent is called.
    pub(in crate::issue) async fn remember(
        &self,
        subject: &Subject,
        client: &Client,
        (asked, chosen): (&Scope, &Scope),
        now: Timestamp,
    ) -> Result<String, IssueError> {
        for _ in 0..TRIES {
            let stored = self.stored_consent(subject, client, now).await?;
            let version = stored.as_ref().map(|document| document.version);
            let known = stored.map(|document| document.value).filter(|consent| consent.is_of(client));
            let before = known.clone();
            let consent = match known {
                Some(consent) => consent,
                None => Consent {
                    id: hex(&random::<16>()?),
                    client_id: client.id.clone(),
                    subject: None,
                    client_origin: client.origin(),
                    registration: client.registration,
                    scope: String::new(),
                    since: now.as_millis(),
                },
            };
            let consent = Consent { subject: Some(subject.name.clone()), ..consent.decided(asked, chosen) };
            let unchanged = before.is_some_and(|before| before == consent);
            let at = id(subject, &client.id);
            if unchanged || self.store.put(Kind::Consent, &at, (&consent, None), version, now).await? {
                return Ok(consent.id);
            }
        }
        Err(IssueError::Overloaded)
    }
}
