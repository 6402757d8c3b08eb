//! What Redis says about access tokens that change, whoever changes them: other nodes, an
//! operator's `DEL` or `FLUSHALL`, expiry. Redis pushes their keys over a connection of its own
//! (client-side caching in broadcast mode, Redis 6), in order with its answers: when a question has
//! been answered, everything that ended before has been told.

use super::connection::Server;
use super::key::agree;
use super::{ACCESS, digest_of};
use crate::oauth::token::{TagKeys, TokenDigest};
use crate::store::StoreError;
use crate::store::feed::Feed;
use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult, Value};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the connection is proved alive.
const PROOF: Duration = Duration::from_millis(500);

/// Follows the changes for ever, and begins anew when the connection breaks.
pub(super) async fn follow(server: &Server, feed: &Arc<Feed>, keys: &ArcSwapOption<TagKeys>) {
    // Without a key it did not answer at the start, and that has been said.
    let mut out = keys.load().is_none();
    loop {
        let in_use = Arc::new(AtomicBool::new(true));
        let Err(error) = listen(server, feed, keys, &in_use, &mut out).await;
        in_use.store(false, Ordering::Release);
        feed.failed();
        if !std::mem::replace(&mut out, true) {
            tracing::warn!(%error, "the store does not answer, or does not tell what ends");
        }
        tokio::time::sleep(PROOF).await;
    }
}

/// Follows the changes for as long as one connection lives.
async fn listen(
    server: &Server,
    feed: &Arc<Feed>,
    keys: &ArcSwapOption<TagKeys>,
    in_use: &Arc<AtomicBool>,
    out: &mut bool,
) -> Result<Infallible, StoreError> {
    let mut connection = server.bounded(track(server, feed, in_use)).await?;
    // Whatever ended while nobody listened is unknown.
    feed.all_ended();
    loop {
        // Asking for the key proves the connection, and finds out when the key is gone or another.
        agree(server, &mut connection, keys).await?;
        if !in_use.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the connection to Redis broke".to_owned()));
        }
        feed.proved();
        if std::mem::take(out) {
            tracing::info!("the store answers again");
        }
        tokio::time::sleep(PROOF).await;
    }
}

/// A connection on which Redis pushes the keys of access tokens that change.
async fn track(server: &Server, feed: &Arc<Feed>, in_use: &Arc<AtomicBool>) -> RedisResult<MultiplexedConnection> {
    let info = server.client().get_connection_info().clone();
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info.set_redis_settings(redis).into_connection_info()?)?;
    let (feed, in_use) = (Arc::clone(feed), Arc::clone(in_use));
    let settings = Server::settings().set_push_sender(move |push: PushInfo| {
        tell(&feed, &in_use, &push);
        Ok::<(), Infallible>(())
    });
    let mut connection = client.get_multiplexed_async_connection_with_config(&settings).await?;
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(ACCESS);
    let () = command.query_async(&mut connection).await?;
    Ok(connection)
}

/// Passes on what Redis pushed; runs on the task that reads the connection.
fn tell(feed: &Feed, in_use: &AtomicBool, push: &PushInfo) {
    if push.kind == PushKind::Invalidate {
        if let [Value::Array(changed)] = push.data.as_slice() {
            let ended: Vec<TokenDigest> = changed.iter().filter_map(digest_in).collect();
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

fn digest_in(key: &Value) -> Option<TokenDigest> {
    let Value::BulkString(key) = key else { return None };
    digest_of(key.strip_prefix(ACCESS.as_bytes())?)
}
