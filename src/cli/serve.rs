//! `tollgate [serve]`: from a configuration to a running gateway, and to its end.

mod admin;
mod watch;

use self::admin::AdminService;
use self::watch::Watch;
use super::banner;
use crate::admin::Transport;
use crate::config::{self, Configuration};
use crate::gateway::{Shared, Worker};
use crate::http1::Limits;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::{Listen, Peer};
use crate::issue::Throttle;
use crate::server::{self, Drain, Service};
use crate::store::cache::TokenCache;
use crate::store::{Listener, Store};
use crate::telemetry::{Probes, Readiness, Telemetry};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use std::cell::Cell;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Draining,
}

/// Serves `file` until a signal ends it.
pub(super) fn serve(file: &Path) -> ExitCode {
    let configuration = match config::load(file, 1) {
        Ok(configuration) => configuration,
        Err(errors) => {
            eprint!("{}", errors.render(std::io::stderr().is_terminal()));
            return ExitCode::FAILURE;
        }
    };
    let telemetry = match Telemetry::install(&configuration.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let served = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(|error| format!("the runtime cannot be made: {error}"))
        .and_then(|runtime| runtime.block_on(run(configuration, &telemetry)));
    telemetry.flush();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The process: workers on threads of their own; signals, probes and the operator's API here.
struct Process {
    configuration: Configuration,
    generation: u64,
    shared: Arc<Shared>,
    phase: Rc<Cell<Phase>>,
}

async fn run(configuration: Configuration, telemetry: &Arc<Telemetry>) -> Result<(), String> {
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    let mut signals = Signals::new()?;
    let bound = server::bind(&configuration.server).map_err(|error| error.to_string())?;
    let store = Store::open(&configuration.store).await.map_err(|error| error.to_string())?;
    let cache = TokenCache::new(configuration.cache);
    store.listen(Arc::clone(&cache) as Arc<dyn Listener>);
    let watched = store.clone();
    tokio::task::spawn_local(async move { watched.watch().await });
    let shared = Arc::new(Shared {
        plan: ArcSwap::new(Arc::clone(&configuration.plan)),
        store,
        cache,
        throttle: Arc::new(Throttle::new()),
        telemetry: Arc::clone(telemetry),
    });
    let phase = Rc::new(Cell::new(Phase::Starting));
    let mut process = Process { configuration, generation: 1, shared, phase };
    let (aside, aside_drain) = Drain::new();
    process.serve_telemetry(&aside_drain)?;
    process.serve_admin(&aside_drain)?;
    let (switch, drain) = Drain::new();
    let addresses = bound.addresses().to_vec();
    let shared = Arc::clone(&process.shared);
    let workers = tokio::task::spawn_blocking(move || bound.run(move || Worker::new(Arc::clone(&shared)), &drain));
    process.phase.set(Phase::Serving);
    banner::print(&process.configuration, &addresses);
    tokio::pin!(workers);
    let mut watch = Watch::over(&process.configuration.file);
    loop {
        tokio::select! {
            ended = &mut workers => return Err(format!("the workers ended: {ended:?}")),
            signal = signals.next() => match signal {
                Asked::Reload => {
                    watch.seen();
                    process.reload();
                }
                Asked::End => break,
            },
            () = watch.changed() => process.reload(),
        }
    }
    process.phase.set(Phase::Draining);
    tracing::info!("draining: finishing what is in flight");
    switch.begin();
    tokio::select! {
        ended = &mut workers => match ended {
            Ok(Ok(true)) => tracing::info!("every request is finished"),
            Ok(Ok(false)) => tracing::warn!("requests were cut: shutdown_grace is over"),
            failed => tracing::error!(?failed, "a worker failed"),
        },
        () = signals.end() => tracing::warn!("told to end at once"),
    }
    aside.begin();
    Ok(())
}

impl Process {
    fn serve_telemetry(&self, drain: &Drain) -> Result<(), String> {
        let Some(listen) = &self.configuration.telemetry.listen else { return Ok(()) };
        let service = ProbeService {
            probes: Probes::new(Arc::clone(&self.shared.telemetry)),
            shared: Arc::clone(&self.shared),
            phase: Rc::clone(&self.phase),
        };
        let serving = server::serve_one(listen, false, service, Limits::default(), drain.clone());
        tokio::task::spawn_local(serving.map_err(|error| error.to_string())?);
        Ok(())
    }

    fn serve_admin(&self, drain: &Drain) -> Result<(), String> {
        let Some(listen) = &self.configuration.admin.listen else { return Ok(()) };
        let transport = match listen {
            Listen::Tcp(_) => Transport::Tcp,
            Listen::Unix(_) => Transport::Private,
        };
        let service = AdminService::new(Arc::clone(&self.shared), transport);
        let serving = server::serve_one(listen, true, service, Limits::default(), drain.clone());
        tokio::task::spawn_local(serving.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// A valid configuration takes effect whole; of an invalid one nothing does.
    fn reload(&mut self) {
        let counters = self.shared.telemetry.counters();
        let next = match config::load(&self.configuration.file, self.generation + 1) {
            Ok(next) => next,
            Err(errors) => {
                counters.reloads_failed.increment();
                tracing::error!("the configuration is not valid, the old one goes on:\n{}", errors.render(false));
                return;
            }
        };
        for warning in &next.warnings {
            tracing::warn!("{warning}");
        }
        for key in self.configuration.restart_needed(&next) {
            tracing::warn!("a change of `{key}` takes effect at the next start");
        }
        self.generation += 1;
        self.shared.plan.store(Arc::clone(&next.plan));
        counters.reloads_succeeded.increment();
        tracing::info!("the new configuration is in force");
    }
}

/// `/livez`, `/readyz`, `/metrics`.
struct ProbeService {
    probes: Probes,
    shared: Arc<Shared>,
    phase: Rc<Cell<Phase>>,
}

impl ProbeService {
    fn readiness(&self) -> Readiness {
        match self.phase.get() {
            Phase::Starting => Readiness::Starting,
            Phase::Draining => Readiness::Draining,
            Phase::Serving if self.shared.store.is_trusted() => Readiness::Ready,
            Phase::Serving if self.shared.plan.load().serve_cached => Readiness::Degraded,
            Phase::Serving => Readiness::StoreOut,
        }
    }
}

impl Service for ProbeService {
    async fn serve(&self, exchange: &mut Exchange<'_>) -> Outcome {
        let (entries, bytes) = self.shared.cache.usage();
        let counters = self.shared.telemetry.counters();
        counters.cache_entries.set(entries);
        counters.cache_bytes.set(bytes);
        let target = exchange.request.target();
        let path = target.split(|octet| *octet == b'?').next().unwrap_or_default();
        let path = std::str::from_utf8(path).unwrap_or_default();
        let response = match Method::from_bytes(exchange.request.method().as_bytes()) {
            Ok(method) => self.probes.respond(&method, path, || self.readiness()),
            Err(_) => refusal(StatusCode::BAD_REQUEST),
        };
        exchange.respond(response).await
    }

    fn refuse(&self, _: HeadError, _: &Peer) -> Response<Bytes> {
        refusal(StatusCode::BAD_REQUEST)
    }
}

/// An answer to what is not a request.
pub(super) fn refusal(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// What a signal asks for.
enum Asked {
    End,
    Reload,
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
        }
    }

    async fn end(&mut self) {
        while !matches!(self.next().await, Asked::End) {}
    }
}
