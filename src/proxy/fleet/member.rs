//! One server of an upstream, and its addresses: a name with several of them is as many servers.

use super::standing::Standing;
use crate::proxy::upstream::Server;
use arc_swap::ArcSwap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Two lookups of a name are this far apart at least.
const PAUSE: Duration = Duration::from_secs(1);
/// More addresses of one name are not used.
const MOST_ADDRESSES: usize = 256;

/// Finds the addresses of a name.
pub(super) type Resolver =
    dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync;

/// The system's resolver.
pub(super) fn system() -> Arc<Resolver> {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }))
}

/// One server of an upstream.
pub struct Member {
    /// As configured.
    pub server: Server,
    weight: AtomicU32,
    standings: ArcSwap<Vec<Arc<Standing>>>,
    /// Counts the changes of the upstream's servers.
    version: Arc<AtomicU64>,
    /// Moments are counted from here.
    origin: Instant,
    name: Option<Name>,
}

/// What is known of a name.
struct Name {
    host: String,
    port: u16,
    resolver: Arc<Resolver>,
    /// How long its addresses are believed, in microseconds.
    believed: AtomicU64,
    /// When it was looked up, and when that is due again, in microseconds.
    looked: AtomicU64,
    due: AtomicU64,
    /// Whose turn it is to look.
    turn: Mutex<()>,
    is_lost: AtomicBool,
}

impl Member {
    pub(super) fn new(server: &Server, version: &Arc<AtomicU64>, origin: Instant, resolver: &Arc<Resolver>) -> Self {
        let host = server.host();
        let fixed = host.and_then(|(host, port)| Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, port)));
        let name = host.filter(|_| fixed.is_none()).map(|(host, port)| Name {
            host: host.to_owned(),
            port,
            resolver: Arc::clone(resolver),
            believed: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            due: AtomicU64::new(0),
            turn: Mutex::new(()),
            is_lost: AtomicBool::new(false),
        });
        let standings = if name.is_some() { Vec::new() } else { vec![Arc::new(Standing::new(fixed, origin))] };
        Self {
            server: server.clone(),
            weight: AtomicU32::new(1),
            standings: ArcSwap::from_pointee(standings),
            version: Arc::clone(version),
            origin,
            name,
        }
    }

    pub(super) fn adjust(&self, weight: u32, resolve: Duration) {
        self.weight.store(weight, Ordering::Relaxed);
        if let Some(name) = &self.name {
            name.believed.store(micros(resolve), Ordering::Relaxed);
            name.due.fetch_min(name.looked.load(Ordering::Relaxed).saturating_add(micros(resolve)), Ordering::Relaxed);
        }
    }

    /// Its share of the requests beside those of the others, for each of its addresses.
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// How each of its addresses stands; one that is no name has exactly one.
    pub fn standings(&self) -> Arc<Vec<Arc<Standing>>> {
        self.standings.load_full()
    }

    /// Whether it is reached by a name, whose addresses may change.
    pub const fn has_name(&self) -> bool {
        self.name.is_some()
    }

    /// A connection to one of its addresses failed: the name may have moved.
    pub fn suspect(&self) {
        if let Some(name) = &self.name {
            name.due.fetch_min(name.looked.load(Ordering::Relaxed).saturating_add(micros(PAUSE)), Ordering::Relaxed);
        }
    }

    /// Looks the name up when that is due, without waiting for it.
    pub fn refresh_behind(self: &Arc<Self>, now: Instant) {
        let is_free = |name: &Name| name.is_due(self.since(now)) && name.turn.try_lock().is_ok();
        if self.name.as_ref().is_some_and(is_free) {
            self.refreshing();
        }
    }

    /// As `refresh`, in a task of its own: whoever stops waiting for it does not stop the lookup, so that
    /// the next one does not begin another beside it.
    pub fn refreshing(self: &Arc<Self>) -> JoinHandle<io::Result<()>> {
        let member = Arc::clone(self);
        tokio::spawn(async move { member.refresh().await })
    }

    /// Looks the name up when that is due. The last good addresses stay when it fails.
    ///
    /// # Errors
    /// When there is no address at all.
    pub async fn refresh(&self) -> io::Result<()> {
        let Some(name) = &self.name else { return Ok(()) };
        let _turn = name.turn.lock().await;
        if !name.is_due(self.since(Instant::now())) {
            return self.known();
        }
        let found = (name.resolver)(name.host.clone(), name.port).await;
        let found = found.and_then(|found| {
            if found.is_empty() {
                Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
            } else {
                Ok(found)
            }
        });
        let now = self.since(Instant::now());
        let again = if found.is_ok() { name.believed.load(Ordering::Relaxed) } else { micros(PAUSE) };
        name.looked.store(now, Ordering::Relaxed);
        name.due.store(now.saturating_add(again), Ordering::Relaxed);
        let was_lost = name.is_lost.swap(found.is_err(), Ordering::Relaxed);
        match found {
            Ok(addresses) => {
                if was_lost {
                    tracing::info!(server = %self.server, "the name of a server is found again");
                }
                self.take(addresses);
            }
            Err(error) if !was_lost => {
                tracing::warn!(server = %self.server, %error, "the name of a server is not found");
            }
            Err(_) => {}
        }
        self.known()
    }

    fn known(&self) -> io::Result<()> {
        if self.standings.load().is_empty() {
            Err(io::Error::new(io::ErrorKind::NotFound, "its name is not found"))
        } else {
            Ok(())
        }
    }

    /// Who stays keeps its standing.
    fn take(&self, mut addresses: Vec<SocketAddr>) {
        // Resolvers turn the list each time.
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MOST_ADDRESSES);
        let known = self.standings();
        if known.iter().map(|standing| standing.address).eq(addresses.iter().copied().map(Some)) {
            return;
        }
        let stays = |address| known.iter().find(|standing| standing.address == Some(address)).map(Arc::clone);
        let next = addresses
            .into_iter()
            .map(|address| stays(address).unwrap_or_else(|| Arc::new(Standing::new(Some(address), self.origin))));
        self.standings.store(Arc::new(next.collect()));
        self.version.fetch_add(1, Ordering::Release);
    }

    fn since(&self, moment: Instant) -> u64 {
        micros(moment.saturating_duration_since(self.origin))
    }
}

impl Name {
    fn is_due(&self, now: u64) -> bool {
        now >= self.due.load(Ordering::Relaxed)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Member").field("server", &self.server).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as Lock;

    type Answer = Result<Vec<&'static str>, ()>;

    /// A resolver that gives what the list says, and counts how often it is asked.
    fn scripted(answers: &Arc<Lock<(usize, Answer)>>) -> Arc<Resolver> {
        let answers = Arc::clone(answers);
        Arc::new(move |_, port| {
            let mut answers = answers.lock().unwrap();
            answers.0 += 1;
            let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
            let found = answers.1.as_ref().map(|list| list.iter().map(address).collect());
            let found = found.map_err(|()| io::Error::other("no answer"));
            Box::pin(async move { found })
        })
    }

    fn member(answer: Answer) -> (Arc<Member>, Arc<Lock<(usize, Answer)>>) {
        let answers = Arc::new(Lock::new((0, answer)));
        let server = Server::Http { host: "api.internal".to_owned(), port: 80 };
        let member = Member::new(&server, &Arc::default(), Instant::now(), &scripted(&answers));
        member.adjust(1, Duration::from_secs(10));
        (Arc::new(member), answers)
    }

    fn addresses(member: &Member) -> Vec<String> {
        member.standings().iter().filter_map(|standing| Some(standing.address?.ip().to_string())).collect()
    }

    /// Hazards section 1, line 26
    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_again_when_its_time_is_up() {
        let (member, answers) = member(Ok(vec!["10.0.0.2", "10.0.0.1", "10.0.0.2"]));
        member.refresh().await.unwrap();
        member.refresh().await.unwrap();
        assert_eq!((addresses(&member), answers.lock().unwrap().0), (vec!["10.0.0.1".into(), "10.0.0.2".into()], 1));
        answers.lock().unwrap().1 = Ok(vec!["10.0.0.2", "10.0.0.3"]);
        let stays = Arc::clone(&member.standings()[1]);
        tokio::time::advance(Duration::from_secs(11)).await;
        member.refresh_behind(Instant::now());
        tokio::task::yield_now().await;
        assert_eq!(addresses(&member), ["10.0.0.2", "10.0.0.3"]);
        assert!(Arc::ptr_eq(&stays, &member.standings()[0]));
        assert_eq!(member.version.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_addresses_stay_when_nobody_answers() {
        let (member, answers) = member(Ok(vec!["10.0.0.1"]));
        member.refresh().await.unwrap();
        for answer in [Err(()), Ok(vec![])] {
            answers.lock().unwrap().1 = answer;
            tokio::time::advance(Duration::from_secs(11)).await;
            member.refresh().await.unwrap();
            assert_eq!(addresses(&member), ["10.0.0.1"]);
        }
        assert_eq!(answers.lock().unwrap().0, 3);
        tokio::time::advance(PAUSE).await;
        member.refresh().await.unwrap();
        assert_eq!(answers.lock().unwrap().0, 4, "asked again soon");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_connection_has_the_name_looked_up_soon() {
        let (member, answers) = member(Ok(vec!["10.0.0.1"]));
        member.refresh().await.unwrap();
        member.suspect();
        member.refresh().await.unwrap();
        assert_eq!(answers.lock().unwrap().0, 1, "not at once");
        tokio::time::advance(PAUSE).await;
        member.refresh().await.unwrap();
        assert_eq!(answers.lock().unwrap().0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_was_never_found_is_an_error_and_asked_for_once_at_a_time() {
        let (member, answers) = member(Err(()));
        let (one, other) = tokio::join!(member.refresh(), member.refresh());
        assert!(one.is_err() && other.is_err());
        assert_eq!(answers.lock().unwrap().0, 1);
    }

    #[tokio::test]
    async fn an_address_is_no_name() {
        let (_, answers) = member(Err(()));
        for (host, address) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
            let server = Server::Http { host: host.to_owned(), port: 80 };
            let member = Member::new(&server, &Arc::default(), Instant::now(), &scripted(&answers));
            assert_eq!(addresses(&member), [address]);
            assert!(!member.has_name() && member.refresh().await.is_ok());
        }
        assert_eq!(answers.lock().unwrap().0, 0);
    }
}
