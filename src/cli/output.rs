//! What a command prints and how it fails.

use crate::config::{self, Configuration};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Why a command exits with 1.
#[derive(Debug)]
pub(super) enum Failure {
    /// For standard error.
    Because(String),
    /// It is on the screen already.
    Said,
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Because(why.to_owned())
    }
}

/// Prints an answer. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { output.write_all(b"\n") });
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Because(format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a JSON answer, for people and programs alike.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// The configuration; its problems go to standard error.
pub(super) fn load(file: &Path) -> Result<Configuration, Failure> {
    config::load(file, 1).map_err(|errors| {
        eprintln!("{}", errors.render(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()));
        Failure::Said
    })
}
