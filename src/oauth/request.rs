//! The token request (RFC 6749 section 3.2) as far as it can be read without knowing the client.

use super::client::GrantType;
use super::params::Params;

/// Why a request names no grant that this version serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantTypeError {
    /// R6749-5.2d.
    #[error("grant_type is missing")]
    Missing,
    /// R6749-5.2e.
    #[error("this grant type is not served here")]
    Unsupported,
}

/// The grant that a request asks for.
///
/// # Errors
/// When there is none, or none that is served.
pub fn grant_type(params: &Params<'_>) -> Result<GrantType, GrantTypeError> {
    let name = params.get("grant_type").ok_or(GrantTypeError::Missing)?;
    name.parse().map_err(|_| GrantTypeError::Unsupported)
}

/// Parameters that may occur more than once (R6749-3.2d).
pub const REPEATABLE: [&str; 2] = ["audience", "resource"];

#[cfg(test)]
mod tests {
    use super::*;

    /// R6749-5.2d, R6749-5.2e
    #[test]
    fn a_grant_that_is_not_served_is_told_from_none() {
        let of = |form: &'static [u8]| grant_type(&Params::parse(form, &REPEATABLE).unwrap());
        assert_eq!(of(b"grant_type=password"), Ok(GrantType::Password));
        assert_eq!(of(b"grant_type=authorization_code"), Ok(GrantType::AuthorizationCode));
        assert_eq!(of(b"grant_type=urn:ietf:params:oauth:grant-type:device_code"), Ok(GrantType::DeviceCode));
        assert_eq!(of(b"grant_type=&scope=a"), Err(GrantTypeError::Missing));
        for form in [&b"grant_type=implicit"[..], b"grant_type=PASSWORD", b"grant_type=device_code"] {
            assert_eq!(of(form), Err(GrantTypeError::Unsupported), "{form:?}");
        }
    }
}
