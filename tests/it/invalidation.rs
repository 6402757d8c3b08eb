//! Promise 1 as clients see it: a token that ends is refused by every node, however hot it is in their caches. Where a node
//! ended it, that one refuses it from its answer on; the others do 50 ms later.
//!
//! The caches here believe what they have for a minute, so that nothing but the news of an end can be what ends it. Each
//! delay is the median of several: a machine that runs other tests at the same time may hold up one or the other, and
//! none of them for as long as half a second.

use crate::harness::{ALICE, Command, Config, Gateway, Redis, SERVICE, Upstream};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const MEDIAN: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);

/// Two nodes over one Redis.
struct Fleet {
    redis: Redis,
    _upstream: Upstream,
    nodes: [Gateway; 2],
}

impl Fleet {
    fn start() -> Self {
        let (upstream, redis) = (Upstream::start(), Redis::start());
        let nodes = [(); 2]
            .map(|()| Gateway::start(Config::notes(&upstream).set("store.url", &format!("\"{}\"", redis.url()))));
        Self { redis, _upstream: upstream, nodes }
    }

    fn status(&self, node: usize, token: &str) -> u16 {
        self.nodes[node].get("/notes/1").bearer(token).send().status
    }

    /// Has both nodes know this token by heart.
    fn heat(&self, token: &str) {
        for node in [0, 1, 0, 1] {
            assert_eq!(self.status(node, token), 200);
        }
    }

    /// Runs the command line beside the first node.
    fn operate(&self, input: &str, arguments: &[&str]) {
        let folder = self.nodes[0].path("");
        let arguments = [arguments, &["--config", "gateway.toml"]].concat();
        Command::within(&folder).input(input).run(&arguments).expect(0);
    }

    /// How long `node` goes on with `token`, from now.
    fn until_refused(&self, node: usize, token: &str) -> Duration {
        let ended = Instant::now();
        loop {
            let response = self.nodes[node].get("/notes/1").bearer(token).send();
            match response.status {
                401 => return ended.elapsed(),
                status => assert_eq!(status, 200, "{response:?}"),
            }
            assert!(ended.elapsed() < LONGEST, "still accepted after {:?}", ended.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends a token that is hot on both nodes, several times: at the first one from then on, soon at the other.
    fn ends_everywhere(&self, tries: usize, token: impl Fn() -> String, end: impl Fn(&str)) {
        let delays = (0..tries).map(|_| {
            let token = token();
            self.heat(&token);
            end(&token);
            assert_eq!(self.status(0, &token), 401, "where it ended");
            self.until_refused(1, &token)
        });
        swift(delays.collect());
    }

    /// As [`ends_everywhere`](Self::ends_everywhere), where Redis itself was told: both hear of it.
    fn is_told_everywhere(&self, tries: usize, end: impl Fn(&str)) {
        let delays = (0..tries).flat_map(|_| {
            let token = self.nodes[0].token("notes:read");
            self.heat(&token);
            end(&token);
            [0, 1].map(|node| self.until_refused(node, &token))
        });
        swift(delays.collect());
    }

    fn keys(&self) -> BTreeSet<String> {
        self.redis.cli(&["--scan", "--pattern", "tg:a:*"]).lines().map(str::to_owned).collect()
    }
}

fn swift(mut delays: Vec<Duration>) {
    delays.sort_unstable();
    // Of one or two there is none: none of them took too long.
    assert!(delays.len() < 3 || delays[delays.len() / 2] < MEDIAN, "{delays:?}");
}

/// R7009-2.1f
#[test]
fn a_revocation_by_its_client_is_heard_of_everywhere() {
    let fleet = Fleet::start();
    let revoke = |token: &str| {
        fleet.nodes[0].post("/oauth2/revoke").basic(SERVICE).form(&[("token", token)]).send().expect(200);
    };
    fleet.ends_everywhere(21, || fleet.nodes[1].token("notes:read"), revoke);
    let tokens = fleet.nodes[1].login(ALICE);
    let with_the_grant = |_: &str| {
        let form = [("client_id", "notes-cli"), ("token", &*tokens.refresh)];
        fleet.nodes[0].post("/oauth2/revoke").form(&form).send().expect(200);
    };
    fleet.ends_everywhere(1, || tokens.access.clone(), with_the_grant);
}

/// UI-10, TOK-13: the operator's commands.
#[test]
fn a_revocation_by_the_operator_is_heard_of_everywhere() {
    let fleet = Fleet::start();
    let (service, person) = (|| fleet.nodes[1].token("notes:read"), || fleet.nodes[1].login(ALICE).access);
    fleet.ends_everywhere(3, service, |_| fleet.operate("", &["token", "revoke", "--client", "service"]));
    fleet.ends_everywhere(3, person, |_| fleet.operate("", &["token", "revoke", "--user", "alice"]));
    fleet.ends_everywhere(3, person, |_| fleet.operate("", &["grant", "revoke", "--user", "alice"]));
}

/// Hazards, line 35; TOK-13
#[test]
fn a_user_or_a_client_who_goes_is_gone_everywhere() {
    let fleet = Fleet::start();
    let carol = || {
        fleet.operate("open sesame\n", &["user", "add", "carol", "--scopes", "notes:read"]);
        fleet.nodes[1].login(("carol", "open sesame")).access
    };
    fleet.ends_everywhere(3, carol, |_| fleet.operate("", &["user", "remove", "carol"]));
    fleet.ends_everywhere(1, carol, |_| fleet.operate("", &["user", "disable", "carol"]));
    let robot = || {
        let arguments =
            ["client", "new", "robot", "--grants", "client_credentials", "--scopes", "notes:read", "--json"];
        let secret = fleet.nodes[0].cli(&arguments).expect(0).json()["secret"].as_str().unwrap().to_owned();
        let asked = fleet.nodes[1].post("/oauth2/token").basic(("robot", &secret));
        asked.form(&[("grant_type", "client_credentials")]).send().tokens().access
    };
    fleet.ends_everywhere(3, robot, |_| fleet.operate("", &["client", "remove", "robot"]));
}

/// What an operator does to Redis itself.
#[test]
fn what_is_removed_from_redis_is_heard_of_everywhere() {
    let fleet = Fleet::start();
    let kept = fleet.nodes[0].token("notes:read");
    let others = fleet.keys();
    fleet.heat(&kept);
    fleet.is_told_everywhere(11, |_| {
        let key = fleet.keys().into_iter().find(|key| !others.contains(key)).unwrap();
        assert_eq!(fleet.redis.cli(&["del", &key]).trim(), "1");
    });
    fleet.heat(&kept);
    fleet.is_told_everywhere(5, |_| assert_eq!(fleet.redis.cli(&["flushall"]).trim(), "OK"));
    assert_eq!(fleet.status(1, &kept), 401);
}
