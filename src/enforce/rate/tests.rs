//! Limits as they count.

use super::*;
use crate::clock::Timestamp;
use crate::oauth::resource::Resources;
use crate::oauth::scope::ScopeTable;
use crate::oauth::token::{Origin, TokenRecord};
use proptest::prelude::*;

const TERMS: Terms = Terms { requests: 4, per: Duration::from_secs(2), burst: 3, by: By::Client, shared: false };

fn limit(by: By) -> RateLimit {
    RateLimit::new(Terms { by, ..TERMS }, &["", "/notes", "", ""])
}

fn identity(client: &str, subject: Option<&str>) -> Identity {
    let record = TokenRecord {
        client_id: client.to_owned(),
        client_origin: Origin::Store,
        subject: subject.map(str::to_owned),
        subject_origin: Origin::Store,
        scope: String::new(),
        audience: Vec::new(),
        issued_at: Timestamp::default(),
        expires_at: Timestamp::from_millis(u64::MAX),
        grant: None,
    };
    Identity::new(record, &ScopeTable::default(), &Resources::default(), 0)
}

fn key(by: By, identity: Option<&Identity>, address: &str) -> [u8; 16] {
    limit(by).key(identity, address.parse().ok())
}

/// LIM-429
#[test]
fn after_the_burst_one_more_fits_as_often_as_the_limit_says() {
    let (limiter, limit) = (Limiter::new(), limit(By::Ip));
    let at = |millis: u64| limiter.count(&[1; 16], limit.pace, millis * 1_000_000);
    assert!((0..3).all(|_| at(10_000).fits));
    let refused = at(10_000);
    assert_eq!((refused.fits, refused.ahead), (false, Duration::from_millis(1500)));
    assert!(!at(10_499).fits);
    assert!(at(10_500).fits && !at(10_500).fits);
    assert!((0..3).all(|_| at(60_000).fits) && !at(60_000).fits, "a pause brings no more than the burst");
    assert!(limiter.count(&[2; 16], limit.pace, 60_000_000_000).fits, "another key");
}

/// draft-ietf-httpapi-ratelimit-headers
#[test]
fn the_fields_say_the_policy_and_what_is_left_of_it() {
    let (limiter, limit) = (Limiter::new(), limit(By::Subject));
    let said = |millis: u64| {
        let standing = limit.standing(limiter.count(&[1; 16], limit.pace, millis * 1_000_000));
        standing.fields().map(|(name, value)| format!("{name}: {}", String::from_utf8(value).unwrap()))
    };
    assert_eq!(said(10_000), ["ratelimit-policy: \"subject\";q=4;w=2", "ratelimit: \"subject\";r=2;t=1"]);
    assert_eq!(said(10_000)[1], "ratelimit: \"subject\";r=1;t=1");
    assert_eq!(said(10_000)[1], "ratelimit: \"subject\";r=0;t=2");
    assert_eq!(said(10_000)[1], "ratelimit: \"subject\";r=0;t=2");
    assert_eq!(said(11_200)[1], "ratelimit: \"subject\";r=1;t=1");
    let odd = RateLimit::new(Terms { per: Duration::from_millis(1500), ..TERMS }, &[]);
    assert_eq!(odd.standing(Counted { fits: true, ahead: Duration::ZERO }).fields()[0].1, b"\"client\";q=4");
}

#[test]
fn everybody_is_counted_by_what_the_limit_says_and_else_by_what_there_is() {
    let (app, alice, bob) = (identity("app", None), identity("app", Some("alice")), identity("app", Some("bob")));
    let other = identity("other", Some("alice"));
    assert_eq!(key(By::Client, Some(&alice), "192.0.2.1"), key(By::Client, Some(&bob), "192.0.2.2"));
    assert_ne!(key(By::Client, Some(&alice), "192.0.2.1"), key(By::Client, Some(&other), "192.0.2.1"));
    assert_eq!(key(By::Subject, Some(&alice), "192.0.2.1"), key(By::Subject, Some(&other), "192.0.2.2"));
    assert_ne!(key(By::Subject, Some(&alice), "192.0.2.1"), key(By::Subject, Some(&bob), "192.0.2.1"));
    assert_ne!(key(By::Subject, Some(&app), "192.0.2.1"), key(By::Subject, Some(&alice), "192.0.2.1"));
    assert_eq!(key(By::Subject, Some(&app), "192.0.2.1"), key(By::Subject, Some(&app), "192.0.2.2"));
    assert_eq!(key(By::Ip, Some(&alice), "192.0.2.1"), key(By::Ip, Some(&bob), "192.0.2.1"));
}

#[test]
fn without_a_token_networks_are_counted() {
    for by in [By::Client, By::Subject, By::Ip] {
        assert_ne!(key(by, None, "192.0.2.1"), key(by, None, "192.0.2.2"));
        assert_eq!(key(by, None, "unix"), key(by, None, "unix"));
        assert_eq!(key(by, None, "2001:db8:1:2::3"), key(by, None, "2001:db8:1:2:ffff::9"));
        assert_ne!(key(by, None, "2001:db8:1:2::3"), key(by, None, "2001:db8:1:3::3"));
        assert_eq!(key(by, None, "::ffff:192.0.2.1"), key(by, None, "192.0.2.1"));
    }
}

/// Hazards, line 28
#[test]
fn a_name_that_looks_like_an_address_or_another_kind_of_name_is_neither() {
    let client = identity("\u{1}\u{2}\u{3}", None);
    assert_ne!(key(By::Client, Some(&client), ""), key(By::Client, None, "99.1.2.3"));
    assert_ne!(
        key(By::Subject, Some(&identity("alice", None)), ""),
        key(By::Subject, Some(&identity("app", Some("alice"))), "")
    );
}

#[test]
fn a_limit_is_the_same_after_a_reload_unless_it_or_its_route_changed() {
    let made = |terms, route: &[&str]| RateLimit::new(terms, route).id;
    let route = ["", "/notes", "", "GET HEAD"];
    assert_eq!(made(TERMS, &route), made(TERMS, &route));
    assert_ne!(made(TERMS, &route), made(Terms { requests: 5, ..TERMS }, &route));
    assert_ne!(made(TERMS, &route), made(TERMS, &["", "/notes", "", "POST"]));
    assert_ne!(made(TERMS, &["a", "b"]), made(TERMS, &["", "ab"]));
}

/// Hazards, line 39
#[test]
fn memory_is_bounded() {
    let (limiter, limit) = (Limiter::new(), limit(By::Ip));
    for number in 0..300_000_u32 {
        let address = Some(IpAddr::V4(number.into()));
        limiter.count(&limit.key(None, address), limit.pace, 1);
    }
    assert!(limiter.counters.len() <= COUNTERS, "{limiter:?}");
}

#[test]
fn many_threads_together_get_no_more_than_the_burst() {
    let limiter = Limiter::new();
    let pace = RateLimit::new(Terms { burst: 50, ..TERMS }, &[]).pace;
    let fitting = || (0..200).filter(|_| limiter.count(&[1; 16], pace, 7).fits).count();
    let total: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(fitting)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(total, 50);
}

proptest! {
    /// LIM-429: in any time no more than the burst and what that time brings.
    #[test]
    fn no_more_fits_than_the_limit_allows(
        requests in 1..2000_u32,
        burst in 1..100_u32,
        steps in proptest::collection::vec(0..400_u64, 1..200),
    ) {
        let (limiter, per) = (Limiter::new(), Duration::from_secs(1));
        let limit = RateLimit::new(Terms { requests, per, burst, by: By::Ip, shared: false }, &[]);
        let (mut now, mut fitting) = (0, 0_u64);
        for step in steps {
            now += step;
            fitting += u64::from(limiter.count(&[1; 16], limit.pace, now * 1_000_000).fits);
            prop_assert!(fitting <= u64::from(burst) + now * u64::from(requests) / 1000);
        }
    }
}
