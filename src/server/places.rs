//! How many connections there may be at a time, over all workers. The number can change while they
//! are open: with fewer places than connections none is cut, and none is accepted until enough have
//! ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    count: Mutex<Count>,
    resized: Notify,
}

#[derive(Debug)]
struct Count {
    most: usize,
    /// Places that are taken and that nobody gets any more: the next ones given up are these.
    surplus: usize,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            count: Mutex::new(Count { most, surplus: 0 }),
            resized: Notify::new(),
        })
    }

    /// Waits for a place.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Place { places: Arc::clone(self), permit: Some(permit) })
    }

    /// From now on there are `most` places.
    pub(super) fn resize(&self, most: usize) {
        let most = most.min(Semaphore::MAX_PERMITS);
        let mut count = self.count();
        if most > count.most {
            let more = most - count.most;
            let kept = more.min(count.surplus);
            count.surplus -= kept;
            self.free.add_permits(more - kept);
        } else {
            let fewer = count.most - most;
            count.surplus += fewer - self.free.forget_permits(fewer);
        }
        count.most = most;
        drop(count);
        self.resized.notify_waiters();
    }

    /// Ready when the number changes after this call: who holds a place without a connection then gives
    /// it back and takes another one.
    pub(super) fn resized(&self) -> Notified<'_> {
        self.resized.notified()
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        let count = self.count();
        (count.most + count.surplus).saturating_sub(self.free.available_permits())
    }

    /// Nothing is half done when a holder of this lock panics: it holds numbers.
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        // The permit goes back under the lock, so that `resize` sees it either taken or free.
        let mut count = self.places.count();
        if count.surplus > 0 {
            count.surplus -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: F) -> Option<F::Output> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn take(places: &Arc<Places>) -> Option<Place> {
        poll(places.take()).flatten()
    }

    #[test]
    fn there_are_as_many_places_as_were_said_last() {
        let places = Places::new(2);
        let mut held = Vec::new();
        for most in [2, 5, 3, 3, 1, 4, 10, 2] {
            places.resize(most);
            while held.len() > most {
                assert!(take(&places).is_none(), "{} of {most} taken", held.len());
                assert_eq!(places.taken(), held.len());
                held.pop();
            }
            while held.len() < most {
                held.push(take(&places).unwrap());
            }
            assert!(take(&places).is_none());
            assert_eq!(places.taken(), most);
        }
        drop(held);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn a_surplus_that_is_allowed_again_is_no_surplus() {
        let places = Places::new(3);
        let mut held: Vec<_> = (0..3).map(|_| take(&places).unwrap()).collect();
        places.resize(1);
        places.resize(3);
        assert!(take(&places).is_none());
        held.pop();
        assert!(take(&places).is_some());
    }

    #[test]
    fn who_waits_for_a_connection_learns_of_a_change() {
        let places = Places::new(3);
        let mut resized = pin!(places.resized());
        assert!(poll(resized.as_mut()).is_none());
        places.resize(1);
        assert!(poll(resized).is_some());
        assert!(poll(places.resized()).is_none());
    }
}
