//! The keys of the tags, rotated by the operator's command.

use crate::harness::{Config, Gateway, Redis, Upstream, eventually};

/// Makes the last rotation look a minute older than it is, as if the test had waited that long.
const A_MINUTE_AGO: &str = "EVAL \"local function ago(at) return string.format('%.0f', at - 61000) end \
    local keys = redis.call('GET', KEYS[1]) \
    local older, count = string.gsub(keys, string.rep('%d', 13), ago) \
    redis.call('SET', KEYS[1], older) return count\" 1 tg:k";

/// TOK-16: a rotation ends no token; forgetting, twice with time between, ends what was made before, on a node that has
/// it in its cache too.
#[test]
fn a_rotated_key_is_believed_until_it_is_forgotten() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let [node, other] =
        [(); 2].map(|()| Gateway::start(Config::notes(&upstream).set("store.url", &format!("\"{}\"", redis.url()))));
    let passes = |token: &str| node.get("/notes/1").bearer(token).send().status == 200;
    let before = node.token("notes:read");
    assert!(passes(&before));
    node.cli(&["store", "rotate-key", "--forget-former"]).expect(0).says("former keys that are believed: 1");
    let between = node.token("notes:read");
    assert!(passes(&before) && passes(&between), "the key of a moment ago is not forgotten");
    node.cli(&["store", "rotate-key", "--forget-former"]).expect(1).says("less than a minute ago");
    // Without a gateway that runs the command opens the store itself.
    other.terminate();
    assert_eq!(redis.command(A_MINUTE_AGO).trim_end(), ":1");
    let forgotten = other.cli(&["store", "rotate-key", "--forget-former", "--json"]);
    assert_eq!(forgotten.expect(0).json()["former"], 1);
    eventually("the node hears of it", || !passes(&before));
    node.get("/notes/1").bearer(&before).send().expect_error(401, "invalid_token");
    assert!(passes(&between) && passes(&node.token("notes:read")));
    let audit: Vec<_> = node.events().into_iter().filter(|event| event["message"] == "tag key rotated").collect();
    assert!(audit.len() == 1 && audit[0]["forgotten"] == true && audit[0]["former"] == 1, "{audit:?}");
}

/// TOK-16: likewise in the embedded store, through the running gateway and after a restart.
#[test]
fn a_rotation_of_the_embedded_store_survives_a_restart() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("store.url", "\"redb:data/tollgate.redb\""));
    let before = gateway.token("notes:read");
    gateway.cli(&["store", "rotate-key"]).expect(0);
    let after = gateway.token("notes:read");
    gateway.kill();
    gateway.spawn();
    gateway.wait_until_ready();
    for token in [before, after] {
        gateway.get("/notes/1").bearer(&token).send().expect(200);
    }
}
