//! The command line: one file a command.

mod banner;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the program.
pub fn run() -> ExitCode {
    let file = std::env::args()
        .skip_while(|argument| argument != "--config")
        .nth(1)
        .map_or_else(|| PathBuf::from("gateway.toml"), PathBuf::from);
    serve::serve(&file)
}
