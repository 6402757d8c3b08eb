//! The device grant (RFC 8628): what a device is told at each stage, and who may decide.

use super::{START, Stage, call, client, clients, scope, settings, users, word};
use crate::clock::Timestamp;
use crate::issue::device::Pending;
use crate::issue::{DeviceAuthorization, DeviceError, DeviceRequest, DeviceSettings, IssueError, IssuedToken};
use crate::oauth::client::GrantType;
use crate::oauth::token::{TokenDigest, TokenKind};
use crate::people::users::User;
use crate::store::Kind;
use std::net::IpAddr;
use std::time::Duration;

const POLL: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code";
const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

fn at(secs: u64) -> Timestamp {
    START.plus(Duration::from_secs(secs))
}

/// A device of the client `tv`, and the people around it.
struct Device {
    stage: Stage,
    code: String,
    user_code: String,
    alice: User,
}

impl Device {
    async fn new(form: &str) -> Self {
        Self::over(Stage::new().await, form).await
    }

    async fn over(stage: Stage, form: &str) -> Self {
        let begun = begin(&stage, form).await.unwrap();
        let (code, user_code) = (begun.device_code().reveal().to_owned(), begun.user_code().to_string());
        let alice = User::clone(stage.users.get("alice").unwrap());
        Self { stage, code, user_code, alice }
    }

    async fn poll(&self, secs: u64) -> Result<IssuedToken, IssueError> {
        let form = format!("{POLL}&client_id=tv&device_code={}", self.code);
        self.stage.token(&call(&form).after(secs)).await
    }

    async fn word(&self, secs: u64) -> &'static str {
        word(&self.poll(secs).await)
    }

    async fn request(&self, secs: u64) -> Result<DeviceRequest, DeviceError> {
        self.stage.issuer.device_request(&self.user_code, (&self.alice, HOME), at(secs)).await
    }

    async fn allow(&self, chosen: &str, secs: u64) -> Result<(), DeviceError> {
        let id = self.request(secs).await?.id;
        self.stage.issuer.device_allow(&id, (&self.alice, START), &scope(chosen), at(secs)).await
    }

    async fn deny(&self, secs: u64) -> Result<(), DeviceError> {
        let id = self.request(secs).await?.id;
        self.stage.issuer.device_deny(&id, &self.alice, at(secs)).await
    }
}

async fn begin(stage: &Stage, form: &str) -> Result<DeviceAuthorization, IssueError> {
    stage.issuer.device_authorization(&call(form).request()).await
}

fn is_unknown<T>(outcome: &Result<T, DeviceError>) -> bool {
    matches!(outcome, Err(DeviceError::Unknown))
}

/// R8628-3.1
#[tokio::test]
async fn a_device_authorization_is_refused_as_at_the_token_endpoint() {
    let stage = Stage::new().await;
    for (form, basic, expected) in [
        ("client_id=tv", None, "ok"),
        ("client_id=tv&scope=read", None, "ok"),
        ("client_id=tv&resource=https://gate.example", None, "ok"),
        ("", Some("radio:d-secret"), "ok"),
        ("client_id=radio&client_secret=d-secret", None, "ok"),
        ("", None, "invalid_client"),
        ("client_id=nobody", None, "invalid_client"),
        ("client_id=radio", None, "invalid_client"),
        ("", Some("radio:wrong"), "invalid_client"),
        ("client_id=cli", None, "unauthorized_client"),
        ("client_id=tv&scope=unheard", None, "invalid_scope"),
        ("scope=write", Some("radio:d-secret"), "invalid_scope"),
        ("client_id=tv&resource=https://other.example", None, "invalid_target"),
    ] {
        let call = super::Call { basic, ..call(form) };
        let outcome = stage.issuer.device_authorization(&call.request()).await;
        assert_eq!(word(&outcome), expected, "{form} {basic:?}");
    }
}

/// R8628-3.2, R8628-5.1
#[tokio::test]
async fn a_device_is_told_its_codes_and_their_times() {
    let stage = Stage::new().await;
    let begun = begin(&stage, "client_id=tv").await.unwrap();
    assert_eq!((begun.expires_in(), begun.interval()), (600, 5));
    assert_eq!(TokenKind::of(begun.device_code().reveal().as_bytes()), Some(TokenKind::DeviceCode));
    let again = begin(&stage, "client_id=tv").await.unwrap();
    assert_ne!(begun.device_code().reveal(), again.device_code().reveal());
    assert_ne!(begun.user_code(), again.user_code());
}

/// R8628-5.2
#[tokio::test]
async fn the_store_knows_the_digest_of_a_device_code_and_not_the_code() {
    let device = Device::new("client_id=tv").await;
    let id = crate::secret::hex(TokenDigest::of(device.code.as_bytes()).as_bytes());
    let stored = device.stage.store.document::<Pending>(Kind::DeviceCode, &id, START).await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains(&device.code));
    let under_the_code = device.stage.store.document::<Pending>(Kind::DeviceCode, &device.code, START).await.unwrap();
    assert_eq!(under_the_code, None);
}

/// R8628-3.5a
#[tokio::test]
async fn a_device_waits_and_is_slowed_down_when_it_is_too_fast() {
    let device = Device::new("client_id=tv").await;
    let mut told = Vec::new();
    for secs in [0, 5, 9, 14, 29, 39, 49] {
        told.push((secs, device.word(secs).await));
    }
    let (pending, slow) = ("authorization_pending", "slow_down");
    // After 9 s the interval is 10 s, after 14 s it is 15 s: for good.
    let expected = [(0, pending), (5, pending), (9, slow), (14, slow), (29, pending), (39, slow), (49, slow)];
    assert_eq!(told, expected);
    device.allow("read", 50).await.unwrap();
    assert_eq!(device.word(50).await, "ok", "whoever is allowed is not made to wait");
}

/// R8628-3.5a: the interval of one code is not that of another.
#[tokio::test]
async fn a_fast_device_slows_nobody_else_down() {
    let fast = Device::new("client_id=tv").await;
    assert_eq!((fast.word(0).await, fast.word(1).await), ("authorization_pending", "slow_down"));
    let calm = Device::over(fast.stage, "client_id=tv").await;
    assert_eq!((calm.word(1).await, calm.word(6).await), ("authorization_pending", "authorization_pending"));
}

/// A flood of polls is refused without a write for each.
#[tokio::test]
async fn a_flood_changes_nothing_any_more_from_some_point_on() {
    let device = Device::new("client_id=tv").await;
    for _ in 0..40 {
        device.poll(1).await.unwrap_err();
    }
    let id = device.request(1).await.unwrap().id;
    let version = async || {
        let stored = device.stage.store.document::<Pending>(Kind::DeviceCode, &id, START).await.unwrap().unwrap();
        (stored.version, stored.value.interval)
    };
    let before = version().await;
    assert_eq!((device.word(2).await, before.1), ("slow_down", 65_000));
    assert_eq!(version().await, before);
    assert_eq!(device.word(66).await, "authorization_pending");
}

/// R8628-3.4, R8628-3.5c
#[tokio::test]
async fn an_allowed_device_gets_its_token_once() {
    let device = Device::new("client_id=tv").await;
    device.allow("read", 10).await.unwrap();
    let issued = device.poll(15).await.unwrap();
    assert_eq!(issued.scope(), "read");
    let refresh = issued.refresh_token().expect("registered for refreshing").reveal();
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = device.stage.store.access_token(&digest, at(15)).await.unwrap().unwrap();
    assert_eq!((record.client_id.as_str(), record.subject.as_deref()), ("tv", Some("alice")));
    assert_eq!((device.word(20).await, device.word(700).await), ("invalid_grant", "invalid_grant"));
    let form = format!("grant_type=refresh_token&client_id=tv&refresh_token={refresh}");
    assert_eq!(device.stage.token(&call(&form).after(30)).await.unwrap().scope(), "read");
}

/// R8628-3.5b
#[tokio::test]
async fn a_refused_device_is_told_so() {
    let device = Device::new("client_id=tv").await;
    device.deny(10).await.unwrap();
    assert_eq!((device.word(15).await, device.word(16).await), ("access_denied", "access_denied"));
    assert!(is_unknown(&device.allow("read", 20).await), "the first decision holds");
}

/// R8628-3.5b
#[tokio::test]
async fn an_expired_device_code_is_told_so_for_a_while() {
    let device = Device::new("client_id=tv").await;
    assert_eq!(device.word(599).await, "authorization_pending");
    assert_eq!((device.word(600).await, device.word(1199).await), ("expired_token", "expired_token"));
    assert_eq!(device.word(1200).await, "invalid_grant", "forgotten");
    let device = Device::new("client_id=tv").await;
    assert!(is_unknown(&device.request(600).await));
    let device = Device::new("client_id=tv").await;
    device.allow("read", 599).await.unwrap();
    assert_eq!(device.word(600).await, "expired_token", "allowed, and fetched too late");
}

/// R8628-3.5b, TOK-4
#[tokio::test]
async fn a_code_of_another_client_and_what_is_no_code_are_one_answer() {
    let device = Device::new("client_id=tv").await;
    device.allow("read", 1).await.unwrap();
    let forged = device.code.replace("tgd_", "tgd_0").split_at(55).0.to_owned();
    let access = device.code.replace("tgd_", "tga_");
    for code in [&forged, &access, "x"] {
        let form = format!("{POLL}&client_id=tv&device_code={code}");
        assert_eq!(word(&device.stage.token(&call(&form)).await), "invalid_grant", "{code}");
    }
    let form = format!("{POLL}&device_code={}", device.code);
    assert_eq!(word(&device.stage.token(&call(&form).basic("radio:d-secret")).await), "invalid_grant");
    let form = format!("{POLL}&client_id=cli&device_code={}", device.code);
    assert_eq!(word(&device.stage.token(&call(&form)).await), "unauthorized_client");
    let form = format!("{POLL}&client_id=tv");
    assert_eq!(word(&device.stage.token(&call(&form)).await), "invalid_request");
    let form = format!("{POLL}&client_id=tv&device_code={}&resource=https://other.example", device.code);
    assert_eq!(word(&device.stage.token(&call(&form)).await), "invalid_target");
    assert_eq!(device.word(2).await, "ok", "what others tried has used nothing up");
}

/// R8628-3.5c
#[tokio::test]
async fn of_a_hundred_polls_at_once_one_gets_a_token() {
    let device = Device::new("client_id=tv").await;
    device.allow("read", 1).await.unwrap();
    let mut polls = Vec::new();
    for _ in 0..100 {
        polls.push(device.word(5));
    }
    let told = futures_of(polls).await;
    assert_eq!(told.iter().filter(|told| **told == "ok").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| **told == "invalid_grant").count(), 99, "{told:?}");
}

/// R8628-3.5a: of many polls at once, one is on time.
#[tokio::test]
async fn of_many_early_polls_at_once_one_is_on_time() {
    let device = Device::new("client_id=tv").await;
    let told = futures_of((0..30).map(|_| device.word(5)).collect()).await;
    assert_eq!(told.iter().filter(|told| **told == "authorization_pending").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| **told == "slow_down").count(), 29, "{told:?}");
}

/// Runs every future at the same time on this thread.
async fn futures_of<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        let done = futures.iter().all(|(_, output)| output.is_some());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// Two people who decide at the same time: one decision holds.
#[tokio::test]
async fn of_two_decisions_at_once_one_holds() {
    let device = Device::new("client_id=tv").await;
    let id = device.request(1).await.unwrap().id;
    let (issuer, read) = (&device.stage.issuer, scope("read"));
    let (allowed, denied) = tokio::join!(
        issuer.device_allow(&id, (&device.alice, START), &read, at(2)),
        issuer.device_deny(&id, &device.alice, at(2))
    );
    assert!(allowed.is_ok() != denied.is_ok(), "{allowed:?} {denied:?}");
    assert_eq!(device.word(5).await, if allowed.is_ok() { "ok" } else { "access_denied" });
}

/// R8628-3.3a
#[tokio::test]
async fn the_question_is_who_asks_and_for_what_the_user_may_grant() {
    let device = Device::new("client_id=tv&scope=read+other").await;
    let request = device.request(1).await.unwrap();
    assert_eq!((request.client.id.as_str(), request.scope.to_string().as_str()), ("tv", "read other"));
    assert_eq!((request.user_code.to_string(), request.expires), (device.user_code.clone(), at(600)));
    let issuer = &device.stage.issuer;
    assert_eq!(issuer.device_question(&request, &device.alice).unwrap().to_string(), "read");
    for beyond in ["write", "read write", "other", "unheard"] {
        let outcome = issuer.device_allow(&request.id, (&device.alice, START), &scope(beyond), at(1)).await;
        assert!(matches!(outcome, Err(DeviceError::NothingToGrant)), "{beyond}: {outcome:?}");
    }
    assert_eq!(device.word(5).await, "authorization_pending", "nothing has been granted");
    let poor = User { scopes: Some(scope("write")), ..device.alice.clone() };
    let device = Device::over(device.stage, "client_id=tv&scope=other").await;
    let request = device.request(1).await.unwrap();
    let outcome = device.stage.issuer.device_question(&request, &poor);
    assert!(matches!(outcome, Err(DeviceError::NothingToGrant)), "{outcome:?}");
}

/// R8628-5.1
#[tokio::test]
async fn after_five_wrong_codes_the_right_one_is_void_for_the_person() {
    let device = Device::new("client_id=tv").await;
    let issuer = &device.stage.issuer;
    let enter = async |typed: &str, secs| issuer.device_request(typed, (&device.alice, HOME), at(secs)).await;
    for typed in ["", "1234", "ABC", "hello"] {
        assert!(is_unknown(&enter(typed, 0).await), "no code at all: guesses nothing");
    }
    for wrong in ["BBBB-BBBB", "BBBB-BBBC", "BBBB-BBBD", "BBBB-BBBF", "BBBB-BBBG"] {
        assert!(is_unknown(&enter(wrong, 1).await));
    }
    let elsewhere = issuer.device_request(&device.user_code, (&device.alice, None), at(2)).await;
    for outcome in [enter(&device.user_code, 2).await, elsewhere] {
        assert!(matches!(&outcome, Err(DeviceError::Throttled(wait)) if wait.as_secs() == 599), "{outcome:?}");
    }
    let other = device.stage.users.get("reporter").unwrap();
    assert!(issuer.device_request(&device.user_code, (other, HOME), at(2)).await.is_ok(), "somebody else");
    let later = Device::over(device.stage, "client_id=tv").await;
    assert!(later.stage.issuer.device_request(&later.user_code, (&device.alice, HOME), at(601)).await.is_err());
}

/// TOK-13: what has become of client and user since the approval.
#[tokio::test]
async fn a_poll_follows_what_the_configuration_has_become() {
    let device = Device::new("client_id=tv").await;
    device.allow("read write", 1).await.unwrap();
    let mut less = users();
    less[0].scopes = Some(scope("read"));
    let form = format!("{POLL}&client_id=tv&device_code={}", device.code);
    let narrowed = Stage::over(device.stage.store.clone(), settings(), clients(), less);
    assert_eq!(narrowed.token(&call(&form)).await.unwrap().scope(), "read");
    let device = Device::new("client_id=tv").await;
    device.allow("read", 1).await.unwrap();
    let form = format!("{POLL}&client_id=tv&device_code={}", device.code);
    let gone = Stage::over(device.stage.store.clone(), settings(), clients(), Vec::new());
    assert_eq!(word(&gone.token(&call(&form)).await), "invalid_grant");
}

/// UI-10: what was taken back before the device fetched it is gone.
#[tokio::test]
async fn access_that_is_taken_back_ends_the_approval_and_the_tokens() {
    for fetched in [false, true] {
        let device = Device::new("client_id=tv").await;
        device.allow("read", 1).await.unwrap();
        let issued = if fetched { device.poll(2).await.ok() } else { None };
        let subject = device.alice.subject();
        let access = device.stage.issuer.access_of(&subject, at(3)).await.unwrap();
        assert_eq!(access.iter().map(|access| access.client_id.as_str()).collect::<Vec<_>>(), ["tv"]);
        device.stage.issuer.take_back(&subject, Some("tv"), at(4)).await.unwrap();
        assert_eq!(device.word(5).await, "invalid_grant");
        if let Some(issued) = issued {
            let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
            assert_eq!(device.stage.store.access_token(&digest, at(6)).await.unwrap(), None);
        }
    }
}

/// R8707-2a, R8707-2.2a
#[tokio::test]
async fn a_token_is_for_the_resource_that_the_device_named() {
    let gate = "https://gate.example";
    let device = Device::new(&format!("client_id=tv&resource={gate}/")).await;
    device.allow("read", 1).await.unwrap();
    let issued = device.poll(2).await.unwrap();
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = device.stage.store.access_token(&digest, at(3)).await.unwrap().unwrap();
    assert_eq!(record.audience, [gate]);
}

#[tokio::test]
async fn where_devices_are_not_served_there_is_no_such_grant() {
    let mut off = settings();
    off.device = None;
    let tv = client("tv", Vec::new(), &[GrantType::DeviceCode], "read");
    let stage = Stage::with(off, vec![tv], users()).await;
    assert_eq!(word(&begin(&stage, "client_id=tv").await), "unsupported_grant_type");
    assert_eq!(
        word(&stage.token(&call(&format!("{POLL}&client_id=tv&device_code=x"))).await),
        "unsupported_grant_type"
    );
    assert!(stage.issuer.metadata("https://gate.example/oauth2").get("device_authorization_endpoint").is_none());
}

/// R8628-4
#[tokio::test]
async fn metadata_names_the_endpoint_and_the_grant() {
    let metadata = Stage::new().await.issuer.metadata("https://gate.example/oauth2");
    assert_eq!(metadata["device_authorization_endpoint"], "https://gate.example/oauth2/device_authorization");
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&"urn:ietf:params:oauth:grant-type:device_code".into()));
}

/// LIM-conn
#[tokio::test]
async fn one_source_cannot_fill_the_store_with_device_codes() {
    let stage = Stage::new().await;
    for _ in 0..200 {
        begin(&stage, "client_id=tv").await.unwrap();
    }
    assert!(matches!(begin(&stage, "client_id=tv").await, Err(IssueError::Crowded(_))));
    let elsewhere = call("client_id=tv").from("192.0.2.9").request();
    assert!(stage.issuer.device_authorization(&elsewhere).await.is_ok());
    let radio = call("").basic("radio:d-secret").request();
    assert!(stage.issuer.device_authorization(&radio).await.is_ok(), "a client that proves itself");
    let later = call("client_id=tv").after(600).request();
    assert!(stage.issuer.device_authorization(&later).await.is_ok());
}

/// The times are the configuration's.
#[tokio::test]
async fn a_part_of_a_second_is_rounded_so_that_nobody_is_too_fast_or_too_late() {
    let mut settings = settings();
    let (code_ttl, interval) = (Duration::from_millis(20_900), Duration::from_millis(1500));
    settings.device = Some(DeviceSettings { code_ttl, interval });
    let stage = Stage::with(settings, clients(), users()).await;
    let begun = begin(&stage, "client_id=tv").await.unwrap();
    assert_eq!((begun.expires_in(), begun.interval()), (20, 2));
}

/// R8628-3.1, R8707-2.2b: nobody is asked for what the device can never get.
#[tokio::test]
async fn a_device_asks_for_what_means_something_to_the_resources_it_names() {
    let stage = Stage::with(with_notes(), clients(), users()).await;
    let notes = "resource=https://gate.example/notes";
    let device = Device::over(stage, &format!("client_id=tv&scope=read+other&{notes}")).await;
    let request = device.request(0).await.unwrap();
    assert_eq!(request.scope.to_string(), "read");
    let nothing = begin(&device.stage, &format!("client_id=tv&scope=other&{notes}")).await;
    assert_eq!(word(&nothing), "invalid_scope");
}

/// Settings with a resource `/notes`, whose routes need `read`.
fn with_notes() -> crate::issue::Settings {
    use crate::oauth::resource::{Resource, Resources};
    let resource = |path: &str, scopes: Option<&str>| Resource {
        identifier: format!("https://gate.example{path}"),
        path: path.to_owned(),
        scopes: scopes.map(scope),
        ..Resource::default()
    };
    let resources = Resources::new(resource("", None), vec![resource("/notes", Some("read"))], true);
    crate::issue::Settings { resources: std::sync::Arc::new(resources), ..settings() }
}
