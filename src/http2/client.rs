//! Connections to a server, shared by the requests of one worker.

mod call;
pub(super) mod response;
mod settings;
mod tunnel;

use self::call::Call;
use self::settings::Settings;
use super::socket::Socket;
use super::{SEND_BUFFER, STREAM_WINDOW, STREAMS, failure};
use crate::http1::stream::Stream;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::uri::Scheme;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Connections to one server, for one worker.
const MOST_CONNECTIONS: usize = 8;
/// What may come on a connection before it has been read: streams whose clients are slow must not keep
/// the others from going on.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
/// A response's head in the count of HTTP/2.
const HEAD_SIZE: u32 = 64 * 1024;
/// A connection without a stream is ended after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Until a server has said how many streams it takes at a time, it gets one: what is more than it takes would be
/// refused, and a request that cannot be sent again with it.
const FIRST_STREAMS: usize = 1;
/// The number of no stream: that of who waits without one.
const NOBODY: u64 = 0;
/// After so many requests in a row that nobody answered, a connection gets no more.
const MOST_UNANSWERED: u32 = 3;

/// The connections to one server.
#[derive(Debug, Default)]
pub struct Pool {
    links: RefCell<Vec<Link>>,
    /// Held by whoever makes a connection, so that the others wait for it and share it.
    connecting: tokio::sync::Mutex<()>,
}

/// A connection.
#[derive(Debug)]
struct Link {
    send: SendRequest<Bytes>,
    state: Rc<LinkState>,
}

/// What a connection's streams tell of it.
#[derive(Debug)]
pub(super) struct LinkState {
    streams: Cell<usize>,
    /// Streams that there have been.
    begun: Cell<u64>,
    unanswered: Cell<u32>,
    used: Cell<Instant>,
    /// What the server's side of it is called: https over TLS.
    scheme: Scheme,
    /// Whether the server has said what it takes.
    settings: Settings,
}

impl Pool {
    /// A stream for one request: what is written to it is taken for a request of HTTP/1.1, what is read
    /// is the response to it. `None`: another connection has to be made first.
    pub fn stream(&self) -> Option<Stream> {
        let mut links = self.links.borrow_mut();
        links.retain_mut(Link::is_good);
        let full = links.len() >= MOST_CONNECTIONS;
        let link = links.iter_mut().min_by_key(|link| link.state.streams.get())?;
        let has_room = link.state.streams.get() < link.send.current_max_send_streams().min(STREAMS);
        // With no connection left to make, one more waits for its turn.
        (has_room || full).then(|| link.stream())
    }

    /// As [`stream`](Self::stream), over a connection that `connect` makes where there is none with room.
    ///
    /// # Errors
    /// Those of `connect`, or what the server begins with is not HTTP/2.
    pub async fn connected(&self, connect: impl Future<Output = io::Result<Stream>>) -> io::Result<Stream> {
        let _connecting = self.connecting.lock().await;
        if let Some(stream) = self.stream() {
            return Ok(stream);
        }
        let unknown = self.links.borrow().last().map(|link| Rc::clone(&link.state));
        if let Some(state) = unknown.filter(|state| !state.settings.are_known()) {
            poll_fn(|context| state.settings.poll_known(NOBODY, context)).await;
            if let Some(stream) = self.stream() {
                return Ok(stream);
            }
        }
        let mut link = Link::new(connect.await?).await?;
        let stream = link.stream();
        self.links.borrow_mut().push(link);
        Ok(stream)
    }

    /// Ends the connections that have been without a stream for too long, or that are lost.
    pub fn sweep(&self, now: Instant) {
        self.links.borrow_mut().retain_mut(|link| {
            let idle = link.state.streams.get() == 0 && now.duration_since(link.state.used.get()) >= IDLE_TIMEOUT;
            !idle && link.is_good()
        });
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.links.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Link {
    async fn new(stream: Stream) -> io::Result<Self> {
        // The only layer that HTTP/2 is spoken over is TLS.
        let scheme = if matches!(stream, Stream::Layered(_)) { Scheme::HTTPS } else { Scheme::HTTP };
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_max_send_streams(FIRST_STREAMS)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_SIZE)
            .max_send_buffer_size(SEND_BUFFER);
        let (send, mut connection) = builder.handshake(Socket::new(stream, Vec::new())).await.map_err(failure)?;
        let settings = Settings::new(connection.ping_pong());
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection to a server ended");
            }
        });
        let (streams, begun, unanswered) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let used = Cell::new(Instant::now());
        let state = LinkState { streams, begun, unanswered, used, scheme, settings };
        Ok(Self { send, state: Rc::new(state) })
    }

    /// Whether the server takes new requests, as far as that is known.
    fn is_good(&mut self) -> bool {
        let lost = matches!(self.send.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)));
        !lost && self.state.unanswered.get() < MOST_UNANSWERED
    }

    fn stream(&mut self) -> Stream {
        Stream::Layered(Box::new(Call::new(self.send.clone(), LinkState::enter(&self.state))))
    }
}

impl LinkState {
    fn enter(this: &Rc<Self>) -> Streaming {
        this.streams.set(this.streams.get() + 1);
        this.begun.set(this.begun.get() + 1);
        Streaming {
            link: Rc::clone(this),
            number: this.begun.get(),
            asked: Cell::new(false),
            answered: Cell::new(false),
        }
    }
}

/// A stream of a connection, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Streaming {
    link: Rc<LinkState>,
    number: u64,
    asked: Cell<bool>,
    answered: Cell<bool>,
}

impl Streaming {
    pub(super) fn scheme(&self) -> Scheme {
        self.link.scheme.clone()
    }

    /// Ready when what the server has said of itself is known.
    pub(super) fn poll_settings(&self, context: &Context<'_>) -> Poll<()> {
        self.link.settings.poll_known(self.number, context)
    }

    /// The request has been sent.
    pub(super) fn asked(&self) {
        self.asked.set(true);
    }

    /// The server is there.
    pub(super) fn answered(&self) {
        self.answered.set(true);
        self.link.unanswered.set(0);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.link.streams.set(self.link.streams.get().saturating_sub(1));
        self.link.used.set(Instant::now());
        self.link.settings.leave(self.number);
        if self.asked.get() && !self.answered.get() {
            self.link.unanswered.set(self.link.unanswered.get().saturating_add(1));
        }
    }
}
