//! A connection of HTTP/2: many requests at a time, each served like one of HTTP/1.1.

use super::Service;
use super::connection::{Established, serve_once};
use super::worker::{Connections, Entry};
use crate::http1::stream::{Peer, Stream};
use crate::http2::server::{Arrival, Connection, MOST_EXCHANGES};
use crate::tls::Names;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a client that was told to end its connection has for it.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection to its end, of which `ahead` has been read.
pub(super) async fn serve<S: Service>(
    (stream, names): Established,
    ahead: Vec<u8>,
    peer: Peer,
    service: Rc<S>,
    entry: Entry,
) {
    let connections = &entry.connections;
    let Some(mut connection) = opened(stream, ahead, &peer, connections).await else { return };
    let mut exchanges = JoinSet::new();
    let mut ending = false;
    loop {
        let accepts = exchanges.len() < MOST_EXCHANGES;
        let patience = if ending && !connection.has_streams() { LINGER } else { connections.limits().idle_timeout };
        tokio::select! {
            biased;
            Some(_) = exchanges.join_next() => {}
            arrival = connection.next(accepts) => {
                let Some(arrival) = arrival else { break };
                let one = exchange((arrival, names.clone()), peer, Rc::clone(&service), Rc::clone(connections));
                exchanges.spawn_local(one);
            }
            () = connections.drained(), if !ending => {
                connection.finish();
                ending = true;
            }
            () = sleep(patience), if exchanges.is_empty() => {
                if ending {
                    break;
                }
                connection.finish();
                ending = true;
            }
        }
    }
    // Without their connection they end by themselves, as soon as they notice.
    drop(connection);
    while exchanges.join_next().await.is_some() {}
}

async fn opened(stream: Stream, ahead: Vec<u8>, peer: &Peer, connections: &Connections) -> Option<Connection> {
    let limits = connections.limits();
    match timeout(limits.head_timeout, Connection::open(stream, ahead, &limits)).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::debug!(%error, address = ?peer.address(), "what began like HTTP/2 is none");
            None
        }
        Err(_) => None,
    }
}

async fn exchange<S: Service>(
    (mut arrival, names): (Arrival, Option<Arc<Names>>),
    peer: Peer,
    service: Rc<S>,
    connections: Rc<Connections>,
) {
    serve_once((&mut arrival.stream, names.as_deref()), arrival.refused, &peer, &*service, &connections).await;
}
