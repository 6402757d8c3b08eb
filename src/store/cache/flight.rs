//! Lookups that are under way: who makes one, who waits for it, and which are void because their
//! token ended meanwhile.

use crate::oauth::token::TokenDigest;
use crate::store::StoreError;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a lookup found.
pub(super) type Outcome<V> = Result<Option<V>, StoreError>;

type Waiting<V> = watch::Receiver<Option<Outcome<V>>>;

/// What the cache knows of a token; `None`: that it is not in the store.
pub(super) struct Known<V>(pub(super) Option<V>);

/// The list of lookups under way. One lock: it is taken for misses and endings, never for hits.
pub(super) struct Flights<V>(Mutex<List<V>>);

struct List<V> {
    under_way: HashMap<TokenDigest, (u64, Waiting<V>)>,
    count: u64,
}

/// What a caller is to do.
pub(super) enum Boarding<'a, V> {
    /// Nothing: the answer has arrived meanwhile.
    Arrived(Known<V>),
    /// Look up.
    Pilot(Flight<'a, V>),
    /// Wait.
    Passenger(Passenger<V>),
}

/// The duty to make one lookup. Dropped without landing, it lets one of those who wait make it.
pub(super) struct Flight<'a, V> {
    flights: &'a Flights<V>,
    digest: TokenDigest,
    number: u64,
    arrival: watch::Sender<Option<Outcome<V>>>,
}

/// One who waits for the lookup of another.
pub(super) struct Passenger<V>(Waiting<V>);

impl<V: Clone> Flights<V> {
    /// Joins the lookup of `digest` or begins one, unless `known` has an answer by now.
    pub(super) fn board(&self, digest: &TokenDigest, known: impl FnOnce() -> Option<Known<V>>) -> Boarding<'_, V> {
        let mut list = self.list();
        if let Some((_, waiting)) = list.under_way.get(digest) {
            return Boarding::Passenger(Passenger(waiting.clone()));
        }
        // A lookup may have landed between the caller's own look and this one.
        if let Some(known) = known() {
            return Boarding::Arrived(known);
        }
        let (arrival, waiting) = watch::channel(None);
        list.count += 1;
        let number = list.count;
        list.under_way.insert(*digest, (number, waiting));
        Boarding::Pilot(Flight { flights: self, digest: *digest, number, arrival })
    }

    /// Makes the lookups of `tokens` void and calls `forget` with each, in one step.
    pub(super) fn strike(&self, tokens: &[TokenDigest], forget: impl Fn(&TokenDigest)) {
        let mut list = self.list();
        for digest in tokens {
            list.under_way.remove(digest);
            forget(digest);
        }
    }

    /// Makes every lookup void and calls `forget`, in one step.
    pub(super) fn strike_all(&self, forget: impl FnOnce()) {
        let mut list = self.list();
        list.under_way.clear();
        forget();
    }
}

impl<V> Flights<V> {
    /// Nothing is half done when a holder of this lock panics: every step on the list is one call.
    fn list(&self) -> MutexGuard<'_, List<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the flight off the list; `false` when it had been struck off.
    fn remove(list: &mut List<V>, digest: &TokenDigest, number: u64) -> bool {
        let listed = list.under_way.get(digest).is_some_and(|(listed, _)| *listed == number);
        if listed {
            list.under_way.remove(digest);
        }
        listed
    }
}

impl<V: Clone> Flight<'_, V> {
    /// Ends the lookup: calls `keep` and hands `outcome` to those who wait, unless the token ended
    /// meanwhile. Then everybody has to look again, and this is `false`.
    pub(super) fn land(self, outcome: &Outcome<V>, keep: impl FnOnce()) -> bool {
        let mut list = self.flights.list();
        let valid = Flights::remove(&mut list, &self.digest, self.number);
        if valid {
            keep();
        }
        drop(list);
        if valid {
            self.arrival.send_replace(Some(outcome.clone()));
        }
        valid
    }
}

impl<V> Drop for Flight<'_, V> {
    fn drop(&mut self) {
        let mut list = self.flights.list();
        Flights::remove(&mut list, &self.digest, self.number);
    }
}

impl<V: Clone> Passenger<V> {
    /// The outcome; `None` when there is none, because the token ended or the lookup was given up.
    pub(super) async fn outcome(&mut self) -> Option<Outcome<V>> {
        let arrived = self.0.wait_for(Option::is_some).await.ok()?;
        arrived.clone()
    }
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Mutex::new(List { under_way: HashMap::new(), count: 0 }))
    }
}
