//! An MCP server behind the gateway (`mcp = true`): what the MCP authorization profile asks for.

use crate::harness::{Config, Gateway};
use crate::resources::{WELL_KNOWN, ask, start};
use serde_json::json;

/// MCP-3, MCP-4, MCP-5: what to ask for, with what the client has already.
#[test]
fn an_mcp_server_says_which_scopes_to_ask_for() {
    let (_upstream, gateway) = start();
    let get = gateway.get("/mcp").send().expect(401).challenge();
    assert_eq!((get.get("error"), get.get("scope")), (None, Some("notes:read")));
    let wrong = gateway.post("/mcp").bearer("tga_wrong").send();
    wrong.expect_error(401, "invalid_token");
    assert_eq!(wrong.challenge().get("scope"), Some("notes:read notes:delete"));
    let admin = ask(&gateway, "notes:admin", &["/mcp"]).tokens().access;
    gateway.get("/mcp").bearer(&admin).send().expect(200);
    let lacks = gateway.post("/mcp").bearer(&admin).send();
    lacks.expect_error(403, "insufficient_scope");
    assert_eq!(lacks.challenge().get("scope"), Some("notes:admin notes:read notes:delete"));
    // Elsewhere it is what the route needs.
    let reader = ask(&gateway, "notes:read", &["/notes"]).tokens().access;
    assert_eq!(gateway.post("/notes").bearer(&reader).send().expect(403).challenge().get("scope"), Some("notes:write"));
    gateway.get("/mcp").field("authorization", "Bearer a b").send().expect_error(400, "invalid_request");
}

/// MCP-8, MCP-9: a token on every request, in the header alone, and never passed on.
#[test]
fn an_mcp_server_takes_tokens_in_the_header_alone() {
    let (upstream, gateway) = start();
    let token = ask(&gateway, "notes:read notes:delete", &["/mcp"]).tokens().access;
    gateway.get(&format!("/mcp?access_token={token}")).send().expect(401);
    gateway.post("/mcp").form(&[("access_token", &token)]).send().expect(401);
    gateway.post("/mcp").field("mcp-session-id", "known").send().expect(401);
    upstream.expect_nothing();
    let session = [("mcp-session-id", "s1"), ("mcp-protocol-version", "2025-11-25"), ("last-event-id", "7")];
    gateway.post("/mcp").bearer(&token).fields(&session).body("{}").send().expect(200);
    for (name, value) in session {
        assert_eq!(upstream.last().field(name), value);
    }
    assert!(!upstream.last().has("authorization") && !upstream.last().holds(&token));
    assert_eq!(upstream.last().field("x-auth-client"), "service");
}

/// MCP-13: pages of other origins are refused, with a token and without, preflights too.
#[test]
fn an_mcp_server_is_called_by_pages_of_known_origins_alone() {
    let (upstream, gateway) = start();
    let token = ask(&gateway, "notes:read", &["/mcp"]).tokens().access;
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "http://127.0.0.1",
    ] {
        let refused = gateway.get("/mcp").bearer(&token).field("origin", origin).send();
        refused.expect(403);
        assert_eq!(refused.json()["error"], "origin_not_allowed");
        assert_eq!(gateway.event(&refused)["reason"], "origin");
        gateway.get("/mcp").field("origin", origin).send().expect(403);
        let preflight = [("origin", origin), ("access-control-request-method", "GET")];
        gateway.request("OPTIONS", "/mcp").fields(&preflight).send().expect(403);
    }
    let two = [("origin", "https://app.example.com"), ("origin", "https://evil.example")];
    gateway.get("/mcp").bearer(&token).fields(&two).send().expect(403);
    upstream.expect_nothing();
    for origin in ["https://app.example.com", "HTTPS://APP.example.com", &gateway.url()] {
        gateway.get("/mcp").bearer(&token).field("origin", origin).send().expect(200);
    }
    gateway
        .get("/any")
        .bearer(&ask(&gateway, "notes:read", &[]).tokens().access)
        .field("origin", "https://evil.example")
        .send()
        .expect(200);
}

/// MCP-1: an MCP server that is all that there is behind the gateway.
#[test]
fn an_mcp_server_alone_is_described_at_the_root_too() {
    let config = Config::people().set("upstreams.mcp.servers", r#"["echo:"]"#).add(
        "[[routes]]\npath = \"/mcp\"\nscopes = \"notes:read\"\nupstream = \"mcp\"\n[[routes]]\npath = \"/health\"\naccess = \"public\"\nupstream = \"mcp\"\n[[resources]]\npath = \"/mcp\"\nmcp = true\n",
    );
    let gateway = Gateway::start(config);
    let documents = ["", "/mcp"].map(|path| gateway.get(&format!("{WELL_KNOWN}{path}")).send().expect(200).json());
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0]["resource"], format!("{}/mcp", gateway.url()));
    let server = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(server["protected_resources"], json!([format!("{}/mcp", gateway.url())]));
}
