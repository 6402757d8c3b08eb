//! How many requests may be under way to one upstream, and how many may wait for that.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The places of one upstream, shared by all workers.
#[derive(Debug, Default)]
pub struct Places {
    most: AtomicUsize,
    most_waiting: AtomicUsize,
    taken: AtomicUsize,
    waiting: AtomicUsize,
    freed: Notify,
}

/// A request under way, until this is dropped.
#[derive(Debug)]
pub struct Place<'p>(&'p Places);

impl Places {
    /// Sets the bounds. Who is under way or waits already, stays.
    pub(super) fn adjust(&self, most: usize, most_waiting: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.most_waiting.store(most_waiting, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// A place, if one is free and nobody waits for it.
    pub fn take(&self) -> Option<Place<'_>> {
        if self.waiting.load(Ordering::Relaxed) > 0 { None } else { self.try_take() }
    }

    /// A place, waited for in the queue where that is not full, `limit` at most.
    pub async fn wait(&self, limit: Duration) -> Option<Place<'_>> {
        let most = self.most_waiting.load(Ordering::Relaxed);
        if !increment(&self.waiting, most) {
            return None;
        }
        let waiting = Waiting(self);
        let place = timeout(limit, self.next()).await.ok();
        drop(waiting);
        place
    }

    /// Requests under way, and those that wait.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.taken.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }

    async fn next(&self) -> Place<'_> {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }

    fn try_take(&self) -> Option<Place<'_>> {
        let most = self.most.load(Ordering::Relaxed);
        increment(&self.taken, most).then(|| Place(self))
    }
}

/// Counts up, unless that would be more than `most`. Never for a moment: who gives its place up looks
/// for somebody who waits, and that one must find it.
fn increment(count: &AtomicUsize, most: usize) -> bool {
    let next = |count: usize| (count < most).then_some(count + 1);
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        // Who waits has been counted before it looked for a place: either it found this one, or it is
        // seen here.
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.freed.notify_one();
        }
    }
}

struct Waiting<'p>(&'p Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn places(most: usize, most_waiting: usize) -> Arc<Places> {
        let places = Arc::new(Places::default());
        places.adjust(most, most_waiting);
        places
    }

    /// LIM-conn
    #[tokio::test(start_paused = true)]
    async fn beyond_the_places_and_the_queue_nothing_waits() {
        let places = places(1, 1);
        let first = places.take().unwrap();
        assert!(places.take().is_none());
        let queue = Arc::clone(&places);
        let second = tokio::spawn(async move {
            let place = queue.wait(Duration::from_secs(5)).await.expect("a place in time");
            assert_eq!(queue.usage(), (1, 0));
            assert!(queue.wait(Duration::from_millis(5)).await.is_none(), "its time is up");
            drop(place);
        });
        tokio::task::yield_now().await;
        assert_eq!(places.usage(), (1, 1));
        assert!(places.wait(Duration::from_secs(5)).await.is_none(), "the queue is full");
        drop(first);
        assert!(places.take().is_none(), "nobody goes before who waits");
        second.await.unwrap();
        assert_eq!(places.usage(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn more_places_are_given_to_who_waits() {
        let places = places(0, 2);
        let queue = Arc::clone(&places);
        let waiting = tokio::spawn(async move { queue.wait(Duration::from_secs(5)).await.is_some() });
        tokio::task::yield_now().await;
        places.adjust(1, 2);
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn no_place_is_lost_between_threads() {
        let places = places(2, 1000);
        let running = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    runtime.block_on(async {
                        for _ in 0..500 {
                            let place = match places.take() {
                                Some(place) => place,
                                None => places.wait(Duration::from_secs(30)).await.expect("a place in time"),
                            };
                            assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                            tokio::task::yield_now().await;
                            running.fetch_sub(1, Ordering::SeqCst);
                            drop(place);
                        }
                    });
                });
            }
        });
        assert_eq!(places.usage(), (0, 0));
    }
}
