//! The configuration file: what was written (`file`), what it means (`build`), and what is wrong
//! with it (`error`). Everything below receives finished settings.

mod build;
pub mod demo;
mod error;
mod file;
mod include;
mod keys;
mod schema;
mod secret;
mod section;
mod shape;
mod source;
mod value;

pub use error::{ConfigErrors, Problem};
pub use schema::schema;

use crate::gateway::Plan;
use crate::store::Location;
use crate::store::cache::CacheSettings;
use crate::{admin, server, store, telemetry};
use error::Report;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A configuration that is right.
pub struct Configuration {
    /// The file it was read from.
    pub file: PathBuf,
    /// `[server]`, `[limits]`.
    pub server: server::Settings,
    /// `[telemetry]`.
    pub telemetry: telemetry::Settings,
    /// `[admin]`.
    pub admin: admin::Settings,
    /// `[store]`.
    pub store: store::Settings,
    /// `[cache]`.
    pub cache: CacheSettings,
    /// What a reload replaces in one step, for all workers.
    pub plan: Arc<Plan>,
    /// What is allowed but unwise, in words, with file and line.
    pub warnings: Vec<String>,
    /// A secret in it is one of the shipped `gateway.toml`, which everybody knows.
    pub demo: bool,
}

impl Configuration {
    /// The keys whose change from this configuration to `new` takes effect at the next start only.
    pub fn restart_needed(&self, new: &Self) -> Vec<&'static str> {
        let (ours, theirs) = (&self.telemetry, &new.telemetry);
        let telemetry = ours.listen != theirs.listen || ours.log != theirs.log || ours.log_format != theirs.log_format;
        let changes = [
            ("server.listen", self.server.listen != new.server.listen),
            ("server.tls", self.server.tls.is_some() != new.server.tls.is_some()),
            ("server.workers", self.server.workers != new.server.workers),
            ("telemetry", telemetry),
            ("admin.listen", self.admin.listen != new.admin.listen),
            ("store.url", !is_same_store(&self.store.location, &new.store.location)),
            ("store.key_prefix", key_prefix(&self.store.location) != key_prefix(&new.store.location)),
        ];
        changes.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }
}

fn is_same_store(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (Location::Memory, Location::Memory) => true,
        (Location::Redb(one), Location::Redb(other)) => one == other,
        (Location::Redis(one), Location::Redis(other)) => one.is_same_place(other),
        (Location::Memory | Location::Redb(_) | Location::Redis(_), _) => false,
    }
}

fn key_prefix(location: &Location) -> &str {
    match location {
        Location::Redis(address) => address.key_prefix(),
        Location::Memory | Location::Redb(_) => "",
    }
}

/// Reads `file` and what it includes.
///
/// # Errors
/// Every problem of the files at once.
pub fn load(file: &Path, generation: u64) -> Result<Configuration, ConfigErrors> {
    load_with(file, generation, &|name| std::env::var(name).ok())
}

/// The files that `file` consists of, itself first, whatever is wrong with them: what to watch.
pub fn files(file: &Path) -> Vec<PathBuf> {
    include::assemble(file, &|name| std::env::var(name).ok(), &Report::default()).files
}

/// Reads a duration as the file writes it: `250ms`, `30s`, `5m`, `1h`, `30d`.
///
/// # Errors
/// How it is written.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    value::duration(text).ok_or(value::DURATION_HELP)
}

/// Reads `file` with the environment variables that `variable` knows.
fn load_with(
    file: &Path,
    generation: u64,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Configuration, ConfigErrors> {
    let report = Report::default();
    let assembled = include::assemble(file, variable, &report);
    let configuration = build::build(file, generation, &assembled.table, variable, &report);
    let mut warnings = report.finish(&assembled.files)?;
    warnings.extend_from_slice(configuration.plan.routes.warnings());
    Ok(Configuration { warnings, ..configuration })
}

#[cfg(test)]
mod tests;
