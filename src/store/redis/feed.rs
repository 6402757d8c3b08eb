//! What Redis says about access tokens that change, whoever changes them: other nodes, an
//! operator's `DEL` or `FLUSHALL`, expiry. Redis pushes their keys over a connection of its own
//! (client-side caching in broadcast mode, Redis 6), in order with its answers: when a question has
//! been answered, everything that ended before has been told. Each master of a cluster tells of its own
//! keys: all of them are listened to, and when another one becomes a master, that begins anew.

use super::Redis;
use super::address::Node;
use super::key::agree;
use super::layout::Layout;
use super::link::{Link, settings};
use crate::oauth::token::{TagKeys, TokenDigest};
use crate::store::StoreError;
use crate::store::endings::Endings;
use crate::store::feed::Feed;
use arc_swap::ArcSwapOption;
use redis::{ProtocolVersion, PushInfo, PushKind, RedisResult, Value, cmd};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the connections are proved alive.
const PROOF: Duration = Duration::from_millis(500);

/// Why listening ended.
enum Ended {
    Failed(StoreError),
    /// Others are masters now.
    Moved,
}

/// Connections on which Redis pushes what changes, one to each master.
struct Ears<'a> {
    masters: Vec<Node>,
    links: Vec<Link>,
    /// Whether none of them broke.
    in_use: &'a AtomicBool,
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Follows the changes for ever, and begins anew when a connection breaks.
pub(super) async fn follow(redis: &Redis, feed: &Arc<Feed>, keys: &ArcSwapOption<TagKeys>, endings: &Endings) {
    // Without a key it did not answer at the start, and that has been said.
    let mut out = keys.load().is_none();
    loop {
        let in_use = Arc::new(AtomicBool::new(true));
        let Err(ended) = listen(redis, feed, keys, endings, &in_use, &mut out).await;
        in_use.store(false, Ordering::Release);
        feed.failed();
        let Ended::Failed(error) = ended else { continue };
        if !std::mem::replace(&mut out, true) {
            tracing::warn!(%error, "the store does not answer, or does not tell what ends");
        }
        tokio::time::sleep(PROOF).await;
    }
}

/// Follows the changes for as long as the connections live and the masters stay.
async fn listen(
    redis: &Redis,
    feed: &Arc<Feed>,
    keys: &ArcSwapOption<TagKeys>,
    endings: &Endings,
    in_use: &Arc<AtomicBool>,
    out: &mut bool,
) -> Result<Infallible, Ended> {
    let connection = &redis.connection;
    let server = connection.server();
    let masters = server.bounded(connection.survey(server.operation().min(PROOF))).await?;
    let links = server.bounded(track_each(redis, &masters, feed, in_use)).await?;
    if let [master] = masters.as_slice() {
        server.follow(master);
    }
    let ears = Ears { masters, links, in_use };
    let Err(ended) = hear(redis, feed, keys, endings, &ears, out).await;
    if matches!(ended, Ended::Failed(_)) {
        server.broke();
    }
    Err(ended)
}

/// What `ears` hear is passed on by now: proves it again and again.
async fn hear(
    redis: &Redis,
    feed: &Arc<Feed>,
    keys: &ArcSwapOption<TagKeys>,
    endings: &Endings,
    ears: &Ears<'_>,
    out: &mut bool,
) -> Result<Infallible, Ended> {
    let connection = &redis.connection;
    let server = connection.server();
    // One that is still reading what it had answers here: what was cached before is all that there is until then.
    if agree(redis, keys).await? {
        feed.all_ended();
    }
    redis.end_again(feed, endings).await?;
    // Whatever ended while nobody listened is unknown.
    feed.all_ended();
    loop {
        server.bounded(prove(&ears.links)).await?;
        // It finds out when the key is gone or another.
        if agree(redis, keys).await? {
            feed.all_ended();
        }
        if !ears.in_use.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("a connection to Redis broke".to_owned()).into());
        }
        feed.proved();
        if std::mem::take(out) {
            tracing::info!("the store answers again");
        }
        let (survey, ()) = tokio::join!(connection.survey(PROOF), tokio::time::sleep(PROOF));
        // Where nobody says who the masters are, those that are known will do for as long as they answer.
        match survey {
            Ok(now) if now != ears.masters => return Err(Ended::Moved),
            Err(error) if error.is_cluster_error() => return Err(server.failed(&error).into()),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Has each of them answer, and be a master still: a replica may hear too late of what ends.
async fn prove(ears: &[Link]) -> RedisResult<()> {
    let mut proofs = JoinSet::new();
    for ear in ears {
        let ear = ear.clone();
        proofs.spawn(async move { ear.prove_master(ProtocolVersion::RESP3).await });
    }
    each(proofs).await.map(drop)
}

/// A connection to each on which Redis pushes the keys of access tokens that change.
async fn track_each(
    redis: &Redis,
    masters: &[Node],
    feed: &Arc<Feed>,
    in_use: &Arc<AtomicBool>,
) -> RedisResult<Vec<Link>> {
    let mut ears = JoinSet::new();
    for master in masters {
        let (server, master) = (redis.connection.server().clone(), master.clone());
        let (feed, in_use, layout) = (Arc::clone(feed), Arc::clone(in_use), redis.layout.clone());
        ears.spawn(async move {
            let prefix = layout.access_prefix().to_owned();
            let hear = move |push: PushInfo| {
                tell(&feed, &in_use, &layout, &push);
                Ok::<(), Infallible>(())
            };
            let (door, tls, settings) = (server.door(), server.tls(), settings().set_push_sender(hear));
            let ear = door.enter(&master, tls.as_deref(), ProtocolVersion::RESP3, settings).await?;
            let mut command = cmd("CLIENT");
            command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
            let () = ear.ask(&command).await?;
            Ok(ear)
        });
    }
    each(ears).await
}

/// What all of them gave; the first failure is that of all.
async fn each<T: 'static>(mut tasks: JoinSet<RedisResult<T>>) -> RedisResult<Vec<T>> {
    let mut done = Vec::new();
    while let Some(task) = tasks.join_next().await {
        done.push(task.map_err(std::io::Error::other)??);
    }
    Ok(done)
}

/// Passes on what Redis pushed; runs on the task that reads the connection.
fn tell(feed: &Feed, in_use: &AtomicBool, layout: &Layout, push: &PushInfo) {
    if push.kind == PushKind::Invalidate {
        if let [Value::Array(changed)] = push.data.as_slice() {
            let ended: Vec<TokenDigest> = changed.iter().filter_map(|key| digest_in(layout, key)).collect();
            feed.ended(&ended);
        } else {
            feed.all_ended();
        }
    }
    // A connection that was given up has nothing to say about the one that replaced it.
    if push.kind == PushKind::Disconnection && in_use.swap(false, Ordering::AcqRel) {
        feed.failed();
    }
}

fn digest_in(layout: &Layout, key: &Value) -> Option<TokenDigest> {
    let Value::BulkString(key) = key else { return None };
    layout.digest_of(key)
}
