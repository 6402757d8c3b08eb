//! The same promises on every store, and what happens when a store is out.

use crate::harness::{ALICE, Browser, Config, Gateway, Redis, Response, SERVICE, Upstream, dance, eventually};
use std::time::{Duration, Instant};

fn revoke(gateway: &Gateway, token: &str) -> u16 {
    gateway.post("/oauth2/revoke").basic(SERVICE).form(&[("token", token)]).send().status
}

/// Issue, use, refresh, introspect, revoke, and the end of a family.
fn whole_life(config: Config) -> Gateway {
    let gateway = Gateway::start(config);
    let token = gateway.token("notes:read");
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    assert_eq!(gateway.introspect(&token)["active"], true);
    assert_eq!(revoke(&gateway, &token), 200);
    gateway.get("/notes/1").bearer(&token).send().expect_error(401, "invalid_token");
    assert_eq!(gateway.introspect(&token)["active"], false);
    let first = gateway.login(ALICE);
    let second = gateway.refresh(&first.refresh).tokens();
    let third = gateway.refresh(&second.refresh).tokens();
    gateway.get("/notes/1").bearer(&third.access).send().expect(200);
    gateway.refresh(&first.refresh).expect_error(400, "invalid_grant");
    gateway.get("/notes/1").bearer(&third.access).send().expect_error(401, "invalid_token");
    let kept = gateway.login(ALICE);
    gateway.get("/notes/1").bearer(&kept.access).send().expect(200);
    gateway
}

fn config(upstream: &Upstream, url: &str) -> Config {
    Config::notes(upstream).set("store.url", &format!("\"{url}\""))
}

/// Promises 1 and 3 on the store in memory.
#[test]
fn tokens_live_and_die_in_memory() {
    whole_life(config(&Upstream::start(), "memory:"));
}

/// Promises 1 and 3 on the embedded store.
#[test]
fn tokens_live_and_die_in_the_embedded_store() {
    whole_life(config(&Upstream::start(), "redb:data/tollgate.redb"));
}

/// Promises 1 and 3 on Redis.
#[test]
fn tokens_live_and_die_in_redis() {
    let redis = Redis::start();
    whole_life(config(&Upstream::start(), &redis.url()));
}

/// Promise 2: what a client has received survives `kill -9`; what was revoked stays revoked (TOK-12).
#[test]
fn tokens_and_revocations_survive_kill_9() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    for url in ["redb:data/tollgate.redb".to_owned(), redis.url()] {
        let gateway = Gateway::start(config(&upstream, &url));
        let tokens = gateway.login(ALICE);
        let token = gateway.token("notes:read");
        let revoked = gateway.token("notes:read");
        assert_eq!(revoke(&gateway, &revoked), 200);
        let rotated = gateway.refresh(&tokens.refresh).tokens();
        gateway.kill();
        gateway.spawn();
        gateway.wait_until_ready();
        for token in [&token, &tokens.access, &rotated.access] {
            gateway.get("/notes/1").bearer(token).send().expect(200);
        }
        gateway.get("/notes/1").bearer(&revoked).send().expect_error(401, "invalid_token");
        gateway.refresh(&rotated.refresh).expect(200);
    }
}

/// Promise 2 under load: every token that was answered is there after `kill -9` in the middle of it.
#[test]
fn every_token_that_was_answered_survives_kill_9_under_load() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(config(&upstream, "redb:data/tollgate.redb"));
    let request = gateway
        .post("/oauth2/token")
        .basic(SERVICE)
        .form(&[("grant_type", "client_credentials"), ("scope", "notes:read")]);
    let port = gateway.port();
    let issuing: Vec<_> = (0..4)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || {
                let mut tokens = Vec::new();
                while let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
                    drop(stream);
                    match issue_once(port, &request.bytes()) {
                        Some(token) => tokens.push(token),
                        None => break,
                    }
                }
                tokens
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(800));
    gateway.kill();
    let tokens: Vec<String> = issuing.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(!tokens.is_empty());
    gateway.spawn();
    gateway.wait_until_ready();
    for token in &tokens {
        gateway.get("/notes/1").bearer(token).send().expect(200);
    }
}

/// A token, or nothing when the gateway went away before the whole answer.
fn issue_once(port: u16, request: &[u8]) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let closing = String::from_utf8(request.to_vec()).unwrap().replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(closing.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    json["access_token"].as_str().map(str::to_owned)
}

/// Promise 4, TOK-2: digests at rest, no token and no secret.
#[test]
fn no_store_holds_a_token_or_a_secret() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let gateway = Gateway::start(config(&upstream, &redis.url()));
    let embedded = Gateway::start(config(&upstream, "redb:data/tollgate.redb"));
    for (gateway, data) in [(&gateway, None), (&embedded, Some(embedded.path("data")))] {
        let tokens = gateway.login(ALICE);
        let rotated = gateway.refresh(&tokens.refresh).tokens();
        let token = gateway.token("notes:read");
        let data = data.map_or_else(
            || redis.data(),
            |folder| {
                std::fs::read_dir(folder)
                    .unwrap()
                    .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
                    .collect()
            },
        );
        for secret in [&tokens.access, &tokens.refresh, &rotated.access, &rotated.refresh, &token, SERVICE.1, ALICE.1] {
            let needle = secret.strip_prefix("tg").map_or(secret, |rest| &rest[2..]).as_bytes();
            assert!(!data.windows(needle.len()).any(|window| window == needle), "{secret} is at rest");
        }
    }
}

/// PX-13, LIM-503, R7009-2.2.1, hazard 30: a store that is gone is 503 with `Retry-After`, never 401, never a pass,
/// never a false success; and it comes back by itself.
#[test]
fn a_store_that_is_gone_is_503_and_recovers() {
    let upstream = Upstream::start();
    let mut redis = Redis::start();
    let gateway = Gateway::start(config(&upstream, &redis.url()).set("cache.ttl", "\"1s\""));
    let (cached, fresh) = (gateway.token("notes:read"), gateway.token("notes:read"));
    gateway.get("/notes/1").bearer(&cached).send().expect(200);
    redis.stop();
    for (what, request) in [
        ("a token that is not cached", gateway.get("/notes/1").bearer(&fresh)),
        (
            "the token endpoint",
            gateway.post("/oauth2/token").basic(SERVICE).form(&[("grant_type", "client_credentials")]),
        ),
        ("revocation", gateway.post("/oauth2/revoke").basic(SERVICE).form(&[("token", &fresh)])),
        ("introspection", gateway.post("/oauth2/introspect").basic(crate::harness::BILLING).form(&[("token", &fresh)])),
        ("tokeninfo", gateway.get("/oauth2/tokeninfo").bearer(&fresh)),
    ] {
        let response = request.send();
        assert_eq!(response.status, 503, "{what}\n{response:?}");
        assert!(response.field("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{response:?}");
    }
    // a forged token needs no store (TOK-4), a public route neither
    gateway.get("/notes/1").bearer(&format!("{}AAAAAAAA", &fresh[..47])).send().expect(401);
    gateway.get("/notes/1").send().expect(401);
    gateway.get("/public/x").send().expect(200);
    eventually("the cached token is believed no more", || gateway.get("/notes/1").bearer(&cached).send().status == 503);
    eventually("it is not ready", || gateway.telemetry("/readyz").status == 503);
    gateway.telemetry("/livez").expect(200);
    redis.start_again();
    eventually("it recovers", || gateway.get("/notes/1").bearer(&fresh).send().status == 200);
    eventually("it is ready again", || gateway.telemetry("/readyz").status == 200);
    gateway.get("/notes/1").bearer(&cached).send().expect(200);
}

/// A gateway that starts before its store: it says so, refuses what it cannot decide with 503, serves what needs
/// no store, and is ready within two seconds of the store's coming, without anybody's help.
#[test]
fn a_gateway_starts_without_its_store_and_finds_it() {
    let upstream = Upstream::start();
    let mut redis = Redis::start();
    let first = Gateway::start(config(&upstream, &redis.url()));
    let token = first.token("notes:read");
    first.terminate();
    redis.stop();
    for on_outage in ["\"deny\"", "\"serve-cached\""] {
        let gateway = Gateway::launch(config(&upstream, &redis.url()).set("cache.on_store_outage", on_outage));
        eventually("it serves", || std::net::TcpStream::connect(("127.0.0.1", gateway.port())).is_ok());
        eventually("it has started", || gateway.get("/public/x").send().status == 200);
        for request in [
            gateway.get("/notes/1").bearer(&token),
            gateway.get("/notes/1").bearer(&format!("{}AAAAAAAA", &token[..47])),
            gateway.get("/oauth2/tokeninfo").bearer(&token),
            gateway.post("/oauth2/token").basic(SERVICE).form(&[("grant_type", "client_credentials")]),
            gateway.post("/oauth2/revoke").basic(SERVICE).form(&[("token", &token)]),
        ] {
            let response = request.send();
            response.expect(503);
            assert!(response.field("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{response:?}");
        }
        gateway.get("/notes/1").send().expect(401);
        gateway.telemetry("/livez").expect(200);
        gateway.telemetry("/readyz").expect(503);
        redis.start_again();
        let answers = Instant::now();
        eventually("it is ready", || gateway.telemetry("/readyz").status == 200);
        assert!(answers.elapsed() < Duration::from_secs(2), "{:?}", answers.elapsed());
        gateway.get("/notes/1").bearer(&token).send().expect(200);
        gateway.terminate();
        redis.stop();
    }
}

/// `[store] timeout`: a store that accepts and says nothing is out as well.
#[test]
fn a_store_that_says_nothing_is_503_in_time() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let gateway = Gateway::start(config(&upstream, &redis.url()).set("store.timeout", "\"300ms\""));
    let token = gateway.token("notes:read");
    redis.freeze();
    let start = Instant::now();
    let response = gateway.get("/notes/1").bearer(&token).send();
    let (status, took) = (response.status, start.elapsed());
    redis.thaw();
    assert_eq!(status, 503, "{response:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    eventually("it recovers", || gateway.get("/notes/1").bearer(&token).send().status == 200);
}

/// `on_store_outage = "serve-cached"`: what was checked passes until its `ttl` ends; what was not is 503.
#[test]
fn serve_cached_lets_checked_tokens_pass_for_their_ttl() {
    let upstream = Upstream::start();
    let mut redis = Redis::start();
    let config =
        config(&upstream, &redis.url()).set("cache.on_store_outage", "\"serve-cached\"").set("cache.ttl", "\"4s\"");
    let gateway = Gateway::start(config);
    let (cached, fresh) = (gateway.token("notes:read"), gateway.token("notes:read"));
    gateway.get("/notes/1").bearer(&cached).send().expect(200);
    redis.stop();
    gateway.get("/notes/1").bearer(&cached).send().expect(200);
    gateway.get("/notes/1").bearer(&fresh).send().expect(503);
    let ready = gateway.telemetry("/readyz");
    assert_eq!(ready.status, 200, "{ready:?}");
    eventually("the ttl ends", || gateway.get("/notes/1").bearer(&cached).send().status == 503);
}

/// Nodes that share a Redis accept each other's tokens, and believe a revocation after the cache's `ttl` at the latest.
#[test]
fn nodes_that_share_a_redis_share_tokens_and_revocations() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let start = || Gateway::start(config(&upstream, &redis.url()).set("cache.ttl", "\"1s\""));
    let (one, two) = (start(), start());
    let token = one.token("notes:read");
    two.get("/notes/1").bearer(&token).send().expect(200);
    assert_eq!(revoke(&one, &token), 200);
    one.get("/notes/1").bearer(&token).send().expect(401);
    eventually("the other node knows", || two.get("/notes/1").bearer(&token).send().status == 401);
    let first = one.login(ALICE);
    let second = two.refresh(&first.refresh).tokens();
    one.get("/notes/1").bearer(&second.access).send().expect(200);
}

/// Promise 3 across nodes: one of many concurrent refreshes at two nodes succeeds (TOK-9, TOK-10).
#[test]
fn one_refresh_wins_across_nodes() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let start = || Gateway::start(config(&upstream, &redis.url()).set("oauth.refresh_reuse_grace", "\"0s\""));
    let (one, two) = (start(), start());
    for _ in 0..5 {
        let first = one.login(ALICE);
        let won = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..10)
                .map(|number| {
                    let node = if number % 2 == 0 { &one } else { &two };
                    let refresh = &first.refresh;
                    scope.spawn(move || node.refresh(refresh).status == 200)
                })
                .collect();
            tries.into_iter().filter(|_| true).map(|attempt| attempt.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}

/// Promise 3 across nodes: one of a hundred concurrent redemptions of a code gives tokens, and they end with
/// the others, which are replays (O21-4.1.3, R6749-4.1.2d).
#[test]
fn one_redemption_of_a_hundred_wins_across_nodes() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let start = || Gateway::start(dance::with_apps(&upstream).set("store.url", &format!("\"{}\"", redis.url())));
    let (one, two) = (start(), start());
    let browser = Browser::new(&one);
    let allowed = dance::allow(&browser, &dance::consent_page(&browser, &[]));
    let code = &dance::answer(&allowed)["code"];
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let attempt = |number| {
            let node = if number % 2 == 0 { &one } else { &two };
            scope.spawn(move || dance::redeem(node, code))
        };
        let attempts: Vec<_> = (0..100).map(attempt).collect();
        attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in &lost {
        answer.expect_error(400, "invalid_grant");
    }
    let tokens = won[0].tokens();
    for node in [&one, &two] {
        eventually("it has ended", || node.get("/notes/1").bearer(&tokens.access).send().status == 401);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*tokens.refresh)];
        node.ask(dance::APP, &refresh).expect_error(400, "invalid_grant");
    }
}

/// An operator's `FLUSHALL` is a revocation of everything, and the gateway goes on.
#[test]
fn flushing_redis_revokes_everything() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let gateway = Gateway::start(config(&upstream, &redis.url()).set("cache.ttl", "\"1s\""));
    let token = gateway.token("notes:read");
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    assert!(redis.command("FLUSHALL").starts_with("+OK"));
    eventually("the token is gone", || gateway.get("/notes/1").bearer(&token).send().status == 401);
    let new = gateway.token("notes:read");
    gateway.get("/notes/1").bearer(&new).send().expect(200);
}

/// TOK-4, promise 6: a flood of forged tokens asks the store nothing.
#[test]
fn forged_tokens_cost_the_store_nothing() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let gateway = Gateway::start(config(&upstream, &redis.url()));
    let token = gateway.token("notes:read");
    redis.freeze();
    for number in 0..200 {
        let forged = format!("{}{number:08}", &token[..47]);
        let response = gateway.get("/notes/1").bearer(&forged).send();
        if response.status != 401 {
            redis.thaw();
            response.expect(401);
        }
    }
    redis.thaw();
}

/// The same client and user names with odd characters are kept apart in every store (hazard 28).
#[test]
fn the_operator_lists_and_revokes_on_every_store() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    for url in ["memory:".to_owned(), "redb:data/tollgate.redb".to_owned(), redis.url()] {
        let gateway = Gateway::start(config(&upstream, &url));
        let (service, alice) = (gateway.token("notes:read"), gateway.login(ALICE));
        gateway.get("/notes/1").bearer(&alice.access).send().expect(200);
        gateway.cli(&["token", "revoke", "--user", "alice"]).expect(0);
        gateway.get("/notes/1").bearer(&alice.access).send().expect(401);
        gateway.refresh(&alice.refresh).expect_error(400, "invalid_grant");
        gateway.get("/notes/1").bearer(&service).send().expect(200);
        gateway.cli(&["token", "revoke", "--client", "service"]).expect(0);
        gateway.get("/notes/1").bearer(&service).send().expect(401);
    }
}
