//! What a worker counts of its requests: cells that only it writes, summed when somebody asks.

use super::counters::{BOUNDS, bucket, micros};
use super::{Event, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The label of requests that no route takes, and of the gateway's own endpoints.
pub(super) const NO_ROUTE: &str = "-";
/// `none` (cut before there was a status), `1xx` to `5xx`.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Different reasons that are told apart; there are fewer, and more would count as `other`.
const REASONS: usize = 48;
/// Names of routes that are remembered after a reload removed them; more would count together.
const RETIRED: usize = 1000;

/// The cells of one worker under one configuration.
#[derive(Debug)]
pub(super) struct Cells {
    names: Vec<String>,
    /// At the position of the route; the last is [`NO_ROUTE`]. Made when a route is first used.
    routes: Box<[OnceLock<Box<RouteCells>>]>,
    reasons: [OnceLock<&'static str>; REASONS],
    by_reason: [AtomicU64; REASONS],
}

#[derive(Debug, Default)]
struct RouteCells {
    requests: [[AtomicU64; CLASSES.len()]; Verdict::ALL.len()],
    duration: Histogram,
    upstream: Histogram,
    sent: AtomicU64,
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Cells {
    fn new(names: Vec<String>) -> Self {
        let routes = (0..=names.len()).map(|_| OnceLock::new()).collect();
        Self {
            names,
            routes,
            reasons: [const { OnceLock::new() }; REASONS],
            by_reason: [const { AtomicU64::new(0) }; REASONS],
        }
    }

    /// Counts one request. Only the recorder's thread may call this.
    pub(super) fn record(&self, event: &Event<'_>) {
        let at = event.route.map_or(self.names.len(), |(index, _)| index.min(self.names.len()));
        let route = self.routes[at].get_or_init(Box::default);
        let class = usize::from(event.status / 100);
        bump(&route.requests[event.verdict as usize][if class < CLASSES.len() { class } else { 0 }], 1);
        route.duration.observe(event.duration);
        if let Some(upstream) = event.upstream {
            route.upstream.observe(upstream);
        }
        bump(&route.sent, event.sent);
        bump(&route.received, event.received);
        if !matches!(event.verdict, Verdict::Allowed | Verdict::Public) {
            self.count_reason(event.reason);
        }
    }

    fn count_reason(&self, reason: &'static str) {
        let known = self.reasons[..REASONS - 1].iter().position(|slot| *slot.get_or_init(|| reason) == reason);
        let at = known.unwrap_or_else(|| {
            self.reasons[REASONS - 1].get_or_init(|| "other");
            REASONS - 1
        });
        bump(&self.by_reason[at], 1);
    }
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let micros = micros(duration);
        bump(&self.buckets[bucket(micros)], 1);
        bump(&self.micros, micros);
    }
}

/// Cells have one writer, so that adding needs no locked instruction.
fn bump(cell: &AtomicU64, more: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// Every worker's cells, and the sum of those that are gone.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: Mutex<Vec<Arc<Cells>>>,
    retired: Mutex<Totals>,
}

/// Sums over workers and configurations.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) routes: BTreeMap<String, RouteTotals>,
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

/// Sums of one route.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteTotals {
    pub(super) requests: [[u64; CLASSES.len()]; Verdict::ALL.len()],
    pub(super) duration: HistogramTotals,
    pub(super) upstream: HistogramTotals,
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// Sums of a histogram, each bucket for itself.
#[derive(Clone, Debug, Default)]
pub(super) struct HistogramTotals {
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) micros: u64,
}

impl Ledger {
    /// Cells for a worker and the routes of its configuration.
    pub(super) fn open(&self, routes: Vec<String>) -> Arc<Cells> {
        let cells = Arc::new(Cells::new(routes));
        lock(&self.open).push(Arc::clone(&cells));
        cells
    }

    /// Keeps the sums of cells that nobody will write any more.
    pub(super) fn close(&self, cells: &Arc<Cells>) {
        // Both locks, so that a reader sees the cells in one place and never in two or none.
        let mut open = lock(&self.open);
        open.retain(|other| !Arc::ptr_eq(other, cells));
        lock(&self.retired).add(cells);
    }

    /// The sums now.
    pub(super) fn totals(&self) -> Totals {
        let open = lock(&self.open);
        let mut totals = lock(&self.retired).clone();
        open.iter().for_each(|cells| totals.add(cells));
        totals
    }
}

impl Totals {
    fn add(&mut self, cells: &Cells) {
        let names = cells.names.iter().map(String::as_str).chain([NO_ROUTE]);
        for (name, route) in names.zip(&cells.routes) {
            let Some(route) = route.get() else { continue };
            let full = self.routes.len() >= RETIRED.max(cells.names.len() + 1);
            let name = if full && !self.routes.contains_key(name) { NO_ROUTE } else { name };
            self.routes.entry(name.to_owned()).or_default().add(route);
        }
        for (reason, count) in cells.reasons.iter().zip(&cells.by_reason) {
            if let Some(reason) = reason.get() {
                *self.reasons.entry(reason).or_default() += count.load(Ordering::Relaxed);
            }
        }
    }
}

impl RouteTotals {
    fn add(&mut self, cells: &RouteCells) {
        for (sums, cells) in self.requests.iter_mut().zip(&cells.requests) {
            sum(sums, cells);
        }
        self.duration.add(&cells.duration);
        self.upstream.add(&cells.upstream);
        self.sent = self.sent.wrapping_add(cells.sent.load(Ordering::Relaxed));
        self.received = self.received.wrapping_add(cells.received.load(Ordering::Relaxed));
    }
}

impl HistogramTotals {
    fn add(&mut self, cells: &Histogram) {
        sum(&mut self.buckets, &cells.buckets);
        self.micros = self.micros.wrapping_add(cells.micros.load(Ordering::Relaxed));
    }
}

fn sum(sums: &mut [u64], cells: &[AtomicU64]) {
    for (sum, cell) in sums.iter_mut().zip(cells) {
        *sum = sum.wrapping_add(cell.load(Ordering::Relaxed));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
