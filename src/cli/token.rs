//! `tollgate token issue|inspect|list|revoke`.

use super::operator::{Operator, Options, encoded};
use super::output::{Failure, print, print_json};
use super::table::table;
use crate::clock::Timestamp;
use crate::{config, telemetry};
use http::Method;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Issue an access token and print it, alone
    Issue(Issue),
    /// Show what a token is, given itself or its public identifier
    Inspect(Inspect),
    /// List access tokens
    List(List),
    /// Take back a token, a grant (by its refresh token), or everything of a client or a user
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(super) struct Issue {
    /// The client that the token is for
    #[arg(long, value_name = "ID")]
    client: String,
    /// The user in whose name it acts; else the client itself
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    subject: Option<String>,
    /// Scopes, separated by spaces; else what the client gets when it asks for nothing
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// A resource that it is for; may be given several times; else every one that demands no audience
    #[arg(long, value_name = "URL")]
    resource: Vec<String>,
    /// How long it lives: 30s, 5m, 1h, 30d; else as long as others
    #[arg(long, value_name = "DURATION", value_parser = whole_seconds)]
    ttl: Option<Duration>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The token or its public identifier; `-` reads it from standard input
    token: String,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Of this user
    #[arg(long, visible_alias = "user", value_name = "NAME")]
    subject: Option<String>,
    /// Stop after so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub(super) struct Revoke {
    /// The token or its public identifier; `-` reads it from standard input
    #[arg(group = "which", conflicts_with_all = ["client", "subject"])]
    token: Option<String>,
    /// Everything of this client
    #[arg(long, group = "which", value_name = "ID")]
    client: Option<String>,
    /// Everything of this user
    #[arg(long, visible_alias = "user", group = "which", value_name = "NAME")]
    subject: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Issue(arguments) => issue(file, arguments),
        Command::Inspect(arguments) => inspect(file, arguments),
        Command::List(arguments) => list(file, arguments),
        Command::Revoke(arguments) => revoke(file, arguments),
    }
}

fn issue(file: &Path, arguments: Issue) -> Result<(), Failure> {
    let body = json!({
        "client": arguments.client,
        "subject": arguments.subject,
        "scope": arguments.scope,
        "resources": arguments.resource,
        "ttl": arguments.ttl.map(|ttl| ttl.as_secs()),
    });
    let answer = Operator::reach(file, arguments.options.access)?.call(&Method::POST, "/tokens", Some(&body))?;
    if arguments.options.json { print_json(&answer) } else { print(text(&answer, "token")) }
}

fn inspect(file: &Path, arguments: Inspect) -> Result<(), Failure> {
    let body = json!({ "token": given(arguments.token)? });
    let mut operator = Operator::reach(file, arguments.options.access)?;
    let answer = operator.call(&Method::POST, "/tokens/inspect", Some(&body))?;
    if arguments.options.json { print_json(&answer) } else { print(&described(&answer)) }
}

fn list(file: &Path, arguments: List) -> Result<(), Failure> {
    let mut operator = Operator::reach(file, arguments.options.access)?;
    let filters = [("client", &arguments.client), ("subject", &arguments.subject)];
    let filters: String = filters
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("&{name}={}", encoded(value))))
        .collect();
    let wanted = arguments.limit.unwrap_or(usize::MAX);
    let (mut tokens, mut after) = (Vec::new(), String::new());
    while tokens.len() < wanted {
        let page = (wanted - tokens.len()).min(1000);
        let mut answer = operator.call(&Method::GET, &format!("/tokens?limit={page}{filters}{after}"), None)?;
        if let Some(more) = answer["tokens"].as_array_mut() {
            tokens.append(more);
        }
        let Some(next) = answer["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    if arguments.options.json {
        return print_json(&json!({ "tokens": tokens }));
    }
    let rows: Vec<[String; 5]> = tokens.iter().map(row).collect();
    print(&table(["ID", "CLIENT", "SUBJECT", "EXPIRES", "SCOPE"], &rows))
}

fn revoke(file: &Path, arguments: Revoke) -> Result<(), Failure> {
    let body = json!({
        "token": arguments.token.map(given).transpose()?,
        "client": arguments.client,
        "subject": arguments.subject,
    });
    let mut operator = Operator::reach(file, arguments.options.access)?;
    let answer = operator.call(&Method::POST, "/tokens/revoke", Some(&body))?;
    if arguments.options.json { print_json(&answer) } else { print(&format!("revoked: {}", answer["revoked"])) }
}

/// An argument is seen by every user of the machine, standard input is not.
fn given(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    let read = std::io::stdin().take(4096).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read the token: {error}"))?;
    Ok(text.trim().to_owned())
}

fn described(token: &Value) -> String {
    let expires = expires(token);
    let known = ["id", "kind", "client", "subject", "scope", "grant"].into_iter();
    let lines = known.filter(|name| token[*name].is_string()).map(|name| format!("{name}: {}\n", text(token, name)));
    lines.chain([format!("expires: {expires}\n")]).collect()
}

fn row(token: &Value) -> [String; 5] {
    let [id, client, subject, scope] = ["id", "client", "subject", "scope"].map(|name| text(token, name).to_owned());
    [id, client, subject, expires(token), scope]
}

fn expires(token: &Value) -> String {
    token["expires_at"].as_u64().map(|at| telemetry::rfc3339(Timestamp::from_secs(at))).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    match config::duration(text) {
        Ok(duration) if duration.subsec_nanos() == 0 && !duration.is_zero() => Ok(duration),
        _ => Err("write whole seconds with a unit: 30s, 5m, 1h, 30d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takes;

    fn parses(line: &[&str]) -> bool {
        takes(&[&["token"], line].concat())
    }

    #[test]
    fn a_revocation_says_what_it_means() {
        assert!(parses(&["revoke", "tga_x"]));
        assert!(parses(&["revoke", "--client", "a", "--user", "b"]));
        assert!(parses(&["revoke", "--subject", "b"]));
        assert!(!parses(&["revoke"]));
        assert!(!parses(&["revoke", "tga_x", "--client", "a"]));
    }

    #[test]
    fn a_lifetime_has_a_unit_and_a_second_at_least() {
        assert!(parses(&["issue", "--client", "a", "--ttl", "1h"]));
        for ttl in ["1", "0s", "10ms", "1500ms", "-1s"] {
            assert!(!parses(&["issue", "--client", "a", "--ttl", ttl]), "{ttl}");
        }
    }

    #[test]
    fn a_token_is_described_by_what_is_known_of_it() {
        let token = json!({ "id": "0011223344556677", "client": "reporter", "scope": "a b", "expires_at": 86_400 });
        let expected = "id: 0011223344556677\nclient: reporter\nscope: a b\nexpires: 1970-01-02T00:00:00.000Z\n";
        assert_eq!(described(&token), expected);
        assert_eq!(row(&token).join(";"), "0011223344556677;reporter;;1970-01-02T00:00:00.000Z;a b");
    }
}
