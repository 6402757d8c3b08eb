//! What the store asks Redis through: finds the process that must be asked, asks it, and asks another
//! one when that was the wrong one, but never waits for longer than the store's timeout.

use super::address::{Node, Topology};
use super::cluster::Cluster;
use super::link::Link;
use super::places::Places;
use super::question::{Meaning, Question, at_once, meaning};
use super::sentinel::Sentinels;
use super::server::Server;
use super::slots::{redirected, slot_of};
use super::step::Step;
use crate::store::StoreError;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a failover, or keys on the move, are waited for before the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// How many redirections are followed without a pause.
const REDIRECTIONS: u32 = 3;
/// How many connections to the only Redis may break under a question, before it counts as unanswered.
const BREAKS: u32 = 2;

/// The connections of one runtime, as one. Its clones share them; [`Connection::another`] does not.
#[derive(Clone)]
pub(super) struct Connection {
    server: Server,
    places: Arc<Places>,
    route: Route,
}

/// Who is asked.
#[derive(Clone)]
enum Route {
    /// This one, whatever the question.
    To(Node),
    /// Whoever is the master.
    Master(Arc<Sentinels>),
    /// Whoever has the key.
    Owner(Arc<Cluster>),
}

/// An answer, and whether it was asked for twice.
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) again: bool,
}

/// How a command is sent, once or several times.
#[derive(Default)]
struct Tries {
    /// The connection of the last time.
    used: Option<(Node, u64)>,
    /// Whether it may have been done before.
    again: bool,
    /// Where a redirection leads, and whether the key is only on its way there.
    elsewhere: Option<(Node, bool)>,
    redirections: u32,
    /// How many connections broke, being made or in use.
    breaks: u32,
    /// What became of the last time.
    failure: Option<RedisError>,
}

/// What to do after a failure.
enum Next {
    GiveUp,
    AtOnce,
    AfterAPause,
}

impl Connection {
    pub(super) fn new(server: Server) -> Self {
        let places = Arc::new(Places::new(server.clone(), server.door()));
        let route = match server.topology() {
            Topology::Standalone(node) => Route::To(node.clone()),
            Topology::Sentinel { sentinels, master, login } => {
                Route::Master(Arc::new(Sentinels::new(&server, sentinels, master, login)))
            }
            Topology::Cluster(seeds) => Route::Owner(Arc::new(Cluster::new(&server, seeds, &places))),
        };
        Self { server, places, route }
    }

    /// A place of its own, for another runtime.
    pub(super) fn another(&self) -> Self {
        Self::new(self.server.clone())
    }

    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    /// Whether keys of several slots are with several masters, and cannot be asked for at once.
    pub(super) const fn is_split(&self) -> bool {
        matches!(self.route, Route::Owner(_))
    }

    /// A handle on each master, for walks over all keys. One Redis has one. Whoever follows does not go on with
    /// a walk.
    pub(super) async fn masters(&self) -> Result<Vec<Self>, StoreError> {
        let masters = match &self.route {
            Route::To(node) => vec![node.clone()],
            Route::Master(sentinels) => vec![self.server.bounded(sentinels.find(&self.places)).await?],
            Route::Owner(cluster) => self.server.bounded(cluster.slots()).await?.masters(),
        };
        Ok(masters.into_iter().map(|node| Self { route: Route::To(node), ..self.clone() }).collect())
    }

    /// The masters by the newest word of those who know, asked for at most `patience`.
    pub(super) async fn survey(&self, patience: Duration) -> RedisResult<Vec<Node>> {
        match &self.route {
            Route::To(node) => Ok(vec![node.clone()]),
            Route::Master(sentinels) => sentinels.survey(patience).await.map(|node| vec![node]),
            Route::Owner(cluster) => cluster.survey(patience).await,
        }
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.put(Question::Command(command), self.server.operation()).await.map(|answer| answer.value)
    }

    /// As [`ask`](Self::ask), and says whether it was asked for twice.
    pub(super) async fn try_to<T: FromRedisValue>(&self, command: &Cmd) -> Result<Answer<T>, StoreError> {
        self.put(Question::Command(command), self.server.operation()).await
    }

    /// The values of `keys`, in their order.
    pub(super) async fn values(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_split() {
            return self.ask(cmd("MGET").arg(keys)).await;
        }
        let mut by_slot = BTreeMap::<u16, Vec<usize>>::new();
        for (place, key) in keys.iter().enumerate() {
            by_slot.entry(slot_of(key.as_bytes())).or_default().push(place);
        }
        let mut values = vec![None; keys.len()];
        let questions = by_slot.into_values().map(|places| {
            let (connection, mut get) = (self.clone(), cmd("MGET"));
            for place in &places {
                get.arg(&keys[*place]);
            }
            async move { connection.ask::<Vec<Option<Vec<u8>>>>(&get).await.map(|found| (places, found)) }
        });
        for (places, found) in at_once(questions).await? {
            for (place, value) in places.into_iter().zip(found) {
                values[place] = value;
            }
        }
        Ok(values)
    }

    /// Calls a script, atomically.
    pub(super) async fn call<T: FromRedisValue>(&self, step: &Step) -> Result<Answer<T>, StoreError> {
        self.call_within(self.server.operation(), step).await
    }

    /// As [`call`](Self::call), waited for no longer than `patience`.
    pub(super) async fn call_within<T: FromRedisValue>(
        &self,
        patience: Duration,
        step: &Step,
    ) -> Result<Answer<T>, StoreError> {
        self.put(Question::Step(step, false), patience).await
    }

    /// Calls several scripts. Where one Redis has all keys, in their order and in one round trip; on a cluster
    /// at the same time. Gives their answers in their order.
    pub(super) async fn call_each(&self, steps: Vec<Step>, until: Instant) -> Result<Answer<Vec<Value>>, StoreError> {
        let patience = until.saturating_duration_since(Instant::now());
        if steps.is_empty() {
            return Ok(Answer { value: Vec::new(), again: false });
        }
        if !self.is_split() {
            return self.put(Question::Row(&steps, false), patience).await;
        }
        let calls = steps.into_iter().enumerate().map(|(place, step)| {
            let connection = self.clone();
            async move { connection.call_within::<Value>(patience, &step).await.map(|answer| (place, answer)) }
        });
        let mut answers = at_once(calls).await?;
        answers.sort_unstable_by_key(|(place, _)| *place);
        let again = answers.iter().any(|(_, answer)| answer.again);
        Ok(Answer { value: answers.into_iter().map(|(_, answer)| answer.value).collect(), again })
    }

    /// When what begins now is late.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.server.operation()
    }

    async fn put<T: FromRedisValue>(
        &self,
        question: Question<'_>,
        patience: Duration,
    ) -> Result<Answer<T>, StoreError> {
        let mut tries = Tries::default();
        let asked = async {
            let answer = match self.attempt(question, &mut tries).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // Seldom: it need not take room in every future.
                    Box::pin(self.attempt(question.whole(), &mut tries)).await
                }
                answer => answer,
            };
            Ok(from_redis_value(answer?)?)
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(value)) => Ok(Answer { value, again: tries.again }),
            Ok(Err(error)) => Err(self.server.failed(&error)),
            Err(_) => Err(self.late(patience, &tries)),
        }
    }

    /// Time is up.
    fn late(&self, timeout: Duration, tries: &Tries) -> StoreError {
        // Nobody knows whether this connection will ever answer again.
        if let Some((node, number)) = &tries.used {
            self.forsake(node, *number);
        }
        tries.failure.as_ref().map_or(StoreError::Timeout(timeout), |failure| self.server.failed(failure))
    }

    async fn attempt(&self, question: Question<'_>, tries: &mut Tries) -> RedisResult<Value> {
        let slot = if self.is_split() { question.slot() } else { None };
        loop {
            let in_transit = tries.elsewhere.as_ref().is_some_and(|(_, in_transit)| *in_transit);
            let (sent, answer) = match self.open(slot, tries).await {
                Err(error) => (false, Err(error)),
                Ok(link) => (true, question.put(&link, in_transit, &mut tries.again).await),
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match self.next(&error, sent, tries) {
                Next::GiveUp => return Err(error),
                Next::AtOnce => {}
                Next::AfterAPause => {
                    tries.failure = Some(error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A connection to whoever must be asked.
    async fn open(&self, slot: Option<u16>, tries: &mut Tries) -> RedisResult<Link> {
        tries.used = None;
        let node = match (tries.elsewhere.take(), &self.route) {
            (Some((node, _)), _) => node,
            (None, Route::To(node)) => node.clone(),
            (None, Route::Master(sentinels)) => sentinels.find(&self.places).await?,
            (None, Route::Owner(cluster)) => cluster.find(slot).await?,
        };
        let opened = self.places.open(&node).await;
        if opened.is_err() {
            self.lose(&node);
        }
        let (link, number) = opened?;
        tries.used = Some((node, number));
        tries.failure = None;
        Ok(link)
    }

    /// What a failure means. An error that says that nothing was done is no reason to give up, where others
    /// take over.
    fn next(&self, error: &RedisError, sent: bool, tries: &mut Tries) -> Next {
        let alone = matches!(self.route, Route::To(_));
        match (tries.used.clone(), meaning(error)) {
            (Some((node, _)), Meaning::Elsewhere { in_transit }) => self.redirect(error, &node, in_transit, tries),
            (used, meaning @ (Meaning::Broken | Meaning::Refused)) => {
                if let Some((node, number)) = &used {
                    self.forsake(node, *number);
                }
                let broken = matches!(meaning, Meaning::Broken);
                tries.breaks += u32::from(broken);
                if alone && (!broken || tries.breaks > BREAKS) {
                    return Next::GiveUp;
                }
                tries.again |= broken && sent;
                if alone { Next::AtOnce } else { Next::AfterAPause }
            }
            (_, meaning @ (Meaning::NotYet | Meaning::Midway)) if !alone => {
                tries.again |= matches!(meaning, Meaning::Midway);
                Next::AfterAPause
            }
            _ => Next::GiveUp,
        }
    }

    fn redirect(&self, error: &RedisError, node: &Node, in_transit: bool, tries: &mut Tries) -> Next {
        if !in_transit {
            self.server.doubt();
        }
        let to = error.redirect_node().and_then(|(to, _)| redirected(to, node));
        tries.elsewhere = to.map(|to| (to, in_transit));
        tries.redirections += 1;
        if tries.redirections <= REDIRECTIONS { Next::AtOnce } else { Next::AfterAPause }
    }

    /// The connection broke, or is to one that does not do what is asked.
    fn forsake(&self, node: &Node, number: u64) {
        self.places.discard(node, number);
        self.lose(node);
    }

    fn lose(&self, node: &Node) {
        match &self.route {
            Route::To(_) => {}
            Route::Master(sentinels) => sentinels.lose(node),
            Route::Owner(_) => self.server.doubt(),
        }
    }
}
