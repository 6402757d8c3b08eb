//! `rate_limit` on routes: who is counted, what a request too many gets, and that a fleet counts together.

use crate::harness::{
    ALICE, BOB, Config, Credentials, Gateway, READER, Redis, Response, Upstream, eventually, free_port,
};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Three at once, and then none for a long time.
fn limited(upstream: &Upstream, more: &str) -> Config {
    let limit = format!("rate_limit = {{ requests = 3, per = \"1h\", {more} }}");
    Config::notes(upstream)
        .replace("name = \"any\"", &format!("name = \"any\"\n{limit}"))
        .replace("name = \"public\"", &format!("name = \"public\"\n{limit}"))
}

fn start(more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(limited(&upstream, more));
    (upstream, gateway)
}

fn token_of(gateway: &Gateway, client: Credentials) -> String {
    gateway.ask(client, &[("grant_type", "client_credentials"), ("scope", "notes:read")]).tokens().access
}

/// Whether so many pass and the next is refused.
#[track_caller]
fn passes(times: usize, send: impl Fn() -> Response) {
    for _ in 0..times {
        send().expect(200);
    }
    send().expect_error(429, "rate_limited");
}

#[track_caller]
fn is_refused(refused: &Response) {
    refused.expect_error(429, "rate_limited");
    assert_eq!(refused.field("cache-control"), "no-store");
    assert!((1100..=1200).contains(&refused.field("retry-after").parse::<u32>().unwrap()), "{refused:?}");
    assert_eq!(refused.field("ratelimit-policy"), "\"client\";q=3;w=3600");
    assert_eq!(refused.field("ratelimit"), "\"client\";r=0;t=3600");
}

/// LIM-429, and the fields of draft-ietf-httpapi-ratelimit-headers.
#[test]
fn a_request_too_many_is_told_when_to_come_again() {
    let (upstream, gateway) = start("by = \"client\"");
    let token = gateway.token("notes:read");
    let send = || gateway.get("/any/x").bearer(&token).send();
    for left in ["2", "1", "0"] {
        let passed = send();
        passed.expect(200);
        assert_eq!(passed.field("ratelimit-policy"), "\"client\";q=3;w=3600");
        assert!(passed.field("ratelimit").starts_with(&format!("\"client\";r={left};t=")), "{passed:?}");
        assert!(!passed.has("retry-after"));
    }
    let refused = send();
    is_refused(&refused);
    assert_eq!(gateway.event(&refused)["reason"], "rate_limited");
    assert_eq!(upstream.requests().len(), 3, "PX-1: none reaches the upstream");
    assert!(gateway.metrics().contains("tollgate_refusals_total{reason=\"rate_limited\"} 1"));
    gateway.cli(&["explain", "GET", "/any/x", "--scope", "notes:read"]).expect(0).says("limit: 3 per 3600s by client");
    let other = gateway.get("/notes/x").bearer(&token).send();
    assert!(other.expect(200).values("ratelimit").is_empty(), "a route without a limit");
}

/// PX-1: what does not pass is not counted; preflights are not either.
#[test]
fn only_requests_that_would_be_forwarded_count() {
    let (_upstream, gateway) = start("by = \"ip\"");
    for _ in 0..5 {
        gateway.get("/any/x").send().expect(401);
        gateway.get("/any/x").bearer("tga_wrong").send().expect(401);
        let preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
        gateway.request("OPTIONS", "/any/x").fields(&preflight).send().expect(200);
    }
    let token = gateway.token("notes:read");
    passes(3, || gateway.get("/any/x").bearer(&token).send());
    passes(3, || gateway.get("/public/x").send());
}

#[test]
fn clients_subjects_and_addresses_are_counted_apart() {
    let (_upstream, gateway) = start("by = \"client\"");
    let (one, two) = (gateway.token("notes:read"), gateway.token("notes:read"));
    passes(3, || gateway.get("/any/x").bearer(&one).send());
    gateway.get("/any/x").bearer(&two).send().expect(429);
    gateway.get("/any/x").bearer(&token_of(&gateway, READER)).send().expect(200);

    let (_upstream, gateway) = start("by = \"subject\"");
    let (alice, again, bob) = (gateway.login(ALICE).access, gateway.login(ALICE).access, gateway.login(BOB).access);
    passes(3, || gateway.get("/any/x").bearer(&alice).send());
    gateway.get("/any/x").bearer(&again).send().expect(429);
    passes(3, || gateway.get("/any/x").bearer(&bob).send());
    let service = gateway.token("notes:read");
    passes(3, || gateway.get("/any/x").bearer(&service).send());
    gateway.get("/any/x").bearer(&token_of(&gateway, READER)).send().expect(200);

    let (_upstream, gateway) = start("by = \"ip\"");
    let (service, reader) = (gateway.token("notes:read"), token_of(&gateway, READER));
    passes(3, || gateway.get("/any/x").bearer(&service).send());
    gateway.get("/any/x").bearer(&reader).send().expect(429);
}

/// Hazards, line 16: only a trusted proxy says who comes.
#[test]
fn addresses_are_those_that_trusted_proxies_say() {
    let from = |gateway: &Gateway, address: &str| gateway.get("/public/x").field("x-forwarded-for", address).send();
    let upstream = Upstream::start();
    let trusting = limited(&upstream, "by = \"ip\"").set("server.trusted_proxies", r#"["127.0.0.1"]"#);
    let gateway = Gateway::start(trusting);
    passes(3, || from(&gateway, "192.0.2.1"));
    from(&gateway, "192.0.2.2").expect(200);
    from(&gateway, "198.51.100.7, 192.0.2.1").expect(429);
    passes(3, || from(&gateway, "2001:db8:1:2::1"));
    from(&gateway, "2001:db8:1:2:3::4").expect(429);
    from(&gateway, "2001:db8:1:3::1").expect(200);
    let (_upstream, gateway) = start("by = \"ip\"");
    from(&gateway, "192.0.2.1").expect(200);
    from(&gateway, "192.0.2.2").expect(200);
    from(&gateway, "192.0.2.3").expect(200);
    from(&gateway, "192.0.2.4").expect(429);
}

#[test]
fn whoever_comes_by_a_unix_socket_is_one() {
    let upstream = Upstream::start();
    let port = free_port();
    let listen = format!("[\"127.0.0.1:{port}\", \"unix:public.sock\"]");
    let gateway = Gateway::launch_on(limited(&upstream, "by = \"client\"").set("server.listen", &listen), port);
    gateway.wait_until_ready();
    let send = || {
        let mut stream = UnixStream::connect(gateway.path("public.sock")).unwrap();
        stream.write_all(b"GET /public/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!([send(), send(), send(), send()], ["200", "200", "200", "429"]);
    gateway.get("/public/x").send().expect(200);
}

#[test]
fn many_at_once_get_no_more_than_the_burst() {
    let (upstream, gateway) = start("by = \"client\", burst = 40");
    let token = gateway.token("notes:read");
    let request = gateway.get("/any/x").bearer(&token);
    let sent: Vec<u16> = std::thread::scope(|scope| {
        let some = || (0..20).map(|_| request.clone().send().status).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let passed = sent.iter().filter(|status| **status == 200).count();
    assert_eq!((passed, upstream.requests().len()), (40, 40));
    assert!(sent.iter().all(|status| matches!(status, 200 | 429)));
}

#[test]
fn time_brings_more() {
    let upstream = Upstream::start();
    let route = "name = \"any\"\nrate_limit = { requests = 20, per = \"1s\", burst = 2 }";
    let gateway = Gateway::start(Config::notes(&upstream).replace("name = \"any\"", route));
    let token = gateway.token("notes:read");
    let start = Instant::now();
    let mut passed = 0_u32;
    while start.elapsed() < Duration::from_secs(1) {
        passed += u32::from(gateway.get("/any/x").bearer(&token).send().status == 200);
    }
    let most = 2.0 + 20.0 * start.elapsed().as_secs_f64();
    assert!((10..=23).contains(&passed) && f64::from(passed) <= most, "{passed}");
}

/// A reload forgets no counts of limits that did not change.
#[test]
fn counts_survive_a_reload() {
    let (_upstream, gateway) = start("by = \"client\"");
    let token = gateway.token("notes:read");
    passes(3, || gateway.get("/any/x").bearer(&token).send());
    let text = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    let reload = |text: &str| {
        let before = gateway.output().matches("the new configuration is in force").count();
        std::fs::write(gateway.path("gateway.toml"), text).unwrap();
        eventually("a reload", || gateway.output().matches("the new configuration is in force").count() > before);
    };
    reload(&format!("{text}\n# changed\n"));
    gateway.get("/any/x").bearer(&token).send().expect(429);
    reload(&text.replace("requests = 3", "requests = 4"));
    passes(4, || gateway.get("/any/x").bearer(&token).send());
}

#[test]
fn a_route_in_report_only_counts_and_refuses_nobody() {
    let upstream = Upstream::start();
    let config = limited(&upstream, "by = \"client\"").replace("name = \"any\"", "name = \"any\"\nreport_only = true");
    let gateway = Gateway::start(config);
    let token = gateway.token("notes:read");
    for _ in 0..3 {
        gateway.get("/any/x").bearer(&token).send().expect(200);
    }
    let passed = gateway.get("/any/x").bearer(&token).send();
    assert!(!passed.expect(200).has("ratelimit"));
    let event = gateway.event(&passed);
    assert_eq!((event["verdict"].as_str(), event["reason"].as_str()), (Some("would_deny"), Some("rate_limited")));
}

/// PX-20: the decision endpoint counts in the same place.
#[test]
fn decisions_count_like_forwarded_requests() {
    let upstream = Upstream::start();
    let config = limited(&upstream, "by = \"ip\"").set("server.trusted_proxies", r#"["127.0.0.1"]"#);
    let gateway = Gateway::start(config);
    let token = gateway.token("notes:read");
    let decide = || {
        let described = [("x-original-method", "GET"), ("x-original-uri", "/any/x"), ("x-forwarded-for", "192.0.2.1")];
        gateway.get("/oauth2/auth").fields(&described).bearer(&token).send()
    };
    assert_eq!(decide().expect(200).field("ratelimit-policy"), "\"ip\";q=3;w=3600");
    gateway.get("/any/x").field("x-forwarded-for", "192.0.2.1").bearer(&token).send().expect(200);
    decide().expect(200);
    let refused = decide();
    refused.expect_error(429, "rate_limited");
    assert!(refused.has("retry-after"));
}

fn node(upstream: &Upstream, redis: &Redis) -> Gateway {
    Gateway::start(
        limited(upstream, "by = \"client\", shared = true").set("store.url", &format!("\"{}\"", redis.url())),
    )
}

#[test]
fn the_nodes_of_a_redis_count_together() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let (one, two) = (node(&upstream, &redis), node(&upstream, &redis));
    let token = one.token("notes:read");
    one.get("/any/x").bearer(&token).send().expect(200);
    two.get("/any/x").bearer(&token).send().expect(200);
    let passed = one.get("/any/x").bearer(&token).send();
    assert!(passed.expect(200).field("ratelimit").starts_with("\"client\";r=0;"), "{passed:?}");
    for gateway in [&one, &two] {
        is_refused(&gateway.get("/any/x").bearer(&token).send());
        assert!(gateway.metrics().contains("tollgate_limits_counted_alone_total 0"));
    }
    two.get("/any/x").bearer(&token_of(&two, READER)).send().expect(200);
}

/// A limit never makes a request fail because Redis does, and nobody waits long for it.
#[test]
fn a_node_counts_alone_while_redis_does_not_answer() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let gateway = Gateway::start(
        limited(&upstream, "by = \"client\", shared = true")
            .set("store.url", &format!("\"{}\"", redis.url()))
            .set("cache.on_store_outage", "\"serve-cached\""),
    );
    let token = gateway.token("notes:read");
    gateway.get("/any/x").bearer(&token).send().expect(200);
    // The cache is believed from the moment when the store has proved that it answers.
    eventually("the token is cached", || {
        gateway.get("/notes/x").bearer(&token).send().expect(200);
        !gateway.metrics().contains("tollgate_cache_hits_total 0\n")
    });
    redis.freeze();
    let start = Instant::now();
    passes(3, || gateway.get("/any/x").bearer(&token).send());
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(!gateway.metrics().contains("tollgate_limits_counted_alone_total 0"));
    redis.thaw();
    eventually("the fleet's count holds again", || gateway.get("/any/x").bearer(&token).send().status == 200);
}
