//! Resource owners (RFC 6749 section 1.1).

pub mod directory;
mod https;
pub mod login;
pub mod password;
pub mod provider;
pub mod session;
pub mod stored;
pub mod users;
