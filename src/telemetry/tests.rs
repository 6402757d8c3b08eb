//! Recording, counting and probing through the public face.

use super::*;
use http::{Method, StatusCode};
use std::io::Write;
use std::sync::Mutex;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn telemetry(log: &str) -> (Arc<Telemetry>, Output) {
    let output = Output::default();
    (Telemetry::new(&filter(log, None).unwrap(), Style::Json, Box::new(output.clone())).unwrap(), output)
}

fn event(route: Option<(usize, &'static str)>, verdict: Verdict, status: u16) -> Event<'static> {
    Event {
        request_id: "id",
        method: "GET",
        path: "/notes/17",
        route,
        client: None,
        subject: None,
        address: None,
        verdict,
        reason: if verdict == Verdict::Denied { "expired" } else { "ok" },
        status,
        ended: Timestamp::from_secs(1_795_556_585),
        duration: Duration::from_micros(400),
        upstream: None,
        sent: 10,
        received: 3,
    }
}

#[test]
fn a_request_is_logged_once_where_the_filter_asks_for_it() {
    for (log, lines) in [("info", 1), ("warn", 0), ("info,tollgate::request=off", 0), ("off,tollgate::request=info", 1)]
    {
        let (telemetry, output) = telemetry(log);
        telemetry.recorder(vec![]).record(&event(None, Verdict::Public, 200));
        telemetry.flush();
        assert_eq!(output.text().lines().count(), lines, "{log}");
    }
}

/// Hazards section 2, line 24
#[test]
fn requests_are_counted_by_route_name_and_never_by_path() {
    let (telemetry, _) = telemetry("off");
    let recorders = [telemetry.recorder(vec!["notes".into()]), telemetry.recorder(vec!["notes".into()])];
    for recorder in &recorders {
        recorder.record(&event(Some((0, "notes")), Verdict::Allowed, 200));
        recorder.record(&event(None, Verdict::Denied, 404));
    }
    let text = telemetry.metrics();
    assert!(text.contains("tollgate_requests_total{route=\"notes\",verdict=\"allowed\",status=\"2xx\"} 2\n"), "{text}");
    assert!(text.contains("tollgate_requests_total{route=\"-\",verdict=\"denied\",status=\"4xx\"} 2\n"), "{text}");
    assert!(text.contains("tollgate_refusals_total{reason=\"expired\"} 2\n"), "{text}");
    let bucket = "tollgate_request_duration_seconds_bucket{le=\"0.0005\",route=\"notes\"} 2\n";
    assert!(text.contains(bucket), "{text}");
    let all = "tollgate_request_duration_seconds_bucket{le=\"+Inf\",route=\"notes\"} 2\n";
    assert!(text.contains(all), "{text}");
    assert!(text.contains("tollgate_sent_bytes_total{route=\"notes\"} 20\n"), "{text}");
    assert!(text.contains("tollgate_received_bytes_total{route=\"notes\"} 6\n"), "{text}");
    assert!(!text.contains("/notes/17") && text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn counts_outlive_the_configuration_they_were_made_under() {
    let (telemetry, _) = telemetry("off");
    let before = telemetry.recorder(vec!["old".into(), "notes".into()]);
    before.record(&event(Some((0, "old")), Verdict::Allowed, 200));
    before.record(&event(Some((1, "notes")), Verdict::Allowed, 200));
    drop(before);
    telemetry.recorder(vec!["notes".into()]).record(&event(Some((0, "notes")), Verdict::Allowed, 200));
    let text = telemetry.metrics();
    assert!(text.contains("tollgate_requests_total{route=\"notes\",verdict=\"allowed\",status=\"2xx\"} 2\n"), "{text}");
    assert!(text.contains("tollgate_requests_total{route=\"old\",verdict=\"allowed\",status=\"2xx\"} 1\n"), "{text}");
}

#[test]
fn what_others_count_is_in_the_metrics() {
    let (telemetry, _) = telemetry("off");
    let counters = telemetry.counters();
    counters.connections.increment();
    counters.cache_bytes.set(4096);
    counters.reloads_failed.increment();
    counters.tokens_issued("client_credentials");
    counters.sign_in("provider", "refused");
    counters.form_refused("origin");
    counters.form_refused("odd");
    counters.store_lookups.observe(Duration::from_millis(2));
    let text = telemetry.metrics();
    for line in [
        "tollgate_connections 1\n",
        "tollgate_cache_bytes 4096\n",
        "tollgate_reloads_total{result=\"failed\"} 1\n",
        "tollgate_tokens_issued_total{grant=\"client_credentials\"} 1\n",
        "tollgate_sign_ins_total{way=\"provider\",outcome=\"refused\"} 1\n",
        "tollgate_forms_refused_total{cause=\"origin\"} 1\n",
        "tollgate_forms_refused_total{cause=\"other\"} 1\n",
        "tollgate_store_lookup_seconds_count 1\n",
        "tollgate_log_lines_dropped_total 0\n",
        concat!("tollgate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n"),
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("process_start_time_seconds "), "{text}");
}

/// Hazards section 2, lines 10 and 22
#[test]
fn readiness_is_red_while_starting_draining_or_without_a_store() {
    let (telemetry, _) = telemetry("off");
    let probes = Probes::new(telemetry);
    let ready = |state| probes.respond(&Method::GET, "/readyz", || state);
    for state in [Readiness::Starting, Readiness::Draining, Readiness::StoreOut] {
        assert_eq!(ready(state).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(probes.respond(&Method::GET, "/livez", || state).status(), StatusCode::OK);
    }
    assert_eq!(ready(Readiness::Ready).status(), StatusCode::OK);
    let degraded = ready(Readiness::Degraded);
    assert_eq!(degraded.status(), StatusCode::OK);
    assert!(degraded.body().starts_with(b"degraded"));
}

#[test]
fn only_the_three_probes_are_there() {
    let (telemetry, _) = telemetry("off");
    let probes = Probes::new(telemetry);
    let status = |method, path| probes.respond(&method, path, || Readiness::Ready).status();
    assert_eq!(status(Method::GET, "/metrics"), StatusCode::OK);
    assert_eq!(status(Method::HEAD, "/livez"), StatusCode::OK);
    assert_eq!(status(Method::GET, "/debug"), StatusCode::NOT_FOUND);
    assert_eq!(status(Method::POST, "/readyz"), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn the_environment_overrides_the_filter_and_a_wrong_one_says_where_it_is() {
    let info = tracing::Level::INFO;
    assert!(!filter("info", Some("warn")).unwrap().would_enable("x", &info));
    assert!(filter("info", Some(" ")).unwrap().would_enable("x", &info));
    assert!(filter("loud=what", None).unwrap_err().starts_with("[telemetry] log"));
    assert!(filter("info", Some("a=b=c")).unwrap_err().starts_with("RUST_LOG"));
}
