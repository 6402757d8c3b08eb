//! Certificates of an authority of the tests' own, clients that believe it, and a TLS server in front of a plain one.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// An authority, and a folder with `NAME.pem` and `NAME.key` of what it has issued; its own is `ca.pem`.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Two authorities of one name would be taken for one with two keys.
        params.distinguished_name.push(DnType::CommonName, format!("authority {:?}", &key.public_key_raw()[..9]));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Writes a certificate for `names` and its key; what was there is replaced.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) {
        self.issue_until(file, names, 2090);
    }

    /// One that ends with the beginning of `year`.
    pub(crate) fn issue_until(&self, file: &str, names: &[&str], year: i32) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.pem")), pem).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// `{ cert = …, key = … }`, with what else is given.
    pub(crate) fn pair(&self, file: &str, more: &str) -> String {
        let (cert, key) = (self.quoted(&format!("{file}.pem")), self.quoted(&format!("{file}.key")));
        format!("{{ cert = {cert}, key = {key}{more} }}")
    }

    /// The path of a file as the configuration takes it.
    pub(crate) fn quoted(&self, file: &str) -> String {
        format!("\"{}\"", self.path(file).display())
    }

    fn read(&self, file: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = self.certificate(file);
        (vec![certificate], PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key"))).unwrap())
    }

    pub(crate) fn certificate(&self, file: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(&format!("{file}.pem"))).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca")).unwrap();
        roots
    }

    /// A client that believes it, with the certificate `file` of `other`, if any.
    pub(crate) fn client_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        shown: Option<(&Self, &str)>,
    ) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(self.roots());
        Arc::new(match shown {
            None => builder.with_no_client_auth(),
            Some((other, file)) => {
                let (chain, key) = other.read(file);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client_of(rustls::ALL_VERSIONS, None)
    }

    /// A server with the certificate `file`, which demands one of this authority where told.
    pub(crate) fn server(&self, file: &str, demanding: bool) -> ServerConfig {
        let (chain, key) = self.read(file);
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if demanding {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(chain, key).unwrap()
    }
}

/// How a front ends a connection that the server behind it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With `close_notify`.
    Said,
    /// Without.
    Cut,
}

/// TLS in front of a plain server.
pub(crate) struct Front {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Front {
    pub(crate) fn start(config: ServerConfig, server: u16, ending: Ending) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        // It ends with the process: nothing of it outlives the tests.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = acceptor.clone();
                    let counted = Arc::clone(&counted);
                    tokio::spawn(async move {
                        if let Ok(tls) = acceptor.accept(stream).await {
                            counted.fetch_add(1, Ordering::SeqCst);
                            pass(tls, server, ending).await;
                        }
                    });
                }
            });
        });
        Self { port, connections }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many handshakes have succeeded.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn pass(mut tls: tokio_rustls::server::TlsStream<TcpStream>, server: u16, ending: Ending) {
    let mut plain = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    if ending == Ending::Said {
        let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
        return;
    }
    let (mut from_client, mut to_client) = tokio::io::split(tls);
    let (mut from_server, mut to_server) = plain.split();
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
    let _ = to_client.flush().await;
}
