//! The threads that dear work is done on: few, at a lower priority than those that serve requests, with
//! a bounded queue in front of them.

use super::Overloaded;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::oneshot;

/// How much nicer they are than the threads of the requests: a request that becomes ready takes the
/// core at once, and where requests want every core, there is still a tenth of one for sign-ins.
const NICER: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The way to the threads; when the last one of it is gone, they end after what is under way.
pub(super) struct Threads {
    jobs: SyncSender<Job>,
}

impl Threads {
    /// Starts `count` threads. For all of them together, so many pieces of work may wait.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn start(count: usize, waiting: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel(waiting);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..count {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("password".to_owned()).spawn(move || serve(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Has `work` done. It is left out when nobody waits for it any more by the time of its turn.
    ///
    /// # Errors
    /// When too much is waiting, or the work panicked.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, Overloaded>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if !reply.is_closed() {
                // The caller may give up meanwhile.
                let _: Result<(), T> = reply.send(work());
            }
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| Overloaded(()))?;
        answer.await.map_err(|_| Overloaded(()))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

fn serve(queue: &Mutex<Receiver<Job>>) {
    // On Linux this is of the calling thread alone. Where it is not allowed, passwords are checked all the same.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "passwords are checked at the priority of requests");
    }
    loop {
        // The lock is held while waiting: whoever has it takes the next piece.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The reply goes down with the work, so its caller is told; the thread stays.
        let _: thread::Result<()> = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::task::Poll;
    use std::time::Duration;

    /// Work that says that it has begun and lasts until it is told to end.
    fn gate() -> (Arc<Barrier>, Arc<Barrier>, impl FnOnce() + Send + 'static) {
        let (begun, end) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let held = (Arc::clone(&begun), Arc::clone(&end));
        (begun, end, move || {
            held.0.wait();
            held.1.wait();
        })
    }

    /// Polls once, so that the work is in the queue.
    async fn begin<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }

    #[tokio::test]
    async fn work_beyond_the_queue_is_refused_at_once_and_the_rest_is_done() {
        let threads = Threads::start(1, 1).unwrap();
        let (begun, end, work) = gate();
        let mut running = Box::pin(threads.run(work));
        assert!(begin(&mut running).await.is_pending());
        begun.wait();
        let mut waiting = Box::pin(threads.run(|| 2));
        assert!(begin(&mut waiting).await.is_pending());
        assert_eq!(threads.run(|| 3).await, Err(Overloaded(())));
        end.wait();
        assert_eq!(running.await, Ok(()));
        assert_eq!(waiting.await, Ok(2));
        assert_eq!(threads.run(|| 3).await, Ok(3));
    }

    #[tokio::test]
    async fn work_that_panics_is_told_to_its_caller_and_the_thread_goes_on() {
        let threads = Threads::start(1, 1).unwrap();
        assert_eq!(threads.run(|| -> u8 { std::panic::resume_unwind(Box::new(())) }).await, Err(Overloaded(())));
        assert_eq!(threads.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_left_out() {
        let threads = Threads::start(1, 2).unwrap();
        let (begun, end, work) = gate();
        let mut running = Box::pin(threads.run(work));
        assert!(begin(&mut running).await.is_pending());
        begun.wait();
        let (done, was_done) = mpsc::channel();
        let mut given_up = Box::pin(threads.run(move || done.send(())));
        assert!(begin(&mut given_up).await.is_pending());
        drop(given_up);
        end.wait();
        assert_eq!(threads.run(|| 1).await, Ok(1));
        assert!(was_done.try_recv().is_err());
    }

    #[tokio::test]
    async fn the_threads_end_with_the_way_to_them() {
        struct Ended(mpsc::Sender<()>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        thread_local!(static HELD: std::cell::RefCell<Option<Ended>> = const { std::cell::RefCell::new(None) });
        let threads = Threads::start(1, 1).unwrap();
        let (sender, ended) = mpsc::channel();
        threads.run(move || HELD.set(Some(Ended(sender)))).await.unwrap();
        assert!(ended.try_recv().is_err());
        drop(threads);
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(()));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_and_no_others_have_a_lower_priority() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let usual = priority();
        let threads = Threads::start(1, 1).unwrap();
        assert_eq!(threads.run(priority).await, Ok((usual + NICER).min(19)));
        assert_eq!(priority(), usual);
    }
}
