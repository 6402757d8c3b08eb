//! What the whole process knows of its Redis: where it is, how it is entered, who is the master or who
//! has which keys, and how long it is waited for.

use super::address::{Node, RedisAddress, Topology};
use super::link::Door;
use super::slots::Slots;
use crate::store::StoreError;
use crate::store::patience::Patience;
use crate::tls::ClientTls;
use arc_swap::ArcSwapOption;
use redis::{ErrorKind, RedisError, RedisResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How to reach a Redis.
#[derive(Clone)]
pub(super) struct Server(Arc<Shared>);

struct Shared {
    address: RedisAddress,
    tls: ArcSwapOption<ClientTls>,
    patience: Arc<Patience>,
    /// The master that is followed, where there are sentinels.
    master: ArcSwapOption<Node>,
    /// Counts the masters: whoever connected to an earlier one connects anew.
    generation: AtomicU64,
    /// Counts the breaks of the connection that is proved: the others may have broken likewise, and nobody was told.
    breaks: AtomicU64,
    /// What the sentinels or the nodes of a cluster said last is of this epoch; earlier words are old.
    epoch: AtomicU64,
    /// Who has which keys, where there is a cluster.
    slots: ArcSwapOption<Slots>,
    /// Somebody found that `slots` is not the truth.
    doubted: AtomicBool,
}

impl Server {
    pub(super) fn new(address: &RedisAddress, patience: Arc<Patience>) -> Self {
        Self(Arc::new(Shared {
            tls: ArcSwapOption::from_pointee(address.tls.clone()),
            address: address.clone(),
            patience,
            master: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            breaks: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            slots: ArcSwapOption::empty(),
            doubted: AtomicBool::new(false),
        }))
    }

    pub(super) fn topology(&self) -> &Topology {
        &self.0.address.topology
    }

    /// How those that hold keys are entered.
    pub(super) fn door(&self) -> Door {
        let address = &self.0.address;
        Door {
            login: address.login.clone(),
            database: address.database,
            secured: address.is_secured(),
            // Replicas of a cluster say themselves who has the key.
            masters_only: !matches!(address.topology, Topology::Cluster(_)),
        }
    }

    /// How TLS is spoken by those who connect from now on.
    pub(super) fn tls(&self) -> Option<Arc<ClientTls>> {
        self.0.tls.load_full()
    }

    /// From now on TLS is spoken as `address` says; where it is stays.
    pub(super) fn adjust(&self, address: &RedisAddress) {
        self.0.tls.store(address.tls.clone().map(Arc::new));
    }

    pub(super) fn operation(&self) -> Duration {
        self.0.patience.operation()
    }

    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// How many breaks there were: whoever connected before the last one connects anew.
    pub(super) fn breaks(&self) -> u64 {
        self.0.breaks.load(Ordering::Acquire)
    }

    /// What was proved to be alive is not, or is no master any more.
    pub(super) fn broke(&self) {
        self.0.breaks.fetch_add(1, Ordering::AcqRel);
    }

    /// `node` is the master. Was it another one before, then nobody speaks with that any longer.
    pub(super) fn follow(&self, node: &Node) {
        let before = self.0.master.swap(Some(Arc::new(node.clone())));
        if before.is_some_and(|before| *before != *node) {
            self.0.generation.fetch_add(1, Ordering::AcqRel);
            tracing::info!(%node, "the store has another master");
        }
    }

    /// Whether words of `epoch` are not older than what is known.
    pub(super) fn is_news(&self, epoch: u64) -> bool {
        self.0.epoch.fetch_max(epoch, Ordering::AcqRel) <= epoch
    }

    /// The newest words of all have this epoch, which may be a lower one: everything was made anew.
    pub(super) fn newest(&self, epoch: u64) {
        self.0.epoch.store(epoch, Ordering::Release);
    }

    /// Who has which keys, unless somebody doubts it.
    pub(super) fn slots(&self) -> Option<Arc<Slots>> {
        if self.0.doubted.load(Ordering::Acquire) { None } else { self.0.slots.load_full() }
    }

    /// As [`slots`](Self::slots), doubted or not.
    pub(super) fn former_slots(&self) -> Option<Arc<Slots>> {
        self.0.slots.load_full()
    }

    pub(super) fn learn(&self, slots: Arc<Slots>) {
        self.0.slots.store(Some(slots));
        self.0.doubted.store(false, Ordering::Release);
    }

    /// Who has which keys must be asked again.
    pub(super) fn doubt(&self) {
        self.0.doubted.store(true, Ordering::Release);
    }

    /// `work`, for as long as one operation may take.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
        let timeout = self.operation();
        match tokio::time::timeout(timeout, work).await {
            Ok(done) => done.map_err(|error| self.failed(&error)),
            Err(_) => Err(StoreError::Timeout(timeout)),
        }
    }

    /// A failure of Redis is never an answer about a token.
    pub(super) fn failed(&self, error: &RedisError) -> StoreError {
        let address = &self.0.address;
        if matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse) {
            return StoreError::Corrupt(format!("an answer of {address}"));
        }
        StoreError::Unavailable(format!("{address}: {}", without_arguments(&error.to_string())))
    }
}

/// What Redis says, without the arguments of a command that it does not know: those of `HELLO` and `AUTH` are
/// passwords, and those of others may be what a document holds.
fn without_arguments(said: &str) -> &str {
    const QUOTED: &str = ", with args beginning with";
    said.split_once(QUOTED).map_or(said, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Settings};
    use redis::make_extension_error;

    /// TOK-6, hazard 20
    #[test]
    fn a_failure_does_not_repeat_what_was_sent() {
        let address = RedisAddress::parse("redis://u:hunter2@h").unwrap();
        let settings = Settings { location: Location::Memory, timeout: Duration::ZERO, feed_timeout: Duration::ZERO };
        let server = Server::new(&address, Arc::new(Patience::of(&settings)));
        for quote in ['\'', '`'] {
            let detail = format!(
                "unknown command {quote}HELLO{quote}, with args beginning with: \
                 {quote}3{quote} {quote}AUTH{quote} {quote}u{quote} {quote}hunter2{quote} "
            );
            let error = make_extension_error("ERR".to_owned(), Some(detail));
            assert!(error.to_string().contains("hunter2"));
            let said = server.failed(&error).to_string();
            assert!(said.contains("HELLO") && !said.contains("hunter2") && !said.contains("AUTH"), "{said}");
        }
        let other = server.failed(&make_extension_error("NOPERM".to_owned(), Some("no key, with args".to_owned())));
        assert!(other.to_string().contains("no key, with args"), "{other}");
    }
}
