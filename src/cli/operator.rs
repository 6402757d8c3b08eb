//! The way of the operator's commands to the tokens and clients: the running gateway, or, where none
//! runs, the store itself, through the same API.

pub(super) mod local;
mod remote;

use super::output::{Failure, load};
use crate::http1::stream::Listen;
use crate::secret::Secret;
use crate::store::Location;
use http::Method;
use local::Local;
use remote::{Remote, RemoteError};
use serde_json::Value;
use std::path::Path;

/// What every command of an operator takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// For programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) access: Access,
}

/// How the gateway's API is reached.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// A bearer token with the scope tollgate:admin, where `[admin]` listens on TCP
    #[arg(long = "admin-token", env = "TOLLGATE_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    admin_token: Option<String>,
}

/// Who carries a command out.
pub(super) enum Operator {
    /// The running gateway.
    Remote(Remote),
    /// This process, on the store.
    Local(Box<Local>),
}

impl Operator {
    /// Finds the gateway of the configuration, or opens its store.
    pub(super) fn reach(file: &Path, access: Access) -> Result<Self, Failure> {
        let token = access.admin_token.map(Secret::new);
        // It stands in the head of a request.
        if token.as_ref().is_some_and(|token| !token.reveal().bytes().all(|octet| octet.is_ascii_graphic())) {
            return Err("--admin-token, TOLLGATE_ADMIN_TOKEN: a token has no spaces and no line breaks".into());
        }
        let configuration = load(file)?;
        if let Some(listen) = &configuration.admin.listen {
            match Remote::connect(listen, token) {
                Ok(remote) => return Ok(Self::Remote(remote)),
                Err(RemoteError::NobodyThere) => {}
                Err(RemoteError::Failed(why)) => return Err(Failure::Because(format!("{}: {why}", shown(listen)))),
            }
        }
        let nobody = configuration.admin.listen.as_ref().map_or_else(
            || "[admin] has no `listen`".to_owned(),
            |listen| format!("no gateway answers at {}", shown(listen)),
        );
        if matches!(configuration.store.location, Location::Memory) {
            return Err(Failure::Because(format!("{nobody}, and a `memory:` store is in its process alone")));
        }
        eprintln!("{nobody}: using the store itself");
        Local::open(&configuration).map(|local| Self::Local(Box::new(local)))
    }

    /// Asks for something; the answer of a request that was carried out.
    pub(super) fn call(&mut self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, answer) = match self {
            Self::Remote(remote) => remote.call(method, path, body)?,
            Self::Local(local) => local.call(method, path, body)?,
        };
        if status.is_success() {
            return Ok(answer);
        }
        let why = answer["error_description"].as_str().unwrap_or("no reason is given");
        Err(Failure::Because(format!("{why} ({})", status.as_u16())))
    }
}

fn shown(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Encodes a segment of a path or a value of a query.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, octet| {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(octet));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{octet:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_would_break_a_request_is_refused_first() {
        let access = Access { admin_token: Some("tga_x\r\nX-A: b".to_owned()) };
        let refused = Operator::reach(Path::new("missing.toml"), access).err();
        assert!(matches!(refused, Some(Failure::Because(why)) if !why.contains("tga_x")));
    }

    #[test]
    fn what_could_mean_something_in_a_url_is_encoded() {
        assert_eq!(encoded("a b/ü?%"), "a%20b%2F%C3%BC%3F%25");
    }
}
