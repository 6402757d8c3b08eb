//! A client looks at its registration, changes it, and ends it (RFC 7592).

use super::{RegisteredClient, Registering, RegistrationError, describe};
use crate::clock::Timestamp;
use crate::issue::{Issuer, audit, secret_hash};
use crate::oauth::client::{RegistrationId, SecretHash};
use crate::oauth::registration::{AuthMethod, ClientMetadata, MetadataError, Registrable};
use crate::oauth::token::TokenKind;
use crate::secret::{Digest, Secret};
use crate::store::ClientRecord;

/// The longest identifier that the store is asked for.
const LONGEST_ID: usize = 256;

const NOT_ITS_SECRET: MetadataError = MetadataError::Client("client_secret is not the client's");

impl Issuer {
    /// The registration of a client, for the client itself (RFC 7592 section 2.1).
    ///
    /// # Errors
    /// When it does not show its registration access token.
    pub async fn registered(&self, id: &str, request: &Registering<'_>) -> Result<RegisteredClient, RegistrationError> {
        let found = self.registrant(id, request).await;
        found.inspect_err(|error| audit::registration_refused("registration", error, request.address))
    }

    /// Puts other metadata in the place of a client's (RFC 7592 section 2.2).
    ///
    /// # Errors
    /// When it does not show its registration access token, or cannot be registered like this.
    pub async fn register_anew(
        &self,
        id: &str,
        request: &Registering<'_>,
        metadata: ClientMetadata,
    ) -> Result<RegisteredClient, RegistrationError> {
        let changed = self.replace(id, request, metadata).await;
        match &changed {
            Ok(client) => audit::registration("registration changed", &client.record.id, request.address),
            Err(error) => audit::registration_refused("registration", error, request.address),
        }
        changed
    }

    /// Ends a registration, and with it every token and grant of the client (RFC 7592 section 2.3).
    ///
    /// # Errors
    /// When it does not show its registration access token, or is not known to be gone.
    pub async fn deregister(&self, id: &str, request: &Registering<'_>) -> Result<(), RegistrationError> {
        let registrant = self.registrant(id, request).await;
        let removed = match registrant {
            Ok(client) => self.store.remove_client(&client.record.id).await.map_err(RegistrationError::from),
            Err(error) => Err(error),
        };
        match removed {
            Ok(_) => {
                audit::registration("registration ended", id, request.address);
                Ok(())
            }
            Err(error) => {
                audit::registration_refused("registration", &error, request.address);
                Err(error)
            }
        }
    }

    /// The client `id`, if the request shows its registration access token. That there is no such
    /// client is not told apart from a wrong token (R7592-2.1).
    async fn registrant(&self, id: &str, request: &Registering<'_>) -> Result<RegisteredClient, RegistrationError> {
        let token = request.token.ok_or(RegistrationError::NoToken)?;
        let recognised = self.store.tag_keys()?.recognise(TokenKind::Registration, token);
        if !recognised || id.len() > LONGEST_ID {
            return Err(RegistrationError::InvalidToken);
        }
        let found = self.store.client(id).await?.filter(|record| belongs(record, token, request.now));
        let record = found.ok_or(RegistrationError::InvalidToken)?;
        if record.disabled {
            return Err(RegistrationError::Disabled);
        }
        Ok(RegisteredClient { record, secret: None, token: Secret::new(String::from_utf8_lossy(token)) })
    }

    async fn replace(
        &self,
        id: &str,
        request: &Registering<'_>,
        metadata: ClientMetadata,
    ) -> Result<RegisteredClient, RegistrationError> {
        let client = self.registrant(id, request).await?;
        let sent = metadata.check_update(id)?.cloned();
        if sent.as_ref().is_some_and(|sent| !has_secret(&client.record, sent, request.now)) {
            return Err(NOT_ITS_SECRET.into());
        }
        let registrable = metadata.check(&self.policy())?;
        // Needed where the client turns out to have none: it may be changed meanwhile.
        let minted = self.secret_for(registrable.auth_method)?;
        let hash = minted.as_ref().map(secret_hash);
        let next = RegistrationId::generate()?;
        let shown = client.token.reveal().as_bytes();
        let is_its_own = |record: &ClientRecord| belongs(record, shown, request.now) && !record.disabled;
        let change = |record: &mut ClientRecord| {
            let may = is_its_own(record);
            if may {
                put(record, registrable.clone(), hash.as_deref(), next);
            }
            may
        };
        let record = self.store.change_client(id, change).await?;
        // It may have been removed or disabled a moment ago.
        let record = record.filter(is_its_own).ok_or(RegistrationError::InvalidToken)?;
        let minted = minted.zip(hash).filter(|(_, hash)| record.secrets.contains(hash));
        let minted = minted.map(|(minted, _)| minted.secret().clone());
        let secret = minted.or(sent.filter(|sent| has_secret(&record, sent, request.now)));
        Ok(RegisteredClient { record, secret, token: client.token })
    }
}

/// Puts `said` in the place of what a client said before. Where that changes who asks or where people
/// are sent, it is another registration: what was allowed to the earlier one is asked again, and codes
/// that are under way end.
fn put(record: &mut ClientRecord, said: Registrable, hash: Option<&str>, next: RegistrationId) {
    if record.name != said.name || record.redirect_uris != said.redirect_uris {
        record.registration = next;
    }
    match (said.auth_method, hash) {
        (AuthMethod::None, _) => record.secrets.clear(),
        (_, Some(hash)) if record.secrets.is_empty() => record.secrets.push(hash.to_owned()),
        _ => {}
    }
    describe(record, said);
}

fn belongs(record: &ClientRecord, token: &[u8], now: Timestamp) -> bool {
    record.self_registered.as_ref().is_some_and(|registered| {
        let shown = Digest::of(token);
        let is_its = Digest::from_hex(&registered.token).is_some_and(|known| known.matches(&shown));
        is_its && registered.unused_until.is_none_or(|end| now.as_millis() < end)
    })
}

fn has_secret(record: &ClientRecord, sent: &Secret, now: Timestamp) -> bool {
    let shown = Digest::of(sent.reveal().as_bytes());
    let old_ended = record.old_secrets_until.is_some_and(|end| end <= now.as_millis());
    let secrets = if old_ended { record.secrets.get(..1).unwrap_or_default() } else { &record.secrets };
    secrets.iter().any(|text| matches!(text.parse(), Ok(SecretHash::Digest(known)) if known.matches(&shown)))
}
