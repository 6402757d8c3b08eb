//! What a reload cannot change.

use super::*;

#[test]
fn only_what_is_bound_at_the_start_needs_a_restart() {
    let start = SMALL.replace("[store]", "workers = 2\n[store]");
    let old = right(&start);
    for (from, to, keys) in [
        ("env:REPORTER_SECRET", "env:APP_SECRET", &[][..]),
        ("/notes/{*rest}", "/other/{*rest}", &[]),
        ("[scopes]", "[limits]\nform_body = \"1KiB\"\n[scopes]", &[]),
        ("[scopes]", "[limits]\nconnections = 1\nfailed_logins = { max = 1 }\n[scopes]", &[]),
        ("[scopes]", "[limits]\nhead_size = \"8KiB\"\nidle_timeout = \"1s\"\n[scopes]", &[]),
        ("[scopes]", "[cache]\nttl = \"1s\"\nmax_size = \"1MiB\"\n[scopes]", &[]),
        ("listen = \"127.0.0.1:18080\"", "listen = \"127.0.0.1:18081\"", &["server.listen"]),
        ("workers = 2", "workers = 2\nshutdown_grace = \"1s\"", &[]),
        ("workers = 2", "workers = 3", &["server.workers"]),
        ("[scopes]", "[telemetry]\nlog = \"debug\"\n[scopes]", &["telemetry"]),
        ("[scopes]", "[admin]\nlisten = \"unix:a\"\n[scopes]", &["admin.listen"]),
        ("\"memory:\"", "\"memory:\"\ntimeout = \"2s\"\nfeed_timeout = \"3s\"", &[]),
        ("memory:", "redb:x", &["store.url"]),
        ("memory:", "redis://a", &["store.url"]),
    ] {
        let new = right(&start.replace(from, to));
        assert_eq!(old.restart_needed(&new), keys, "{to}");
        assert!(new.restart_needed(&new).is_empty());
    }
}

#[test]
fn another_prefix_of_the_keys_needs_a_restart() {
    let with = |prefix: &str| right(&SMALL.replace("\"memory:\"", &format!("\"redis://a\"\nkey_prefix = {prefix:?}")));
    let (none, one) = (with(""), with("notes:"));
    assert_eq!(none.restart_needed(&one), ["store.key_prefix"]);
    assert!(one.restart_needed(&with("notes:")).is_empty());
}

#[test]
fn a_prefix_of_the_keys_is_plain_and_for_a_redis() {
    for prefix in ["{a}", "a*", "a b", "[", "ä", "\\", &"a".repeat(65)] {
        let found = problems(&SMALL.replace("\"memory:\"", &format!("\"redis://a\"\nkey_prefix = '{prefix}'")));
        assert!(found.len() == 1 && found[0].1.contains("`key_prefix`"), "{prefix}: {found:?}");
    }
    let found = problems(&SMALL.replace("\"memory:\"", "\"memory:\"\nkey_prefix = \"a:\""));
    assert!(found.len() == 1 && found[0].1.contains("for a Redis"), "{found:?}");
}
