//! The log: buffers that workers fill, and one thread that empties them.
//!
//! The first line in an empty buffer wakes the thread, which then waits a moment for more: an idle
//! gateway does nothing, a busy one writes many lines at once. The output may be as slow as it
//! likes: a full buffer drops lines and counts them.

use super::counters::Counter;
use super::stamp::Stamps;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread waits for more lines after the first.
const GATHER: Duration = Duration::from_millis(50);
/// From here on a buffer does not wait for the moment to pass.
const LARGE: usize = 64 * 1024;
/// A buffer takes no more than this: further lines are dropped and counted.
const FULL: usize = 1024 * 1024;
/// The longest that [`Log::flush`] waits for the output.
const PATIENCE: Duration = Duration::from_secs(2);

/// The log of a process.
#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<Shared>,
    events: Arc<Buffer>,
}

#[derive(Debug, Default)]
struct Shared {
    buffers: Mutex<Vec<Arc<Buffer>>>,
    signal: Mutex<Signal>,
    work: Condvar,
    flushed: Condvar,
    dropped: Arc<Counter>,
}

/// What the thread is told.
#[derive(Debug, Default)]
struct Signal {
    /// Somebody appended to an empty buffer.
    filled: bool,
    /// Do not wait for more.
    urgent: bool,
    stopped: bool,
    flushes_asked: u64,
    flushes_done: u64,
}

/// Lines that are not yet written: those of one worker, or every other event's.
#[derive(Debug)]
pub(super) struct Buffer {
    pending: Mutex<Pending>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    stamps: Stamps,
    large: bool,
}

impl Log {
    /// Starts the thread that writes to `output`.
    pub(super) fn start(output: Box<dyn Write + Send>) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_until_stopped(output))?;
        let events = shared.buffer();
        Ok(Self { shared, events })
    }

    /// A buffer for one worker.
    pub(super) fn buffer(&self) -> Arc<Buffer> {
        self.shared.buffer()
    }

    /// The buffer of everything that is not a request.
    pub(super) fn events(&self) -> Arc<Buffer> {
        Arc::clone(&self.events)
    }

    /// Lines that were dropped.
    pub(super) fn dropped(&self) -> Arc<Counter> {
        Arc::clone(&self.shared.dropped)
    }

    /// Waits until everything appended so far is written, but not for ever.
    pub(super) fn flush(&self) {
        let mut signal = lock(&self.shared.signal);
        signal.flushes_asked += 1;
        signal.urgent = true;
        let mine = signal.flushes_asked;
        self.shared.work.notify_one();
        drop(self.shared.flushed.wait_timeout_while(signal, PATIENCE, |signal| signal.flushes_done < mine));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
        lock(&self.shared.signal).stopped = true;
        self.shared.work.notify_one();
    }
}

impl Buffer {
    /// Has `write` append whole lines, unless the buffer is full.
    pub(super) fn append(&self, write: impl FnOnce(&mut Vec<u8>, &mut Stamps)) {
        let mut pending = lock(&self.pending);
        let Pending { bytes, stamps, large } = &mut *pending;
        if bytes.len() >= FULL {
            drop(pending);
            self.shared.dropped.increment();
            return;
        }
        let first = bytes.is_empty();
        write(bytes, stamps);
        let urgent = bytes.len() >= LARGE && !mem::replace(large, bytes.len() >= LARGE);
        drop(pending);
        if first || urgent {
            self.shared.wake(urgent);
        }
    }
}

impl Shared {
    fn buffer(self: &Arc<Self>) -> Arc<Buffer> {
        let buffer = Arc::new(Buffer { pending: Mutex::default(), shared: Arc::clone(self) });
        lock(&self.buffers).push(Arc::clone(&buffer));
        buffer
    }

    fn wake(&self, urgent: bool) {
        let mut signal = lock(&self.signal);
        signal.filled = true;
        signal.urgent |= urgent;
        drop(signal);
        self.work.notify_one();
    }

    fn write_until_stopped(&self, mut output: Box<dyn Write + Send>) {
        let mut spare = Vec::new();
        loop {
            let (asked, stopped) = self.wait();
            self.write_pending(&mut *output, &mut spare);
            lock(&self.signal).flushes_done = asked;
            self.flushed.notify_all();
            if stopped {
                return;
            }
        }
    }

    /// Waits for lines, and a moment more; the number of flushes asked for, and whether to stop.
    fn wait(&self) -> (u64, bool) {
        let signal = lock(&self.signal);
        let idle = |signal: &mut Signal| !signal.filled && !signal.urgent && !signal.stopped;
        let signal = self.work.wait_while(signal, idle).unwrap_or_else(PoisonError::into_inner);
        let gathering = |signal: &mut Signal| !signal.urgent && !signal.stopped;
        let waited = self.work.wait_timeout_while(signal, GATHER, gathering);
        let (mut signal, _) = waited.unwrap_or_else(PoisonError::into_inner);
        signal.filled = false;
        signal.urgent = false;
        (signal.flushes_asked, signal.stopped)
    }

    fn write_pending(&self, output: &mut dyn Write, spare: &mut Vec<u8>) {
        let buffers = lock(&self.buffers).clone();
        for buffer in &buffers {
            let mut pending = lock(&buffer.pending);
            mem::swap(&mut pending.bytes, spare);
            pending.large = false;
            drop(pending);
            if !spare.is_empty() && output.write_all(spare).is_err() {
                let lines = memchr::memchr_iter(b'\n', spare).count();
                self.dropped.add(u64::try_from(lines).unwrap_or(u64::MAX));
            }
            // A burst does not keep its memory.
            if spare.capacity() > 2 * LARGE && spare.len() < LARGE {
                *spare = Vec::new();
            }
            spare.clear();
        }
        drop(buffers);
        // Those of recorders that are gone, once they are empty.
        lock(&self.buffers).retain(|buffer| Arc::strong_count(buffer) > 1 || !lock(&buffer.pending).bytes.is_empty());
    }
}

/// A panic elsewhere leaves whole lines at worst half written: no reason to stop logging.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// An output that takes a write when the test says so.
    struct Gated(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::Error::other("closed"))?;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (Log, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let (gate, gated) = sync_channel(64);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        (Log::start(Box::new(Gated(gated, Arc::clone(&written)))).unwrap(), gate, written)
    }

    #[test]
    fn lines_of_all_buffers_are_written_whole() {
        let (log, gate, written) = gated();
        let (one, two) = (log.buffer(), log.buffer());
        for buffer in [&one, &two, &one] {
            buffer.append(|bytes, _| bytes.extend_from_slice(b"a line\n"));
        }
        (0..3).for_each(|_| gate.send(()).unwrap());
        log.flush();
        assert_eq!(written.lock().unwrap().as_slice(), b"a line\na line\na line\n");
    }

    #[test]
    fn an_output_that_takes_nothing_costs_lines_and_never_blocks() {
        let (log, gate, _) = gated();
        let buffer = log.buffer();
        let long = [b'x'; 4096];
        let lines = 3 * FULL / long.len();
        for _ in 0..lines {
            buffer.append(|bytes, _| bytes.extend_from_slice(&long));
        }
        let dropped = log.dropped().get();
        assert!(dropped > 0 && dropped < u64::try_from(lines).unwrap(), "{dropped}");
        drop(gate);
    }

    #[test]
    fn a_closed_output_counts_what_it_lost() {
        let (log, gate, _) = gated();
        drop(gate);
        log.events().append(|bytes, _| bytes.extend_from_slice(b"one\ntwo\n"));
        log.flush();
        assert_eq!(log.dropped().get(), 2);
    }

    #[test]
    fn the_buffer_of_a_recorder_that_is_gone_is_written_and_forgotten() {
        let (log, gate, written) = gated();
        log.buffer().append(|bytes, _| bytes.extend_from_slice(b"last\n"));
        gate.send(()).unwrap();
        log.flush();
        log.flush();
        assert_eq!(written.lock().unwrap().as_slice(), b"last\n");
        assert_eq!(lock(&log.shared.buffers).len(), 1);
    }
}
