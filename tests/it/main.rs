//! Black-box tests: the binary as it is shipped, over real sockets, held against the specifications and against what went wrong
//! in other gateways. A test's name is a sentence; its doc comment names the requirement.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod account;
mod authorize;
mod bearer;
mod cases;
mod cli;
mod client_library;
mod client_life;
mod config;
mod consent;
mod cors;
mod decision;
mod demo;
mod device;
mod edges;
mod expect;
mod ext_authz;
mod forwarding;
mod framing;
mod grants;
mod hosts;
mod http2;
mod identity;
mod introspect_revoke;
mod invalidation;
mod mcp;
mod metadata;
mod outages;
mod par;
mod paths;
mod provider;
mod proxy_protocol;
mod rate_limit;
mod registration;
mod reload;
mod reload_bounds;
mod resource_indicators;
mod resources;
mod responses;
mod scopes;
mod slow_readers;
mod stores;
mod streams;
mod tag_keys;
mod telemetry;
mod tls;
mod tls_upstreams;
mod token_endpoint;
mod trail;
mod trailers;
mod upgrade;
mod upstreams;
mod users;
