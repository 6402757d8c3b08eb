//! Listeners, workers, connections, shutdown.
//!
//! Each worker is a thread with a runtime, listeners and connections of its own; nothing is shared
//! on the way of a request. [`bind`] takes the addresses, [`Bound::run`] serves until it is told to end.

mod connection;
mod handshake;
mod listener;
mod multiplexed;
mod places;
pub mod proxy_protocol;
mod worker;

pub use self::handshake::{HandshakeFailure, PROTOCOLS};
pub use self::listener::BindError;
use self::listener::Listener;
use self::places::Places;
pub use self::worker::serve_one;
use crate::http1::Limits;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::{Listen, Peer};
use crate::tls::ServerTls;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// `[server]` and `[limits]`, as far as connections are concerned.
#[derive(Clone, Debug)]
pub struct Settings {
    /// At least one.
    pub listen: Vec<Listen>,
    /// Threads that serve requests, each with a runtime and listeners of its own.
    pub workers: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_grace: Duration,
    /// Bounds on what a client may send and how long it may take.
    pub limits: Limits,
    /// 10,000 connections at a time, over all workers; further ones wait to be accepted.
    pub connections: usize,
    /// `[server] tls`: spoken on every TCP listener.
    pub tls: Option<Arc<ServerTls>>,
}

/// What answers requests on one thread.
pub trait Service: 'static {
    /// Answers one request.
    fn serve(&self, exchange: &mut Exchange<'_>) -> impl Future<Output = Outcome>;

    /// A connection was accepted.
    fn accepted(&self) {}

    /// A connection ended before TLS was agreed on.
    fn handshake_failed(&self, _failure: HandshakeFailure) {}

    /// Whether `peer` says in front of a connection for whom it is (the PROXY protocol).
    fn is_announcing(&self, _peer: &Peer) -> bool {
        false
    }

    /// The answer to a head that was refused before it became a request.
    fn refuse(&self, error: HeadError, peer: &Peer) -> http::Response<Bytes>;
}

/// Tells everything that serves to end: finish what is in flight, take nothing new.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<bool>);

/// The other end of a [`Drain`].
#[derive(Debug)]
pub struct DrainSwitch(watch::Sender<bool>);

impl Drain {
    /// A drain that has not begun, and its switch.
    pub fn new() -> (DrainSwitch, Self) {
        let (switch, drain) = watch::channel(false);
        (DrainSwitch(switch), Self(drain))
    }

    /// Waits until the draining begins; for ever when its switch is gone without having been used.
    pub(crate) async fn begun(&mut self) {
        if self.0.wait_for(|draining| *draining).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl DrainSwitch {
    /// Begins the draining.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

/// What holds for every connection of a server, and may change while it serves.
#[derive(Clone, Debug)]
struct Bounds {
    limits: Limits,
    grace: Duration,
    tls: Option<Arc<ServerTls>>,
}

/// Changes the bounds of a server that serves already; what it listens on and its workers stay.
#[derive(Clone, Debug)]
pub struct Control {
    bounds: watch::Sender<Bounds>,
    places: Arc<Places>,
}

/// Listeners that are bound, for every worker.
#[derive(Debug)]
pub struct Bound {
    /// One set for each worker.
    workers: Vec<Vec<Listener>>,
    addresses: Vec<SocketAddr>,
    control: Control,
}

/// Binds every address for every worker, before anything is served.
///
/// # Errors
/// When an address cannot be bound; the text names it.
pub fn bind(settings: &Settings) -> Result<Bound, BindError> {
    let mut first = Vec::new();
    for listen in &settings.listen {
        first.push(Listener::bind(listen, listener::PUBLIC_MODE, settings.tls.is_some())?);
    }
    let addresses = first.iter().filter_map(Listener::address).collect();
    let mut workers = vec![first];
    for _ in 1..settings.workers {
        let siblings = workers[0].iter().map(Listener::sibling).collect::<Result<_, _>>()?;
        workers.push(siblings);
    }
    let bounds = watch::Sender::new(Bounds::of(settings));
    let control = Control { bounds, places: Places::new(settings.connections) };
    Ok(Bound { workers, addresses, control })
}

impl Bounds {
    fn of(settings: &Settings) -> Self {
        Self { limits: settings.limits, grace: settings.shutdown_grace, tls: settings.tls.clone() }
    }
}

impl Control {
    /// Has the bounds of `settings` hold: for each connection from its next message on, for the number of
    /// connections at once, for the end when it begins, for each handshake that begins from now on. No
    /// connection is cut. Whether TLS is spoken at all stays, as the listeners do; and where nothing of it
    /// has changed, so do the sessions that clients may resume.
    pub fn apply(&self, settings: &Settings) {
        let mut next = Bounds::of(settings);
        self.bounds.send_modify(|bounds| {
            let goes_on = match (&bounds.tls, &next.tls) {
                (Some(old), Some(new)) => old.is_same(new),
                (None, _) | (_, None) => true,
            };
            if goes_on {
                next.tls.clone_from(&bounds.tls);
            }
            *bounds = next;
        });
        self.places.resize(settings.connections);
    }
}

impl Bound {
    /// The TCP addresses, with the ports that were chosen for `:0`.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many connections are open, to be asked at any time.
    pub fn load(&self) -> Load {
        // Each accept loop holds the place of the connection that it waits for.
        let waiting = self.workers.iter().map(Vec::len).sum();
        Load { places: Arc::clone(&self.control.places), waiting }
    }

    /// Changes the bounds while it serves.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until `drain` begins and what is in flight has finished, or its time is up. Blocks.
    /// `service` is called once on each worker's thread, inside its runtime. Gives whether everything
    /// finished in time.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be made.
    pub fn run<S: Service>(
        self,
        service: impl Fn() -> S + Clone + Send + 'static,
        drain: &Drain,
    ) -> std::io::Result<bool> {
        let mut threads = Vec::new();
        for (number, listeners) in self.workers.into_iter().enumerate() {
            let (bounds, places) = (self.control.bounds.subscribe(), Arc::clone(&self.control.places));
            let (drain, service) = (drain.clone(), service.clone());
            let name = format!("worker-{number}");
            let thread = std::thread::Builder::new().name(name);
            threads.push(thread.spawn(move || worker::run(listeners, service, (bounds, places), drain))?);
        }
        let mut finished = true;
        for thread in threads {
            finished &= thread.join().unwrap_or(Ok(false))?;
        }
        Ok(finished)
    }
}

/// How many connections a server has.
#[derive(Clone, Debug)]
pub struct Load {
    places: Arc<Places>,
    waiting: usize,
}

impl Load {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        u64::try_from(self.places.taken().saturating_sub(self.waiting)).unwrap_or(u64::MAX)
    }
}
