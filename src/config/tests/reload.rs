//! What a reload cannot change.

use super::*;

#[test]
fn only_what_is_bound_at_the_start_needs_a_restart() {
    let old = right(SMALL);
    for (from, to, keys) in [
        ("secret = \"env:REPORTER_SECRET\"", "secret = \"env:APP_SECRET\"", &[][..]),
        ("/notes/{*rest}", "/other/{*rest}", &[]),
        ("listen = \"127.0.0.1:18080\"", "listen = \"127.0.0.1:18081\"", &["server.listen"]),
        ("[store]", "workers = 3\n[store]", &["server.workers"]),
        ("[store]", "telemetry = { log = \"debug\" }\n[store]", &[]),
        ("[scopes]", "[telemetry]\nlog = \"debug\"\n[scopes]", &["telemetry"]),
        ("[scopes]", "[admin]\nlisten = \"unix:a\"\n[scopes]", &["admin.listen"]),
        ("memory:", "redb:x", &["store.url"]),
        ("memory:", "redis://a", &["store.url"]),
    ] {
        let Ok(new) = load_text(&SMALL.replace(from, to)) else { continue };
        let changed = old.restart_needed(&new);
        assert!(changed == keys || (to.contains("workers") && old.server.workers == 3), "{to}: {changed:?}");
        assert!(new.restart_needed(&new).is_empty());
    }
}
