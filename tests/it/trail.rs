//! What a request carries of its way: `Max-Forwards` and `traceparent`.

use crate::harness::notes;

/// H-trace, RFC 9110 section 7.6.2: OPTIONS with nothing left ends here, after the decision; else it counts down.
#[test]
fn options_goes_no_further_than_it_may() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    let last = gateway.request("OPTIONS", "/any/1").field("Max-Forwards", "0");
    last.send().expect(401);
    let response = last.bearer(&token).send();
    assert_eq!(response.expect(204).field("x-request-id").len(), 32);
    gateway.request("OPTIONS", "/nowhere").field("Max-Forwards", "0").send().expect(404);
    upstream.expect_nothing();
    gateway.request("OPTIONS", "/any/1").field("Max-Forwards", "7").bearer(&token).send().expect(200);
    assert_eq!(upstream.last().field("max-forwards"), "6");
    gateway.get("/any/1").field("Max-Forwards", "0").bearer(&token).send().expect(200);
    assert_eq!(upstream.last().field("max-forwards"), "0", "only OPTIONS and TRACE count");
}

/// W3C Trace Context: a trace goes on; a request without one starts one, named like the request.
#[test]
fn every_request_is_part_of_one_trace() {
    let (upstream, gateway) = notes();
    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    gateway.get("/public/x").field("traceparent", theirs).field("tracestate", "a=1").send().expect(200);
    assert_eq!((upstream.last().field("traceparent"), upstream.last().field("tracestate")), (theirs, "a=1"));
    let response = gateway.get("/public/x").send();
    let (seen, id) = (upstream.last(), response.field("x-request-id"));
    let parts: Vec<&str> = seen.field("traceparent").split('-').collect();
    assert_eq!((parts[0], parts[1], parts[2].len(), parts[3]), ("00", id, 16, "01"), "{seen:?}");
}

/// PX-3, hazard 11 and its kin: `Proxy` is what CGI calls `HTTP_PROXY`.
#[test]
fn no_client_names_the_proxy_of_a_cgi_program() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").field("Proxy", "http://evil.example").send().expect(200);
    assert!(!upstream.last().has("proxy"));
}
