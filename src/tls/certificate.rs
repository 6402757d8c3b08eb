//! A certificate with its key, read from PEM, and the names that it is good for.

use super::{TlsError, provider, read, unusable};
use crate::clock::Timestamp;
use crate::secret::Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

/// A chain of certificates and the key of the first of them.
#[derive(Clone)]
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Arc<Names>,
    begins: Timestamp,
    expires: Timestamp,
    exposed: bool,
    pub(super) fingerprint: Digest,
}

/// The names of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Lower case; the first label may be `*`.
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.names, self.fingerprint.to_hex())
    }
}

impl Certificate {
    /// Reads the chain and the key, which may be one file.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should, or the two do not belong together.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let (pem, secret) = (read(chain)?, Zeroizing::new(read(key)?));
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            certificates.push(certificate.map_err(|error| unusable(chain, error.to_string()))?);
        }
        let Some(first) = certificates.first() else {
            return Err(unusable(chain, "there is no certificate in it (PEM, `BEGIN CERTIFICATE`)"));
        };
        let (_, parsed) = X509Certificate::from_der(first)
            .map_err(|error| unusable(chain, format!("its first certificate is malformed: {error}")))?;
        let (names, fingerprint) = (Names::of(&parsed), Digest::of(&pem));
        let (begins, expires) = (parsed.validity().not_before, parsed.validity().not_after);
        let private = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| unusable(key, no_key(&error)))?;
        let certified = CertifiedKey::from_der(certificates, private, &provider()).map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                return TlsError::Mismatch { certificate: chain.to_owned(), key: key.to_owned() };
            }
            unusable(key, error.to_string())
        })?;
        Ok(Self {
            key: Arc::new(certified),
            names: Arc::new(names),
            begins: moment(begins.timestamp()),
            expires: moment(expires.timestamp()),
            exposed: std::fs::metadata(key).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0),
            fingerprint,
        })
    }

    /// The names that it is good for.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// From when on it is valid.
    pub const fn begins(&self) -> Timestamp {
        self.begins
    }

    /// Until when it is valid.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Every user of the machine may read the key.
    pub const fn is_exposed(&self) -> bool {
        self.exposed
    }
}

/// What is wrong with a file that has no key; what it holds is not repeated.
fn no_key(error: &rustls::pki_types::pem::Error) -> String {
    if matches!(error, rustls::pki_types::pem::Error::NoItemsFound) {
        return "there is no private key in it (PEM without a passphrase: PKCS #8, SEC 1 or PKCS #1)".to_owned();
    }
    "it is no PEM".to_owned()
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_secs(u64::try_from(seconds).unwrap_or_default())
}

impl Names {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut names = Self::default();
        let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return names };
        for name in &alternatives.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.dns.push(name.to_ascii_lowercase());
            } else if let GeneralName::IPAddress(octets) = name {
                let four = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
                names.addresses.extend(four.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)));
            }
        }
        names
    }

    /// Whether `host`, in lower case and without a port, is one of them. A `*` is one label
    /// (RFC 9525 section 6.3).
    pub fn cover(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
        self.dns.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix),
            None => name == host,
        })
    }

    /// All of them as text.
    pub fn listed(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.addresses.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed().join(", "))
    }
}
