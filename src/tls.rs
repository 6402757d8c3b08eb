//! TLS: certificates and keys, and what the two ends of a connection agree on. The connections
//! themselves are in `http1::stream`.

mod certificate;
mod client;
mod server;
mod unverified;

pub use self::certificate::{Certificate, Names};
pub use self::client::{ClientSettings, ClientTls};
pub use self::server::ServerTls;

use rustls::RootCertStore;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// TLS-1: nothing older, the newest first.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
/// The longest file that is taken for certificates or a key.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Why TLS cannot be spoken as the configuration says. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate and a key that do not belong together.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Something else than what the file should hold.
    #[error("{} cannot be used: {why}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No file, or one that may not be read.
    #[error("{} cannot be read: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// What was put together from the files does not work.
    #[error("{0}")]
    Refused(String),
}

fn unusable(file: &Path, why: impl Into<String>) -> TlsError {
    TlsError::Unusable { file: file.to_owned(), why: why.into() }
}

/// The cryptography of this process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut octets = Vec::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(LONGEST + 1).read_to_end(&mut octets));
    read.map_err(|cause| TlsError::Unreadable { file: file.to_owned(), cause })?;
    if octets.len() as u64 > LONGEST {
        return Err(unusable(file, "it is longer than 4 MiB"));
    }
    Ok(octets)
}

/// The certification authorities in `pem`; `None`: the system's, which may be none at all.
///
/// # Errors
/// When something in `pem` is no certificate.
pub fn roots(pem: Option<&[u8]>) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                store.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
            }
        }
        None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(store)
}

/// Those in `file`, of which there must be one.
fn roots_of(file: &Path) -> Result<(RootCertStore, Vec<u8>), TlsError> {
    let pem = read(file)?;
    let store = roots(Some(&pem)).map_err(|error| unusable(file, error.to_string()))?;
    if store.is_empty() {
        return Err(unusable(file, "there is no certificate in it"));
    }
    Ok((store, pem))
}

#[cfg(test)]
mod tests;
