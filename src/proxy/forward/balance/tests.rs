//! Who is chosen how often.

use super::*;
use crate::proxy::fleet::Fleet;
use crate::proxy::upstream::{Ejection, Health, Server};

const EJECTION: Ejection = Ejection { failures: 1, time: Duration::from_secs(10) };

fn weighted(weights: &[u32], balance: Balance) -> Servers {
    let server = |port| Server::Http { host: "127.0.0.1".to_owned(), port };
    let mut upstream = Upstream::of((1..).take(weights.len()).map(server).collect());
    for (weighted, weight) in upstream.servers.iter_mut().zip(weights) {
        weighted.weight = *weight;
    }
    upstream.balance = balance;
    Servers::new(&upstream, Fleet::new().group(&upstream), None)
}

/// How many of so many requests each gets, when none is under way longer than the choice takes.
fn shares(servers: &Servers, count: usize, now: Instant) -> Vec<usize> {
    let (dice, view) = (Dice::new(), servers.view(now));
    let mut taken = vec![0; view.slots.len()];
    for _ in 0..count {
        let (position, _) = servers.choose(&view, Tried::default(), &dice, now).unwrap();
        taken[position] += 1;
    }
    taken
}

fn position(servers: &Servers, tried: Tried, now: Instant) -> Option<usize> {
    servers.choose(&servers.view(now), tried, &Dice::new(), now).map(|(position, _)| position)
}

fn unhealthy(servers: &Servers, position: usize) {
    let health = Health {
        path: "/".to_owned(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        healthy: 1,
        unhealthy: 1,
        status: 200..=200,
    };
    let node = &servers.nodes()[position];
    servers.group.checked(&node.member, &node.standing, Err(String::new()), &health);
}

#[tokio::test]
async fn round_robin_takes_one_after_the_other() {
    let (servers, now) = (weighted(&[1, 1, 1], Balance::RoundRobin), Instant::now());
    let (dice, view) = (Dice::new(), servers.view(now));
    let turns: Vec<_> = (0..6).filter_map(|_| Some(servers.choose(&view, Tried::default(), &dice, now)?.0)).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn round_robin_gives_each_its_weight_and_spreads_it() {
    let (servers, now) = (weighted(&[5, 1, 1], Balance::RoundRobin), Instant::now());
    let (dice, view) = (Dice::new(), servers.view(now));
    let turns: Vec<_> = (0..7).filter_map(|_| Some(servers.choose(&view, Tried::default(), &dice, now)?.0)).collect();
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(shares(&servers, 700, now), [500, 100, 100]);
}

#[tokio::test]
async fn the_less_loaded_of_two_is_taken() {
    let (servers, now) = (weighted(&[1, 1], Balance::LeastLoaded), Instant::now());
    let _busy = servers.nodes()[0].enter();
    assert_eq!(shares(&servers, 50, now), [0, 50]);
}

#[tokio::test]
async fn load_counts_by_weight() {
    let (servers, now) = (weighted(&[1, 4], Balance::LeastLoaded), Instant::now());
    let _one = servers.nodes()[0].enter();
    let _three: Vec<_> = (0..3).map(|_| servers.nodes()[1].enter()).collect();
    assert_eq!(shares(&servers, 50, now), [0, 50]);
    let _two: Vec<_> = (0..2).map(|_| servers.nodes()[1].enter()).collect();
    assert_eq!(shares(&servers, 50, now), [50, 0]);
}

#[tokio::test]
async fn idle_servers_share_the_work_by_weight() {
    let (servers, now) = (weighted(&[1, 1, 1, 3], Balance::LeastLoaded), Instant::now());
    let shares = shares(&servers, 6000, now);
    assert!(shares[..3].iter().all(|count| (850..1150).contains(count)), "{shares:?}");
    assert!((2750..3250).contains(&shares[3]), "{shares:?}");
}

#[tokio::test]
async fn a_failed_server_is_passed_over_while_there_is_another() {
    let (servers, now) = (weighted(&[1, 1], Balance::LeastLoaded), Instant::now());
    servers.nodes()[1].put_aside(now);
    let mut tried = Tried::default();
    assert_eq!(position(&servers, tried, now), Some(0));
    tried.add(0);
    assert_eq!(position(&servers, tried, now), Some(1), "better than none");
    tried.add(1);
    assert!(position(&servers, tried, now).is_none() && !servers.view(now).has_other(tried));
}

#[tokio::test]
async fn an_ejected_server_is_passed_over_and_comes_back_slowly() {
    for balance in [Balance::LeastLoaded, Balance::RoundRobin] {
        let (servers, now) = (weighted(&[1, 1], balance), Instant::now());
        let node = Rc::clone(&servers.nodes()[0]);
        servers.group.failed(&node.member, &node.standing, &EJECTION, now);
        assert_eq!(shares(&servers, 100, now), [0, 100]);
        let mut tried = Tried::default();
        tried.add(1);
        assert_eq!(position(&servers, tried, now), Some(0), "better than none");
        let back = now + EJECTION.time + Duration::from_secs(2);
        let slow = shares(&servers, 1000, back);
        assert!((100..230).contains(&slow[0]), "a fifth of its weight: {slow:?}");
        let whole = shares(&servers, 1000, back + Duration::from_secs(10));
        assert!((400..600).contains(&whole[0]), "{whole:?}");
    }
}

/// LIM-503
#[tokio::test]
async fn an_unhealthy_server_is_never_chosen() {
    let now = Instant::now();
    let servers = weighted(&[1, 1], Balance::LeastLoaded);
    unhealthy(&servers, 0);
    assert_eq!(shares(&servers, 50, now), [0, 50]);
    servers.nodes()[1].put_aside(now);
    assert_eq!(shares(&servers, 50, now), [0, 50], "neither for one that has just failed");
    unhealthy(&servers, 1);
    assert_eq!(position(&servers, Tried::default(), now), None);
    let servers = weighted(&[1], Balance::LeastLoaded);
    unhealthy(&servers, 0);
    assert_eq!(position(&servers, Tried::default(), now), None);
}
