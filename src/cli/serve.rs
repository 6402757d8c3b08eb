//! `tollgate [serve]`: from a configuration to a running gateway, and to its end.

mod admin;
mod probes;
mod signals;
mod watch;

use self::admin::AdminService;
use self::probes::ProbeService;
use self::signals::{Asked, Signals};
use self::watch::Watch;
use super::{banner, output};
use crate::admin::Transport;
use crate::config::{self, Configuration};
use crate::enforce::rate::Limiter;
use crate::gateway::{Shared, Worker};
use crate::http1::Limits;
use crate::http1::stream::Listen;
use crate::issue::Throttle;
use crate::proxy::checks::Checks;
use crate::proxy::fleet::Fleet;
use crate::server::{self, Control, Drain, DrainSwitch, Load};
use crate::store::cache::TokenCache;
use crate::store::{Listener, Store};
use crate::telemetry::{Probes, Telemetry};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Response, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinError, JoinHandle};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Draining,
}

/// Serves `file` until a signal ends it.
pub(super) fn serve(file: &Path) -> ExitCode {
    let Ok(configuration) = output::load(file) else { return ExitCode::FAILURE };
    let telemetry = match Telemetry::install(&configuration.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("tollgate: {error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let served = match runtime {
        Ok(runtime) => {
            let served = runtime.block_on(run(configuration, &telemetry));
            // Who is told to end twice does not wait for the workers.
            runtime.shutdown_background();
            served
        }
        Err(error) => Err(format!("the runtime cannot be made: {error}")),
    };
    telemetry.flush();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The process: workers on threads of their own; signals, probes and the operator's API here.
struct Process {
    configuration: Configuration,
    generation: u64,
    shared: Arc<Shared>,
    control: Control,
    phase: Rc<Cell<Phase>>,
    /// The health checks of the configuration in force.
    checks: Checks,
    /// The listeners beside the public one: they end last, so that probes can be asked meanwhile.
    beside: Vec<JoinHandle<bool>>,
}

/// The threads that serve; whether they finished in time.
type Workers = JoinHandle<io::Result<bool>>;

async fn run(configuration: Configuration, telemetry: &Arc<Telemetry>) -> Result<(), String> {
    warn(&configuration.warnings);
    raise_descriptors(configuration.server.connections);
    let mut signals = Signals::new()?;
    let bound = server::bind(&configuration.server).map_err(|error| error.to_string())?;
    let mut process = Process::new(configuration, telemetry, bound.control()).await?;
    let (end_beside, drain_beside) = Drain::new();
    process.serve_telemetry(bound.load(), &drain_beside)?;
    process.serve_admin(&drain_beside)?;
    let (switch, drain) = Drain::new();
    let addresses = bound.addresses().to_vec();
    let shared = Arc::clone(&process.shared);
    let mut workers = tokio::task::spawn_blocking(move || bound.run(move || Worker::new(Arc::clone(&shared)), &drain));
    process.phase.set(Phase::Serving);
    banner::print(&process.configuration, &addresses);
    process.serve_until_told(&mut signals, &mut workers).await?;
    process.phase.set(Phase::Draining);
    drain_workers(&switch, workers, &mut signals).await;
    end_beside.begin();
    for listener in process.beside {
        // Whatever became of it, the process ends.
        let _ = listener.await;
    }
    Ok(())
}

/// Lets requests in flight finish, within their time or until told to end again.
async fn drain_workers(switch: &DrainSwitch, mut workers: Workers, signals: &mut Signals) {
    tracing::info!("draining: finishing what is in flight");
    switch.begin();
    let in_time = tokio::select! {
        ended = &mut workers => finished(ended),
        () = signals.end() => false,
    };
    if !in_time {
        tracing::warn!("requests were cut");
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn finished(workers: Result<io::Result<bool>, JoinError>) -> bool {
    match workers {
        Ok(Ok(in_time)) => in_time,
        failed => {
            tracing::error!(?failed, "a worker failed");
            false
        }
    }
}

/// Each connection takes a descriptor, and another one to its upstream. The soft limit is what programs
/// get that cannot handle many; the hard one is the operator's.
fn raise_descriptors(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(RESERVED);
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else { return };
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if raised < wanted {
        tracing::warn!(
            "{raised} descriptors are too few for `connections`: raise the limit (`LimitNOFILE`, `ulimit -n`) to {wanted}"
        );
    }
    if raised > current
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit })
    {
        tracing::warn!(%error, "the limit of descriptors stays at {current}");
    }
}

/// Descriptors beside those of connections: listeners, the store, the log.
const RESERVED: u64 = 256;

impl Process {
    async fn new(configuration: Configuration, telemetry: &Arc<Telemetry>, control: Control) -> Result<Self, String> {
        let store = Store::new(&configuration.store).map_err(|error| error.to_string())?;
        if let Err(error) = store.reach().await {
            tracing::warn!(%error, "starting without the store: what needs it is 503 until it answers");
        }
        let cache = TokenCache::new(configuration.cache);
        store.listen(Arc::clone(&cache) as Arc<dyn Listener>);
        let watched = store.clone();
        tokio::task::spawn_local(async move { watched.watch().await });
        let shared = Arc::new(Shared {
            plan: ArcSwap::new(Arc::clone(&configuration.plan)),
            store,
            cache,
            throttle: Arc::new(Throttle::new()),
            limiter: Arc::new(Limiter::new()),
            fleet: Fleet::new(),
            telemetry: Arc::clone(telemetry),
        });
        let upstreams = &configuration.plan.upstreams;
        shared.fleet.apply(upstreams);
        let checks = Checks::start(&shared.fleet, upstreams);
        let phase = Rc::new(Cell::new(Phase::Starting));
        Ok(Self { configuration, generation: 1, shared, control, phase, checks, beside: Vec::new() })
    }

    /// Reloads when asked or when a file has changed; returns when told to end.
    async fn serve_until_told(&mut self, signals: &mut Signals, workers: &mut Workers) -> Result<(), String> {
        let mut watch = Watch::over(&self.configuration.file);
        loop {
            tokio::select! {
                ended = &mut *workers => return Err(format!("the workers ended: {ended:?}")),
                signal = signals.next() => match signal {
                    Asked::Reload => watch.seen(),
                    Asked::End => return Ok(()),
                },
                () = watch.changed() => {}
            }
            self.reload();
        }
    }

    fn serve_telemetry(&mut self, load: Load, drain: &Drain) -> Result<(), String> {
        let Some(listen) = &self.configuration.telemetry.listen else { return Ok(()) };
        let service = ProbeService {
            probes: Probes::new(Arc::clone(&self.shared.telemetry)),
            shared: Arc::clone(&self.shared),
            phase: Rc::clone(&self.phase),
            load,
        };
        let serving = server::serve_one(listen, false, service, Limits::default(), drain.clone());
        self.beside.push(tokio::task::spawn_local(serving.map_err(|error| error.to_string())?));
        Ok(())
    }

    fn serve_admin(&mut self, drain: &Drain) -> Result<(), String> {
        let Some(listen) = &self.configuration.admin.listen else { return Ok(()) };
        let transport = match listen {
            Listen::Tcp(_) => Transport::Tcp,
            Listen::Unix(_) => Transport::Private,
        };
        let service = AdminService::new(Arc::clone(&self.shared), transport);
        let serving = server::serve_one(listen, true, service, Limits::default(), drain.clone());
        self.beside.push(tokio::task::spawn_local(serving.map_err(|error| error.to_string())?));
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
        warn(&next.warnings);
        for key in self.configuration.restart_needed(&next) {
            tracing::warn!("a change of `{key}` takes effect at the next start");
        }
        self.generation += 1;
        raise_descriptors(next.server.connections);
        self.control.apply(&next.server);
        self.shared.store.adjust(&next.store);
        self.shared.cache.adjust(next.cache);
        self.shared.fleet.apply(&next.plan.upstreams);
        self.checks = Checks::start(&self.shared.fleet, &next.plan.upstreams);
        self.shared.plan.store(Arc::clone(&next.plan));
        counters.reloads_succeeded.increment();
        tracing::info!("the new configuration is in force");
    }
}

/// An answer to what is not a request.
fn refusal(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
