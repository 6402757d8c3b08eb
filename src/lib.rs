//! Tollgate puts OAuth 2.0 in front of HTTP APIs: it issues bearer tokens, checks them on every
//! request, enforces the scopes of each route and forwards what may pass.
//!
//! The program *issues* and *enforces*. Modules know only those on a lower level, and two modules
//! of one level never know each other:
//!
//! ```text
//! 9  main, cli
//! 8  config                  builds everything below; nothing below sees "the config"
//! 7  server                  listeners, workers, connections, reload, shutdown
//! 6  gateway                 a request from top to bottom
//! 5  endpoint  proxy  admin  our own endpoints; the way to the upstreams; the operator's API
//! 4  issue  enforce          the authorization server; the resource server
//! 3  people  http2           resource owners; messages of HTTP/2, read and written as those of HTTP/1.1
//! 2  store  http1  telemetry what must be remembered; messages on a connection; logs and metrics
//! 1  oauth  page  tls         the words of the RFCs; the pages that people see; certificates; no sockets
//! 0  clock  secret  text     the only reader of time; the only caller of the crypto library; octets
//! ```

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod endpoint;
pub mod enforce;
pub mod gateway;
pub mod http1;
pub mod http2;
pub mod issue;
pub mod oauth;
pub mod page;
pub mod people;
pub mod proxy;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod tls;
