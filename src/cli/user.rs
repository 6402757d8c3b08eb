//! `tollgate user add|passwd|list|disable|enable|remove`.

use super::hash;
use super::operator::{Operator, Options, encoded};
use super::output::{Failure, print, print_json};
use super::table::table;
use http::Method;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a user of the store; the password is asked for, or read from standard input
    Add {
        /// Its name; upper and lower case are one
        name: String,
        /// The most that it can grant, separated by spaces; everything unless given
        #[arg(long, visible_alias = "scope", value_name = "SCOPES")]
        scopes: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Change the password of a user of the store; whoever is signed in with the old one is signed out
    Passwd(Named),
    /// List the users of the configuration and of the store, and what each can grant
    List(Options),
    /// Disable a user of the store; its tokens, grants and sessions end with it
    Disable(Named),
    /// Let a user of the store sign in again
    Enable(Named),
    /// Remove a user of the store; its tokens, grants and sessions end with it
    Remove(Named),
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Its name
    name: String,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { name, scopes, options } => {
            let password = hash::password()?;
            let body = json!({ "name": name, "password": *password, "scopes": scopes });
            ask(file, options, (&Method::POST, "/users"), Some(&body), &format!("added: {name}"))
        }
        Command::Passwd(Named { name, options }) => {
            let body = json!({ "password": *hash::password()? });
            let path = format!("/users/{}/password", encoded(&name));
            ask(file, options, (&Method::POST, &path), Some(&body), &format!("changed: {name}"))
        }
        Command::List(options) => list(file, options),
        Command::Disable(named) => change(file, named, "disable", "disabled"),
        Command::Enable(named) => change(file, named, "enable", "enabled"),
        Command::Remove(Named { name, options }) => {
            let path = format!("/users/{}", encoded(&name));
            ask(file, options, (&Method::DELETE, &path), None, &format!("removed: {name}"))
        }
    }
}

fn change(file: &Path, Named { name, options }: Named, deed: &str, done: &str) -> Result<(), Failure> {
    let path = format!("/users/{}/{deed}", encoded(&name));
    ask(file, options, (&Method::POST, &path), None, &format!("{done}: {name}"))
}

fn ask(
    file: &Path,
    options: Options,
    (method, path): (&Method, &str),
    body: Option<&Value>,
    done: &str,
) -> Result<(), Failure> {
    let answer = Operator::reach(file, options.access)?.call(method, path, body)?;
    if options.json { print_json(&answer) } else { print(done) }
}

fn list(file: &Path, options: Options) -> Result<(), Failure> {
    let answer = Operator::reach(file, options.access)?.call(&Method::GET, "/users", None)?;
    if options.json {
        return print_json(&answer);
    }
    let users = answer["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; 4]> = users.iter().map(row).collect();
    print(&table(["NAME", "FROM", "STATE", "CAN GRANT"], &rows))
}

fn row(user: &Value) -> [String; 4] {
    let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
    let is = |name: &str| user[name].as_bool().unwrap_or_default();
    let state = match (is("disabled"), is("hidden")) {
        (_, true) => "hidden by the configuration",
        (true, false) => "disabled",
        (false, false) => "active",
    };
    let scopes = user["scopes"].as_str().unwrap_or("every scope");
    [text("name"), text("origin"), state.to_owned(), scopes.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takes;

    #[test]
    fn a_password_is_never_an_argument() {
        assert!(takes(&["user", "add", "carol", "--scopes", "a b"]));
        assert!(takes(&["user", "passwd", "carol"]));
        assert!(!takes(&["user", "add", "carol", "hunter2"]));
        assert!(!takes(&["user", "passwd", "carol", "hunter2"]));
        assert!(!takes(&["user", "add", "carol", "--password", "hunter2"]));
    }

    #[test]
    fn a_line_says_where_a_user_is_from_and_whether_it_may_sign_in() {
        let user = json!({ "name": "a", "origin": "store", "scopes": null, "disabled": true, "hidden": false });
        assert_eq!(row(&user), ["a", "store", "disabled", "every scope"]);
    }
}
