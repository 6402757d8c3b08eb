//! Resource owners (RFC 6749 section 1.1).

pub mod directory;
pub mod login;
pub mod password;
pub mod session;
pub mod stored;
pub mod users;
