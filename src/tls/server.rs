//! The gateway's side of TLS: its certificates, chosen by the name that the client asks for, and whom
//! it lets in.

use super::{Certificate, Names, TlsError, VERSIONS, provider, roots_of};
use crate::secret::Digest;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// How TLS is spoken with clients.
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    fingerprint: Digest,
}

/// At least one; the first is for clients that ask for no name or for an unknown one.
#[derive(Debug)]
struct Certificates(Vec<Certificate>);

impl ServerTls {
    /// TLS 1.2 and 1.3 without early data, with `certificates`, of which there must be one. Only clients
    /// with a certificate of the authorities in the file `client_ca` are let in, where it is given.
    /// `protocols` are offered by ALPN, the preferred first.
    ///
    /// # Errors
    /// When `client_ca` cannot be used.
    pub fn new(
        certificates: Vec<Certificate>,
        client_ca: Option<&Path>,
        protocols: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let refused = |error: &dyn fmt::Display| TlsError::Refused(error.to_string());
        let mut identity: Vec<u8> = certificates.iter().flat_map(|one| one.fingerprint.to_hex().into_bytes()).collect();
        let certificates = Arc::new(Certificates(certificates));
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(VERSIONS).map_err(|error| refused(&error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let (roots, pem) = roots_of(file)?;
                identity.extend_from_slice(&pem);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| refused(&error))?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| refused(&error))?;
        Ok(Self { config: Arc::new(config), certificates, fingerprint: Digest::of(&identity) })
    }

    /// For a handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The certificates, the default one first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates.0
    }

    /// Whether it does the same as `other`, so that sessions can go on.
    pub fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// The names of the certificate that is shown to who asks for `name`; nothing where all get the same.
    pub fn names_for(&self, name: &str) -> Option<Arc<Names>> {
        let name = name.to_ascii_lowercase();
        let several = self.certificates.0.len() > 1;
        several.then(|| self.certificates.for_name(&name).next().map(|one| Arc::clone(&one.names))).flatten()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerTls({:?}, {})", self.certificates.0, self.fingerprint.to_hex())
    }
}

impl Certificates {
    /// Those that cover `name`, which is in lower case; the default one where none does.
    fn for_name<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Certificate> {
        let covering = self.0.iter().filter(move |one| one.names.cover(name));
        let none = !self.0.iter().any(|one| one.names.cover(name));
        covering.chain(self.0.first().filter(|_| none))
    }
}

impl ResolvesServerCert for Certificates {
    /// Of several for one name, say with keys of two kinds, the first with which this client can do.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase).unwrap_or_default();
        let usable = |one: &&Certificate| one.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let mut fitting = self.for_name(&name);
        fitting.by_ref().find(usable).or_else(|| self.for_name(&name).next()).map(|one| Arc::clone(&one.key))
    }
}
