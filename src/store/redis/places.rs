//! The connections of one runtime: one to each process that is spoken with, made when it is first
//! needed.

use super::address::Node;
use super::link::{Door, Link, settings};
use super::server::Server;
use redis::{ProtocolVersion, RedisError, RedisResult};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// A connection to each.
pub(super) struct Places {
    server: Server,
    door: Door,
    each: Mutex<HashMap<Node, Arc<Place>>>,
    /// Counts the connections, so that a failure discards its own one only.
    made: AtomicU64,
}

type Place = tokio::sync::Mutex<Option<Open>>;

struct Open {
    link: Link,
    number: u64,
    /// After how many breaks it was made.
    breaks: u64,
}

impl Places {
    pub(super) fn new(server: Server, door: Door) -> Self {
        Self { server, door, each: Mutex::default(), made: AtomicU64::new(0) }
    }

    /// The connection to `node` and its number, made now when there is none that is younger than the last break.
    pub(super) async fn open(&self, node: &Node) -> RedisResult<(Link, u64)> {
        let place = self.place(node);
        let mut place = place.lock().await;
        let breaks = self.server.breaks();
        if let Some(open) = &*place
            && open.breaks == breaks
        {
            return Ok((open.link.clone(), open.number));
        }
        *place = None;
        let tls = self.server.tls();
        let link = self.door.enter(node, tls.as_deref(), ProtocolVersion::RESP2, settings()).await?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        *place = Some(Open { link: link.clone(), number, breaks });
        Ok((link, number))
    }

    /// Gives up the connection to `node` that has this number.
    pub(super) fn discard(&self, node: &Node, number: u64) {
        let place = self.place(node);
        // Whoever holds the place is making a new connection: there is nothing to discard.
        let Ok(mut place) = place.try_lock() else { return };
        if place.as_ref().is_some_and(|open| open.number == number) {
            *place = None;
        }
    }

    /// Gives up the connections to others than these.
    pub(super) fn keep_only(&self, wanted: impl Fn(&Node) -> bool) {
        self.each.lock().unwrap_or_else(PoisonError::into_inner).retain(|node, _| wanted(node));
    }

    /// Puts a question to every one of `nodes` at the same time. Whoever does not answer within `patience` is not
    /// waited for, and connected to anew the next time.
    pub(super) fn ask_each<T, Q, F>(
        self: &Arc<Self>,
        nodes: impl IntoIterator<Item = Node>,
        patience: Duration,
        question: Q,
    ) -> JoinSet<RedisResult<T>>
    where
        T: Send + 'static,
        Q: FnOnce(Node, Link) -> F + Clone + Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        for node in nodes {
            let (places, question) = (Arc::clone(self), question.clone());
            asked.spawn(async move { places.ask_one(node, patience, question).await });
        }
        asked
    }

    async fn ask_one<T, F: Future<Output = RedisResult<T>>>(
        &self,
        node: Node,
        patience: Duration,
        question: impl FnOnce(Node, Link) -> F,
    ) -> RedisResult<T> {
        let mut used = None;
        let asking = async {
            let (link, number) = self.open(&node).await?;
            used = Some(number);
            question(node.clone(), link).await
        };
        let late =
            |_| Err(RedisError::from(io::Error::new(io::ErrorKind::TimedOut, format!("{node} does not answer"))));
        let answer = tokio::time::timeout(patience, asking).await.unwrap_or_else(late);
        if let (Err(_), Some(number)) = (&answer, used) {
            self.discard(&node, number);
        }
        answer
    }

    fn place(&self, node: &Node) -> Arc<Place> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = each.get(node) {
            return Arc::clone(place);
        }
        Arc::clone(each.entry(node.clone()).or_default())
    }
}
