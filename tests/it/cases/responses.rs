//! Responses: what an upstream sends beyond its answer is nobody else's answer.

use super::read;
use crate::harness::frames::{Fate, Raw};
use crate::harness::{Config, Gateway, Next, Upstream, shown};
use std::io::Write as _;

/// SMUG-19, SMUG-20, SMUG-22, H-body-3: leftovers of one exchange never answer another.
#[test]
fn hostile_responses_leave_nothing_for_the_next_client() {
    for case in read(include_str!("responses.txt")) {
        let told = format!("{} ({})\n{}", case.name, case.source, shown(&case.send));
        let send = case.send.clone();
        let upstream = Upstream::with(move |request, stream| {
            if request.target == "/public/hostile" {
                let _ = stream.write_all(&send);
                return if send.ends_with(b"\r\n") || send.ends_with(b"LEFT") { Next::Keep } else { Next::Close };
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine");
            Next::Keep
        });
        let config = Config::notes(&upstream).set("upstreams.notes.response_timeout", r#""1s""#);
        let gateway = Gateway::start(config);
        let answer = gateway.connect().send(gateway.get("/public/hostile").bytes()).try_response("GET");
        let fine = match case.expect.as_str() {
            "aborted" => answer.as_ref().is_none_or(|answer| !answer.complete || answer.status >= 500),
            status => answer.as_ref().is_some_and(|answer| answer.complete && answer.status.to_string() == status),
        };
        assert!(fine, "{told}\n=>\n{answer:?}");
        if let Some(answer) = &answer {
            assert!(!answer.whole().contains("LEFT"), "{told}\n=>\n{answer:?}");
        }
        over_http2(&gateway, &case.expect, &told);
        for _ in 0..3 {
            let other = gateway.get("/public/other").send();
            assert!(other.status == 200 && other.text() == "mine", "{told}\nthe next client got\n{other:?}");
        }
    }
}

/// The same for a client of HTTP/2: a response, the one that was meant, or a stream without its end.
#[track_caller]
fn over_http2(gateway: &Gateway, expect: &str, told: &str) {
    let mut raw = Raw::connect(gateway);
    let head = [(":method", "GET"), (":scheme", "http"), (":path", "/public/hostile"), (":authority", "a")];
    let (fate, content) = raw.section(1, true, &head, 1).answer(1);
    let fine = match (expect, fate) {
        ("aborted", Fate::Answered(status)) => content.is_none() || status >= 500,
        ("aborted", Fate::Reset) => true,
        (status, Fate::Answered(answered)) => content.is_some() && status == answered.to_string(),
        _ => false,
    };
    let content = content.unwrap_or_default();
    assert!(fine && !content.ends_with(b"LEFT"), "over HTTP/2: {told}\n=>\n{fate:?} {}", shown(&content));
}
