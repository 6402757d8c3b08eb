//! A new configuration drops nothing; the end drops nothing either.

use crate::harness::{Config, Gateway, Next, SERVICE, Upstream, eventually, notes};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const EXTRA: &str = "[[routes]]\npath = \"/extra/{*rest}\"\naccess = \"public\"\nupstream = \"notes\"\n";

/// SIGHUP: a valid configuration takes effect whole.
#[test]
fn a_valid_configuration_takes_effect() {
    let (upstream, gateway) = notes();
    gateway.get("/extra/x").send().expect(404);
    gateway.configure(Config::notes(&upstream).add(EXTRA));
    gateway.signal("HUP");
    eventually("the new route is there", || gateway.get("/extra/x").send().status == 200);
}

/// An invalid one is reported with its place, and the old one goes on.
#[test]
fn an_invalid_configuration_keeps_the_old_one() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for broken in ["", "this is no toml = = [", "[server]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n"] {
        let before = gateway.output().len();
        gateway.configure_text(broken);
        gateway.signal("HUP");
        eventually("it is reported", || gateway.output()[before..].contains("gateway.toml"));
        gateway.get("/notes/1").bearer(&token).send().expect(200);
    }
    gateway.configure(Config::notes(&upstream).add(EXTRA));
    gateway.signal("HUP");
    eventually("a later valid one takes effect", || gateway.get("/extra/x").send().status == 200);
}

/// Promise 7: under load, no request fails and no connection is cut.
#[test]
fn a_reload_under_load_fails_no_request_and_cuts_no_connection() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                while !done.load(Ordering::SeqCst) {
                    gateway.get("/notes/1").bearer(&token).send_on(&mut connection).expect(200);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 0..6 {
            let config = Config::notes(&upstream);
            let config = if round % 2 == 0 { config.add(EXTRA) } else { config };
            let status = if round % 2 == 0 { 200 } else { 404 };
            gateway.configure(config);
            gateway.signal("HUP");
            eventually("the reload is done", || gateway.get("/extra/x").send().status == status);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(served.load(Ordering::SeqCst) > 50);
}

/// A request in flight is finished with the configuration with which it began.
#[test]
fn a_request_in_flight_survives_a_reload() {
    let upstream = Upstream::with(|request, stream| {
        if request.target.contains("slow") {
            std::thread::sleep(Duration::from_millis(800));
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(gateway.get("/public/slow").bytes());
    eventually("it is at the upstream", || !upstream.requests().is_empty());
    let public = "name = \"public\"\npath = \"/public/{*rest}\"";
    gateway.configure(Config::notes(&upstream).replace(public, "name = \"public\"\npath = \"/elsewhere/{*rest}\""));
    gateway.signal("HUP");
    eventually("the reload is done", || gateway.get("/elsewhere/x").send().status == 200);
    assert_eq!(connection.response().expect(200).body, b"done");
    gateway.get("/public/x").send_on(&mut connection).expect(404);
}

/// TOK-13, hazard 35: a client that was taken out has no valid token from the moment of the reload.
#[test]
fn the_tokens_of_a_removed_client_or_user_end_with_the_reload() {
    let (upstream, gateway) = notes();
    let (token, alice) = (gateway.token("notes:read"), gateway.login(crate::harness::ALICE));
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    gateway.get("/notes/1").bearer(&alice.access).send().expect(200);
    let config = Config::notes(&upstream).replace("id = \"service\"", "id = \"successor\"");
    gateway.configure(config.replace("name = \"alice\"", "name = \"alina\"").add(EXTRA));
    gateway.signal("HUP");
    eventually("the reload is done", || gateway.get("/extra/x").send().status == 200);
    gateway.get("/notes/1").bearer(&token).send().expect_error(401, "invalid_token");
    gateway.get("/notes/1").bearer(&alice.access).send().expect_error(401, "invalid_token");
    gateway.refresh(&alice.refresh).expect_error(400, "invalid_grant");
    let form = [("grant_type", "client_credentials")];
    gateway.ask(SERVICE, &form).expect_error(401, "invalid_client");
}

/// What a route needs changes for tokens that are cached already.
#[test]
fn a_cached_token_is_held_against_the_new_routes() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    gateway.configure(Config::notes(&upstream).replace("GET = \"notes:read\"", "GET = \"notes:admin\"").add(EXTRA));
    gateway.signal("HUP");
    eventually("the reload is done", || gateway.get("/extra/x").send().status == 200);
    gateway.get("/notes/1").bearer(&token).send().expect(403);
}

/// What needs a restart is said.
#[test]
fn what_needs_a_restart_is_said() {
    let (upstream, gateway) = notes();
    gateway.configure(Config::notes(&upstream).set("server.workers", "1").add(EXTRA));
    gateway.signal("HUP");
    eventually("the reload is done", || gateway.get("/extra/x").send().status == 200);
    eventually("it is said", || {
        let output = gateway.output();
        output.contains("workers") && output.contains("start")
    });
}

/// SIGTERM drains: requests in flight are answered, idle connections closed, exit 0.
#[test]
fn sigterm_drains_and_exits_with_0() {
    let upstream = Upstream::with(|_, stream| {
        std::thread::sleep(Duration::from_millis(700));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut idle = gateway.connect();
    let mut busy = gateway.connect();
    busy.send(gateway.get("/public/x").bytes());
    eventually("it is at the upstream", || !upstream.requests().is_empty());
    gateway.signal("TERM");
    let response = busy.response();
    assert_eq!(response.expect(200).body, b"done");
    assert_eq!(response.field("connection"), "close");
    assert!(busy.is_closed() && idle.is_closed());
    assert!(gateway.wait().success());
}

/// `shutdown_grace`: what takes longer is cut.
#[test]
fn the_grace_of_a_shutdown_is_bounded() {
    let upstream = Upstream::with(|_, _| {
        std::thread::sleep(Duration::from_secs(20));
        Next::Close
    });
    let gateway = Gateway::start(Config::notes(&upstream).set("server.shutdown_grace", r#""1s""#));
    let mut busy = gateway.connect();
    busy.send(gateway.get("/public/x").bytes());
    eventually("it is at the upstream", || !upstream.requests().is_empty());
    let start = std::time::Instant::now();
    gateway.terminate();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}
