//! `[store]`: which store, and how long it may take.

use crate::config::section::Section;
use crate::secret::Secret;
use crate::store::{Location, Settings};

/// Reads `[store]`.
pub(super) fn build(section: &Section<'_>) -> Settings {
    let url = section.text_or_default("url");
    let location = location(url).unwrap_or_else(|wrong| {
        if let Some(node) = section.node("url") {
            match wrong {
                Wrong::Later(what) => section.report.later(&node.at, what, HELP),
                Wrong::Unreadable(why) => section.report.problem(&node.at, format!("`url` in `[store]` {why}"), HELP),
            }
        }
        Location::Memory
    });
    Settings {
        location,
        timeout: section.duration("timeout").unwrap_or_default(),
        feed_timeout: section.duration("feed_timeout").unwrap_or_default(),
    }
}

/// Whether other nodes may see the store too.
pub(super) fn is_shared(section: &Section<'_>) -> bool {
    section.text_or_default("url").starts_with("redis")
}

const HELP: &str =
    "write \"redb:data/tollgate.redb\", \"memory:\", \"redis://HOST:PORT/DB\" or \"redis+unix:///run/redis.sock\"";

/// Why a URL names no store. The URL itself may hold a password and is not repeated.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Later(&'static str),
    Unreadable(&'static str),
}

fn location(url: &str) -> Result<Location, Wrong> {
    let (scheme, rest) = url.split_once(':').ok_or(Wrong::Unreadable("names no kind of store"))?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Location::Memory),
        "memory" => Err(Wrong::Unreadable("has something behind `memory:`")),
        "redb" if rest.is_empty() => Err(Wrong::Unreadable("has no path behind `redb:`")),
        "redb" => Ok(Location::Redb(rest.into())),
        "redis" => redis(rest).map(|()| Location::Redis(Secret::new(url))),
        "redis+unix" => match rest.strip_prefix("//") {
            Some(path) if path.starts_with('/') => Ok(Location::Redis(Secret::new(url))),
            _ => Err(Wrong::Unreadable("has no absolute path behind `redis+unix://`")),
        },
        "rediss" => Err(Wrong::Later("Redis over TLS (`rediss:`)")),
        "redis+sentinel" | "rediss+sentinel" => Err(Wrong::Later("Redis Sentinel")),
        "redis+cluster" | "rediss+cluster" => Err(Wrong::Later("Redis Cluster")),
        _ => Err(Wrong::Unreadable("names a kind of store that is not known")),
    }
}

/// Checks `//[user:password@]host[:port][/db]`.
fn redis(rest: &str) -> Result<(), Wrong> {
    let rest = rest.strip_prefix("//").ok_or(Wrong::Unreadable("lacks `//` behind `redis:`"))?;
    let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    if login.contains('/') {
        return Err(Wrong::Unreadable("has a `/` in its user information; write it as %2F"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (database, _) = path.split_once('?').unwrap_or((path, ""));
    let bracket = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) =
        authority.split_at(authority[bracket..].find(':').map_or(authority.len(), |colon| bracket + colon));
    if host.is_empty() || host.contains([' ', '?', '#']) {
        return Err(Wrong::Unreadable("has no host"));
    }
    if !port.is_empty() && port[1..].parse::<u16>().is_err() {
        return Err(Wrong::Unreadable("has a port that is no number"));
    }
    if !database.is_empty() && database.parse::<u32>().is_err() {
        return Err(Wrong::Unreadable("has a database that is no number"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stores_are_named_by_urls() {
        assert!(matches!(location("memory:"), Ok(Location::Memory)));
        assert!(matches!(location("redb:a/b.redb"), Ok(Location::Redb(path)) if path.as_os_str() == "a/b.redb"));
        for url in [
            "redis://127.0.0.1:6379/0",
            "redis://h",
            "redis://u:p@[::1]:1/2",
            "redis://:p@h:1",
            "redis+unix:///run/r.sock",
        ] {
            assert!(matches!(location(url), Ok(Location::Redis(secret)) if secret.reveal() == url), "{url}");
        }
    }

    #[test]
    fn stores_of_later_versions_and_nonsense_are_refused() {
        for url in ["rediss://h", "redis+sentinel://a:1,b:2/m/0", "redis+cluster://a:1"] {
            assert!(matches!(location(url), Err(Wrong::Later(_))), "{url}");
        }
        for url in [
            "",
            "redis",
            "redis:",
            "redis://",
            "redis://:6379",
            "redis://h:x",
            "redis://h/x",
            "redb:",
            "memory:x",
            "mysql://h",
            "redis+unix://a",
        ] {
            assert!(matches!(location(url), Err(Wrong::Unreadable(_))), "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_url_is_read_or_refused(url in "(redis://)?.*") {
            let _ = location(&url);
        }
    }
}
