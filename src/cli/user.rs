//! `tollgate user list`: users come from the configuration alone.

use super::output::{Failure, load, print, print_json};
use super::table::table;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the users of the configuration and what each can grant
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    let Command::List { json: for_programs } = command;
    let plan = load(file)?.plan;
    let mut users: Vec<(String, Option<String>)> =
        plan.users.iter().map(|user| (user.name.clone(), user.scopes.as_ref().map(ToString::to_string))).collect();
    users.sort();
    if for_programs {
        let users: Vec<Value> =
            users.into_iter().map(|(name, scopes)| json!({ "name": name, "scopes": scopes })).collect();
        return print_json(&json!({ "users": users }));
    }
    let rows: Vec<[String; 2]> =
        users.into_iter().map(|(name, scopes)| [name, scopes.unwrap_or_else(|| "every scope".to_owned())]).collect();
    print(&table(["NAME", "CAN GRANT"], &rows))
}
