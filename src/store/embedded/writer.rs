//! The one thread that writes: it takes whatever waits, applies it in one transaction, has it
//! synced to disk once, tells the listeners, and answers each. Under load the cost of a sync is
//! shared by all who waited during the one before.

use super::file::File;
use super::tables::{Tables, Trouble};
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::store::feed::Feed;
use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The most operations that share a transaction.
const BATCH: usize = 256;
/// The most operations that wait; more wait outside, within their own time limit.
const QUEUE: usize = 1024;
/// The most expired items that a batch removes beside its own work: some milliseconds at worst,
/// and more than a batch can add.
const PURGE: usize = 4 * BATCH;
/// How often an idle store looks for what has expired, and whether its file still answers.
const IDLE: Duration = Duration::from_secs(10);
/// How long expired items stay: clocks of callers may differ a little.
const LINGER: u64 = 60_000;

/// The way to the writing thread.
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(file: Arc<File>, feed: Arc<Feed>) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel();
        let desk = Desk { file, feed, latest: Cell::default() };
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || desk.serve(&queue))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the store: {error}")))?;
        Ok(Self { jobs: Some(jobs), room: Arc::new(Semaphore::new(QUEUE)), thread: Some(thread) })
    }

    /// Has `step` done in a transaction of its own or of many; returns when it is on disk.
    /// `step` may be called again when a transaction has to be given up.
    pub(super) async fn write<T, F>(&self, step: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tables<'_>) -> Result<T, Trouble> + Send + 'static,
    {
        let stopped = || StoreError::Unavailable("the store's writing thread has stopped".to_owned());
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Waiting { step, value: None, reply, _permit: permit });
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that the file is free as soon as the last handle is gone.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _: thread::Result<()> = thread.join();
        }
    }
}

/// An operation with its caller, whatever it answers.
trait Job: Send {
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Trouble>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Waiting<T, F> {
    step: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Job for Waiting<T, F>
where
    T: Send,
    F: FnMut(&mut Tables<'_>) -> Result<T, Trouble> + Send,
{
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), Trouble> {
        self.value = Some((self.step)(tables)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let unapplied = || StoreError::Unavailable("the operation was not applied".to_owned());
        // The caller may have given up waiting; what was done stays done.
        let Self { value, reply, .. } = *self;
        let _: Result<(), _> = reply.send(outcome.and_then(|()| value.ok_or_else(unapplied)));
    }
}

/// What the thread works with.
struct Desk {
    file: Arc<File>,
    feed: Arc<Feed>,
    /// The moment that the latest write spoke of, and when that was: what "expired" means to the purge.
    /// Not the latest moment of all: after a wrong clock was set right, it would purge what is new.
    latest: Cell<Option<(Timestamp, Instant)>>,
}

impl Desk {
    fn serve(&self, queue: &Receiver<Box<dyn Job>>) {
        loop {
            match queue.recv_timeout(IDLE) {
                Ok(first) => {
                    let mut batch = vec![first];
                    batch.extend(queue.try_iter().take(BATCH - 1));
                    self.settle(batch);
                }
                // Without work there is no caller to answer: what cannot be done now is done later.
                Err(RecvTimeoutError::Timeout) => drop(self.commit(&mut [])),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn settle(&self, mut batch: Vec<Box<dyn Job>>) {
        match self.commit(&mut batch) {
            // One operation met something that is not ours: the others must not suffer from it.
            Err(StoreError::Corrupt(_)) if batch.len() > 1 => {
                for job in batch {
                    self.settle(vec![job]);
                }
            }
            outcome => batch.into_iter().for_each(|job| job.answer(outcome.clone())),
        }
    }

    /// One transaction, from its first step to the listeners.
    fn commit(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.transact(batch).map_err(|trouble| {
            let broken = matches!(trouble, Trouble::Redb(_) | Trouble::Closed);
            let error = self.file.failed(trouble);
            if broken {
                self.file.reopen();
            }
            error
        })
    }

    /// What expired before this moment may go.
    fn cutoff(&self) -> Timestamp {
        let now = self.latest.get().map_or(Timestamp::default(), |(then, at)| then.plus(at.elapsed()));
        Timestamp::from_millis(now.as_millis().saturating_sub(LINGER))
    }

    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Trouble> {
        let transaction = self.file.write()?;
        let mut tables = Tables::open(&transaction)?;
        for job in batch.iter_mut() {
            job.apply(&mut tables)?;
        }
        let (ended, issued) = (mem::take(&mut tables.ended), mem::take(&mut tables.issued));
        if let Some(now) = tables.now {
            self.latest.set(Some((now, Instant::now())));
        }
        let purged = tables.purge(self.cutoff(), PURGE)?;
        let idle = batch.is_empty() && purged == 0;
        drop(tables);
        if idle {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        self.feed.issued(&issued);
        self.feed.ended(&ended);
        Ok(())
    }
}
