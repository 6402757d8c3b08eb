//! `[[resources]]` (RFC 8707, RFC 9728): whom a token is for, and how a client finds out.

use crate::harness::{ALICE, Config, Gateway, READER, Request, Response, SERVICE, Upstream, free_port, notes};
use serde_json::json;

pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// `/notes` demands an audience, `/shelves` accepts one, `/mcp` is an MCP server; the rest is the gateway's.
const RESOURCES: &str = r#"
[[routes]]
name = "mcp"
path = "/mcp/{*rest}"
scopes = { GET = "notes:read", POST = "notes:read notes:delete" }
upstream = "notes"

[[routes]]
name = "rest"
path = "/{*rest}"
access = "authenticated"
upstream = "notes"

[[resources]]
path = "/notes"
name = "Notes API"
audience = "required"

[[resources]]
path = "/shelves"

[[resources]]
path = "/mcp"
mcp = true
origins = ["https://app.example.com"]

[[resources]]
path = "/secret/part"
audience = "required"
"#;

pub(crate) fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(RESOURCES));
    (upstream, gateway)
}

/// Asks for a token for the resources of these paths.
#[track_caller]
pub(crate) fn ask(gateway: &Gateway, scope: &str, paths: &[&str]) -> Response {
    let uris: Vec<String> = paths.iter().map(|path| format!("{}{path}", gateway.url())).collect();
    let mut form = vec![("grant_type", "client_credentials"), ("scope", scope)];
    form.extend(uris.iter().map(|uri| ("resource", uri.as_str())));
    gateway.ask(SERVICE, &form)
}

fn status(gateway: &Gateway, path: &str, token: &str) -> u16 {
    gateway.get(path).bearer(token).send().status
}

/// R6750-5.3b, R8707-2b, R6750-3.1a; design, section 5, "Resources".
#[test]
fn a_token_is_good_for_its_resources_and_no_other() {
    let (upstream, gateway) = start();
    let [free, notes, two] = [&[][..], &["/notes"], &["/notes", "/shelves"]]
        .map(|paths| ask(&gateway, "notes:read shelf:42", paths).tokens().access);
    for (path, of_free, of_notes, of_two) in [
        ("/notes/1", 401, 200, 200),
        ("/notes", 401, 200, 200),
        ("/shelves/42", 200, 401, 200),
        ("/any/1", 200, 401, 401),
        ("/mcp/1", 401, 401, 401),
        ("/public/1", 200, 200, 200),
    ] {
        for (token, expected) in [(&free, of_free), (&notes, of_notes), (&two, of_two)] {
            // The second time it is cached.
            for _ in 0..2 {
                assert_eq!(status(&gateway, path, token), expected, "{path}");
            }
        }
    }
    upstream.forget();
    let refused = gateway.get("/notes/1").bearer(&free).send();
    refused.expect_error(401, "invalid_token");
    assert_eq!(gateway.event(&refused)["reason"], "audience");
    assert!(upstream.requests().is_empty());
}

/// A route that reaches into a resource: the path of each request decides.
#[test]
fn a_catch_all_route_is_no_way_around_a_resource() {
    let (_upstream, gateway) = start();
    let free = ask(&gateway, "notes:read", &[]).tokens().access;
    for (path, expected) in [
        ("/secret", 200),
        ("/secret/partly", 200),
        ("/secret/part", 401),
        ("/secret/part/", 401),
        ("/secret/%70art/x", 401),
        ("/elsewhere", 200),
    ] {
        assert_eq!(status(&gateway, path, &free), expected, "{path}");
    }
    let metadata = gateway.get("/secret/part/x").send().expect(401).challenge();
    assert_eq!(metadata.get("resource_metadata"), Some(&*format!("{}{WELL_KNOWN}/secret/part", gateway.url())));
    let aimed = gateway
        .ask(READER, &[("grant_type", "client_credentials"), ("resource", &format!("{}/secret/part", gateway.url()))]);
    assert_eq!(status(&gateway, "/secret/part/x", &aimed.tokens().access), 200);
}

/// R8707-2a, R8707-2b, R8707-P: `aud` is the configured spelling, everywhere.
#[test]
fn the_audience_is_said_wherever_a_token_is_described() {
    let (_upstream, gateway) = start();
    let url = gateway.url();
    let token = ask(&gateway, "notes:read", &["/notes", "/mcp", "/notes"]).tokens().access;
    let expected = json!([format!("{url}/notes"), format!("{url}/mcp")]);
    assert_eq!(gateway.introspect(&token)["aud"], expected);
    assert_eq!(gateway.get("/oauth2/tokeninfo").bearer(&token).send().expect(200).json()["aud"], expected);
    let loud = format!("{}/notes", url.to_ascii_uppercase());
    let form = [("grant_type", "client_credentials"), ("scope", "notes:read"), ("resource", &*loud)];
    let token = gateway.ask(SERVICE, &form).tokens().access;
    assert_eq!(gateway.introspect(&token)["aud"], json!([format!("{url}/notes")]));
    let free = ask(&gateway, "notes:read", &[]).tokens().access;
    assert_eq!(gateway.introspect(&free)["aud"], json!([url, format!("{url}/shelves")]));
    ask(&gateway, "notes:read", &["/notes", "/nowhere"]).expect_error(400, "invalid_target");
    ask(&gateway, "notes:read", &["/notes/"]).expect_error(400, "invalid_target");
}

/// R8707-2.2b
#[test]
fn scopes_that_mean_nothing_to_the_resource_are_dropped() {
    let (_upstream, gateway) = start();
    let granted = |scope: &str, paths: &[&str]| ask(&gateway, scope, paths).tokens().scope;
    assert_eq!(granted("notes:read notes:write shelf:42", &["/shelves"]), "shelf:42");
    assert_eq!(granted("notes:read shelf:42 notes:admin", &["/mcp"]), "notes:read notes:admin");
    assert_eq!(granted("notes:read shelf:42", &["/shelves", "/notes"]), "notes:read shelf:42");
    assert_eq!(granted("notes:read shelf:42", &[]), "notes:read shelf:42");
    ask(&gateway, "notes:read", &["/shelves"]).expect_error(400, "invalid_scope");
}

/// R8707-2.2a
#[test]
fn a_refresh_narrows_the_audience_and_keeps_that_of_the_grant() {
    let (_upstream, gateway) = start();
    let [notes, mcp, shelves] = ["/notes", "/mcp", "/shelves"].map(|path| format!("{}{path}", gateway.url()));
    let form = [
        ("grant_type", "password"),
        ("username", ALICE.0),
        ("password", ALICE.1),
        ("resource", &*notes),
        ("resource", &*mcp),
    ];
    let first = gateway.ask_cli(&form).tokens();
    assert_eq!(first.scope, "notes:read notes:write");
    let refresh = |token: &str, resources: &[&str]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(resources.iter().map(|resource| ("resource", *resource)));
        gateway.ask_cli(&form)
    };
    refresh(&first.refresh, &[&shelves]).expect_error(400, "invalid_target");
    refresh(&first.refresh, &[&notes, &gateway.url()]).expect_error(400, "invalid_target");
    let second = refresh(&first.refresh, &[&mcp]).tokens();
    assert_eq!(gateway.introspect(&second.access)["aud"], json!([mcp]));
    assert_eq!(second.scope, "notes:read");
    assert_eq!((status(&gateway, "/mcp", &second.access), status(&gateway, "/notes", &second.access)), (200, 401));
    let third = refresh(&second.refresh, &[]).tokens();
    assert_eq!(gateway.introspect(&third.access)["aud"], json!([notes, mcp]));
    assert_eq!(third.scope, "notes:read notes:write");
    // A grant without an audience is for what demands none.
    let free = gateway.login(ALICE);
    refresh(&free.refresh, &[&notes]).expect_error(400, "invalid_target");
}

/// R9728-2a, R9728-2b, R9728-3a, R9728-3c, MCP-1.
#[test]
fn each_resource_describes_itself() {
    let (upstream, gateway) = start();
    let url = gateway.url();
    let metadata = |path: &str| gateway.get(path).send().expect(200).json();
    let notes = metadata(&format!("{WELL_KNOWN}/notes"));
    assert_eq!(notes["resource"], format!("{url}/notes"));
    assert_eq!(notes["authorization_servers"], json!([url]));
    assert_eq!(notes["resource_name"], "Notes API");
    assert_eq!(notes["bearer_methods_supported"], json!(["header", "body", "query"]));
    let mut scopes: Vec<String> = serde_json::from_value(notes["scopes_supported"].clone()).unwrap();
    scopes.sort_unstable();
    assert_eq!(scopes, ["notes:admin", "notes:delete", "notes:read", "notes:write"]);
    let mcp = metadata(&format!("{WELL_KNOWN}/mcp"));
    assert_eq!(mcp["resource"], format!("{url}/mcp"));
    assert_eq!(mcp["bearer_methods_supported"], json!(["header"]));
    assert!(mcp.get("resource_name").is_none());
    assert_eq!(mcp, metadata(&format!("/mcp{WELL_KNOWN}")));
    let root = metadata(WELL_KNOWN);
    assert_eq!(root["resource"], url);
    assert!(metadata(&format!("{WELL_KNOWN}/shelves")).get("scopes_supported").is_none(), "a template is no scope");
    gateway.get(&format!("{WELL_KNOWN}/any")).send().expect(404);
    gateway.get(&format!("{WELL_KNOWN}/notes/1")).send().expect(404);
    gateway.get(&format!("{WELL_KNOWN}/notes/")).send().expect(404);
    upstream.expect_nothing();
}

/// R9728-4
#[test]
fn the_authorization_server_lists_its_resources() {
    let (_upstream, gateway) = start();
    let server = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    let listed = ["", "/notes", "/shelves", "/mcp", "/secret/part"].map(|path| format!("{}{path}", gateway.url()));
    assert_eq!(server["protected_resources"], json!(listed));
}

/// R9728-5.1a, R9728-5.1b, MCP-2: of the resource with the longest prefix, from the configuration alone.
#[test]
fn challenges_say_where_the_resource_describes_itself() {
    let (_upstream, gateway) = start();
    let url = gateway.url();
    let points_to = |response: &Response, suffix: &str| {
        let challenge = response.challenge();
        let metadata = challenge.get("resource_metadata").unwrap();
        assert_eq!(metadata, format!("{url}{WELL_KNOWN}{suffix}"));
        let document = gateway.get(metadata.strip_prefix(&url).unwrap()).send().expect(200).json();
        assert_eq!(document["resource"], format!("{url}{suffix}"));
    };
    let aimed = ask(&gateway, "notes:read", &["/notes", "/mcp"]).tokens().access;
    let free = ask(&gateway, "notes:read", &[]).tokens().access;
    let elsewhere = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    for (path, suffix) in
        [("/notes/1", "/notes"), ("/shelves/1", "/shelves"), ("/mcp", "/mcp"), ("/any/1", ""), ("/notesx", "")]
    {
        points_to(gateway.get(path).host("evil.example").fields(&elsewhere).send().expect(401), suffix);
    }
    points_to(gateway.post("/notes/1").bearer(&free).send().expect(401), "/notes");
    points_to(gateway.post("/notes/1").bearer(&aimed).send().expect(403), "/notes");
    points_to(gateway.post("/mcp").bearer(&aimed).send().expect(403), "/mcp");
}

/// Without `[[resources]]` the gateway is one, and `/` describes it.
#[test]
fn the_gateway_as_a_whole_can_demand_its_audience() {
    let (_upstream, gateway) = notes();
    let server = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(server["protected_resources"], json!([gateway.url()]));
    let upstream = Upstream::start();
    let whole = "[[resources]]\npath = \"/\"\nname = \"All\"\naudience = \"required\"\n";
    let gateway = Gateway::start(Config::notes(&upstream).add(whole));
    let free = ask(&gateway, "notes:read", &[]).tokens().access;
    let aimed = ask(&gateway, "notes:read", &[""]).tokens().access;
    assert_eq!((status(&gateway, "/any", &free), status(&gateway, "/any", &aimed)), (401, 200));
    assert_eq!(gateway.introspect(&free)["aud"], json!([]));
    assert_eq!(gateway.get(WELL_KNOWN).send().expect(200).json()["resource_name"], "All");
}

/// A reload that adds a resource holds for cached tokens at once.
#[test]
fn a_new_resource_holds_for_cached_tokens() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    assert_eq!(status(&gateway, "/notes/1", &token), 200);
    gateway.configure(Config::notes(&upstream).add(RESOURCES));
    gateway.signal("HUP");
    crate::harness::eventually("the audience is demanded", || status(&gateway, "/notes/1", &token) == 401);
    assert_eq!(status(&gateway, "/any/1", &token), 200);
}

/// An operator's token can be for a resource too.
#[test]
fn an_operator_orders_a_token_for_a_resource() {
    let (_upstream, gateway) = start();
    let notes = format!("{}/notes", gateway.url());
    let order = ["token", "issue", "--client", SERVICE.0, "--scope", "notes:read", "--resource"];
    let output = gateway.cli(&[&order[..], &[&notes]].concat());
    let token = output.expect(0).stdout.trim().to_owned();
    assert_eq!((status(&gateway, "/notes", &token), status(&gateway, "/any", &token)), (200, 401));
    gateway.cli(&[&order[..], &["https://other.example"]].concat()).expect(1).says("no such resource");
}

/// `check` and `explain` name the resource; each problem has its place.
#[test]
fn the_command_line_shows_resources() {
    let (_upstream, gateway) = start();
    let url = gateway.url();
    gateway.cli(&["check"]).expect(0).says("RESOURCE").says(&format!("{url}/notes")).says("required (mcp)");
    let json = gateway.cli(&["check", "--json"]).expect(0).json();
    assert_eq!(json["resources"][1]["audience"], "required");
    assert_eq!(json["resources"].as_array().unwrap().len(), 5);
    let explain =
        |more: &[&str]| gateway.cli(&[&["explain", "GET", "/notes/1", "--scope", "notes:read"], more].concat());
    let refused = explain(&[]);
    refused.expect(1).says(&format!("resource: {url}/notes")).says("401 audience");
    explain(&["--resource", &format!("{url}/notes")]).expect(0).says("verdict: allowed");
    explain(&["--resource", &format!("{url}/other")]).expect(1).says("--resource");
}

#[test]
fn wrong_resources_are_refused_with_their_place() {
    let check = |resources: &str| {
        let config = Config::people()
            .set("server.listen", "\"127.0.0.1:18080\"")
            .set("server.public_url", "\"http://127.0.0.1:18080\"")
            .set("upstreams.notes.servers", r#"["echo:"]"#)
            .add("[[routes]]\npath = \"/notes/{*rest}\"\nscopes = \"notes:read\"\nbearer = [\"header\", \"query\"]\nupstream = \"notes\"\n")
            .add(resources);
        crate::harness::Command::new().file("gateway.toml", &config.text()).run(&["check"])
    };
    check("[[resources]]\npath = \"/notes\"").expect(0);
    for (resources, problem) in [
        ("[[resources]]\npath = \"/other\"", "no route is below `/other`"),
        ("[[resources]]\npath = \"/notes\"\n[[resources]]\npath = \"/notes\"", "two resources have the path `/notes`"),
        (
            "[[resources]]\npath = \"/\"\nname = \"a\"\n[[resources]]\npath = \"/notes\"\nname = \"a\"",
            "two resources have the name `a`",
        ),
        ("[[resources]]\npath = \"/notes/\"", "ends with `/`"),
        ("[[resources]]\npath = \"notes\"", "does not begin with `/`"),
        ("[[resources]]\npath = \"/notes/{id}\"", "has a parameter"),
        ("[[resources]]\npath = \"/oauth2/x\"", "the gateway answers below `/oauth2` itself"),
        ("[[resources]]\nname = \"a\"", "`path`"),
        ("[[resources]]\npath = \"/notes\"\nname = \"\"", "the name is empty"),
        ("[[resources]]\npath = \"/notes\"\naudience = \"wanted\"", "`audience`"),
        ("[[resources]]\npath = \"/notes\"\norigins = [\"https://a.example\"]", "only checked for MCP servers"),
        ("[[resources]]\npath = \"/notes\"\nmcp = true", "only in the header"),
        ("[[resources]]\npath = \"/\"\nmcp = true\naudience = \"accepted\"", "must demand tokens"),
        ("[[resources]]\npath = \"/\"\nmcp = true\norigins = [\"https://a.example/\"]", "is no origin"),
    ] {
        check(resources).expect(1).says(problem).says("gateway.toml:");
    }
}

/// R6750-5.3b: the operator's API is a part of the gateway as a whole, and no other resource's token opens it.
#[test]
fn a_token_for_another_resource_does_not_open_the_operators_api() {
    let upstream = Upstream::start();
    let port = free_port();
    let ops = "[[clients]]\nid = \"ops\"\nsecret = \"ops-secret-3Fw8\"\ngrants = [\"client_credentials\"]\nscopes = \"tollgate:admin\"\n[[resources]]\npath = \"/any\"\n";
    let config = Config::notes(&upstream).set("admin.listen", &format!("\"127.0.0.1:{port}\"")).add(ops);
    let gateway = Gateway::start(config);
    let token = |path: &str| {
        let uri = format!("{}{path}", gateway.url());
        let form = [("grant_type", "client_credentials"), ("resource", &*uri)];
        gateway.ask(("ops", "ops-secret-3Fw8"), &form).tokens().access
    };
    let call = |token: &str| Request::new(port, "GET", "/clients").bearer(token).send().status;
    assert_eq!((call(&token("/any")), call(&token(""))), (401, 200));
}
