//! What every backend must do, tried on each: memory, a file, a real Redis, one over TLS, one behind
//! sentinels, a cluster.

mod clients;
mod cluster;
mod documents;
mod embedded;
mod grants;
mod places;
mod redis;
mod secured;
mod sentinel;
mod server;
mod tokens;

use super::{ClientRecord, Filter, Issue, Issued, Listener, Location, Rotation, Settings, Store};
use crate::clock::Timestamp;
use crate::oauth::client::RegistrationId;
use crate::oauth::token::{GrantId, Origin, RefreshRecord, TokenDigest, TokenRecord};
use crate::store::contract::server::RedisServer;
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The moment at which every test begins.
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const GRACE: Duration = Duration::from_secs(10);

/// A store with what it needs to live.
struct Place {
    store: Store,
    _needs: Box<dyn Any>,
}

impl Place {
    async fn memory() -> Self {
        let store = Store::open(&settings(Location::Memory)).await.unwrap();
        Self { store, _needs: Box::new(()) }
    }

    async fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/tollgate.redb");
        let store = Store::open(&settings(Location::Redb(path))).await.unwrap();
        Self { store, _needs: Box::new(folder) }
    }

    async fn redis() -> Self {
        let server = RedisServer::start();
        let store = Store::open(&server.settings()).await.unwrap();
        Self { store, _needs: Box::new(server) }
    }

    async fn tls() -> Self {
        let server = secured::Secured::start();
        let store = Store::open(&server.settings()).await.unwrap();
        Self { store, _needs: Box::new(server) }
    }

    async fn sentinel() -> Self {
        let watched = sentinel::Watched::shared().await;
        let store = Store::open(&watched.settings()).await.unwrap();
        Self { store, _needs: Box::new(watched) }
    }

    async fn cluster() -> Self {
        let cluster = cluster::Cluster::shared().await;
        let store = Store::open(&cluster.settings()).await.unwrap();
        Self { store, _needs: Box::new(cluster) }
    }
}

/// Runs each of the given tests against every backend.
macro_rules! on_every_backend {
    ($($(#[$meta:meta])* $test:ident),+ $(,)?) => {
        on_every_backend!(@ memory [$($(#[$meta])* $test),+]);
        on_every_backend!(@ file [$($(#[$meta])* $test),+]);
        on_every_backend!(@ redis [$($(#[$meta])* $test),+]);
        on_every_backend!(@ tls [$($(#[$meta])* $test),+]);
        on_every_backend!(@ sentinel [$($(#[$meta])* $test),+]);
        on_every_backend!(@ cluster [$($(#[$meta])* $test),+]);
    };
    (@ $backend:ident [$($(#[$meta:meta])* $test:ident),+]) => {
        mod $backend {
            $($(#[$meta])* #[tokio::test]
            async fn $test() {
                let place = crate::store::contract::Place::$backend().await;
                super::$test(&place.store).await;
            })+
        }
    };
}
use on_every_backend;

fn settings(location: Location) -> Settings {
    Settings { location, timeout: Duration::from_secs(10), feed_timeout: Duration::from_secs(2) }
}

/// How many numbers live at one place.
const NEIGHBOURS: u64 = 10_000;

/// Where a number lives: those below [`NEIGHBOURS`] with the grants of [`grant`].
fn place(number: u64) -> [u8; 2] {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let at = usize::try_from(number / NEIGHBOURS % 3844).unwrap();
    [ALPHABET[at / 62], ALPHABET[at % 62]]
}

fn digest(number: u64) -> TokenDigest {
    TokenDigest::of(format!("tga_{}{number}", str::from_utf8(&place(number)).unwrap()).as_bytes())
}

fn grant(octet: u8) -> GrantId {
    GrantId([octet; 16])
}

/// The grant of a token of this number, where it lives.
fn grant_of(number: u64) -> GrantId {
    let mut octets = u128::from(number).to_be_bytes();
    octets[..2].copy_from_slice(&place(number));
    GrantId(octets)
}

fn record(client: &str, subject: Option<&str>) -> TokenRecord {
    TokenRecord {
        client_id: client.to_owned(),
        client_origin: Origin::Configuration,
        subject: subject.map(str::to_owned),
        subject_origin: Origin::Configuration,
        scope: "read write".to_owned(),
        audience: vec!["https://api.example/notes".to_owned()],
        issued_at: NOW,
        expires_at: NOW.plus(HOUR),
        grant: None,
    }
}

fn refresh_record(grant: GrantId, client: &str, subject: Option<&str>) -> RefreshRecord {
    RefreshRecord {
        grant,
        client_id: client.to_owned(),
        client_origin: Origin::Configuration,
        subject: subject.map(str::to_owned),
        subject_origin: Origin::Configuration,
        scope: "read write".to_owned(),
        audience: Vec::new(),
        issued_at: NOW,
        expires_at: NOW.plus(24 * HOUR),
    }
}

/// An access token alone.
fn single(number: u64, record: TokenRecord) -> Issue {
    Issue { access: (digest(number), record), refresh: None, registration: None }
}

/// Access token `number` and refresh token `number + 1` of a grant.
fn pair(number: u64, grant: GrantId, client: &str, subject: Option<&str>) -> Issue {
    Issue {
        access: (digest(number), TokenRecord { grant: Some(grant), ..record(client, subject) }),
        refresh: Some((digest(number + 1), refresh_record(grant, client, subject))),
        registration: None,
    }
}

/// The exchange of refresh token `presented` for access token `number` and refresh token `number + 1`.
fn rotation(presented: u64, number: u64, grant: GrantId, now: Timestamp, grace: Duration) -> Rotation {
    let Issue { access, refresh, .. } = pair(number, grant, "app", Some("alice"));
    let (access, refresh) = (access, refresh.unwrap());
    Rotation { presented: digest(presented), grant, access, refresh, now, grace }
}

fn of_client(id: &str) -> Filter {
    Filter { client_id: Some(id.to_owned()), subject: None }
}

fn of_subject(name: &str) -> Filter {
    Filter { client_id: None, subject: Some(name.to_owned()) }
}

fn client(id: &str) -> ClientRecord {
    ClientRecord {
        id: id.to_owned(),
        name: Some("An app".to_owned()),
        secrets: vec!["digest".to_owned()],
        grants: vec!["authorization_code".to_owned()],
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        scopes: "read write".to_owned(),
        default_scopes: None,
        introspect: false,
        registration: RegistrationId([1; 16]),
        created_at: NOW.as_millis(),
        disabled: false,
        old_secrets_until: None,
        par_required: false,
        self_registered: None,
        version: 0,
    }
}

/// Stores tokens that nothing speaks against.
async fn issue(store: &Store, issue: Issue) {
    assert_eq!(store.issue(issue).await.unwrap(), Issued::Done);
}

/// Whether access token `number` is valid.
async fn valid(store: &Store, number: u64) -> bool {
    store.access_token(&digest(number), NOW).await.unwrap().is_some()
}

/// Whether refresh token `number` is known.
async fn known(store: &Store, number: u64) -> bool {
    store.refresh_token(&digest(number), NOW).await.unwrap().is_some()
}

/// Which of these are valid access tokens or known refresh tokens.
async fn alive(store: &Store, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut alive = Vec::new();
    for number in numbers {
        if valid(store, number).await || known(store, number).await {
            alive.push(number);
        }
    }
    alive
}

/// A listener that writes down what it is told.
#[derive(Default)]
struct Notes {
    ended: Mutex<Vec<TokenDigest>>,
    issued: Mutex<Vec<TokenDigest>>,
    all: Mutex<u32>,
}

impl Notes {
    fn on(store: &Store) -> Arc<Self> {
        let notes = Arc::new(Self::default());
        store.listen(Arc::clone(&notes) as Arc<dyn Listener>);
        notes
    }

    fn ended(&self, number: u64) -> bool {
        self.ended.lock().unwrap().contains(&digest(number))
    }

    fn all_of(&self, numbers: impl IntoIterator<Item = u64>) -> bool {
        numbers.into_iter().all(|number| self.ended(number))
    }

    fn emptied(&self) -> u32 {
        *self.all.lock().unwrap()
    }
}

impl Listener for Notes {
    fn ended(&self, tokens: &[TokenDigest]) {
        self.ended.lock().unwrap().extend_from_slice(tokens);
    }

    fn issued(&self, tokens: &[TokenDigest]) {
        self.issued.lock().unwrap().extend_from_slice(tokens);
    }

    fn all_ended(&self) {
        *self.all.lock().unwrap() += 1;
    }
}
