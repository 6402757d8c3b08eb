//! One connection: requests one after the other, each within its time.

use super::worker::{Connections, Entry};
use super::{Service, multiplexed};
use crate::http1::Limits;
use crate::http1::body::BodyReader;
use crate::http1::deadline::Deadline;
use crate::http1::exchange::{Exchange, Options, Outcome, head_of};
use crate::http1::head::{HeadError, Request, RequestHead};
use crate::http1::stream::{Peer, Stream};
use crate::http2::PREFACE_LINE;
use crate::tls::Names;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What a connection is doing, as far as draining is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A request is being read or answered.
    Busy,
    /// Between requests: may be ended at any time.
    Idle,
}

/// What has been read of a connection, and its parsed head. Only a connection with a request has one.
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    head: RequestHead,
}

/// A fresh buffer.
const BUFFER: usize = 8 * 1024;
/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 64 * 1024;
/// Buffers that a thread keeps.
const MOST_KEPT: usize = 256;
/// How long, and how much, a connection that ends is read on, so that the client gets the response
/// before it gets a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 64 * 1024;

thread_local! {
    #[expect(clippy::vec_box, reason = "a connection has room for a pointer, not for what it may once need")]
    static INPUTS: RefCell<Vec<Box<Input>>> = const { RefCell::new(Vec::new()) };
}

impl Input {
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what is kept")]
    fn take() -> Box<Self> {
        INPUTS.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    fn keep(mut self: Box<Self>) {
        if self.bytes.capacity() <= KEPT {
            self.bytes.clear();
            INPUTS.with_borrow_mut(|inputs| {
                if inputs.len() < MOST_KEPT {
                    inputs.push(self);
                }
            });
        }
    }

    /// What remains is the start of the next request.
    fn advance(&mut self, used: usize, more: &[u8]) {
        self.bytes.drain(..used);
        self.bytes.extend_from_slice(more);
    }
}

/// How the reading of a head ended.
enum Reading {
    Complete(usize),
    /// The client is gone, or was silent for too long.
    Ended,
    Refused(HeadError),
}

/// A byte stream, and the names of the certificate that its client was shown, where there are several.
pub(super) type Established = (Stream, Option<Arc<Names>>);

/// Serves a connection to its end.
#[expect(
    clippy::manual_async_fn,
    reason = "an async function keeps its arguments twice, for as long as the connection idles"
)]
pub(super) fn serve<S: Service>(
    (mut stream, names): Established,
    peer: Peer,
    service: Rc<S>,
    state: Rc<Cell<State>>,
    entry: Entry,
) -> impl Future<Output = ()> {
    async move {
        let mut deadline = Deadline::new();
        let mut pipelined = None;
        let mut first = true;
        loop {
            let mut input = if let Some(input) = pipelined.take() {
                input
            } else {
                // An idle connection holds no buffer.
                state.set(State::Idle);
                if !is_coming(&mut stream, &peer, &mut deadline, &entry.connections.limits()).await {
                    return;
                }
                state.set(State::Busy);
                Input::take()
            };
            // A message keeps the limits with which it began.
            let limits = entry.connections.limits();
            let length = match read_head(&mut stream, &mut input, &mut deadline, &limits).await {
                Reading::Complete(length) => length,
                Reading::Ended => return,
                Reading::Refused(error) => {
                    let begun = first.then_some(input.bytes);
                    return Box::pin(no_request((stream, names), begun, error, peer, service, entry)).await;
                }
            };
            first = false;
            let (outcome, used, spill) = exchange(
                (&mut stream, names.as_deref()),
                &input,
                length,
                &peer,
                &*service,
                (&mut deadline, &limits, &entry.connections.draining),
            )
            .await;
            match outcome {
                Outcome::Abort => return,
                Outcome::Close => return Box::pin(linger(&mut stream)).await,
                Outcome::Complete => input.advance(length + used, &spill),
            }
            if entry.connections.draining.get() {
                return Box::pin(linger(&mut stream)).await;
            }
            if input.bytes.is_empty() {
                input.keep();
            } else {
                pipelined = Some(input);
            }
        }
    }
}

/// Whether another request comes in time. Who is silent for too long is told that this is the end.
async fn is_coming(stream: &mut Stream, peer: &Peer, deadline: &mut Deadline, limits: &Limits) -> bool {
    let readable = deadline.within(limits.idle_timeout, stream.readable()).await;
    if readable.is_err() {
        Box::pin(part(stream, peer)).await;
    }
    matches!(readable, Ok(Ok(())))
}

/// The only request of a stream, which came over HTTP/2.
pub(super) async fn serve_once<S: Service>(
    (stream, names): (&mut Stream, Option<&Names>),
    refused: Option<HeadError>,
    peer: &Peer,
    service: &S,
    connections: &Connections,
) {
    let limits = connections.limits();
    let mut deadline = Deadline::new();
    let mut input = Input::take();
    let reading = match refused {
        None => read_head(stream, &mut input, &mut deadline, &limits).await,
        Some(error) => Reading::Refused(error),
    };
    match reading {
        Reading::Complete(length) => {
            input.head.came_over_http2();
            let terms = (&mut deadline, &limits, &connections.draining);
            // Whether the response is whole, the stream has seen by itself.
            let _ = exchange((stream, names), &input, length, peer, service, terms).await;
            // One that was read in part remembers how far.
            input.keep();
        }
        Reading::Refused(error) => {
            let _ = tell(stream, service, error, (peer, limits.body_timeout)).await;
        }
        Reading::Ended => {}
    }
}

/// One request and its response. Gives what was used of the buffer behind the head, and what was read
/// beyond the buffer for the next request.
async fn exchange<S: Service>(
    (stream, names): (&mut Stream, Option<&Names>),
    input: &Input,
    length: usize,
    peer: &Peer,
    service: &S,
    (deadline, limits, closing): (&mut Deadline, &Limits, &Cell<bool>),
) -> (Outcome, usize, Vec<u8>) {
    let (head, ahead) = input.bytes.split_at(length);
    let (reader, writer) = stream.split();
    let request = Request::new(&input.head, head);
    let body = BodyReader::new(request.length(), ahead, reader);
    let mut exchange = Exchange { request, peer, body, writer, deadline, limits, closing, continued: false, names };
    let outcome = service.serve(&mut exchange).await;
    // A body that is still coming would be taken for the next request.
    let outcome = match outcome {
        Outcome::Complete if !exchange.body.is_complete() => Outcome::Close,
        Outcome::Complete | Outcome::Close | Outcome::Abort => outcome,
    };
    let (used, spill) = exchange.body.finish();
    (outcome, used, spill)
}

async fn read_head(stream: &mut Stream, input: &mut Input, deadline: &mut Deadline, limits: &Limits) -> Reading {
    if !input.bytes.is_empty() {
        match input.head.parse(&input.bytes, limits) {
            Ok(Some(length)) => return Reading::Complete(length),
            Ok(None) => {}
            Err(error) => return Reading::Refused(error),
        }
    }
    // The usual head is there as a whole: then nobody asks for the time.
    let mut end = None;
    loop {
        input.bytes.reserve(BUFFER.min(limits.head_size));
        let (mut reader, _) = stream.split();
        match deadline.within_both(limits.head_timeout, end, reader.read(&mut input.bytes)).await {
            Err(_) if input.bytes.is_empty() => return Reading::Ended,
            Err(_) => return Reading::Refused(HeadError::Timeout),
            Ok(Ok(0) | Err(_)) => return Reading::Ended,
            Ok(Ok(_)) => {}
        }
        match input.head.parse(&input.bytes, limits) {
            Ok(Some(length)) => return Reading::Complete(length),
            Ok(None) => {}
            Err(error) => return Reading::Refused(error),
        }
        end.get_or_insert_with(|| Instant::now() + limits.head_timeout);
    }
}

/// What came is no request of HTTP/1; a connection of HTTP/2 may have `begun` with it.
async fn no_request<S: Service>(
    (mut stream, names): Established,
    begun: Option<Vec<u8>>,
    error: HeadError,
    peer: Peer,
    service: Rc<S>,
    entry: Entry,
) {
    let begun = begun.filter(|ahead| error == HeadError::Version && ahead.starts_with(PREFACE_LINE));
    if let Some(ahead) = begun {
        multiplexed::serve((stream, names), ahead, peer, service, entry).await;
    } else {
        let limit = entry.connections.limits().body_timeout;
        if tell(&mut stream, &*service, error, (&peer, limit)).await.is_ok() {
            linger(&mut stream).await;
        }
    }
}

/// Who takes nothing has `limit` for it.
async fn tell<S: Service>(
    stream: &mut Stream,
    service: &S,
    error: HeadError,
    (peer, limit): (&Peer, Duration),
) -> io::Result<()> {
    let response = service.refuse(error, peer);
    let head = head_of(&response, &Options { close: true, keep_alive: false, without_content: false });
    let (_, mut writer) = stream.split();
    let told = timeout(limit, writer.write_parts([&head, response.body()])).await;
    told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The end of a connection that has nothing under way. Over TLS it is said, so that nobody takes it for a cut.
async fn part(stream: &mut Stream, peer: &Peer) {
    if peer.is_tls() {
        // Whatever became of it, the connection ends.
        let _ = timeout(LINGER, stream.split().1.shutdown()).await;
    }
}

/// Says that nothing more will come, and reads for a moment what the client still sends: closing with
/// octets unread would reset the connection and might take the response with it.
pub(super) async fn linger(stream: &mut Stream) {
    let (mut reader, mut writer) = stream.split();
    let parting = async {
        // Over TLS that is something to write, which a client that reads nothing does not take.
        writer.shutdown().await?;
        let mut thrown_away = 0;
        let mut buffer = Vec::with_capacity(BUFFER);
        while thrown_away < LINGER_OCTETS {
            buffer.clear();
            match reader.read(&mut buffer).await? {
                0 => break,
                count => thrown_away += count,
            }
        }
        Ok::<(), io::Error>(())
    };
    // Whatever became of it, the connection ends.
    let _ = timeout(LINGER, parting).await;
}
