//! `[store]`: which store, what its keys begin with, how TLS is spoken with it, and how long it may take.

use super::tls;
use crate::config::section::Section;
use crate::store::{Location, RedisAddress, Settings};

/// The keys that say how TLS is spoken.
const TLS: [&str; 4] = ["ca", "cert", "key", "server_name"];

/// The longest `key_prefix`: it stands in every key.
const LONGEST_PREFIX: usize = 64;

/// Reads `[store]`.
pub(super) fn build(section: &Section<'_>) -> Settings {
    let url = section.text_or_default("url");
    let location = location(url).unwrap_or_else(|wrong| {
        if let Some(node) = section.node("url") {
            section.report.problem(&node.at, format!("`url` in `[store]` {wrong}"), HELP);
        }
        Location::Memory
    });
    Settings {
        location: prefixed(secured(location, section), section),
        timeout: section.duration("timeout").unwrap_or_default(),
        feed_timeout: section.duration("feed_timeout").unwrap_or_default(),
    }
}

/// Whether other nodes may see the store too.
pub(super) fn is_shared(section: &Section<'_>) -> bool {
    section.text_or_default("url").starts_with("redis")
}

const HELP: &str = "write \"redb:data/tollgate.redb\", \"memory:\", \"redis://HOST:PORT/DB\", \"rediss://HOST\" for TLS, \
    \"redis+unix:///run/redis.sock\", \"redis+sentinel://HOST,HOST/MASTER/DB\" or \"redis+cluster://HOST,HOST\"";

/// Reads `url`. It may hold a password and is not repeated.
fn location(url: &str) -> Result<Location, &'static str> {
    let (scheme, rest) = url.split_once(':').ok_or("names no kind of store")?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Location::Memory),
        "memory" => Err("has something behind `memory:`"),
        "redb" if rest.is_empty() => Err("has no path behind `redb:`"),
        "redb" => Ok(Location::Redb(rest.into())),
        _ => Location::redis(url),
    }
}

/// With the `key_prefix` of `section`.
fn prefixed(location: Location, section: &Section<'_>) -> Location {
    let (Some(entry), Some(prefix)) = (section.entry("key_prefix"), section.text("key_prefix")) else {
        return location;
    };
    if prefix.is_empty() {
        return location;
    }
    // Braces say where a cluster keeps a key, and are the gateway's own; others mean something in patterns.
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:/".contains(&octet);
    if prefix.len() > LONGEST_PREFIX || !prefix.bytes().all(is_plain) {
        let text = "`key_prefix` in `[store]` is not up to 64 of the characters 0-9, A-Z, a-z and -._:/";
        section.report.problem(&entry.node.at, text, "write something like \"notes:\"");
        return location;
    }
    match location {
        Location::Redis(address) => Location::Redis(Box::new(address.with_key_prefix(prefix))),
        Location::Memory | Location::Redb(_) => {
            let text = "`key_prefix` is for a Redis, which this store is not";
            section.report.problem(&entry.key_at, text, "remove it, or point `url` at a Redis");
            location
        }
    }
}

/// With the TLS of `section`, where TLS is spoken.
fn secured(location: Location, section: &Section<'_>) -> Location {
    if let Location::Redis(address) = &location
        && address.is_secured()
    {
        let secured =
            tls::store(section).map(|tls| Location::Redis(Box::new(RedisAddress::with_tls(*address.clone(), tls))));
        return secured.unwrap_or(location);
    }
    if let Some(entry) = TLS.iter().find_map(|key| section.entry(key)) {
        let text = format!("`{}` is for TLS, which this store does not speak", entry.key);
        section.report.problem(&entry.key_at, text, "remove it, or write `rediss` in `url`");
    }
    location
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stores_are_named_by_urls() {
        assert!(matches!(location("memory:"), Ok(Location::Memory)));
        assert!(matches!(location("redb:a/b.redb"), Ok(Location::Redb(path)) if path.as_os_str() == "a/b.redb"));
        for url in ["redis://h", "rediss://h", "redis+sentinel://a:1,b:2/m/0", "redis+cluster://a:1"] {
            assert!(matches!(location(url), Ok(Location::Redis(_))), "{url}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for url in ["", "redis", "redis:", "redb:", "memory:x", "mysql://h", "redis+unix://a"] {
            assert!(location(url).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_url_is_read_or_refused(url in "(redis://)?.*") {
            let _ = location(&url);
        }
    }
}
