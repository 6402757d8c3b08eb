//! The vocabulary of the OAuth 2.0 RFCs: values that cannot be wrong, without I/O.

pub mod authorization;
pub mod client;
pub mod error;
pub mod params;
pub(crate) mod pkce;
pub(crate) mod redirect;
pub mod registration;
pub mod request;
pub mod resource;
pub mod scope;
pub mod token;
pub(crate) mod url;
pub mod user_code;
