//! Redis over TLS, which shows it a certificate and asks for one.

use super::redis::{eventually, node_of};
use super::server::{RedisServer, free_port, until};
use super::*;
use crate::store::{RedisAddress, StoreError};
use crate::tls::{Certificate, ClientSettings, ClientTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The files of an authority, of a server that it vouches for, and of a client.
static FILES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "the authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", authority.pem());
    for (name, host) in [("server", "127.0.0.1"), ("named", "redis.internal"), ("client", "gateway.internal")] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    folder
});

fn file(name: &str) -> PathBuf {
    FILES.path().join(name)
}

/// A server with a port for TLS alone besides the plain one.
pub(super) struct Secured {
    server: RedisServer,
    port: u16,
}

impl Secured {
    pub(super) fn start() -> Self {
        Self::start_as("server", &[])
    }

    /// With the certificate of this name.
    fn start_as(name: &str, options: &[&str]) -> Self {
        let server = RedisServer::start_as(|_: &Path| {
            let text = |path: PathBuf| path.display().to_string();
            let mut all = vec!["--tls-port".to_owned(), free_port().to_string()];
            for (option, value) in [
                ("--tls-cert-file", text(file(&format!("{name}.pem")))),
                ("--tls-key-file", text(file(&format!("{name}.key")))),
                ("--tls-ca-cert-file", text(file("ca.pem"))),
            ] {
                all.extend([option.to_owned(), value]);
            }
            all.extend(options.iter().map(|option| (*option).to_owned()));
            all
        });
        let port = server.command(&["CONFIG", "GET", "tls-port"]).lines().nth(4).unwrap().parse().unwrap();
        Self { server, port }
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings_with("rediss", &tls(true, None))
    }

    fn settings_with(&self, scheme: &str, tls: &ClientTls) -> Settings {
        let address = RedisAddress::parse(&format!("{scheme}://127.0.0.1:{}", self.port)).unwrap();
        Settings {
            timeout: Duration::from_secs(2),
            ..settings(Location::Redis(Box::new(address.with_tls(tls.clone()))))
        }
    }
}

fn tls(shows_certificate: bool, server_name: Option<&str>) -> ClientTls {
    let certificate = Certificate::read(&file("client.pem"), &file("client.key")).unwrap();
    let settings = ClientSettings {
        ca: Some(file("ca.pem")),
        certificate: shows_certificate.then_some(certificate),
        server_name: server_name.map(|name| name.to_owned().try_into().unwrap()),
        unverified: false,
    };
    ClientTls::new(settings, b"").unwrap()
}

async fn refused(settings: &Settings) -> String {
    match Store::open(settings).await {
        Err(StoreError::Unavailable(why)) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is believed"),
    }
}

/// TLS-3
#[tokio::test]
async fn a_redis_with_the_name_of_another_is_not_believed() {
    let redis = Secured::start_as("named", &[]);
    let why = refused(&redis.settings()).await;
    assert!(why.contains("not valid for name"), "{why}");
    let store = Store::open(&redis.settings_with("rediss", &tls(true, Some("redis.internal")))).await.unwrap();
    issue(&store, single(1, record("app", None))).await;
    assert!(valid(&store, 1).await);
}

/// TLS-3
#[tokio::test]
async fn a_redis_of_another_authority_is_not_believed() {
    let other = rcgen::generate_simple_self_signed(["other.internal".to_owned()]).unwrap();
    std::fs::write(file("other.pem"), other.cert.pem()).unwrap();
    let believed = ClientSettings { ca: Some(file("other.pem")), ..ClientSettings::default() };
    let redis = Secured::start();
    let why = refused(&redis.settings_with("rediss", &ClientTls::new(believed, b"").unwrap())).await;
    assert!(why.contains("invalid peer certificate"), "{why}");
}

#[tokio::test]
async fn a_redis_that_asks_for_a_certificate_is_shown_one() {
    let redis = Secured::start();
    refused(&redis.settings_with("rediss", &tls(false, None))).await;
    Store::open(&redis.settings()).await.unwrap().ping().await.unwrap();
}

/// A renewed certificate needs no restart.
#[tokio::test]
async fn those_who_connect_later_speak_the_tls_of_the_last_reload() {
    let redis = Secured::start();
    let store = Store::new(&redis.settings_with("rediss", &tls(false, None))).unwrap();
    assert!(store.reach().await.is_err());
    store.adjust(&redis.settings());
    store.reach().await.unwrap();
}

#[tokio::test]
async fn the_feed_comes_over_tls_too() {
    let redis = Secured::start();
    let (store, notes, _watch) = node_of(redis.settings()).await;
    issue(&store, single(1, record("app", None))).await;
    eventually("the news", Duration::from_secs(2), async || notes.ended(1)).await;
}

/// The nodes of a cluster are found at their ports for TLS.
#[tokio::test]
async fn a_cluster_over_tls_is_one_in_every_connection() {
    let bus = free_port().to_string();
    let options = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", &bus];
    let redis = Secured::start_as("server", &options);
    redis.server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("it is complete", Duration::from_secs(10), || {
        redis.server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
    });
    redis.server.command(&["CONFIG", "SET", "port", "0"]);
    let settings = redis.settings_with("rediss+cluster", &tls(true, None));
    let (store, _notes, _watch) = node_of(settings).await;
    assert!(store.put(crate::store::Kind::Session, "a", (&"x", None), None, NOW).await.unwrap());
    assert!(store.is_trusted());
}

/// What the reference says that a user needs.
const RIGHTS: &str = "resetkeys ~tg:* resetchannels -@all +@read +@write +@connection -@dangerous +eval +evalsha +time \
    +cluster|slots +cluster|info";

fn permit(server: &RedisServer) {
    assert!(include_str!("../../../docs/redis.md").contains(&format!("ACL SETUSER tollgate on >password {RIGHTS}")));
    let command = format!("ACL SETUSER tollgate on >password {RIGHTS}");
    let words: Vec<_> = command.split_whitespace().collect();
    assert!(server.command(&words).starts_with("+OK"));
}

fn as_user(settings: Settings, url: &str) -> Settings {
    Settings { location: Location::redis(&url.replace("//", "//tollgate:password@")).unwrap(), ..settings }
}

#[tokio::test]
async fn the_rights_that_are_documented_suffice_for_everything() {
    let server = RedisServer::start();
    permit(&server);
    let url = format!("redis://127.0.0.1:{}", server.port());
    let (store, notes, _watch) = node_of(as_user(server.settings(), &url)).await;
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    assert_eq!(store.rotate(rotation(2, 3, grant(1), NOW, GRACE)).await.unwrap(), crate::store::Rotated::Done);
    assert_eq!(store.list(&Filter::default(), None, 9, NOW).await.unwrap().len(), 2);
    assert!(store.add_client(client("a")).await.unwrap() && store.remove_client("a").await.unwrap());
    assert!(store.revoke_where(&Filter::default()).await.unwrap() > 0);
    assert!(store.put(crate::store::Kind::User, "alice", (&"x", None), None, NOW).await.unwrap());
    assert_eq!(store.documents::<String>(crate::store::Kind::User, "", None, 9, NOW).await.unwrap().len(), 1);
    let pace = crate::store::Pace { every: Duration::from_secs(1), slack: Duration::ZERO };
    store.count(b"a", pace, Duration::from_secs(1)).await.unwrap().unwrap();
    eventually("the news", Duration::from_secs(2), async || notes.ended(1)).await;
    server.command(&["ACL", "SETUSER", "tollgate", ">other", "<password"]);
    let refused = refused(&as_user(server.settings(), &url)).await;
    assert!(refused.contains("authentication failed") && !refused.contains(":password"), "{refused}");
}

#[tokio::test]
async fn the_rights_that_are_documented_suffice_on_a_cluster() {
    let bus = free_port().to_string();
    let server = RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    permit(&server);
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let url = format!("redis+cluster://127.0.0.1:{}", server.port());
    let store = Store::new(&as_user(server.settings(), &url)).unwrap();
    eventually("an answer", Duration::from_secs(10), async || store.reach().await.is_ok()).await;
    let (store, _notes, _watch) = node_of(as_user(server.settings(), &url)).await;
    assert!(store.put(crate::store::Kind::Session, "a", (&"x", None), None, NOW).await.unwrap());
}
