//! The configuration file: what was written (`file`), what it means (`build`), and what is wrong
//! with it (`error`). Everything below receives finished settings.

use crate::gateway::Plan;
use crate::store::cache::CacheSettings;
use crate::{admin, server, store, telemetry};
use std::path::{Path, PathBuf};

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
    /// Everything that a reload replaces.
    pub plan: Plan,
    /// What is allowed but unwise, in words, with file and line.
    pub warnings: Vec<String>,
    /// A secret in it is one of the shipped `gateway.toml`, which everybody knows.
    pub demo: bool,
}

/// Everything that is wrong with a configuration, ready to be shown.
#[derive(Debug)]
pub struct ConfigErrors {
    // Private to this module.
}

/// Reads `file` and what it includes.
///
/// # Errors
/// Every problem of the files at once.
pub fn load(file: &Path, generation: u64) -> Result<Configuration, ConfigErrors> {
    let _ = (file, generation);
    todo!()
}
