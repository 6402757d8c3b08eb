//! Tests over real sockets: a client, the forwarder, and upstreams that are written by hand.

mod bodies;
mod expectations;
pub(in crate::proxy) mod fixture;
mod responses;
mod servers;
mod trailers;
mod upgrades;
mod vigils;
