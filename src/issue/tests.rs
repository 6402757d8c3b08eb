//! The authorization server over a store in memory: whole requests, as the endpoints hand them on.

mod authorization;
mod clients;
mod device;
mod grants;
mod ledger;
mod owners;
mod par;
mod registration;

use super::{
    Admission, Clients, DeviceSettings, FailedLogins, IssueError, IssuedToken, Issuer, Registration, Request, Settings,
    Throttle,
};
use crate::clock::Timestamp;
use crate::oauth::authorization::Authorization;
use crate::oauth::client::{Client, GrantType, Introspect, Pkce, SecretHash};
use crate::oauth::params::Params;
use crate::oauth::request::REPEATABLE;
use crate::oauth::resource::Resources;
use crate::oauth::scope::{Scope, ScopeDeclaration, ScopeTable};
use crate::oauth::token::Origin;
use crate::people::directory::Directory;
use crate::people::password::tests::quick_hash;
use crate::people::users::{User, Users};
use crate::secret::Digest;
use crate::store::{self, Location, Store};
use std::sync::Arc;
use std::time::Duration;

/// The moment at which tests begin.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_900_000_000);

/// An authorization server and what is below it.
pub(crate) struct Stage {
    pub(crate) issuer: Issuer,
    pub(crate) store: Store,
    pub(crate) clients: Arc<Clients>,
    pub(crate) users: Arc<Users>,
    pub(crate) scopes: Arc<ScopeTable>,
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn digest_of(secret: &str) -> SecretHash {
    SecretHash::Digest(Digest::of(secret.as_bytes()))
}

pub(crate) fn client(id: &str, secrets: Vec<SecretHash>, grants: &[GrantType], scopes: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: None,
        secrets,
        grants: grants.to_vec(),
        redirect_uris: Vec::new(),
        scopes: scope(scopes),
        default_scopes: None,
        introspect: Introspect::Nothing,
        registration: None,
        ..Client::default()
    }
}

fn clients() -> Vec<Client> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, Password, RefreshToken};
    let mut billing = client("billing", vec![digest_of("b-secret")], &[], "read");
    billing.introspect = Introspect::Everything;
    vec![
        billing,
        client("reporter", vec![digest_of("old"), digest_of("r-secret")], &[ClientCredentials], "read"),
        client("chosen", vec![SecretHash::Phc(quick_hash("my dog"))], &[ClientCredentials, RefreshToken], "read write"),
        client("a/b", vec![digest_of("p q")], &[ClientCredentials], "read"),
        client("cli", Vec::new(), &[Password, RefreshToken], "read write other"),
        client("kiosk", Vec::new(), &[Password], "read"),
        client("rival", Vec::new(), &[Password, RefreshToken], "read write"),
        client("app", Vec::new(), &[AuthorizationCode, ClientCredentials], "read"),
        Client {
            redirect_uris: vec!["https://web.example/cb?tenant=1".into()],
            ..client("web", Vec::new(), &[AuthorizationCode, RefreshToken], "read write other")
        },
        Client {
            redirect_uris: vec!["http://127.0.0.1/cb".into(), "com.example.native:/cb".into()],
            ..client("native", Vec::new(), &[AuthorizationCode], "read write")
        },
        Client {
            redirect_uris: vec!["http://localhost/cb".into(), "https://server.example/cb".into()],
            pkce: Pkce::Optional,
            immediate_error_redirect: true,
            ..client("server", vec![digest_of("s-secret")], &[AuthorizationCode, RefreshToken], "read write")
        },
        client("tv", Vec::new(), &[DeviceCode, RefreshToken], "read write other"),
        client("radio", vec![digest_of("d-secret")], &[DeviceCode], "read"),
        client("portal", vec![digest_of("p-secret")], &[Password, RefreshToken], "read write"),
    ]
}

fn users() -> Vec<User> {
    vec![
        User {
            name: "alice".into(),
            password_hash: quick_hash("wonder:land"),
            scopes: Some(scope("read write")),
            origin: Origin::Configuration,
        },
        User { name: "reporter".into(), password_hash: quick_hash("pw"), scopes: None, origin: Origin::Configuration },
    ]
}

fn scopes() -> ScopeTable {
    let declare = |(name, implies): (&str, &str)| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: if implies.is_empty() { Scope::default() } else { scope(implies) },
        restricted: false,
    };
    ScopeTable::new([("write", "read"), ("read", ""), ("other", "")].into_iter().map(declare).collect()).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        issuer: "https://gate.example".into(),
        path: "/oauth2".into(),
        resources: Arc::new(Resources::gateway("https://gate.example", vec!["header", "body", "query"])),
        access_token_ttl: Duration::from_hours(1),
        refresh_token_ttl: Duration::from_hours(24),
        refresh_reuse_grace: Duration::from_secs(10),
        authorization_code_ttl: Duration::from_secs(60),
        device: Some(DeviceSettings { code_ttl: Duration::from_mins(10), interval: Duration::from_secs(5) }),
        failed_logins: FailedLogins { max: 3, per: Duration::from_mins(1) },
        registration: registration(Admission::Closed),
        par_required: false,
    }
}

pub(crate) fn registration(admission: Admission) -> Registration {
    Registration {
        admission,
        scopes: scope("read write"),
        ttl: Duration::from_hours(24),
        rate: FailedLogins { max: 3, per: Duration::from_mins(1) },
        most: 100,
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(settings(), clients(), users()).await
    }

    pub(crate) async fn with(settings: Settings, clients: Vec<Client>, users: Vec<User>) -> Self {
        let timeout = Duration::from_secs(1);
        let at = store::Settings { location: Location::Memory, timeout, feed_timeout: timeout };
        let store = Store::open(&at).await.unwrap();
        Self::over(store, settings, clients, users)
    }

    /// Another configuration over the same store: what a reload makes.
    pub(crate) fn over(store: Store, settings: Settings, clients: Vec<Client>, users: Vec<User>) -> Self {
        let (clients, users) = (Arc::new(Clients::new(clients)), Arc::new(Users::new(users)));
        let scopes = Arc::new(scopes());
        let issuer = Issuer::new(
            Arc::new(settings),
            Arc::clone(&clients),
            Directory::new(Arc::clone(&users), store.clone()),
            Arc::clone(&scopes),
            store.clone(),
            Arc::new(Throttle::new()),
        );
        Self { issuer, store, clients, users, scopes }
    }

    async fn token(&self, call: &Call<'_>) -> Result<IssuedToken, IssueError> {
        self.issuer.token(&call.request()).await
    }

    /// The refresh token and the access token of a new grant of alice's to `cli`.
    async fn family(&self) -> (String, String) {
        let issued = self.token(&call(ALICE)).await.unwrap();
        (issued.refresh_token().unwrap().reveal().to_owned(), issued.access_token().reveal().to_owned())
    }
}

const ALICE: &str = "grant_type=password&client_id=cli&username=alice&password=wonder:land";

/// A request to be.
#[derive(Clone, Debug)]
struct Call<'c> {
    form: &'c str,
    basic: Option<&'c str>,
    address: &'c str,
    now: Timestamp,
}

fn call(form: &str) -> Call<'_> {
    Call { form, basic: None, address: "192.0.2.1", now: START }
}

impl<'c> Call<'c> {
    /// With HTTP Basic over these halves.
    fn basic(self, halves: &'c str) -> Self {
        Self { basic: Some(halves), ..self }
    }

    fn from(self, address: &'c str) -> Self {
        Self { address, ..self }
    }

    fn after(self, secs: u64) -> Self {
        Self { now: START.plus(Duration::from_secs(secs)), ..self }
    }

    fn request(&self) -> Request<'c> {
        Request {
            params: Params::parse(self.form.as_bytes(), &REPEATABLE).unwrap(),
            authorization: self.basic.map(authorization),
            address: self.address.parse().ok(),
            now: self.now,
        }
    }
}

fn authorization(halves: &str) -> Authorization {
    use base64::Engine;
    let value = base64::engine::general_purpose::STANDARD.encode(halves);
    Authorization::parse(format!("Basic {value}").as_bytes())
}

/// The error as a word, for comparisons.
fn word<T>(outcome: &Result<T, IssueError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(IssueError::AccessDenied) => "access_denied",
        Err(IssueError::AuthorizationPending) => "authorization_pending",
        Err(IssueError::ExpiredToken) => "expired_token",
        Err(IssueError::InvalidClient) => "invalid_client",
        Err(IssueError::InvalidGrant(_)) => "invalid_grant",
        Err(IssueError::InvalidOwner) => "invalid_owner",
        Err(IssueError::InvalidPush(error, _)) => error,
        Err(IssueError::InvalidRequest(_)) => "invalid_request",
        Err(IssueError::InvalidScope(_)) => "invalid_scope",
        Err(IssueError::InvalidTarget(_)) => "invalid_target",
        Err(IssueError::NotAllowedToIntrospect) => "forbidden",
        Err(IssueError::LoginService | IssueError::Overloaded | IssueError::Random(_) | IssueError::Store(_)) => {
            "unavailable"
        }
        Err(IssueError::SlowDown) => "slow_down",
        Err(IssueError::Crowded(_) | IssueError::Throttled(_)) => "throttled",
        Err(IssueError::UnauthorizedClient) => "unauthorized_client",
        Err(IssueError::UnsupportedGrantType) => "unsupported_grant_type",
        Err(IssueError::TooLong) => "too_long",
        Err(IssueError::UnsupportedTokenType) => "unsupported_token_type",
    }
}
