//! The gateway's side of TLS to an upstream: whom it believes and who it says it is.

use super::unverified::Unverified;
use super::{Certificate, TlsError, VERSIONS, provider, roots, roots_of};
use crate::secret::Digest;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

/// What the configuration says.
#[derive(Debug, Default)]
pub struct ClientSettings {
    /// A file with the certification authorities that are believed; else the system's.
    pub ca: Option<PathBuf>,
    /// What a server is shown that asks who we are.
    pub certificate: Option<Certificate>,
    /// The name that the server's certificate must have; else the host of its address.
    pub server_name: Option<ServerName<'static>>,
    /// Anybody is believed: TLS-3.
    pub unverified: bool,
}

/// How TLS is spoken with servers. Two that do the same are equal, so that connections outlive a reload.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    protocol: &'static [u8],
    server_name: Option<ServerName<'static>>,
    fingerprint: Digest,
}

impl ClientTls {
    /// TLS 1.2 and 1.3; `protocol` is offered by ALPN, unless it is empty.
    ///
    /// # Errors
    /// When the file of the authorities cannot be used, or there is no authority to believe.
    pub fn new(settings: ClientSettings, protocol: &'static [u8]) -> Result<Self, TlsError> {
        let ClientSettings { ca, certificate, server_name, unverified } = settings;
        let mut identity = format!("{unverified} {server_name:?} {certificate:?} ").into_bytes();
        identity.extend_from_slice(protocol);
        let store = match &ca {
            _ if unverified => RootCertStore::empty(),
            None => roots(None).map_err(|error| TlsError::Refused(error.to_string()))?,
            Some(file) => {
                let (store, pem) = roots_of(file)?;
                identity.extend_from_slice(&pem);
                store
            }
        };
        if store.is_empty() && !unverified {
            return Err(TlsError::Refused("the system has no certification authorities".to_owned()));
        }
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS);
        let builder = builder.map_err(|error| TlsError::Refused(error.to_string()))?;
        let builder = if unverified {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new(&provider())))
        } else {
            builder.with_root_certificates(store)
        };
        let mut config = match &certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = SingleCertAndKey::from((*certificate.key).clone());
                builder.with_client_cert_resolver(Arc::new(key))
            }
        };
        if !protocol.is_empty() {
            config.alpn_protocols = vec![protocol.to_vec()];
        }
        Ok(Self { config: Arc::new(config), protocol, server_name, fingerprint: Digest::of(&identity) })
    }

    /// For a handshake.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Whether a server may answer with `agreed`, which is nothing where it does not know ALPN: HTTP/1.1 is
    /// then understood by itself, and HTTP/2 is not (RFC 9113 section 3.2).
    pub fn takes(&self, agreed: Option<&[u8]>) -> bool {
        agreed.map_or(self.protocol == b"http/1.1", |agreed| agreed == self.protocol)
    }

    /// The name that the certificate of the server at `host` must have; `None`: that is no name.
    pub fn name_of(&self, host: &str) -> Option<ServerName<'static>> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        self.server_name.clone().or_else(|| ServerName::try_from(bare.to_owned()).ok())
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientTls({})", self.fingerprint.to_hex())
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for ClientTls {}

impl Hash for ClientTls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}
