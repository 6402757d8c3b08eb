//! What all workers know together of the upstreams: which servers there are and how they stand, how
//! many requests are under way, how many may be sent again. It outlives a configuration: a server that
//! stays in the file keeps what is known of it.
//!
//! Nothing here is locked on the way of a request: workers look at atomics, and take a new list of
//! servers when its version has changed.

mod budget;
mod member;
mod places;
mod standing;

pub use self::budget::Sent;
pub use self::member::Member;
pub use self::places::{Place, Places};
pub use self::standing::{Standing, WHOLE};

use self::budget::Budget;
use self::member::Resolver;
use super::upstream::{Ejection, Health, Server, Upstream};
use crate::telemetry::{Counter, ServerNumbers, UpstreamNumbers};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The upstreams of a process.
pub struct Fleet {
    /// By name.
    groups: Mutex<HashMap<String, Arc<Group>>>,
    resolver: Arc<Resolver>,
    origin: Instant,
}

impl Fleet {
    /// Without upstreams; names are looked up by the system.
    pub fn new() -> Arc<Self> {
        Self::with(member::system())
    }

    fn with(resolver: Arc<Resolver>) -> Arc<Self> {
        Arc::new(Self { groups: Mutex::default(), resolver, origin: Instant::now() })
    }

    /// Takes over what a configuration says. To be called before its first request.
    pub fn apply(&self, upstreams: &[Arc<Upstream>]) {
        for upstream in upstreams {
            self.group(upstream).adjust(upstream, &self.resolver);
        }
        self.groups().retain(|name, _| upstreams.iter().any(|upstream| upstream.name == *name));
    }

    /// The servers of `upstream`, also of one that has not been applied.
    pub fn group(&self, upstream: &Upstream) -> Arc<Group> {
        let mut groups = self.groups();
        let group = groups.entry(upstream.name.clone()).or_insert_with(|| {
            let group = Group::new(&upstream.name, self.origin);
            group.adjust(upstream, &self.resolver);
            Arc::new(group)
        });
        Arc::clone(group)
    }

    /// The numbers of each upstream, by name.
    pub fn numbers(&self) -> Vec<UpstreamNumbers> {
        let now = Instant::now();
        let mut numbers: Vec<_> = self.groups().values().map(|group| group.numbers(now)).collect();
        numbers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        numbers
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, Arc<Group>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fleet").field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// The servers of one upstream.
#[derive(Debug)]
pub struct Group {
    name: String,
    origin: Instant,
    version: Arc<AtomicU64>,
    members: ArcSwap<Vec<Arc<Member>>>,
    /// Requests under way.
    pub places: Places,
    budget: Budget,
    /// One server is ejected at a time, so that they are counted right.
    ejecting: Mutex<()>,
    retries: Counter,
    retries_refused: Counter,
    ejections: Counter,
}

impl Group {
    fn new(name: &str, origin: Instant) -> Self {
        Self {
            name: name.to_owned(),
            origin,
            version: Arc::default(),
            members: ArcSwap::default(),
            places: Places::default(),
            budget: Budget::new(origin),
            ejecting: Mutex::default(),
            retries: Counter::default(),
            retries_refused: Counter::default(),
            ejections: Counter::default(),
        }
    }

    fn adjust(&self, upstream: &Upstream, resolver: &Arc<Resolver>) {
        let known = self.members.load();
        let member = |server: &Server| {
            let stays = known.iter().find(|member| member.server == *server).map(Arc::clone);
            stays.unwrap_or_else(|| Arc::new(Member::new(server, &self.version, self.origin, resolver)))
        };
        let next: Vec<_> =
            upstream.servers.iter().map(|weighted| (weighted.weight, member(&weighted.server))).collect();
        for (weight, member) in &next {
            member.adjust(*weight, upstream.resolve);
            for standing in &*member.standings() {
                if upstream.health.is_none() {
                    standing.unchecked();
                }
                if upstream.ejection.is_none() {
                    standing.forgive();
                }
            }
        }
        self.members.store(Arc::new(next.into_iter().map(|(_, member)| member).collect()));
        self.places.adjust(upstream.connections, upstream.pending);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever the servers or their addresses do.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The servers, in the order of the configuration.
    pub fn members(&self) -> Arc<Vec<Arc<Member>>> {
        self.members.load_full()
    }

    /// The count of requests of a further worker.
    pub fn sent(&self) -> Sent {
        self.budget.open()
    }

    /// Whether a request may be sent again; counts it.
    pub fn may_retry(&self, now: Instant) -> bool {
        let allowed = self.budget.withdraw(now);
        if allowed { &self.retries } else { &self.retries_refused }.increment();
        allowed
    }

    /// A request to one of the servers failed: one too many in a row, and that server is ejected, unless
    /// that would be more than half of them.
    pub fn failed(&self, member: &Member, standing: &Standing, ejection: &Ejection, now: Instant) {
        if !standing.failed(ejection, now) {
            return;
        }
        let _turn = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut ejected) = (0, 0);
        for other in self.members.load().iter().flat_map(|member| member.standings().to_vec()) {
            all += 1;
            ejected += usize::from(other.is_ejected(now));
        }
        if standing.is_ejected(now) || (ejected + 1) * 2 > all {
            return;
        }
        let time = standing.eject(ejection, now);
        self.ejections.increment();
        let (server, address) = (&member.server, shown(member, standing));
        tracing::warn!(upstream = self.name, %server, address, ?time, "a server that fails requests is ejected");
    }

    /// Takes the result of a check of one server; says so where that changes something.
    pub fn checked(&self, member: &Member, standing: &Standing, result: Result<(), String>, health: &Health) {
        let (server, address) = (&member.server, shown(member, standing));
        match standing.checked(result.is_ok(), health, Instant::now()) {
            Some(true) => tracing::info!(upstream = self.name, %server, address, "a server is healthy again"),
            Some(false) => {
                let why = result.err().unwrap_or_default();
                tracing::warn!(upstream = self.name, %server, address, why, "a server is unhealthy");
            }
            None => {}
        }
    }

    fn numbers(&self, now: Instant) -> UpstreamNumbers {
        let (under_way, waiting) = self.places.usage();
        let members = self.members();
        let servers = members.iter().flat_map(|member| {
            let standings = member.standings();
            let numbers = standings.iter().map(|standing| ServerNumbers {
                server: member.server.to_string(),
                address: shown(member, standing),
                healthy: standing.is_healthy(),
                ejected: standing.is_ejected(now),
            });
            numbers.collect::<Vec<_>>()
        });
        UpstreamNumbers {
            name: self.name.clone(),
            under_way,
            waiting,
            retries: self.retries.get(),
            retries_refused: self.retries_refused.get(),
            ejections: self.ejections.get(),
            servers: servers.collect(),
        }
    }
}

/// Which of the addresses of its name a server is.
fn shown(member: &Member, standing: &Standing) -> Option<String> {
    standing.address.filter(|_| member.has_name()).map(|address| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const EJECTION: Ejection = Ejection { failures: 1, time: Duration::from_secs(10) };

    fn upstream(ports: &[u16]) -> Arc<Upstream> {
        let server = |port: &u16| Server::Http { host: "127.0.0.1".to_owned(), port: *port };
        let mut upstream = Upstream::of(ports.iter().map(server).collect());
        upstream.ejection = Some(EJECTION);
        Arc::new(upstream)
    }

    #[test]
    fn at_most_half_of_the_servers_are_ejected() {
        let now = Instant::now();
        for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
            let ports: Vec<u16> = (1..=count).collect();
            let group = Fleet::new().group(&upstream(&ports));
            for member in &*group.members() {
                group.failed(member, &member.standings()[0], &EJECTION, now);
            }
            let numbers = group.numbers(now);
            assert_eq!(numbers.servers.iter().filter(|server| server.ejected).count(), most, "{count}");
            assert_eq!(numbers.ejections, most as u64);
        }
    }

    /// Promise 7
    #[test]
    fn a_server_that_stays_keeps_its_standing() {
        let now = Instant::now();
        let fleet = Fleet::new();
        fleet.apply(&[upstream(&[1, 2])]);
        let group = fleet.group(&upstream(&[]));
        let member = Arc::clone(&group.members()[1]);
        group.failed(&member, &member.standings()[0], &EJECTION, now);
        let version = group.version();
        fleet.apply(&[upstream(&[2, 3])]);
        assert_ne!(group.version(), version);
        let ejected: Vec<bool> = group.numbers(now).servers.iter().map(|server| server.ejected).collect();
        assert_eq!(ejected, [true, false]);
        let mut without = (*upstream(&[2, 3])).clone();
        without.ejection = None;
        fleet.apply(&[Arc::new(without)]);
        assert!(!member.standings()[0].is_ejected(now), "nobody is ejected where that is switched off");
        fleet.apply(&[]);
        assert!(fleet.numbers().is_empty());
    }
}
