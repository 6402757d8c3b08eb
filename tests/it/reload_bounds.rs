//! What bounds messages, connections, the cache and the store changes while the gateway serves: no restart, and no
//! connection cut.

use crate::harness::{ALICE, Config, Connection, Gateway, Next, READER, Redis, Upstream, eventually, notes};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Has the gateway read `config`, and waits until that is in force. Nothing of it may need a restart.
#[track_caller]
fn reload(gateway: &Gateway, config: Config) {
    let done = || gateway.output().matches("the new configuration is in force").count();
    let before = done();
    gateway.configure(config);
    gateway.signal("HUP");
    eventually("the reload is done", || done() > before);
    assert!(!gateway.output().contains("next start"), "{}", gateway.output());
}

/// A connection that has served a request.
#[track_caller]
fn in_use(gateway: &Gateway) -> Connection {
    let mut connection = gateway.connect();
    gateway.get("/public/x").send_on(&mut connection).expect(200);
    connection
}

/// `head_size`, `head_fields`, `target_size`: for the next message of a connection that is open already.
#[test]
fn the_sizes_of_a_message_change_on_an_open_connection() {
    let (upstream, gateway) = notes();
    let long = gateway.get(&format!("/public/{}", "x".repeat(100)));
    let many = gateway.get("/public/x").fields(&[("X-A", "1"); 10]);
    let large = gateway.get("/public/x").field("X-A", &"x".repeat(2000));
    let requests = [(&long, 414), (&many, 431), (&large, 431)];
    let mut connections = requests.map(|_| in_use(&gateway));
    let mut other = in_use(&gateway);
    let small = Config::notes(&upstream)
        .set("limits.target_size", r#""64B""#)
        .set("limits.head_fields", "5")
        .set("limits.head_size", r#""1KiB""#);
    reload(&gateway, small);
    for ((request, status), connection) in requests.iter().zip(&mut connections) {
        request.send_on(connection).expect(*status);
    }
    gateway.get("/public/x").send_on(&mut other).expect(200);
    reload(&gateway, Config::notes(&upstream));
    for (request, _) in requests {
        request.send_on(&mut other).expect(200);
    }
}

/// `head_timeout`, `body_timeout`, `idle_timeout`: from the next message of an open connection on.
#[test]
fn the_times_of_a_message_change_on_an_open_connection() {
    let (upstream, gateway) = notes();
    let [mut head, mut body, mut idle] = [(); 3].map(|()| in_use(&gateway));
    let config = ["head_timeout", "body_timeout", "idle_timeout"]
        .iter()
        .fold(Config::notes(&upstream), |config, key| config.set(&format!("limits.{key}"), r#""400ms""#));
    reload(&gateway, config);
    let start = Instant::now();
    head.send("GET /public/x HT").response().expect(408);
    body.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").response().expect(408);
    gateway.get("/public/x").send_on(&mut idle).expect(200);
    assert!(idle.is_closed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// `connections`: with fewer than are open none is cut and none is accepted; with more those that wait are.
#[test]
fn the_number_of_connections_changes_and_none_is_cut() {
    let upstream = Upstream::start();
    let config = |most: &str| Config::notes(&upstream).set("server.workers", "1").set("limits.connections", most);
    let gateway = Gateway::start(config("10"));
    let mut open = [(); 3].map(|()| in_use(&gateway));
    reload(&gateway, config("2"));
    let mut waiting = gateway.connect();
    waiting.send(gateway.get("/public/waiting").bytes());
    let arrived = || upstream.requests().iter().any(|request| request.target == "/public/waiting");
    for connection in &mut open {
        gateway.get("/public/x").send_on(connection).expect(200);
    }
    let [one, two, mut three] = open;
    drop(one);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!arrived(), "two are open, and there is room for two");
    drop(two);
    waiting.response().expect(200);
    let mut more = gateway.connect();
    more.send(gateway.get("/public/more").bytes());
    reload(&gateway, config("3"));
    more.response().expect(200);
    for connection in [&mut three, &mut waiting, &mut more] {
        gateway.get("/public/x").send_on(connection).expect(200);
    }
}

/// `failed_logins`, `form_body`.
#[test]
fn the_limits_of_the_endpoints_change() {
    let (upstream, gateway) = notes();
    let guess = || gateway.ask((READER.0, "wrong"), &[("grant_type", "client_credentials")]).status;
    assert_eq!([guess(), guess(), guess()], [401; 3]);
    let form = gateway.post("/notes/").form(&[("access_token", &gateway.token("notes:write")), ("note", "milk")]);
    form.send().expect(200);
    let strict = Config::notes(&upstream)
        .set("limits.failed_logins", r#"{ max = 3, per = "60s" }"#)
        .set("limits.form_body", r#""16B""#);
    reload(&gateway, strict);
    assert_eq!(guess(), 429);
    form.send().expect(413);
    reload(&gateway, Config::notes(&upstream));
    assert_eq!(guess(), 401);
    form.send().expect(200);
}

/// `[cache] max_size`: what has no room any more is let go of, and its tokens are as valid as before.
#[test]
fn the_cache_shrinks_and_grows() {
    let (upstream, gateway) = notes();
    let tokens: Vec<String> = (0..40).map(|_| gateway.token("notes:read")).collect();
    let bytes = || {
        let metrics = gateway.metrics();
        let line = metrics.lines().find(|line| line.starts_with("tollgate_cache_bytes ")).expect("a metric");
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")
    };
    let use_all = || {
        for token in &tokens {
            gateway.get("/notes/1").bearer(token).send().expect(200);
        }
    };
    use_all();
    let full = bytes();
    assert!(full > 5000.0, "{full}");
    reload(&gateway, Config::notes(&upstream).set("cache.max_size", r#""2KiB""#));
    assert!(bytes() < 4096.0, "{}", bytes());
    use_all();
    assert!(bytes() < 4096.0, "{}", bytes());
    reload(&gateway, Config::notes(&upstream));
    use_all();
    assert!(bytes() >= full, "{} < {full}", bytes());
}

/// `[cache] on_store_outage` and `ttl`: what is cached already outlives no new ttl.
#[test]
fn the_cache_believes_for_as_long_as_was_said_last() {
    let upstream = Upstream::start();
    let mut redis = Redis::start();
    let config = |outage: &str, ttl: &str| {
        Config::notes(&upstream)
            .set("store.url", &format!("\"{}\"", redis.url()))
            .set("cache.on_store_outage", &format!("\"{outage}\""))
            .set("cache.ttl", &format!("\"{ttl}\""))
    };
    let [serve, deny, short] = [config("serve-cached", "10m"), config("deny", "10m"), config("serve-cached", "2s")];
    let gateway = Gateway::start(serve.clone());
    let token = gateway.token("notes:read");
    let status = || gateway.get("/notes/1").bearer(&token).send().status;
    assert_eq!(status(), 200);
    redis.stop();
    eventually("the outage is noticed", || gateway.telemetry("/readyz").text().contains("degraded"));
    assert_eq!(status(), 200);
    reload(&gateway, deny);
    assert_eq!(status(), 503);
    reload(&gateway, serve);
    assert_eq!(status(), 200);
    reload(&gateway, short);
    eventually("its time is up", || status() == 503);
}

/// `[store] timeout` and `feed_timeout`: a store that says nothing any more is waited for and believed as was said last.
#[test]
fn the_times_of_the_store_change() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let config = |timeout: &str, feed: &str| {
        Config::notes(&upstream)
            .set("store.url", &format!("\"{}\"", redis.url()))
            .set("store.timeout", &format!("\"{timeout}\""))
            .set("store.feed_timeout", &format!("\"{feed}\""))
    };
    let gateway = Gateway::start(config("60s", "60s"));
    let (cached, fresh) = (gateway.token("notes:read"), gateway.token("notes:read"));
    let status = |token: &str| gateway.get("/notes/1").bearer(token).send().status;
    assert_eq!(status(&cached), 200);
    redis.freeze();
    let before = status(&cached);
    reload(&gateway, config("300ms", "60s"));
    let start = Instant::now();
    let (asked, took, believed) = (status(&fresh), start.elapsed(), status(&cached));
    reload(&gateway, config("300ms", "100ms"));
    let distrusted = status(&cached);
    redis.thaw();
    assert_eq!((before, asked, believed, distrusted), (200, 503, 200, 503));
    assert!(took < Duration::from_secs(5), "{took:?}");
    reload(&gateway, config("5s", "5s"));
    eventually("it recovers", || status(&fresh) == 200 && status(&cached) == 200);
}

/// An upstream that answers after `delay`.
fn slow(delay: Duration) -> Upstream {
    Upstream::with(move |_, stream| {
        std::thread::sleep(delay);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        Next::Keep
    })
}

/// `[server] shutdown_grace`: what holds is what was said when the end began.
#[test]
fn the_grace_of_a_shutdown_changes_with_a_request_under_way() {
    for (delay, grace, new_grace) in [(2, "1ms", "30s"), (20, "30s", "500ms")] {
        let upstream = slow(Duration::from_secs(delay));
        let config = |grace: &str| Config::notes(&upstream).set("server.shutdown_grace", &format!("\"{grace}\""));
        let gateway = Gateway::start(config(grace));
        let mut busy = gateway.connect();
        busy.send(gateway.get("/public/x").bytes());
        eventually("it is at the upstream", || !upstream.requests().is_empty());
        reload(&gateway, config(new_grace));
        let start = Instant::now();
        gateway.terminate();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let answer = busy.try_response("GET");
        assert_eq!(answer.is_some_and(|answer| answer.body == b"done"), new_grace == "30s");
    }
}

/// Promise 7: under load, with everything changing, no request fails and no connection is cut.
#[test]
fn bounds_that_change_under_load_fail_no_request_and_cut_no_connection() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let (upstream, gateway) = notes();
    let tokens = [gateway.token("notes:read"), gateway.login(ALICE).access];
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (gateway, token, done, served) = (&gateway, &tokens[number % 2], &done, &served);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                while !done.load(Ordering::SeqCst) {
                    gateway.get("/notes/1").bearer(token).send_on(&mut connection).expect(200);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 0..8 {
            let tight = Config::notes(&upstream)
                .set("limits.connections", "2")
                .set("limits.head_size", r#""1KiB""#)
                .set("limits.idle_timeout", r#""5s""#)
                .set("cache.max_size", r#""1KiB""#)
                .set("cache.ttl", r#""0s""#)
                .set("server.shutdown_grace", r#""1s""#)
                .set("store.timeout", r#""5s""#);
            reload(&gateway, if round % 2 == 0 { tight } else { Config::notes(&upstream) });
            let reached = served.load(Ordering::SeqCst) + 50;
            eventually("requests are served", || served.load(Ordering::SeqCst) > reached);
        }
        done.store(true, Ordering::SeqCst);
    });
}

/// The same without a signal, when the file changes.
#[test]
fn a_changed_file_changes_the_bounds() {
    let (upstream, gateway) = notes();
    let mut connection = in_use(&gateway);
    gateway.configure(Config::notes(&upstream).set("limits.target_size", r#""64B""#));
    eventually("the change is noticed", || gateway.output().contains("the new configuration is in force"));
    gateway.get(&format!("/public/{}", "x".repeat(100))).send_on(&mut connection).expect(414);
}
