//! The way to the upstreams: one reading of a request's target, the route it takes, and the
//! forwarding itself.

pub mod checks;
pub mod cors;
pub mod fields;
pub mod fleet;
pub mod forward;
pub mod origin;
pub mod route;
pub mod target;
pub mod upstream;
