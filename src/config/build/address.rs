//! Addresses to listen on, and which of them only this machine can reach.

use crate::config::error::Report;
use crate::config::file::Node;
use crate::http1::stream::Listen;
use std::net::{IpAddr, SocketAddr};

/// What fits into `sun_path` of Linux with its last octet.
const LONGEST_SOCKET: usize = 107;

/// Reads `127.0.0.1:8080`, `[::1]:8080` or `unix:PATH`.
pub(super) fn listen(node: &Node, text: &str, report: &Report) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() {
            report.problem(&node.at, "`unix:` without a path", "write \"unix:/run/tollgate.sock\"");
            return None;
        }
        if path.len() > LONGEST_SOCKET || path.contains('\0') {
            report.problem(&node.at, "the path of a unix socket has 107 octets at most", "choose a shorter one");
        }
        return Some(Listen::Unix(path.into()));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Listen::Tcp(address));
    }
    let message = format!("{} is no address to listen on", node.at.written());
    report.problem(&node.at, message, help(text));
    None
}

fn help(text: &str) -> String {
    if let Some(port) = text.strip_prefix("localhost:") {
        return format!("write the address: \"127.0.0.1:{port}\" or \"[::1]:{port}\"");
    }
    if let Some(port) = text.strip_prefix(':') {
        return format!("write the address too: \"127.0.0.1:{port}\"");
    }
    if text.parse::<IpAddr>().is_ok() {
        return "write the port too: \"127.0.0.1:8080\"".to_owned();
    }
    if text.starts_with('/') {
        return format!("for a unix socket write \"unix:{text}\"");
    }
    "write \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:PATH\"".to_owned()
}

/// Whether only this machine can reach the listener.
pub(super) fn is_local(listen: &Listen) -> bool {
    match listen {
        Listen::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Listen::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        assert!(is_local(&Listen::Tcp("[::ffff:127.0.0.1]:1".parse().unwrap())));
        assert!(!is_local(&Listen::Tcp("0.0.0.0:1".parse().unwrap())));
    }

    #[test]
    fn what_was_probably_meant_is_said() {
        assert!(help("localhost:80").contains("\"127.0.0.1:80\""));
        assert!(help(":80").contains("\"127.0.0.1:80\""));
        assert!(help("127.0.0.1").contains("port"));
        assert!(help("/run/x").contains("unix:/run/x"));
    }
}
