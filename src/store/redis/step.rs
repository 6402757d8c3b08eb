//! Scripts, and calls of them. Each can be told twice without harm: it knows its repetition by what it writes.

use redis::{Cmd, Script, cmd};
use std::sync::Arc;

/// A script, called by its digest; sent whole when Redis does not know it.
#[derive(Clone)]
pub(super) struct Procedure {
    source: &'static str,
    digest: Arc<str>,
    /// Whether its last argument says that it may be told for the second time.
    marked: bool,
}

/// A script with its keys, all of one slot, and its arguments.
#[derive(Clone)]
pub(super) struct Step {
    procedure: Procedure,
    pub(super) keys: Vec<String>,
    pub(super) arguments: Vec<Vec<u8>>,
    again: bool,
}

impl Procedure {
    pub(super) fn new(source: &'static str) -> Self {
        Self { source, digest: Script::new(source).get_hash().into(), marked: false }
    }

    /// One whose last argument says whether it may be told for the second time.
    pub(super) fn marked(source: &'static str) -> Self {
        Self { marked: true, ..Self::new(source) }
    }

    pub(super) fn step(&self, keys: Vec<String>, arguments: Vec<Vec<u8>>) -> Step {
        Step { procedure: self.clone(), keys, arguments, again: false }
    }
}

impl Step {
    /// It may have been told before.
    pub(super) fn once_more(mut self) -> Self {
        self.again = true;
        self
    }

    /// Whether it is told when it may be the second time.
    pub(super) const fn is_marked(&self) -> bool {
        self.procedure.marked
    }

    /// As it is sent: whole, or the script by its digest.
    pub(super) fn command(&self, whole: bool, again: bool) -> Cmd {
        let Procedure { source, digest, marked } = &self.procedure;
        let mut command = if whole { cmd("EVAL") } else { cmd("EVALSHA") };
        command.arg(if whole { *source } else { digest });
        command.arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        if *marked {
            command.arg(if self.again || again { "1" } else { "0" });
        }
        command
    }
}
