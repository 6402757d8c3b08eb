//! One worker: its runtime, its accept loops, its connections, its end.

use super::connection::{self, State};
use super::handshake;
use super::listener::{Accepting, BindError, Listener, PRIVATE_MODE, PUBLIC_MODE};
use super::places::{Place, Places};
use super::proxy_protocol;
use super::{Bounds, Drain, Service};
use crate::http1::Limits;
use crate::http1::stream::{Listen, Peer, Stream};
use crate::tls::ServerTls;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

/// After a failed accept (no file descriptor left, say) the next try waits, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections of the operator's and the telemetry's listeners.
const FEW: usize = 256;

/// What a worker is told: the bounds in force, and the places that all workers share.
pub(super) type Terms = (watch::Receiver<Bounds>, Arc<Places>);

/// Serves `listeners` on the calling thread until the draining is done.
pub(super) fn run<S: Service>(
    listeners: Vec<Listener>,
    service: impl Fn() -> S,
    terms: Terms,
    drain: Drain,
) -> io::Result<bool> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let accepting = listeners.into_iter().map(Listener::into_accepting).collect::<Result<Vec<_>, _>>()?;
        Ok(serve(accepting, Rc::new(service()), terms, drain).await)
    })
}

/// Serves one listener on the calling task's runtime, which must be a local one: for the operator's
/// and the telemetry's listeners, beside whatever else runs there. A unix socket has mode 0600 when it
/// is `private`.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve_one<S: Service>(
    listen: &Listen,
    private: bool,
    service: S,
    limits: Limits,
    drain: Drain,
) -> Result<impl Future<Output = bool> + use<S>, BindError> {
    let listener = Listener::bind(listen, if private { PRIVATE_MODE } else { PUBLIC_MODE }, false)?;
    let (_, bounds) = watch::channel(Bounds { limits, grace: Duration::from_secs(1), tls: None });
    let terms = (bounds, Places::new(FEW));
    Ok(async move {
        match listener.into_accepting() {
            Ok(accepting) => serve(vec![accepting], Rc::new(service), terms, drain).await,
            Err(error) => {
                tracing::error!(%error, "a listener does not work");
                false
            }
        }
    })
}

/// How an open connection is ended, and whether it may be.
type Open = (AbortHandle, Rc<Cell<State>>);

/// The connections of one worker.
pub(super) struct Connections {
    open: RefCell<HashMap<u64, Open>>,
    next: Cell<u64>,
    pub(super) draining: Cell<bool>,
    begun: Notify,
    changed: Notify,
    bounds: RefCell<watch::Receiver<Bounds>>,
    limits: Cell<Limits>,
}

async fn serve<S: Service>(
    accepting: Vec<Accepting>,
    service: Rc<S>,
    (bounds, places): Terms,
    mut drain: Drain,
) -> bool {
    let limits = Cell::new(bounds.borrow().limits);
    let connections = Rc::new(Connections {
        open: RefCell::default(),
        next: Cell::new(0),
        draining: Cell::new(false),
        begun: Notify::new(),
        changed: Notify::new(),
        bounds: RefCell::new(bounds),
        limits,
    });
    let loops: Vec<_> = accepting
        .into_iter()
        .map(|listener| {
            let (service, connections, places) = (Rc::clone(&service), Rc::clone(&connections), Arc::clone(&places));
            tokio::task::spawn_local(accept(listener, service, connections, places))
        })
        .collect();
    drain.begun().await;
    for accepting in loops {
        accepting.abort();
        // An aborted loop gives its listener back before the connections are counted.
        let _ = accepting.await;
    }
    connections.drain().await
}

async fn accept<S: Service>(listener: Accepting, service: Rc<S>, connections: Rc<Connections>, places: Arc<Places>) {
    loop {
        let resized = places.resized();
        // With no place left nothing is accepted: the kernel's queue holds what comes.
        let Some(place) = places.take().await else { return };
        let accepted = tokio::select! {
            biased;
            () = resized => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                service.accepted();
                connections.open(stream, peer, Rc::clone(&service), place);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Connections {
    fn open<S: Service>(self: &Rc<Self>, stream: Stream, peer: Peer, service: Rc<S>, place: Place) {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let state = Rc::new(Cell::new(State::Busy));
        let entry = Entry { connections: Rc::clone(self), number, _place: place };
        let task = if service.is_announcing(&peer) {
            tokio::task::spawn_local(proxy_protocol::serve(stream, peer, service, Rc::clone(&state), entry))
        } else if peer.is_tls() {
            tokio::task::spawn_local(handshake::serve(stream, peer, service, Rc::clone(&state), entry))
        } else {
            tokio::task::spawn_local(connection::serve((stream, None), peer, service, Rc::clone(&state), entry))
        };
        self.open.borrow_mut().insert(number, (task.abort_handle(), state));
    }

    /// The limits in force. A change is seen without waiting for it, and while there is none this costs
    /// one load.
    pub(super) fn limits(&self) -> Limits {
        let mut bounds = self.bounds.borrow_mut();
        if bounds.has_changed().unwrap_or(false) {
            self.limits.set(bounds.borrow_and_update().limits);
        }
        self.limits.get()
    }

    /// How TLS is spoken with whoever connects now.
    pub(super) fn tls(&self) -> Option<Arc<ServerTls>> {
        self.bounds.borrow().borrow().tls.clone()
    }

    /// Waits until the draining begins.
    pub(super) async fn drained(&self) {
        if !self.draining.get() {
            self.begun.notified().await;
        }
    }

    /// Ends what is idle, waits for the rest; gives whether it finished in time.
    async fn drain(&self) -> bool {
        let grace = self.bounds.borrow().borrow().grace;
        self.draining.set(true);
        self.begun.notify_waiters();
        for (task, state) in self.open.borrow().values() {
            if state.get() == State::Idle {
                task.abort();
            }
        }
        let finished = tokio::time::timeout(grace, async {
            while !self.open.borrow().is_empty() {
                self.changed.notified().await;
            }
        });
        finished.await.is_ok()
    }
}

/// A connection's place among the others, given up when the connection ends, however it ends.
pub(super) struct Entry {
    pub(super) connections: Rc<Connections>,
    number: u64,
    _place: Place,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // A task that is aborted while the list is walked finds it borrowed only on this very thread,
        // and the walk does not poll tasks: the borrow is free whenever this runs.
        if let Ok(mut open) = self.connections.open.try_borrow_mut() {
            open.remove(&self.number);
        }
        self.connections.changed.notify_one();
    }
}
