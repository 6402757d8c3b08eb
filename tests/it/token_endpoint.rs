//! Getting tokens (RFC 6749 sections 2.3, 4.3, 4.4, 5, 6).

use crate::harness::{ALICE, BILLING, BOB, Config, Gateway, READER, Response, SERVICE, WEB, form_encoded};
use std::time::Duration;

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

fn people() -> Gateway {
    Gateway::start(Config::people())
}

/// R6749-5.1a to R6749-5.1d, TOK-3, R6750-5.3a.
#[test]
fn client_credentials_give_an_access_token_and_no_refresh_token() {
    let gateway = people();
    let response = gateway.ask(SERVICE, &[CLIENT_CREDENTIALS, ("scope", "notes:write notes:read")]);
    response.expect(200);
    assert!(response.field("cache-control").contains("no-store"));
    assert_eq!(response.field("pragma"), "no-cache");
    let json = response.json();
    assert_eq!(json["token_type"], "Bearer");
    assert!(json["expires_in"].as_u64().is_some_and(|seconds| (3590..=3600).contains(&seconds)), "{json}");
    let mut scope: Vec<&str> = json["scope"].as_str().unwrap().split(' ').collect();
    scope.sort_unstable();
    assert_eq!(scope, ["notes:read", "notes:write"]);
    assert!(json.get("refresh_token").is_none(), "{json}");
    let token = json["access_token"].as_str().unwrap();
    assert!(token.starts_with("tga_") && token.len() == 55, "{token}");
    assert!(token[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    assert_ne!(gateway.token("notes:read"), gateway.token("notes:read"));
}

/// R6749-2.3.1a, R6749-2.3.1b: the same client by header and by body.
#[test]
fn a_client_authenticates_by_header_or_by_body() {
    let gateway = people();
    gateway.ask(READER, &[CLIENT_CREDENTIALS]).expect(200);
    let body = [CLIENT_CREDENTIALS, ("client_id", READER.0), ("client_secret", READER.1)];
    gateway.post("/oauth2/token").form(&body).send().expect(200);
    gateway.ask(READER, &[CLIENT_CREDENTIALS, ("client_id", READER.0)]).expect(200);
    let other = gateway.ask(READER, &[CLIENT_CREDENTIALS, ("client_id", SERVICE.0)]);
    other.expect_error(400, "invalid_request");
}

/// D-1, R6749-2.3a: one way at a time.
#[test]
fn two_ways_of_authentication_are_an_invalid_request() {
    let gateway = people();
    let both = [CLIENT_CREDENTIALS, ("client_id", READER.0), ("client_secret", READER.1)];
    gateway.ask(READER, &both).expect_error(400, "invalid_request");
    gateway.ask(READER, &[CLIENT_CREDENTIALS, ("client_secret", READER.1)]).expect_error(400, "invalid_request");
    let assertion = [CLIENT_CREDENTIALS, ("client_assertion", "x"), ("client_assertion_type", "y")];
    gateway.ask(READER, &assertion).expect_error(401, "invalid_client");
}

/// D-2: vectors of RFC 6749, RFC 8693 and the form-encoding of appendix B, encoded, half encoded and not encoded.
#[test]
fn basic_credentials_are_read_as_clients_write_them() {
    let pairs = [
        ("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
        ("rs08", "long-secure-random-secret"),
        ("a:b c", "p+%&=/£€"),
        ("client/1", "pa ss"),
        ("my-app_1.x", "s-e_c.r~t"),
    ];
    let mut config = Config::people();
    for (id, secret) in pairs {
        config = config.add(&format!(
            "[[clients]]\nid = \"{id}\"\nsecret = \"{secret}\"\ngrants = [\"client_credentials\"]\nscopes = \"notes:read\"\n"
        ));
    }
    let gateway = Gateway::start(config);
    for encoded in [
        "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3",
        "cnMwODpsb25nLXNlY3VyZS1yYW5kb20tc2VjcmV0",
        "YSUzQWIrYzpwJTJCJTI1JTI2JTNEJTJGJUMyJUEzJUUyJTgyJUFD",
        "Y2xpZW50JTJGMTpwYStzcw==",
        "bXktYXBwXzEueDpzLWVfYy5yJTdFdA==",
        "bXklMkRhcHAlNUYxJTJFeDpzJTJEZSU1RmMlMkVyJTdFdA==",
        "bXktYXBwXzEueDpzLWVfYy5yfnQ=",
    ] {
        let request = gateway.post("/oauth2/token").field("Authorization", &format!("Basic {encoded}"));
        let response = request.form(&[CLIENT_CREDENTIALS]).send();
        assert_eq!(response.status, 200, "{encoded}\n{response:?}");
    }
    let lower = gateway.post("/oauth2/token").field("Authorization", "basic cnMwODpsb25nLXNlY3VyZS1yYW5kb20tc2VjcmV0");
    lower.form(&[CLIENT_CREDENTIALS]).send().expect(200);
}

/// R6749-5.2a to R6749-5.2c: unknown and wrong are one answer, with a Basic challenge.
#[test]
fn failed_client_authentication_is_one_answer() {
    let gateway = people();
    let mut answers = Vec::new();
    for credentials in [("nobody", "x"), (READER.0, "wrong"), (READER.0, ""), ("notes-cli", "a-secret"), ("", "x")] {
        let response = gateway.ask(credentials, &[CLIENT_CREDENTIALS]);
        response.expect_error(401, "invalid_client");
        assert_eq!(response.challenge().scheme, "Basic");
        assert!(response.field("cache-control").contains("no-store"));
        answers.push(response.text());
    }
    for form in [
        vec![CLIENT_CREDENTIALS, ("client_id", "nobody"), ("client_secret", "x")],
        vec![CLIENT_CREDENTIALS, ("client_id", READER.0), ("client_secret", "wrong")],
        vec![CLIENT_CREDENTIALS, ("client_id", READER.0)],
        vec![CLIENT_CREDENTIALS, ("client_id", "notes-cli"), ("client_secret", "x")],
        vec![CLIENT_CREDENTIALS],
    ] {
        let response = gateway.post("/oauth2/token").form(&form).send();
        response.expect_error(401, "invalid_client");
        assert_eq!(response.challenge().scheme, "Basic");
        answers.push(response.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// Authorization fields that are no Basic credentials.
#[test]
fn odd_authorization_fields_never_authenticate() {
    let gateway = people();
    for value in [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic cmVhZGVy",
        "Basic cmVhZGVyOg==",
        "Bearer x",
        "Basic /////w==",
        "Digest x",
    ] {
        let response = gateway.post("/oauth2/token").field("Authorization", value).form(&[CLIENT_CREDENTIALS]).send();
        assert!(matches!(response.status, 400 | 401), "{value}\n{response:?}");
    }
    let twice = gateway.post("/oauth2/token").basic(READER).basic(READER).form(&[CLIENT_CREDENTIALS]).send();
    assert!(matches!(twice.status, 400 | 401), "{twice:?}");
}

/// R6749-5.2d, R6749-5.2e, R6749-5.2g, R6749-3.2d, R6749-4.4a: the error table.
#[test]
fn each_mistake_has_its_error() {
    let gateway = people();
    for (client, form, code) in [
        (READER, vec![], "invalid_request"),
        (READER, vec![("grant_type", "")], "invalid_request"),
        (READER, vec![("grant_type", "magic")], "unsupported_grant_type"),
        (READER, vec![("grant_type", "implicit")], "unsupported_grant_type"),
        (READER, vec![("grant_type", "CLIENT_CREDENTIALS")], "unsupported_grant_type"),
        (READER, vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")], "unsupported_grant_type"),
        (READER, vec![("grant_type", "password"), ("username", "alice"), ("password", "x")], "unauthorized_client"),
        (READER, vec![("grant_type", "refresh_token"), ("refresh_token", "tgr_x")], "unauthorized_client"),
        (BILLING, vec![CLIENT_CREDENTIALS], "unauthorized_client"),
        (READER, vec![CLIENT_CREDENTIALS, CLIENT_CREDENTIALS], "invalid_request"),
        (READER, vec![CLIENT_CREDENTIALS, ("scope", "notes:read"), ("scope", "notes:read")], "invalid_request"),
        (READER, vec![CLIENT_CREDENTIALS, ("scope", "notes:write")], "invalid_scope"),
        (READER, vec![CLIENT_CREDENTIALS, ("scope", "nothing:known")], "invalid_scope"),
        (WEB, vec![("grant_type", "password"), ("username", "alice")], "invalid_request"),
        (WEB, vec![("grant_type", "password"), ("password", "x")], "invalid_request"),
        (WEB, vec![("grant_type", "refresh_token")], "invalid_request"),
        (WEB, vec![("grant_type", "refresh_token"), ("refresh_token", "tgr_nonsense")], "invalid_grant"),
        (WEB, vec![("grant_type", "refresh_token"), ("refresh_token", "")], "invalid_request"),
    ] {
        let response = gateway.ask(client, &form);
        assert_eq!((response.status, &response.json()["error"]), (400, &code.into()), "{form:?}\n{response:?}");
        assert!(response.field("cache-control").contains("no-store") && response.field("pragma") == "no-cache");
        assert!(response.has("x-request-id"));
    }
    gateway.ask_cli(&[CLIENT_CREDENTIALS]).expect_error(400, "unauthorized_client");
    gateway.ask(READER, &[CLIENT_CREDENTIALS, ("unknown", "x"), ("scope", "")]).expect(200);
}

/// R6749-3.3a: the grammar of scopes.
#[test]
fn malformed_scopes_are_refused() {
    let gateway = people();
    for scope in [
        "notes:read  notes:write",
        " notes:read",
        "notes:read ",
        "notes:read\tx",
        "\"notes:read\"",
        "a\\b",
        "notes:é",
        "NOTES:READ",
    ] {
        let response = gateway.ask(SERVICE, &[CLIENT_CREDENTIALS, ("scope", scope)]);
        assert_eq!((response.status, &response.json()["error"]), (400, &"invalid_scope".into()), "{scope:?}");
    }
    let twice = gateway.ask(SERVICE, &[CLIENT_CREDENTIALS, ("scope", "notes:read notes:read")]);
    assert_eq!(twice.tokens().scope, "notes:read", "order and repetition say nothing");
}

/// R6749-3.3b: the client's `default_scopes`, else all of its scopes.
#[test]
fn without_a_scope_the_defaults_are_granted() {
    let gateway = people();
    assert_eq!(gateway.ask(WEB, &[CLIENT_CREDENTIALS]).tokens().scope, "notes:read");
    assert_eq!(gateway.ask(READER, &[CLIENT_CREDENTIALS]).tokens().scope, "notes:read");
    let all = gateway.ask(SERVICE, &[CLIENT_CREDENTIALS]).tokens().scope;
    assert_eq!(all.split(' ').count(), 5, "{all}");
}

/// R6749-3.2a to R6749-3.2c, R6749-App-B: method, media type, place and encoding of the parameters.
#[test]
fn the_endpoint_takes_a_posted_form_and_nothing_else() {
    let gateway = people();
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        let response = gateway.request(method, "/oauth2/token").basic(READER).send();
        assert_eq!(response.expect(405).field("allow"), "POST");
    }
    let posted = |media: &str, body: &[u8]| {
        gateway.post("/oauth2/token").basic(READER).field("Content-Type", media).body(body).send()
    };
    let form = b"grant_type=client_credentials";
    posted("application/x-www-form-urlencoded;charset=utf-8", form).expect(200);
    posted("application/json", br#"{"grant_type":"client_credentials"}"#).expect_error(400, "invalid_request");
    posted("multipart/form-data; boundary=x", form).expect_error(400, "invalid_request");
    for broken in [
        &b"grant_type=client_credentials&scope=%zz"[..],
        b"grant_type=client_credentials&scope=%",
        b"grant_type=client_credentials&x=%ff",
    ] {
        posted("application/x-www-form-urlencoded", broken).expect_error(400, "invalid_request");
    }
    posted("application/x-www-form-urlencoded", b"grant%5Ftype=client%5Fcredentials&scope=notes%3Aread").expect(200);
    let no_type = gateway.post("/oauth2/token").basic(READER).body(form).send();
    no_type.expect_error(400, "invalid_request");
    for query in ["client_secret=x", "refresh_token=x", "code=x", "client_assertion=x"] {
        let response = gateway.post(&format!("/oauth2/token?{query}")).basic(READER).form(&[CLIENT_CREDENTIALS]).send();
        response.expect_error(400, "invalid_request");
    }
    let large = vec![b'x'; 64 * 1024 + 1];
    posted("application/x-www-form-urlencoded", &large).expect(413);
}

/// R6749-4.3a: in the body, for public and confidential clients.
#[test]
fn the_password_grant_takes_the_body() {
    let gateway = people();
    let tokens = gateway.login(ALICE);
    assert!(tokens.refresh.starts_with("tgr_"), "{tokens:?}");
    assert_eq!(gateway.introspect(&tokens.access)["sub"], "alice");
    let web = gateway.ask(WEB, &[("grant_type", "password"), ("username", "ALICE"), ("password", ALICE.1)]);
    assert_eq!(web.tokens().scope, "notes:read");
    assert_eq!(gateway.login(BOB).scope, "notes:read", "a password that is not ASCII");
    let no_secret = [("grant_type", "password"), ("client_id", WEB.0), ("username", ALICE.0), ("password", ALICE.1)];
    gateway.post("/oauth2/token").form(&no_secret).send().expect_error(401, "invalid_client");
}

/// R6749-4.3c: what the user cannot grant is left out and said; nothing left is an error.
#[test]
fn the_users_limits_narrow_the_scope() {
    let gateway = people();
    let grant = |scope: &str| {
        gateway.ask_cli(&[("grant_type", "password"), ("username", BOB.0), ("password", BOB.1), ("scope", scope)])
    };
    assert_eq!(grant("notes:read notes:write").tokens().scope, "notes:read");
    grant("notes:write").expect_error(400, "invalid_scope");
    grant("notes:delete").expect_error(400, "invalid_scope");
}

/// R6749-4.3d: log in with Basic, get a token, use the token.
#[test]
fn a_person_logs_in_with_basic() {
    let gateway = people();
    let login = |person, form: &[(&str, &str)]| gateway.post("/oauth2/token").basic(person).form(form).send();
    let form = [("grant_type", "password"), ("client_id", "notes-cli")];
    assert_eq!(gateway.introspect(&login(ALICE, &form).tokens().access)["sub"], "alice");
    login(BOB, &form).expect(200);
    let wrong = login((ALICE.0, "wrong"), &form);
    wrong.expect_error(401, "invalid_grant");
    assert_eq!(wrong.challenge().scheme, "Basic");
    let unknown = login(("mallory", "wrong"), &form);
    unknown.expect_error(401, "invalid_grant");
    assert_eq!(unknown.text(), wrong.text());
    let both = [form[0], form[1], ("username", "alice"), ("password", ALICE.1)];
    login(ALICE, &both).expect_error(400, "invalid_request");
    // a confidential client is no such client
    let response = login(ALICE, &[("grant_type", "password"), ("client_id", WEB.0)]);
    assert!(matches!(response.status, 400 | 401), "{response:?}");
}

/// R6749-4.3b: an unknown user and a wrong password are one answer.
#[test]
fn an_unknown_user_and_a_wrong_password_are_one_answer() {
    let gateway = people();
    let grant = |name: &str| gateway.ask_cli(&[("grant_type", "password"), ("username", name), ("password", "wrong")]);
    let (known, unknown) = (grant("alice"), grant("nobody"));
    known.expect_error(400, "invalid_grant");
    unknown.expect_error(400, "invalid_grant");
    assert_eq!(known.text(), unknown.text());
}

/// R6749-6a to R6749-6d, TOK-10, R9700-2.2.2, MCP-10: rotation, narrowing, the same rights again.
#[test]
fn a_refresh_token_rotates_and_keeps_its_scope() {
    let gateway = people();
    let first = gateway.login(ALICE);
    let form = [("grant_type", "refresh_token"), ("refresh_token", first.refresh.as_str()), ("scope", "notes:read")];
    let narrowed = gateway.ask_cli(&form).tokens();
    assert_eq!(narrowed.scope, "notes:read");
    assert_ne!(narrowed.refresh, first.refresh);
    let wide = gateway.refresh(&narrowed.refresh).tokens();
    assert_eq!(wide.scope.split(' ').count(), 2, "the narrowed token did not narrow the grant: {}", wide.scope);
    let form = [("grant_type", "refresh_token"), ("refresh_token", wide.refresh.as_str()), ("scope", "notes:delete")];
    gateway.ask_cli(&form).expect_error(400, "invalid_scope");
    gateway.refresh(&wide.refresh).expect(200);
}

/// R6749-6a, hazard 34: bound to its client.
#[test]
fn another_client_cannot_use_a_refresh_token() {
    let gateway = people();
    let tokens = gateway.login(ALICE);
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    gateway.ask(WEB, &form).expect_error(400, "invalid_grant");
    gateway.refresh(&tokens.refresh).expect(200);
}

/// R6749-6d.
#[test]
fn an_access_token_is_no_refresh_token() {
    let gateway = people();
    let tokens = gateway.login(ALICE);
    gateway.refresh(&tokens.access).expect_error(400, "invalid_grant");
    gateway.refresh(&format!("{}AAAAAAAA", &tokens.refresh[..47])).expect_error(400, "invalid_grant");
    gateway.refresh(&tokens.refresh).expect(200);
}

/// TOK-11: inside the grace a lost answer may be asked for again, and the new pair replaces the lost one.
#[test]
fn a_lost_answer_may_be_asked_for_again() {
    let gateway = people();
    let first = gateway.login(ALICE);
    let lost = gateway.refresh(&first.refresh).tokens();
    let second = gateway.refresh(&first.refresh).tokens();
    assert_eq!(gateway.introspect(&second.access)["active"], true);
    assert_eq!(gateway.introspect(&lost.access)["active"], false, "the lost pair is replaced");
    gateway.refresh(&second.refresh).expect(200);
}

/// TOK-11: once the successor was used, the predecessor is stolen goods, and the family ends.
#[test]
fn reuse_after_the_successor_was_used_ends_the_family() {
    let gateway = people();
    let first = gateway.login(ALICE);
    let second = gateway.refresh(&first.refresh).tokens();
    let third = gateway.refresh(&second.refresh).tokens();
    gateway.refresh(&first.refresh).expect_error(400, "invalid_grant");
    gateway.refresh(&third.refresh).expect_error(400, "invalid_grant");
    for token in [&first.access, &second.access, &third.access] {
        assert_eq!(gateway.introspect(token), serde_json::json!({ "active": false }));
    }
}

/// TOK-11: `"0s"` switches the grace off.
#[test]
fn without_a_grace_every_reuse_ends_the_family() {
    let gateway = Gateway::start(Config::people().set("oauth.refresh_reuse_grace", r#""0s""#));
    let first = gateway.login(ALICE);
    let second = gateway.refresh(&first.refresh).tokens();
    gateway.refresh(&first.refresh).expect_error(400, "invalid_grant");
    gateway.refresh(&second.refresh).expect_error(400, "invalid_grant");
    assert_eq!(gateway.introspect(&second.access)["active"], false);
}

/// TOK-11: after the grace too.
#[test]
fn reuse_after_the_grace_ends_the_family() {
    let gateway = Gateway::start(Config::people().set("oauth.refresh_reuse_grace", r#""1s""#));
    let first = gateway.login(ALICE);
    let second = gateway.refresh(&first.refresh).tokens();
    std::thread::sleep(Duration::from_millis(1200));
    gateway.refresh(&first.refresh).expect_error(400, "invalid_grant");
    gateway.refresh(&second.refresh).expect_error(400, "invalid_grant");
}

/// Promise 3, TOK-10: of many concurrent uses of one refresh token one line of tokens survives.
#[test]
fn concurrent_refreshes_leave_one_successor() {
    let gateway = Gateway::start(Config::people().set("oauth.refresh_reuse_grace", r#""0s""#));
    let first = gateway.login(ALICE);
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..30).map(|_| scope.spawn(|| gateway.refresh(&first.refresh))).collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.expect_error(400, "invalid_grant");
    }
}

/// TOK-8: the grant as a whole ends, whatever is refreshed.
#[test]
fn refreshing_does_not_extend_the_grant() {
    let gateway = Gateway::start(Config::people().set("oauth.refresh_token_ttl", r#""2s""#));
    let first = gateway.login(ALICE);
    std::thread::sleep(Duration::from_millis(1200));
    let second = gateway.refresh(&first.refresh).tokens();
    std::thread::sleep(Duration::from_millis(1200));
    gateway.refresh(&second.refresh).expect_error(400, "invalid_grant");
}

/// R6749-2.3.1c, TOK-14, hazard 38: failures are limited by name, in any spelling, and a right password waits too.
#[test]
fn guessing_is_limited() {
    let gateway = Gateway::start(Config::people().set("limits.failed_logins", r#"{ max = 3, per = "60s" }"#));
    let grant = |name: &str, password: &str| {
        gateway.ask_cli(&[("grant_type", "password"), ("username", name), ("password", password)])
    };
    for name in ["alice", "ALICE", "Alice"] {
        grant(name, "wrong").expect_error(400, "invalid_grant");
    }
    let limited = grant("aLiCe", "wrong");
    limited.expect_error(429, "temporarily_unavailable");
    assert!(limited.field("retry-after").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
    grant("alice", ALICE.1).expect(429);
    grant("bob", BOB.1).expect(200);
    for _ in 0..3 {
        gateway.ask((READER.0, "wrong"), &[CLIENT_CREDENTIALS]).expect(401);
    }
    gateway.ask((READER.0, "wrong"), &[CLIENT_CREDENTIALS]).expect_error(429, "temporarily_unavailable");
    gateway.ask(SERVICE, &[CLIENT_CREDENTIALS]).expect(200);
}

/// A larger budget by address alone stops a spray over many names.
#[test]
fn a_spray_over_many_names_is_limited_by_address() {
    let gateway = Gateway::start(Config::people().set("limits.failed_logins", r#"{ max = 2, per = "60s" }"#));
    let limited = (0..200).find(|number| {
        let form = [CLIENT_CREDENTIALS, ("client_id", &*format!("c{number}")), ("client_secret", "x")];
        gateway.post("/oauth2/token").form(&form).send().status == 429
    });
    assert!(limited.is_some_and(|number| number > 2), "{limited:?}");
}

/// Successes never count.
#[test]
fn successes_are_not_limited() {
    let gateway = Gateway::start(Config::people().set("limits.failed_logins", r#"{ max = 2, per = "60s" }"#));
    for _ in 0..10 {
        gateway.ask(READER, &[CLIENT_CREDENTIALS]).expect(200);
    }
}

/// TOK-6, R6749-4.3c: nothing that was sent to the endpoint is in the log.
#[test]
fn neither_secrets_nor_passwords_are_logged() {
    let gateway = Gateway::start(Config::people().set("telemetry.log", r#""trace""#));
    let tokens = gateway.login(ALICE);
    gateway.ask(READER, &[CLIENT_CREDENTIALS]).expect(200);
    gateway.ask((READER.0, "a-wrong-secret"), &[CLIENT_CREDENTIALS]).expect(401);
    gateway.ask_cli(&[("grant_type", "password"), ("username", "alice"), ("password", "a-wrong-password")]).expect(400);
    let last = gateway.post("/oauth2/token?client_secret=in-the-query").form(&[CLIENT_CREDENTIALS]).send();
    gateway.event(&last);
    let said = gateway.output() + &gateway.metrics();
    let secrets =
        [ALICE.1, READER.1, "a-wrong-secret", "a-wrong-password", "in-the-query", &tokens.access, &tokens.refresh];
    for secret in secrets {
        assert!(!said.contains(secret) && !said.contains(&form_encoded(secret)), "{secret} is in the log");
    }
}

/// `public_url` may have a path: then the endpoints live below it.
#[test]
fn the_endpoints_live_below_the_path_of_the_public_url() {
    let gateway = Gateway::start(
        Config::people().set("server.public_url", r#""http://127.0.0.1:1/gate""#).set("oauth.path", r#""/auth""#),
    );
    gateway.post("/gate/auth/token").basic(READER).form(&[CLIENT_CREDENTIALS]).send().expect(200);
    gateway.post("/oauth2/token").basic(READER).form(&[CLIENT_CREDENTIALS]).send().expect(404);
    gateway.post("/auth/token").basic(READER).form(&[CLIENT_CREDENTIALS]).send().expect(404);
}
