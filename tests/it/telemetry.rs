//! Probes, metrics, and one event of the log for each request.

use crate::harness::{ALICE, Config, Gateway, Upstream, eventually, notes};

/// The probes.
#[test]
fn the_probes_answer() {
    let (_upstream, gateway) = notes();
    gateway.telemetry("/livez").expect(200);
    gateway.telemetry("/readyz").expect(200);
    gateway.telemetry("/nothing").expect(404);
    assert!(gateway.telemetry("/metrics").expect(200).field("content-type").contains("text"));
    gateway.get("/metrics").send().expect(404);
    gateway.get("/livez").send().expect(404);
}

/// One event a request, with who, what, where and why.
#[test]
fn each_request_leaves_one_event() {
    let (_upstream, gateway) = notes();
    let token = gateway.login(ALICE).access;
    let response = gateway.get("/notes/1?secret=in-the-query").bearer(&token).send();
    let event = gateway.event(&response);
    for (name, value) in
        [("route", "notes"), ("client", "notes-cli"), ("subject", "alice"), ("method", "GET"), ("path", "/notes/1")]
    {
        assert_eq!(event[name], value, "{name} in {event}");
    }
    assert_eq!(event["status"], 200, "{event}");
    assert_eq!(event["verdict"].as_str().map(str::to_lowercase).as_deref(), Some("allowed"), "{event}");
    let id = response.field("x-request-id");
    assert_eq!(gateway.events().iter().filter(|event| event["request_id"] == id).count(), 1);
    assert!(!gateway.output().contains("in-the-query"));
}

/// The log tells apart what the client is not told apart.
#[test]
fn the_log_says_why_a_request_was_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("oauth.access_token_ttl", r#""1s""#));
    let expired = gateway.token("notes:read");
    let unknown = gateway.token("notes:read");
    gateway.post("/oauth2/revoke").basic(crate::harness::SERVICE).form(&[("token", &unknown)]).send().expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let fresh = gateway.token("notes:read");
    let forged = format!("{}AAAAAAAA", &expired[..47]);
    for (request, reason) in [
        (gateway.get("/notes/1"), "no_token"),
        (gateway.get("/notes/1").bearer(&forged), "forged"),
        (gateway.get("/notes/1").bearer(&unknown), "unknown"),
        (gateway.get("/admin/1").bearer(&fresh), "insufficient_scope"),
        (gateway.get("/nowhere"), "no_route"),
    ] {
        let response = request.send();
        let event = gateway.event(&response);
        assert_eq!(event["reason"], reason, "{event}");
        assert_eq!(event["status"], response.status, "{event}");
    }
    let response = gateway.get("/notes/1").bearer(&expired).send();
    let reason = gateway.event(&response)["reason"].clone();
    assert!(reason == "expired" || reason == "unknown", "{reason}");
}

/// Metrics are labelled by route, never by path.
#[test]
fn metrics_count_by_route_and_never_by_path() {
    let (_upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for number in 0..5 {
        gateway.get(&format!("/notes/unlikely-{number}")).bearer(&token).send().expect(200);
        gateway.get(&format!("/odd-path-{number}")).send().expect(404);
    }
    let metrics = gateway.metrics();
    assert!(!metrics.contains("unlikely") && !metrics.contains("odd-path"), "{metrics}");
    let counted = metrics.lines().any(|line| line.contains("route=\"notes\"") && line.ends_with(" 5"));
    assert!(counted, "five requests of the route `notes` in\n{metrics}");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
    }
}

/// `/readyz` turns red while draining, `/livez` does not.
#[test]
fn readiness_turns_red_while_draining() {
    let upstream = Upstream::with(|_, stream| {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        crate::harness::Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(gateway.get("/public/slow").bytes());
    eventually("the request is at the upstream", || !upstream.requests().is_empty());
    gateway.signal("TERM");
    eventually("it is not ready", || gateway.telemetry("/readyz").status == 503);
    gateway.telemetry("/livez").expect(200);
    connection.response().expect(200);
    assert!(gateway.wait().success());
}
