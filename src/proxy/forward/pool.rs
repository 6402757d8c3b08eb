//! The servers of one worker: idle connections, requests in flight, and who just failed. Nothing here
//! is shared between workers, so nothing is locked; what is shared is in the fleet.

use crate::http1::stream::Stream;
use crate::http2::client;
use crate::proxy::fleet::{Member, Standing};
use crate::proxy::upstream::Server;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Idle connections to one server, for one worker.
const MOST_IDLE: usize = 64;
/// A request that must not be repeated takes no connection that has been idle for longer: servers
/// close idle connections, seldom one that was used a moment ago.
const FRESH: Duration = Duration::from_secs(4);
/// How long a server is put aside after a failed connect; doubled with each further one.
const ASIDE: Duration = Duration::from_secs(1);
const ASIDE_MOST: Duration = Duration::from_secs(10);

/// One server, or one address of a server's name, as one worker sees it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) server: Server,
    /// What all workers know of it.
    pub(super) member: Arc<Member>,
    pub(super) standing: Arc<Standing>,
    /// The value of `Host` where the upstream wants its own.
    pub(super) authority: String,
    idle: RefCell<Vec<Idle>>,
    /// Connections of HTTP/2.
    pub(super) shared: client::Pool,
    in_flight: Cell<u32>,
    /// Failed connects in a row, and until when others are preferred.
    failures: Cell<u32>,
    aside: Cell<Option<Instant>>,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    since: Instant,
}

/// A connection to a server while a request uses it. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// It has served a request before.
    pub(super) reused: bool,
    /// It is a stream of a connection of HTTP/2, and serves no other request.
    pub(super) shared: bool,
}

impl Node {
    pub(super) fn new(member: &Arc<Member>, standing: &Arc<Standing>) -> Rc<Self> {
        Rc::new(Self {
            server: member.server.clone(),
            authority: member.server.authority(),
            member: Arc::clone(member),
            standing: Arc::clone(standing),
            idle: RefCell::default(),
            shared: client::Pool::default(),
            in_flight: Cell::new(0),
            failures: Cell::new(0),
            aside: Cell::new(None),
        })
    }

    /// An idle connection that is still good (SMUG-20), the last used first, idle for less than
    /// `keep_alive`. One that has something to read has ended or speaks out of turn: it is closed.
    pub(super) fn take_idle(&self, repeatable: bool, keep_alive: Duration, now: Instant) -> Option<Connection> {
        let oldest = if repeatable { keep_alive } else { keep_alive.min(FRESH) };
        let mut idle = self.idle.borrow_mut();
        while idle.last().is_some_and(|last| now.duration_since(last.since) < oldest) {
            let mut stream = idle.pop()?.stream;
            if !stream.has_input() {
                return Some(Connection { stream, reused: true, shared: false });
            }
        }
        None
    }

    /// A stream of a connection that is there (HTTP/2).
    pub(super) fn take_shared(&self) -> Option<Connection> {
        self.shared.stream().map(|stream| Connection { stream, reused: true, shared: true })
    }

    /// Keeps a connection for the next request. To be called only after a complete request and a
    /// complete, well-framed response (SMUG-23).
    pub(super) fn keep(&self, connection: Connection, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        idle.push(Idle { stream: connection.stream, since: now });
    }

    /// Closes the connections that have been idle for too long, or that the server has ended.
    pub(super) fn sweep(&self, keep_alive: Duration, now: Instant) {
        self.shared.sweep(now);
        self.idle
            .borrow_mut()
            .retain_mut(|idle| now.duration_since(idle.since) < keep_alive && !idle.stream.has_input());
    }

    /// Counts a request in flight until the guard is dropped.
    pub(super) fn enter(self: &Rc<Self>) -> InFlight {
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        InFlight(Rc::clone(self))
    }

    pub(super) fn load(&self) -> u32 {
        self.in_flight.get()
    }

    /// A connect failed: for a while, others are preferred.
    pub(super) fn put_aside(&self, now: Instant) {
        let failures = self.failures.get();
        let time = ASIDE.saturating_mul(1 << failures.min(4)).min(ASIDE_MOST);
        self.failures.set(failures.saturating_add(1));
        self.aside.set(Some(now + time));
        self.member.suspect();
    }

    /// A connect succeeded.
    pub(super) fn restore(&self) {
        self.failures.set(0);
        self.aside.set(None);
    }

    pub(super) fn is_aside(&self, now: Instant) -> bool {
        self.aside.get().is_some_and(|until| now < until)
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// A request in flight to a server.
#[derive(Debug)]
pub(super) struct InFlight(Rc<Node>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::fleet::Fleet;
    use crate::proxy::upstream::Upstream;

    fn echo() -> Rc<Node> {
        let group = Fleet::new().group(&Upstream::of(vec![Server::Echo]));
        let member = Arc::clone(&group.members()[0]);
        Node::new(&member, &member.standings()[0])
    }

    #[tokio::test]
    async fn a_server_is_put_aside_for_longer_each_time_and_at_most_ten_seconds() {
        let node = echo();
        let now = Instant::now();
        for seconds in [1, 2, 4, 8, 10, 10] {
            node.put_aside(now);
            assert!(node.is_aside(now + Duration::from_millis(seconds * 1000 - 1)));
            assert!(!node.is_aside(now + Duration::from_secs(seconds)));
        }
        node.restore();
        assert!(!node.is_aside(now));
    }

    #[test]
    fn load_counts_requests_in_flight() {
        let node = echo();
        let first = node.enter();
        let second = node.enter();
        assert_eq!(node.load(), 2);
        drop(first);
        drop(second);
        assert_eq!(node.load(), 0);
    }
}
