//! Redis Sentinel: processes that watch one Redis and its replicas, make a replica the master when the
//! master is gone, and say which one it is.

use super::address::{Login, Node};
use super::link::{Door, Link};
use super::places::Places;
use super::server::Server;
use redis::{ErrorKind, RedisError, RedisResult, cmd};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The sentinels, asked by one runtime.
pub(super) struct Sentinels {
    server: Server,
    nodes: Vec<Node>,
    master: String,
    theirs: Arc<Places>,
    /// The master that was found, in which generation.
    found: Mutex<Option<(u64, Node)>>,
}

/// What a sentinel says: this is the master, since the failover of this number.
struct Told {
    node: Node,
    epoch: u64,
}

impl Sentinels {
    pub(super) fn new(server: &Server, nodes: &[Node], master: &str, login: &Login) -> Self {
        let door = Door { login: login.clone(), database: 0, masters_only: false, ..server.door() };
        Self {
            server: server.clone(),
            nodes: nodes.to_vec(),
            master: master.to_owned(),
            theirs: Arc::new(Places::new(server.clone(), door)),
            found: Mutex::default(),
        }
    }

    /// The master, to which there is a connection in `places`. The first sentinel is believed whose master says
    /// that it is one.
    pub(super) async fn find(&self, places: &Places) -> RedisResult<Node> {
        let mut found = self.found.lock().await;
        let generation = self.server.generation();
        if let Some((of, node)) = &*found
            && *of == generation
        {
            return Ok(node.clone());
        }
        places.keep_only(|_| false);
        let mut told = self.ask(self.server.operation());
        let mut last = None;
        while let Some(answer) = told.join_next().await {
            let tried = match answer {
                Ok(Ok(told)) if !self.server.is_news(told.epoch) => continue,
                Ok(Ok(told)) => places.open(&told.node).await.map(|_| told.node),
                Ok(Err(error)) => Err(error),
                Err(_) => continue,
            };
            match tried {
                Ok(node) => {
                    told.detach_all();
                    *found = Some((generation, node.clone()));
                    return Ok(node);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| unknown("no sentinel says where the master is")))
    }

    /// What was found is not the master, or does not answer.
    pub(super) fn lose(&self, node: &Node) {
        // Whoever holds it is looking for the master.
        let Ok(mut found) = self.found.try_lock() else { return };
        if found.as_ref().is_some_and(|(_, found)| found == node) {
            *found = None;
        }
    }

    /// The master by the newest word of all sentinels that answer within `patience`.
    pub(super) async fn survey(&self, patience: Duration) -> RedisResult<Node> {
        let (mut newest, mut last): (Option<Told>, _) = (None, None);
        let mut told = self.ask(patience);
        while let Some(answer) = told.join_next().await {
            match answer {
                Ok(Ok(told)) if newest.as_ref().is_none_or(|newest| newest.epoch < told.epoch) => newest = Some(told),
                Ok(Err(error)) => last = Some(error),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        let Some(Told { node, epoch }) = newest else {
            return Err(last.unwrap_or_else(|| unknown("no sentinel answers")));
        };
        self.server.newest(epoch);
        Ok(node)
    }

    fn ask(&self, patience: Duration) -> tokio::task::JoinSet<RedisResult<Told>> {
        let master = self.master.clone();
        self.theirs.ask_each(self.nodes.iter().cloned(), patience, move |_, link| said(link, master.clone()))
    }
}

async fn said(link: Link, master: String) -> RedisResult<Told> {
    let state: HashMap<String, String> = link.ask(cmd("SENTINEL").arg("MASTER").arg(&master)).await?;
    let address: Option<(String, u16)> = link.ask(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&master)).await?;
    let (host, port) = address.ok_or_else(|| unknown("a sentinel does not know the master"))?;
    let epoch = state.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
    Ok(Told { node: Node::Tcp { host, port }, epoch })
}

fn unknown(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, why))
}
