//! Resource owners (RFC 6749 section 1.1).

pub mod password;
pub mod users;
