//! `tollgate grant list|revoke`.

use super::operator::{Operator, Options, encoded};
use super::output::{Failure, print, print_json};
use super::table::table;
use crate::clock::Timestamp;
use crate::telemetry;
use http::Method;
use serde_json::{Value, json};
use std::path::Path;

/// How many are asked for at once.
const PAGE: usize = 1000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List what users allowed clients
    List(List),
    /// End what a user allowed a client, or every client, or what everybody allowed a client
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Of this user
    #[arg(long, visible_alias = "subject", value_name = "NAME")]
    user: Option<String>,
    /// Of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).multiple(true))]
pub(super) struct Revoke {
    /// What this user allowed
    #[arg(long, visible_alias = "subject", group = "whose", value_name = "NAME")]
    user: Option<String>,
    /// What this client was allowed
    #[arg(long, group = "whose", value_name = "ID")]
    client: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(file, arguments),
        Command::Revoke(arguments) => revoke(file, arguments),
    }
}

fn list(file: &Path, List { user, client, options }: List) -> Result<(), Failure> {
    let mut operator = Operator::reach(file, options.access)?;
    let mut grants = Vec::new();
    each_page(&mut operator, &Method::GET, (user.as_deref(), client.as_deref()), |mut page| {
        if let Some(more) = page["grants"].as_array_mut() {
            grants.append(more);
        }
    })?;
    grants.sort_by(|one, other| order(one).cmp(&order(other)));
    if options.json {
        return print_json(&json!({ "grants": grants }));
    }
    let rows: Vec<[String; 6]> = grants.iter().map(row).collect();
    print(&table(["USER", "CLIENT", "NAME", "SINCE", "LAST USED", "SCOPE"], &rows))
}

fn revoke(file: &Path, Revoke { user, client, options }: Revoke) -> Result<(), Failure> {
    let mut operator = Operator::reach(file, options.access)?;
    let (mut ended, mut revoked) = (0, 0);
    each_page(&mut operator, &Method::DELETE, (user.as_deref(), client.as_deref()), |page| {
        ended += page["ended"].as_u64().unwrap_or_default();
        revoked += page["revoked"].as_u64().unwrap_or_default();
    })?;
    if options.json {
        return print_json(&json!({ "ended": ended, "revoked": revoked }));
    }
    print(&format!("ended: {ended}\naccess tokens revoked: {revoked}"))
}

/// Asks for one page after the other.
fn each_page(
    operator: &mut Operator,
    method: &Method,
    (user, client): (Option<&str>, Option<&str>),
    mut take: impl FnMut(Value),
) -> Result<(), Failure> {
    let filters = [("subject", user), ("client", client)];
    let filters: String =
        filters.iter().filter_map(|(name, value)| Some(format!("&{name}={}", encoded((*value)?)))).collect();
    let mut after = String::new();
    loop {
        let page = operator.call(method, &format!("/grants?limit={PAGE}{filters}{after}"), None)?;
        let next = page["next"].as_str().map(|next| format!("&after={}", encoded(next)));
        take(page);
        let Some(next) = next else { return Ok(()) };
        after = next;
    }
}

fn text<'v>(grant: &'v Value, name: &str) -> &'v str {
    grant[name].as_str().unwrap_or_default()
}

fn order(grant: &Value) -> (&str, &str) {
    (text(grant, "subject"), text(grant, "client"))
}

fn row(grant: &Value) -> [String; 6] {
    let [user, client, name, scope] =
        ["subject", "client", "client_name", "scope"].map(|name| text(grant, name).to_owned());
    let moment =
        |name: &str| grant[name].as_u64().map(|at| telemetry::rfc3339(Timestamp::from_secs(at))).unwrap_or_default();
    [user, client, name, moment("since"), moment("last_used"), scope]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takes;

    #[test]
    fn a_revocation_says_whose() {
        let parses = |line: &[&str]| takes(&[&["grant"], line].concat());
        assert!(parses(&["list"]) && parses(&["list", "--user", "alice", "--client", "web", "--json"]));
        assert!(parses(&["revoke", "--user", "alice"]) && parses(&["revoke", "--client", "web", "--json"]));
        assert!(parses(&["revoke", "--subject", "alice", "--client", "web"]));
        assert!(!parses(&["revoke"]) && !parses(&["revoke", "--json"]) && !parses(&["revoke", "alice"]));
    }

    #[test]
    fn a_line_leaves_empty_what_is_not_known() {
        let grant = json!({
            "subject": null, "client": "web", "client_name": "Web", "scope": "a b", "since": 86_400, "last_used": null,
        });
        assert_eq!(row(&grant).join(";"), ";web;Web;1970-01-02T00:00:00.000Z;;a b");
    }
}
