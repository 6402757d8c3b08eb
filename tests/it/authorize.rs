//! The authorization endpoint in a browser: from a client's request to the code and back, and what goes wrong on the way.

use crate::harness::dance::{self, APP, answer};
use crate::harness::{ALICE, BOB, Browser, Form, Gateway, Redis, Request, Response, Upstream, eventually};

fn started() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(dance::with_apps(&upstream));
    (upstream, gateway)
}

fn is_page(response: &Response) -> bool {
    response.field("content-type").starts_with("text/html")
}

/// A page that stays here: nobody is sent anywhere.
#[track_caller]
fn expect_local_error(response: &Response) {
    response.expect(400);
    assert!(is_page(response) && !response.has("location"), "\n{response:?}");
}

/// R6749-4.1.2a, R6749-3.1b, R9700-4.12, R6749-4.1.2d, R6750-5.3c
#[test]
fn a_person_signs_in_allows_and_the_app_gets_what_was_allowed() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[("login_hint", "alice")]));
    assert!(page.expect(200).text().contains("Photo Book"));
    assert_eq!(Form::to(&page, "/oauth2/login").value("username"), "alice");
    let page = browser.sign_in(&page, ALICE);
    let text = page.expect(200).text();
    for shown in ["Photo Book", "alice", "app.example", "Read your notes", "Add and change your notes"] {
        assert!(text.contains(shown), "{shown} in\n{text}");
    }
    let form = Form::to(&page, "/oauth2/consent");
    assert_eq!(form.values("scope"), ["notes:read", "notes:write"]);
    let redirect = browser.submit(&form, &[("decision", "allow")]);
    assert_eq!(redirect.status, 303);
    assert_eq!(redirect.field("cache-control"), "no-store");
    let shown = format!("{redirect:?}");
    assert!(!shown.contains("tga_") && !shown.contains("tgr_"), "no token in a cookie or a URL\n{shown}");
    let answer = answer(&redirect);
    assert_eq!((&*answer["state"], &*answer["iss"]), ("s t&t", &*gateway.url()));
    let tokens = dance::redeem(&gateway, &answer["code"]).tokens();
    assert_eq!(tokens.scope, "notes:read notes:write");
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    dance::redeem(&gateway, &answer["code"]).expect_error(400, "invalid_grant");
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
}

/// R6749-3.1a
#[test]
fn a_form_is_as_good_as_a_query_and_other_methods_are_told_so() {
    let (_upstream, gateway) = started();
    let target = dance::request(APP.0, &[]);
    let (path, query) = target.split_once('?').unwrap();
    let form = gateway.post(path).field("Content-Type", "application/x-www-form-urlencoded").body(query);
    // From another site: the only POST that may be.
    let response = form.field("Origin", "https://app.example").field("Sec-Fetch-Site", "cross-site").send();
    Form::to(response.expect(200), "/oauth2/login");
    let response = gateway.request("PUT", &target).send();
    assert_eq!(response.expect(405).field("allow"), "GET, HEAD, POST");
    assert_eq!(gateway.get("/oauth2/consent").send().expect(405).field("allow"), "POST");
    assert_eq!(gateway.get("/oauth2/login").send().expect(405).field("allow"), "POST");
    let head = gateway.request("HEAD", &target).send();
    assert!(head.expect(200).body.is_empty());
    gateway.post(path).field("Content-Type", "application/json").body("{}").send().expect(400);
}

/// R6749-3.1.2e
#[test]
fn who_is_not_known_is_not_sent_anywhere() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    for target in [
        dance::request("nobody", &[]),
        dance::request(APP.0, &[("client_id", "")]),
        dance::request(APP.0, &[("redirect_uri", "https://evil.example/cb")]),
        dance::request(APP.0, &[("redirect_uri", "https://app.example/cb/../x")]),
        dance::request(APP.0, &[("redirect_uri", "javascript:alert(1)")]),
        format!("{}&client_id=desktop", dance::request(APP.0, &[])),
    ] {
        expect_local_error(&browser.get(&target));
    }
}

/// D-11, R9700-4.11, R6749-3.1.1b, R6749-4.1.2.1b
#[test]
fn an_error_is_redirected_only_after_somebody_has_signed_in() {
    let (upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let wrong = dance::request(APP.0, &[("response_type", "token")]);
    let page = browser.get(&wrong);
    let redirect = browser.sign_in(&page, ALICE);
    assert_eq!(redirect.status, 303);
    assert_eq!(answer(&redirect)["error"], "unsupported_response_type");
    let redirect = browser.get(&wrong);
    assert_eq!((redirect.status, &*answer(&redirect)["error"]), (302, "unsupported_response_type"));
    let redirect = browser.get(&dance::request(APP.0, &[("scope", "notes:admin")]));
    assert_eq!(answer(&redirect)["error"], "invalid_scope");
    let direct = dance::with_apps(&upstream).replace("name = \"Photo Book\"", "immediate_error_redirect = true");
    let gateway = Gateway::start(direct);
    assert_eq!(answer(&gateway.get(&wrong).send())["error"], "unsupported_response_type");
}

/// UI-8
#[test]
fn a_wrong_password_and_an_unknown_name_read_the_same() {
    let (_upstream, gateway) = started();
    let read = |credentials| {
        let browser = Browser::new(&gateway);
        let page = browser.sign_in(&browser.get(&dance::request(APP.0, &[])), credentials);
        assert!(browser.cookie("tollgate-session").is_none());
        let form = Form::to(page.expect(200), "/oauth2/login");
        let text = page.text().replace(form.value("dialogue"), "").replace(form.value("username"), "");
        assert!(text.contains("The name or the password is wrong."));
        (text, browser, form)
    };
    let (wrong, browser, form) = read((ALICE.0, "no"));
    let (unknown, ..) = read(("carol", "no"));
    assert_eq!(wrong, unknown);
    let page = browser.submit(&form, &[("username", ALICE.0), ("password", ALICE.1)]);
    Form::to(&page, "/oauth2/consent");
    let page = browser.submit(&form, &[("username", ""), ("password", "")]);
    assert!(page.expect(200).text().contains("Type your name"));
}

/// UI-8, TOK-14
#[test]
fn too_many_guesses_are_told_to_wait_and_another_name_is_not() {
    let upstream = Upstream::start();
    let config = dance::with_apps(&upstream).set("limits.failed_logins", "{ max = 2, per = \"60s\" }");
    let gateway = Gateway::start(config);
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    for _ in 0..2 {
        browser.sign_in(&page, (ALICE.0, "no")).expect(200);
    }
    let held = browser.sign_in(&page, ALICE);
    assert!(is_page(held.expect(429)) && held.field("retry-after").parse::<u64>().unwrap() <= 60);
    assert!(browser.cookie("tollgate-session").is_none());
    Form::to(&browser.sign_in(&page, BOB), "/oauth2/consent");
}

/// UI-9
#[test]
fn prompt_none_shows_nothing() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let silent = dance::request(APP.0, &[("prompt", "none")]);
    assert_eq!(answer(&browser.get(&silent))["error"], "login_required");
    let page = dance::consent_page(&browser, &[]);
    assert_eq!(answer(&browser.get(&silent))["error"], "consent_required");
    dance::allow(&browser, &page);
    let answer = answer(&browser.get(&silent));
    assert_eq!(answer["state"], "s t&t");
    dance::redeem(&gateway, &answer["code"]).expect(200);
    let old = dance::request(APP.0, &[("prompt", "none"), ("max_age", "0")]);
    assert_eq!(dance::answer(&browser.get(&old))["error"], "login_required");
}

/// `OpenID` Connect Core section 3.1.2.1
#[test]
fn a_client_can_have_its_user_sign_in_or_consent_again() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    dance::allow(&browser, &page);
    assert!(answer(&browser.get(&dance::request(APP.0, &[]))).contains_key("code"));
    for prompt in ["consent", "select_account"] {
        let page = browser.get(&dance::request(APP.0, &[("prompt", prompt)]));
        Form::to(&page, "/oauth2/consent");
    }
    let before = browser.cookie("tollgate-session");
    for more in [[("prompt", "login")], [("max_age", "0")]] {
        let page = browser.get(&dance::request(APP.0, &more));
        assert!(answer(&browser.sign_in(&page, ALICE)).contains_key("code"), "{more:?}");
    }
    assert_ne!(browser.cookie("tollgate-session"), before);
}

/// UI-7
#[test]
fn cookies_are_bound_to_the_host_where_there_is_https() {
    let upstream = Upstream::start();
    let config = dance::with_apps(&upstream);
    let config = config.set("server.public_url", "\"https://gate.example\"").set("server.behind_tls", "true");
    let gateway = Gateway::start(config);
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    assert!(page.field("set-cookie").starts_with("__Host-tollgate-browser="));
    let page = browser.sign_in(&page, ALICE);
    let line = page.field("set-cookie");
    assert!(line.starts_with("__Host-tollgate-session="), "{line}");
    assert!(line.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{line}");
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    assert!(page.field("set-cookie").ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    let first = browser.sign_in(&page, ALICE).field("set-cookie").to_owned();
    let second = browser.sign_in(&page, ALICE).field("set-cookie").to_owned();
    assert!(first != second, "rotated at login");
    let old = first.split(';').next().unwrap();
    let silent = dance::request(APP.0, &[("prompt", "none")]);
    assert_eq!(answer(&gateway.get(&silent).field("Cookie", old).send())["error"], "login_required");
}

/// UI-1, R9700-2.6
#[test]
fn nobody_else_can_frame_keep_or_read_a_page() {
    let (_upstream, gateway) = started();
    let response = gateway.get(&dance::request(APP.0, &[])).field("Origin", "https://app.example").send();
    assert!(response.field("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!((response.field("x-frame-options"), response.field("cache-control")), ("DENY", "no-store"));
    assert!(!response.fields.iter().any(|(name, _)| name.starts_with("access-control-")));
    let text = response.text();
    let mut links = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let style = links.find(|link| link.contains("/style")).unwrap();
    assert!(gateway.get(style).send().expect(200).field("content-type").starts_with("text/css"));
    gateway.get("/oauth2/assets/other").send().expect_error(404, "not_found");
    gateway.request("OPTIONS", "/oauth2/authorize").send().expect(405);
}

/// No session reaches an upstream, and no upstream begins one.
#[test]
fn the_cookies_of_the_gateway_stay_between_it_and_the_browser() {
    let (upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    dance::consent_page(&browser, &[]);
    let secret = browser.cookie("tollgate-session").unwrap();
    browser.set_cookie("theme", "dark");
    browser.get("/public/x").expect(200);
    let seen = upstream.last();
    assert_eq!(seen.field("cookie"), "theme=dark");
    assert!(!seen.holds(&secret));
}

/// What a log holds of a dance says who did what, and no secret.
#[test]
fn the_log_says_who_did_what_and_keeps_no_secret() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    let form = Form::to(&page, "/oauth2/consent");
    let answer = answer(&browser.submit(&form, &[("decision", "allow")]));
    dance::redeem(&gateway, &answer["code"]).expect(200);
    let said = |text: &str| gateway.events().iter().any(|event| event["message"] == text);
    eventually("the events are in the log", || said("signed in") && said("consent given") && said("token issued"));
    let session = browser.cookie("tollgate-session").unwrap();
    let name = browser.cookie("tollgate-browser").unwrap();
    for secret in [&*answer["code"], form.value("dialogue"), &session, &name, ALICE.1] {
        assert!(!gateway.output().contains(secret), "{secret} is in the log");
    }
}

/// R6749-4.1.2.1d
#[test]
fn while_the_store_is_out_clients_are_told_and_people_see_a_page() {
    let (upstream, mut redis) = (Upstream::start(), Redis::start());
    let config = dance::with_apps(&upstream).set("store.url", &format!("\"{}\"", redis.url()));
    let gateway = Gateway::start(config.set("store.timeout", "\"300ms\""));
    let (browser, stranger) = (Browser::new(&gateway), Browser::new(&gateway));
    let consent = Form::to(&dance::consent_page(&browser, &[]), "/oauth2/consent");
    let login = stranger.get(&dance::request(APP.0, &[]));
    redis.stop();
    let told = answer(&browser.get(&dance::request(APP.0, &[])));
    assert_eq!((&*told["error"], &*told["state"]), ("temporarily_unavailable", "s t&t"));
    for response in [
        browser.submit(&consent, &[("decision", "allow")]),
        browser.get("/oauth2/account"),
        stranger.sign_in(&login, ALICE),
        browser.get(&dance::request("nobody", &[])),
    ] {
        assert!(is_page(response.expect(503)) && response.has("retry-after") && !response.has("location"));
    }
}

#[test]
fn a_request_line_that_is_too_long_is_refused_on_a_page() {
    let (_upstream, gateway) = started();
    let long = dance::request(APP.0, &[("state", &"x".repeat(40_000))]);
    let body = long.split_once('?').unwrap().1;
    let post = |request: Request| request.field("Content-Type", "application/x-www-form-urlencoded").body(body).send();
    expect_local_error(&post(gateway.post("/oauth2/authorize")));
}
