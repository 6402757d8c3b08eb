//! What a browser gets as time goes by, over a store in memory.

use crate::clock::{self, Timestamp};
use crate::endpoint::tests::{HEADER, endpoints};
use crate::endpoint::{Caller, Endpoints};
use bytes::Bytes;
use http::{Request, Response};
use std::time::Duration;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A browser that keeps its cookies, and a clock.
struct Person {
    endpoints: Endpoints,
    cookies: Vec<(String, String)>,
    now: Timestamp,
}

impl Person {
    async fn new() -> Self {
        Self { endpoints: endpoints(HEADER).await, cookies: Vec::new(), now: clock::now() }
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Response<Bytes> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("cookie", cookies.join("; ")).body(Bytes::from(body)).unwrap();
        let caller = Caller { address: "192.0.2.1".parse().ok(), request_id: "r-1" };
        let response = self.endpoints.answer(&request, &caller, self.now).await;
        for line in response.headers().get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
        response
    }

    async fn authorize(&mut self, more: &str) -> Response<Bytes> {
        let request = format!("/oauth2/authorize?response_type=code&client_id=web&code_challenge={CHALLENGE}{more}");
        self.send(Request::get(format!("{request}&code_challenge_method=S256")), String::new()).await
    }

    async fn post(&mut self, path: &str, page: &Response<Bytes>, more: &str) -> Response<Bytes> {
        let body = format!("dialogue={}&{more}", dialogue(page, path));
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request, body).await
    }

    async fn sign_in(&mut self, page: &Response<Bytes>) -> Response<Bytes> {
        self.post("/oauth2/login", page, "username=alice&password=wonder%3Aland").await
    }

    fn later(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    fn is_signed_in(&self) -> bool {
        self.cookies.iter().any(|(name, value)| name.ends_with("-session") && !value.is_empty())
    }
}

/// The dialogue of the form to `action`.
fn dialogue(page: &Response<Bytes>, action: &str) -> String {
    let text = std::str::from_utf8(page.body()).unwrap();
    let form = text.split("<form ").find(|form| form.contains(&format!("action=\"{action}\""))).unwrap();
    form.split("name=\"dialogue\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn location(response: &Response<Bytes>) -> &str {
    response.headers()["location"].to_str().unwrap()
}

/// UI-4
#[tokio::test]
async fn a_sign_in_page_that_lay_open_is_shown_anew() {
    let mut person = Person::new().await;
    let page = person.authorize("").await;
    person.later(601);
    let page = person.sign_in(&page).await;
    assert!(!person.is_signed_in());
    let page = person.sign_in(&page).await;
    assert!(person.is_signed_in());
    dialogue(&page, "/oauth2/consent");
}

/// UI-4, R6749-10.12
#[tokio::test]
async fn a_consent_page_that_lay_open_is_shown_anew_and_grants_nothing() {
    let mut person = Person::new().await;
    let page = person.authorize("").await;
    let page = person.sign_in(&page).await;
    person.later(601);
    let page = person.post("/oauth2/consent", &page, "decision=allow&scope=read").await;
    assert_eq!(page.status(), 200);
    let redirect = person.post("/oauth2/consent", &page, "decision=allow&scope=read").await;
    assert_eq!(redirect.status(), 303);
    assert!(location(&redirect).starts_with("https://web.example/cb?tenant=1&code=tgc_"), "{}", location(&redirect));
}

/// `max_age` holds for a page that lay open as well.
#[tokio::test]
async fn an_old_sign_in_does_not_do_where_the_client_wants_a_recent_one() {
    let mut person = Person::new().await;
    let page = person.authorize("&max_age=900").await;
    let page = person.sign_in(&page).await;
    person.later(600);
    let consent = person.authorize("&max_age=900").await;
    dialogue(&consent, "/oauth2/consent");
    person.later(301);
    dialogue(&person.authorize("&max_age=900").await, "/oauth2/login");
    dialogue(&person.post("/oauth2/consent", &page, "decision=allow&scope=read").await, "/oauth2/login");
    let silent = person.authorize("&max_age=900&prompt=none").await;
    assert!(location(&silent).contains("error=login_required"), "{}", location(&silent));
}

/// UI-7
#[tokio::test]
async fn a_session_ends_when_nobody_comes_and_after_its_time() {
    let mut person = Person::new().await;
    let page = person.authorize("").await;
    person.sign_in(&page).await;
    person.later(3599);
    dialogue(&person.authorize("").await, "/oauth2/consent");
    person.later(3601);
    dialogue(&person.authorize("").await, "/oauth2/login");
    let page = person.authorize("").await;
    person.sign_in(&page).await;
    for _ in 0..15 {
        person.later(1900);
        dialogue(&person.authorize("").await, "/oauth2/consent");
    }
    person.later(1900);
    dialogue(&person.authorize("").await, "/oauth2/login");
}

/// What is fetched with HEAD is what GET gives.
#[tokio::test]
async fn head_is_answered_like_get() {
    let mut person = Person::new().await;
    let response = person.send(Request::head("/oauth2/account"), String::new()).await;
    assert_eq!(response.status(), 200);
    assert!(!response.body().is_empty(), "its length is that of GET");
}
