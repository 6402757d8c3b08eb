//! Redis Cluster: several masters, each with a part of the keys. Every node knows who has what; it is
//! asked again when somebody says that it is otherwise.

use super::address::Node;
use super::link::Link;
use super::places::Places;
use super::server::Server;
use super::slots::Slots;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The cluster, asked by one runtime.
pub(super) struct Cluster {
    server: Server,
    seeds: Vec<Node>,
    places: Arc<Places>,
    /// One asks at a time.
    asking: Mutex<()>,
}

impl Cluster {
    pub(super) fn new(server: &Server, seeds: &[Node], places: &Arc<Places>) -> Self {
        Self { server: server.clone(), seeds: seeds.to_vec(), places: Arc::clone(places), asking: Mutex::default() }
    }

    /// The master that has this slot; any of them for what has none.
    pub(super) async fn find(&self, slot: Option<u16>) -> RedisResult<Node> {
        let slots = self.slots().await?;
        let owner = match slot {
            Some(slot) => slots.owner(slot).cloned(),
            None => slots.masters().into_iter().next(),
        };
        owner.ok_or_else(|| {
            self.server.doubt();
            down("no node has this key")
        })
    }

    /// Who has what, by the first node that answers and has not fallen behind.
    pub(super) async fn slots(&self) -> RedisResult<Arc<Slots>> {
        if let Some(slots) = self.server.slots() {
            return Ok(slots);
        }
        let _one = self.asking.lock().await;
        if let Some(slots) = self.server.slots() {
            return Ok(slots);
        }
        let mut last = None;
        let mut told = self.ask(self.server.operation());
        while let Some(answer) = told.join_next().await {
            match answer {
                Ok(Ok(slots)) if self.server.is_news(slots.epoch) => {
                    told.detach_all();
                    return Ok(self.learn(slots));
                }
                Ok(Err(error)) => last = Some(error),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        Err(last.unwrap_or_else(|| down("no node answers")))
    }

    /// The masters by the newest word of all nodes that answer within `patience`.
    pub(super) async fn survey(&self, patience: Duration) -> RedisResult<Vec<Node>> {
        let (mut newest, mut last): (Option<Slots>, _) = (None, None);
        let mut told = self.ask(patience);
        while let Some(answer) = told.join_next().await {
            match answer {
                Ok(Ok(slots)) => {
                    let rank = |slots: &Slots| (slots.epoch, slots.is_ok);
                    if newest.as_ref().is_none_or(|newest| rank(newest) < rank(&slots)) {
                        newest = Some(slots);
                    }
                }
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
        }
        let Some(newest) = newest else { return Err(last.unwrap_or_else(|| down("no node answers"))) };
        self.server.newest(newest.epoch);
        let slots = self.learn(newest);
        if slots.is_ok { Ok(slots.masters()) } else { Err(down("its state is `fail`")) }
    }

    fn ask(&self, patience: Duration) -> JoinSet<RedisResult<Slots>> {
        let mut nodes = self.server.former_slots().map_or_else(Vec::new, |slots| slots.nodes().to_vec());
        for seed in &self.seeds {
            if !nodes.contains(seed) {
                nodes.push(seed.clone());
            }
        }
        self.places.ask_each(nodes, patience, said)
    }

    fn learn(&self, slots: Slots) -> Arc<Slots> {
        let slots = Arc::new(slots);
        self.places.keep_only(|node| slots.nodes().contains(node) || self.seeds.contains(node));
        self.server.learn(Arc::clone(&slots));
        slots
    }
}

async fn said(node: Node, link: Link) -> RedisResult<Slots> {
    let info: String = link.ask(cmd("CLUSTER").arg("INFO")).await?;
    let slots: Value = link.ask(cmd("CLUSTER").arg("SLOTS")).await?;
    let unreadable = || RedisError::from((ErrorKind::UnexpectedReturnType, "it says nothing about its cluster"));
    Slots::read(&slots, &info, &node).ok_or_else(unreadable)
}

pub(super) fn down(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Server(ServerErrorKind::ClusterDown), why))
}
