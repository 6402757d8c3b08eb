//! The resource server (RFC 6750): takes the token out of a request, checks it, compares scopes,
//! counts.

pub mod bearer;
pub mod challenge;
pub mod decide;
pub mod guard;
pub mod rate;
