//! Clients that ask a gateway without a pause, and what they have to say about it afterwards.

use super::{RECOVERY, TIMEOUT};
use crate::harness::{BILLING, Gateway, Request, Response, SERVICE, eventually};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a busy machine may add to the time of a request.
const MARGIN: Duration = Duration::from_millis(700);

/// What is asked for, in turn by its own thread each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The API, with a token that was used before the fault.
    Cached,
    /// The store about a token: introspection believes no cache.
    Introspected,
    /// A new token.
    Issued,
    /// The end of one.
    Revoked,
}

const ALL: [Asked; 4] = [Asked::Cached, Asked::Introspected, Asked::Issued, Asked::Revoked];

/// One exchange.
#[derive(Debug)]
struct Seen {
    asked: Asked,
    at: Instant,
    took: Duration,
    status: u16,
}

/// What all of them saw, and what was promised to them.
#[derive(Default)]
struct Report {
    seen: Vec<Seen>,
    /// Tokens that were answered and that nobody asked to be revoked.
    living: Vec<(Instant, String)>,
    /// Tokens whose revocation was answered with 200.
    revoked: Vec<String>,
    wrong: Vec<String>,
}

/// The clients of one gateway.
pub(super) struct Clients {
    report: Arc<Mutex<Report>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Whether the gateway goes on with what it had.
    serves: bool,
}

impl Clients {
    /// Begins; everything works by now.
    pub(super) fn of(gateway: &Gateway, serves: bool) -> Self {
        let token = gateway.token("notes:read");
        let cached = gateway.get("/notes/1").bearer(&token);
        cached.send().expect(200);
        let introspection = gateway.post("/oauth2/introspect").basic(BILLING).form(&[("token", &token)]);
        let form = [("grant_type", "client_credentials"), ("scope", "notes:read")];
        let issue = gateway.post("/oauth2/token").basic(SERVICE).form(&form);
        let revoke = gateway.post("/oauth2/revoke").basic(SERVICE);
        let mut clients = Self { report: Arc::default(), stop: Arc::default(), threads: Vec::new(), serves };
        clients.begin(move |report| drop(ask(report, Asked::Cached, &cached)));
        clients.begin(move |report| {
            let said = ask(report, Asked::Introspected, &introspection);
            if said.status == 200 && said.json()["active"] != true {
                report.lock().unwrap().wrong.push(format!("a good token is said to be dead: {said:?}"));
            }
        });
        let mut count = 0_u32;
        clients.begin(move |report| {
            let issued = ask(report, Asked::Issued, &issue);
            if issued.status != 200 {
                return;
            }
            let token = issued.tokens().access;
            count += 1;
            if count.is_multiple_of(2) {
                report.lock().unwrap().living.push((Instant::now(), token));
            } else if ask(report, Asked::Revoked, &revoke.clone().form(&[("token", &token)])).status == 200 {
                report.lock().unwrap().revoked.push(token);
            }
        });
        clients.served_since(Instant::now());
        clients
    }

    fn begin(&mut self, mut step: impl FnMut(&Mutex<Report>) + Send + 'static) {
        let (report, stopped) = (Arc::clone(&self.report), Arc::clone(&self.stop));
        self.threads.push(std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                step(&report);
                std::thread::sleep(Duration::from_millis(5));
            }
        }));
    }

    fn count(&self, asked: Asked, status: u16, since: Instant) -> usize {
        let report = self.report.lock().unwrap();
        report.seen.iter().filter(|seen| seen.asked == asked && seen.status == status && seen.at > since).count()
    }

    /// Waits until each of these got 503 a few times since.
    pub(super) fn without(&self, what: &[Asked], since: Instant) {
        for asked in what {
            eventually("503", || self.count(*asked, 503, since) >= 3);
        }
    }

    /// Waits until everything that has to do with the store is 503, where the node denies the cached token too.
    pub(super) fn without_a_store(&self, since: Instant) {
        self.without(&[Asked::Introspected, Asked::Issued], since);
        if !self.serves {
            self.without(&[Asked::Cached], since);
        }
    }

    /// Waits until each got 200 a few times since.
    pub(super) fn served_since(&self, since: Instant) {
        for asked in ALL {
            eventually(&format!("200 {asked:?}"), || self.count(asked, 200, since) >= 3);
        }
    }

    /// What was issued since, up to now, may be lost.
    pub(super) fn forgive_losses_since(&self, since: Instant) {
        let mut report = self.report.lock().unwrap();
        report.living.retain(|(at, _)| *at < since);
    }

    /// Waits until everything works again, which must be soon after `back`, and holds the gateway to what it said.
    pub(super) fn recovered(self, gateway: &Gateway, back: Instant) {
        let settled = back + RECOVERY;
        std::thread::sleep(settled.saturating_duration_since(Instant::now()));
        self.served_since(settled);
        let failed = self.failed_since(settled);
        assert!(failed.is_empty(), "not served {RECOVERY:?} after the store was back: {failed:?}");
        self.held_to(gateway);
    }

    fn failed_since(&self, since: Instant) -> Vec<String> {
        let report = self.report.lock().unwrap();
        let failed = report.seen.iter().filter(|seen| seen.status != 200 && seen.at > since);
        failed.map(|seen| format!("{seen:?}")).collect()
    }

    /// Fails where one of these was not answered with 200.
    pub(super) fn went_on(&self, what: &[Asked], since: Instant) {
        let report = self.report.lock().unwrap();
        let failed =
            report.seen.iter().find(|seen| what.contains(&seen.asked) && seen.status != 200 && seen.at > since);
        assert!(failed.is_none(), "{failed:?}");
    }

    /// Fails where any request was not answered with 200.
    pub(super) fn never_failed(&self, since: Instant) {
        let failed = self.failed_since(since);
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Stops, and compares what was said with what is.
    pub(super) fn held_to(mut self, gateway: &Gateway) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        let report = std::mem::take(&mut *self.report.lock().unwrap());
        assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
        for seen in &report.seen {
            // What is revoked is looked at first: whose it is.
            let most = if seen.asked == Asked::Revoked { TIMEOUT * 2 } else { TIMEOUT };
            assert!(seen.took < most + MARGIN, "{seen:?}");
            let good = seen.status == 200 || seen.status == 503 && !(self.serves && seen.asked == Asked::Cached);
            assert!(good, "{seen:?}");
        }
        let status = |token: &String| gateway.get("/notes/1").bearer(token).send().status;
        let lost: Vec<_> = report.living.iter().filter(|(_, token)| status(token) != 200).collect();
        assert!(lost.is_empty(), "{} of {} tokens are lost", lost.len(), report.living.len());
        let alive: Vec<_> = report.revoked.iter().filter(|token| status(token) != 401).collect();
        assert!(alive.is_empty(), "{} of {} revoked tokens are accepted", alive.len(), report.revoked.len());
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks, and notes what became of it.
fn ask(report: &Mutex<Report>, asked: Asked, request: &Request) -> Response {
    let at = Instant::now();
    let response = request.send();
    let took = at.elapsed();
    let mut report = report.lock().unwrap();
    let retry = response.values("retry-after");
    if response.status == 503 && !(retry.len() == 1 && retry[0].parse::<u32>().is_ok_and(|seconds| seconds > 0)) {
        report.wrong.push(format!("nobody says when to come back: {response:?}"));
    }
    if !matches!(response.status, 200 | 503) {
        report.wrong.push(format!("{asked:?}: {response:?}"));
    }
    report.seen.push(Seen { asked, at, took, status: response.status });
    response
}
