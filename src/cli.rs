//! The command line: one file a command.
//!
//! Answers go to standard output, everything else to standard error. Exit 0: done; 1: refused or failed;
//! 2: wrong usage.

mod banner;
mod check;
mod client;
mod completions;
mod explain;
mod grant;
mod hash;
mod operator;
mod output;
mod schema;
mod serve;
mod store;
mod table;
mod token;
mod user;

use clap::{Parser, Subcommand};
use output::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

/// An OAuth 2.0 gateway: issues bearer tokens, checks them on every request, enforces each route's
/// scopes, forwards what may pass.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
struct Arguments {
    /// The configuration; else ./gateway.toml, else /etc/tollgate/gateway.toml
    #[arg(long, global = true, env = "TOLLGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Serves when none is given
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve,
    /// Validate the configuration and print the table of routes
    Check(check::Arguments),
    /// Say what would happen to a request: which route, what it needs, would it pass
    Explain(explain::Arguments),
    /// Issue, inspect, list and revoke tokens
    #[command(subcommand)]
    Token(token::Command),
    /// List and end what users allowed clients
    #[command(subcommand)]
    Grant(grant::Command),
    /// Make, list, change, disable and remove clients
    #[command(subcommand)]
    Client(client::Command),
    /// Make, list, disable and remove users
    #[command(
        subcommand,
        after_help = "A user can also be a `[[users]]` of the configuration: `tollgate hash` makes the `password_hash`."
    )]
    User(user::Command),
    /// Care for the store: rotate the key of the tags
    #[command(subcommand)]
    Store(store::Command),
    /// Turn a password on standard input into what `password_hash` takes
    Hash,
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print completions for a shell
    Completions(completions::Arguments),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let file = config.unwrap_or_else(default_file);
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => return serve::serve(&file),
        Command::Check(arguments) => check::run(&file, &arguments),
        Command::Explain(arguments) => explain::run(&file, &arguments),
        Command::Token(command) => token::run(&file, command),
        Command::Grant(command) => grant::run(&file, command),
        Command::Client(command) => client::run(&file, command),
        Command::User(command) => user::run(&file, command),
        Command::Store(command) => store::run(&file, command),
        Command::Hash => hash::run(),
        Command::Schema => schema::run(),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::Because(why)) => {
            eprintln!("tollgate: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The first of the usual places that has a file; the first of all when none has.
fn default_file() -> PathBuf {
    let places = ["gateway.toml", "/etc/tollgate/gateway.toml"].map(PathBuf::from);
    places.iter().find(|place| place.exists()).unwrap_or(&places[0]).clone()
}

/// Whether the arguments are right.
#[cfg(test)]
fn takes(line: &[&str]) -> bool {
    Arguments::try_parse_from([&["tollgate"], line].concat()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_make_sense_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_be_named_before_and_after_the_command() {
        for line in [&["tollgate", "--config", "x", "check"], &["tollgate", "check", "--config", "x"]] {
            assert_eq!(Arguments::try_parse_from(line).unwrap().config, Some(PathBuf::from("x")));
        }
    }
}
