//! Client authentication (RFC 6749 section 2.3): HTTP Basic, the form, or, for public clients, the
//! identifier alone. An unknown client and a wrong secret are the same answer after the same work.

use super::refusal::IssueError;
use super::throttle::{Attempts, Guessed};
use super::{Issuer, Request, audit};
use crate::clock::Timestamp;
use crate::oauth::authorization::{Authorization, Basic};
use crate::oauth::client::{Client, SecretHash, SelfRegistered};
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::oauth::token::Origin;
use crate::people::password;
use crate::secret::Digest;
use crate::store::{ClientRecord, StoreError};
use std::sync::Arc;

/// The proof that a request comes from this client, as far as its kind can prove it: a confidential
/// one showed its secret, a public one named itself. Only this module makes one.
#[must_use]
#[derive(Clone, Debug)]
pub(super) struct AuthenticatedClient {
    client: Arc<Client>,
}

impl AuthenticatedClient {
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

/// How a request says which client it comes from.
#[derive(Debug, PartialEq, Eq)]
enum Presented<'r> {
    /// `client_id` alone.
    Identifier(&'r str),
    /// An identifier and a secret in the body.
    Form(&'r str, &'r str),
    /// HTTP Basic in its readings, at least one: form-decoded, and as it stands where that differs
    /// (D-2).
    Basic(Vec<Basic>),
}

/// The longest identifier that the store is asked for.
const LONGEST_ID: usize = 256;

const TWO_WAYS: &str = "more than one way of client authentication is used";
const TWO_IDS: &str = "client_id is not the client that authenticates";

/// Finds the client's credentials in a request.
///
/// # Errors
/// When there are none, more than one (D-1), or such as cannot be read.
fn presented<'r>(params: &'r Params<'_>, authorization: Option<&Authorization>) -> Result<Presented<'r>, IssueError> {
    let id = params.get("client_id");
    let secret = params.get("client_secret");
    if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some() {
        return Err(IssueError::InvalidClient);
    }
    match (authorization, id, secret) {
        (Some(_), _, Some(_)) => Err(IssueError::InvalidRequest(TWO_WAYS)),
        (Some(Authorization::Basic(basic)), id, None) => {
            let mut readings = readings(basic);
            readings.retain(|reading| id.is_none_or(|id| id == reading.name()));
            if readings.is_empty() { Err(IssueError::InvalidRequest(TWO_IDS)) } else { Ok(Presented::Basic(readings)) }
        }
        (Some(Authorization::Unusable), ..) | (None, None, _) => Err(IssueError::InvalidClient),
        (None, Some(id), Some(secret)) => Ok(Presented::Form(id, secret)),
        (None, Some(id), None) => Ok(Presented::Identifier(id)),
    }
}

fn readings(basic: &Basic) -> Vec<Basic> {
    let raw = basic.clone();
    match basic.form_decoded() {
        Some(decoded) if decoded != raw => vec![decoded, raw],
        _ => vec![raw],
    }
}

impl Issuer {
    /// The client of the configuration or of the store with this identifier; one that is disabled is
    /// none. Whether its registration [has ended](Client::has_ended) is asked where time is known.
    ///
    /// # Errors
    /// When the store cannot answer, or holds something else.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        match self.clients.get(id) {
            Some(client) => Ok(Some(Arc::clone(client))),
            None => self.stored_client(id).await,
        }
    }

    async fn stored_client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        if id.len() > LONGEST_ID {
            return Ok(None);
        }
        let record = self.store.client(id).await?.filter(|record| !record.disabled);
        record.map(|record| client_of(record).map(Arc::new)).transpose()
    }

    /// The public client with this identifier, which needs no authentication.
    ///
    /// # Errors
    /// When the store cannot answer, or may not be asked by this source for the time being.
    pub(super) async fn public_client(
        &self,
        id: &str,
        attempts: &Attempts<'_>,
    ) -> Result<Option<AuthenticatedClient>, IssueError> {
        if self.clients.get(id).is_none() {
            // Only such identifiers cost a look into the store: a flood of made-up ones ends here.
            attempts.check().map_err(IssueError::Throttled)?;
        }
        let client = self.client(id).await?.filter(|client| !client.is_confidential());
        Ok(client.map(|client| AuthenticatedClient { client }))
    }

    /// The counters of failures to show this secret from where the request comes from.
    pub(super) fn attempts(&self, guessed: Guessed<'_>, request: &Request<'_>) -> Attempts<'_> {
        self.throttle.attempts(guessed, request.address, request.now, self.settings.failed_logins)
    }

    /// Authenticates the client of a request.
    ///
    /// # Errors
    /// When it cannot be authenticated, or may not try again yet.
    pub(super) async fn authenticate(&self, request: &Request<'_>) -> Result<AuthenticatedClient, IssueError> {
        let presented = presented(&request.params, request.authorization.as_ref());
        if let (Err(IssueError::InvalidRequest(TWO_IDS)), Some(id)) = (&presented, request.params.get("client_id")) {
            // The password grant may have looked for this identifier in the store.
            self.attempts(Guessed::Client(id), request).failed();
        }
        let presented = presented?;
        let name = match &presented {
            Presented::Identifier(id) | Presented::Form(id, _) => *id,
            Presented::Basic(readings) => readings.first().map_or("", Basic::name),
        };
        let attempts = self.attempts(Guessed::Client(name), request);
        let found = match &presented {
            Presented::Identifier(id) => {
                self.public_client(id, &attempts).await?.map(|authenticated| authenticated.client)
            }
            Presented::Form(id, secret) => {
                attempts.check().map_err(IssueError::Throttled)?;
                self.confirm(&[(id, secret)], request).await?
            }
            Presented::Basic(readings) => {
                attempts.check().map_err(IssueError::Throttled)?;
                let pairs: Vec<_> = readings.iter().map(|basic| (basic.name(), basic.password())).collect();
                self.confirm(&pairs, request).await?
            }
        };
        if !matches!(presented, Presented::Identifier(_)) {
            attempts.check().map_err(IssueError::Throttled)?;
        }
        let Some(client) = found.filter(|client| !client.has_ended(request.now)) else {
            attempts.failed();
            return Err(IssueError::InvalidClient);
        };
        Ok(AuthenticatedClient { client })
    }

    /// The confidential client that one of the `pairs` of identifier and secret belongs to.
    async fn confirm(&self, pairs: &[(&str, &str)], request: &Request<'_>) -> Result<Option<Arc<Client>>, IssueError> {
        let mut named: Option<Arc<Client>> = None;
        for (id, secret) in pairs {
            let client = self.client(id).await?;
            if named.is_some() && client.is_some() {
                // The readings name two existing clients: the first is the right one (D-2).
                let same = named.as_ref().map(|client| &client.id) == client.as_ref().map(|client| &client.id);
                if !same {
                    continue;
                }
            }
            if self.secret_matches(client.as_deref(), (id, secret), request.now).await? {
                return Ok(client);
            }
            named = named.or(client);
        }
        if let Some(client) = named {
            audit::wrong_secret("client", &client.id, request.address);
            if client.origin() == Origin::Configuration {
                // An unknown client has cost a look into the store; so does this one.
                self.stored_client(&client.id).await?;
            }
        }
        Ok(None)
    }

    /// Compares `secret` with those of the client, or, where there is none to compare with, with
    /// those of another one in vain.
    async fn secret_matches(
        &self,
        client: Option<&Client>,
        (id, secret): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, IssueError> {
        let own = client.filter(|client| client.is_confidential());
        let hashes = own.map_or_else(|| self.clients.decoy(id), |client| client.secrets_at(now));
        let digest = Digest::of(secret.as_bytes());
        for hash in hashes {
            let matches = match hash {
                SecretHash::Digest(known) => known.matches(&digest),
                SecretHash::Phc(hash) => password::matches(hash, secret).await?,
            };
            if matches {
                return Ok(own.is_some());
            }
        }
        Ok(false)
    }
}

/// A client of the store. Grants that this version does not know are left out; whatever else cannot
/// be read makes the record unusable.
pub(super) fn client_of(record: ClientRecord) -> Result<Client, StoreError> {
    let corrupt = || StoreError::Corrupt("a client".to_owned());
    let scope = |text: &str| if text.is_empty() { Ok(Scope::default()) } else { text.parse().map_err(|_| corrupt()) };
    let secrets: Result<Vec<SecretHash>, _> = record.secrets.iter().map(|text| text.parse()).collect();
    Ok(Client {
        secrets: secrets.map_err(|_| corrupt())?,
        grants: record.grants.iter().filter_map(|name| name.parse().ok()).collect(),
        scopes: scope(&record.scopes)?,
        default_scopes: record.default_scopes.as_deref().map(scope).transpose()?,
        id: record.id,
        name: record.name,
        redirect_uris: record.redirect_uris,
        introspect: record.introspect.into(),
        registration: Some(record.registration),
        old_secrets_until: record.old_secrets_until.map(Timestamp::from_millis),
        par_required: record.par_required,
        self_registered: record
            .self_registered
            .map(|registered| SelfRegistered { unused_until: registered.unused_until.map(Timestamp::from_millis) }),
        ..Client::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Basic` over the text `halves`.
    fn basic(halves: &str) -> Authorization {
        use base64::Engine;
        let value = base64::engine::general_purpose::STANDARD.encode(halves);
        Authorization::parse(format!("Basic {value}").as_bytes())
    }

    fn shown(form: &str, authorization: Option<Authorization>) -> Result<Vec<(String, String)>, &'static str> {
        let params = Params::parse(form.as_bytes(), &[]).unwrap();
        let pairs = match presented(&params, authorization.as_ref()) {
            Ok(Presented::Identifier(id)) => vec![(id.to_owned(), String::new())],
            Ok(Presented::Form(id, secret)) => vec![(id.to_owned(), secret.to_owned())],
            Ok(Presented::Basic(readings)) => {
                readings.iter().map(|basic| (basic.name().to_owned(), basic.password().to_owned())).collect()
            }
            Err(IssueError::InvalidClient) => return Err("invalid_client"),
            Err(IssueError::InvalidRequest(_)) => return Err("invalid_request"),
            Err(other) => panic!("{other:?}"),
        };
        Ok(pairs)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(id, secret)| ((*id).to_owned(), (*secret).to_owned())).collect()
    }

    /// D-1, R6749-2.3a
    #[test]
    fn two_ways_of_authentication_are_refused() {
        assert_eq!(shown("client_secret=s", Some(basic("a:s"))), Err("invalid_request"));
        assert_eq!(shown("client_id=a&client_secret=s", Some(basic("a:s"))), Err("invalid_request"));
        assert_eq!(shown("client_assertion=x", Some(basic("a:s"))), Err("invalid_client"));
        assert_eq!(shown("client_id=b", Some(basic("a:s"))), Err("invalid_request"));
        assert_eq!(shown("client_id=a", Some(basic("a:s"))), Ok(pairs(&[("a", "s")])));
    }

    /// D-2
    #[test]
    fn basic_is_read_decoded_first_and_then_as_it_stands() {
        assert_eq!(shown("", Some(basic("a%2Fb:p+q"))), Ok(pairs(&[("a/b", "p q"), ("a%2Fb", "p+q")])));
        assert_eq!(shown("", Some(basic("ab:100%"))), Ok(pairs(&[("ab", "100%")])), "a broken escape");
        assert_eq!(shown("client_id=a%252Fb", Some(basic("a%2Fb:s"))), Ok(pairs(&[("a%2Fb", "s")])));
    }

    /// R6749-2.3.1b, R6749-5.2b
    #[test]
    fn the_form_is_read_and_nothing_at_all_is_no_client() {
        assert_eq!(shown("client_id=a&client_secret=s", None), Ok(pairs(&[("a", "s")])));
        assert_eq!(shown("client_id=a", None), Ok(pairs(&[("a", "")])));
        assert_eq!(shown("client_secret=s", None), Err("invalid_client"));
        assert_eq!(shown("", None), Err("invalid_client"));
        assert_eq!(shown("client_id=a", Some(Authorization::parse(b"Bearer x"))), Err("invalid_client"));
    }
}
