//! `redis://` and its relatives, read: which servers there are, who we are to them, and whether TLS is
//! spoken. What is wrong is said without the URL, which may hold a password.

use crate::oauth::params::decode;
use crate::secret::{Secret, constant_time_eq};
use crate::tls::ClientTls;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Where a Redis, or several that belong together, are.
#[derive(Clone, Debug)]
pub struct RedisAddress {
    pub(super) topology: Topology,
    pub(super) login: Login,
    pub(super) database: u32,
    secured: bool,
    /// How TLS is spoken, where it is.
    pub(super) tls: Option<ClientTls>,
    key_prefix: String,
}

/// How the servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topology {
    /// One.
    Standalone(Node),
    /// One and its replicas; the sentinels say which is which.
    Sentinel { sentinels: Vec<Node>, master: String, login: Login },
    /// Several, each with a part of the keys; any of them says which has what.
    Cluster(Vec<Node>),
}

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Node {
    /// A name or an address, without brackets.
    Tcp { host: String, port: u16 },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Who we say we are.
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

/// What stands behind `//`, up to the path.
struct Authority<'u> {
    login: Login,
    nodes: Vec<Node>,
    path: &'u str,
    query: &'u str,
}

impl RedisAddress {
    /// Reads a URL: `redis://`, `redis+unix://`, `redis+sentinel://`, `redis+cluster://`, and `rediss` for TLS.
    ///
    /// # Errors
    /// What is wrong, to be read after "the URL".
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once(':').ok_or("names no kind of store")?;
        let rest = rest.strip_prefix("//").ok_or("lacks `//` behind its scheme")?;
        let (secured, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").ok_or("names a kind of store that is not known")?),
        };
        let (topology, login, database) = match kind {
            "" => standalone(rest)?,
            "+unix" if !secured => unix(rest)?,
            "+sentinel" => sentinel(rest)?,
            "+cluster" => cluster(rest)?,
            _ => return Err("names a kind of store that is not known"),
        };
        Ok(Self { topology, login, database, secured, tls: None, key_prefix: String::new() })
    }

    /// Whether TLS is spoken.
    pub const fn is_secured(&self) -> bool {
        self.secured
    }

    /// With this TLS, where TLS is spoken.
    #[must_use]
    pub fn with_tls(mut self, tls: ClientTls) -> Self {
        self.tls = self.secured.then_some(tls);
        self
    }

    /// With `prefix` in front of every key.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.key_prefix);
        self
    }

    /// What is in front of every key.
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// Whether the same process is reached in the same way; how TLS is spoken may be another.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let ours = (&self.topology, &self.login, self.database, self.secured);
        ours == (&other.topology, &other.login, other.database, other.secured)
    }
}

/// The servers, and nothing about who we are.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |nodes: &[Node]| nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(", ");
        match &self.topology {
            Topology::Standalone(node) => write!(f, "Redis at {node}"),
            Topology::Sentinel { sentinels, master, .. } => {
                write!(f, "Redis `{master}` of the sentinels {}", several(sentinels))
            }
            Topology::Cluster(nodes) => write!(f, "the Redis Cluster of {}", several(nodes)),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        let password = |login: &Self| login.password.as_ref().map(|password| password.reveal().to_owned());
        self.user == other.user
            && match (password(self), password(other)) {
                (Some(ours), Some(theirs)) => constant_time_eq(ours.as_bytes(), theirs.as_bytes()),
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            }
    }
}

impl Eq for Login {}

const DATABASE: &str = "has a database that is no number";
const QUERY: &str = "has something behind `?` that is not known";

/// `[user:password@]host[:port][/db]`
fn standalone(rest: &str) -> Result<(Topology, Login, u32), &'static str> {
    let Authority { login, mut nodes, path, query } = authority(rest, 6379)?;
    let database = database(path)?;
    if !query.is_empty() {
        return Err(QUERY);
    }
    let node = nodes.pop().filter(|_| nodes.is_empty()).ok_or("has several hosts, and is no Sentinel or Cluster")?;
    Ok((Topology::Standalone(node), login, database))
}

/// `/path[?db=0&user=name&pass=password]`
fn unix(rest: &str) -> Result<(Topology, Login, u32), &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') {
        return Err("has no absolute path behind `redis+unix://`");
    }
    let (mut login, mut number) = (Login::default(), 0);
    for (name, value) in pairs(query)? {
        match name.as_str() {
            "db" => number = database(&value)?,
            "user" => login.user = Some(value),
            "pass" => login.password = Some(Secret::new(value)),
            _ => return Err(QUERY),
        }
    }
    Ok((Topology::Standalone(Node::Unix(path.into())), login, number))
}

/// `[user:password@]host[:port],…/master[/db][?sentinel_username=name&sentinel_password=password]`
fn sentinel(rest: &str) -> Result<(Topology, Login, u32), &'static str> {
    let Authority { login, nodes: sentinels, path, query } = authority(rest, 26379)?;
    let (master, number) = path.split_once('/').unwrap_or((path, ""));
    let master = decoded(master)?;
    if master.is_empty() {
        return Err("lacks the name of the master: write it behind the sentinels, as in `/mymaster/0`");
    }
    let mut to_sentinels = Login::default();
    for (name, value) in pairs(query)? {
        match name.as_str() {
            "sentinel_username" => to_sentinels.user = Some(value),
            "sentinel_password" => to_sentinels.password = Some(Secret::new(value)),
            _ => return Err(QUERY),
        }
    }
    Ok((Topology::Sentinel { sentinels, master, login: to_sentinels }, login, database(number)?))
}

/// `[user:password@]host[:port],…`
fn cluster(rest: &str) -> Result<(Topology, Login, u32), &'static str> {
    let Authority { login, nodes, path, query } = authority(rest, 6379)?;
    if !query.is_empty() {
        return Err(QUERY);
    }
    if database(path)? != 0 {
        return Err("has a database, and a Cluster has no other than 0");
    }
    Ok((Topology::Cluster(nodes), login, 0))
}

fn authority(rest: &str, port: u16) -> Result<Authority<'_>, &'static str> {
    let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    if login.contains('/') {
        return Err("has a `/` in its user information; write it as %2F");
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let nodes = hosts.split(',').map(|host| node(host, port)).collect::<Result<_, _>>()?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let given = |text: &str| if text.is_empty() { Ok(None) } else { decoded(text).map(Some) };
    let login = Login { user: given(user)?, password: given(password)?.map(Secret::new) };
    if login.user.is_some() && login.password.is_none() {
        return Err("has a user without a password; write `user:password@`");
    }
    Ok(Authority { login, nodes, path, query })
}

fn node(text: &str, port: u16) -> Result<Node, &'static str> {
    let bracket = text.rfind(']').map_or(0, |end| end + 1);
    let colon = text.get(bracket..).and_then(|rest| rest.find(':'));
    let (host, digits) = text.split_at(colon.map_or(text.len(), |colon| bracket + colon));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() || !bare.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._:".contains(&octet)) {
        return Err("has no host, or one that is none");
    }
    let port = match digits.strip_prefix(':') {
        None => port,
        Some(digits) => digits.parse().map_err(|_| "has a port that is no number")?,
    };
    Ok(Node::Tcp { host: bare.to_owned(), port })
}

fn database(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| DATABASE) }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, &'static str> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').ok_or(QUERY)?;
        Ok((name.to_owned(), decoded(value)?))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Percent-encoding alone: a `+` is one.
fn decoded(text: &str) -> Result<String, &'static str> {
    let text = text.replace('+', "%2B");
    decode(text.as_bytes()).map(Cow::into_owned).map_err(|_| "has a `%` that stands for nothing; write it as %25")
}

#[cfg(test)]
mod tests;
