//! What becomes of a client after it was made, and who may bring one.

use super::{Options, encoded};
use crate::cli::operator::Operator;
use crate::cli::output::{Failure, print, print_json};
use crate::config;
use http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Named {
    /// Its identifier
    id: String,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rotate {
    /// Its identifier
    id: String,
    /// When the older secret ends: after this time (30m, 24h, 7d), or `now`; else with the next rotation
    #[arg(long, value_name = "DURATION", value_parser = from_now)]
    expire_old: Option<Duration>,
    /// Make no new secret, and end the older one now
    #[arg(long, conflicts_with = "expire_old")]
    finish: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Invite {
    /// How long it can be used (30m, 24h, 7d)
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = whole_seconds)]
    ttl: Duration,
    /// How many clients it lets in
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    #[command(flatten)]
    options: Options,
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let read = config::duration(text).ok().filter(|duration| duration.subsec_nanos() == 0);
    read.ok_or_else(|| "write a number and a unit: 30s, 5m, 1h, 30d".to_owned())
}

fn from_now(text: &str) -> Result<Duration, String> {
    if text == "now" { Ok(Duration::ZERO) } else { whole_seconds(text) }
}

pub(super) fn show(file: &Path, named: Named) -> Result<(), Failure> {
    let path = format!("/clients/{}", encoded(&named.id));
    let answer = Operator::reach(file, named.options.access)?.call(&Method::GET, &path, None)?;
    if named.options.json {
        return print_json(&answer);
    }
    let members = answer.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let lines: Vec<String> = members.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    print(&lines.join("\n"))
}

/// A member for people. What a terminal would obey is escaped: a client may have named itself.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

pub(super) fn rotate(file: &Path, rotate: Rotate) -> Result<(), Failure> {
    let path = format!("/clients/{}/rotate", encoded(&rotate.id));
    let mut body = json!({ "finish": rotate.finish });
    if let Some(after) = rotate.expire_old {
        body["expire_old"] = after.as_secs().into();
    }
    let answer = Operator::reach(file, rotate.options.access)?.call(&Method::POST, &path, Some(&body))?;
    if rotate.options.json {
        return print_json(&answer);
    }
    let id = &rotate.id;
    match (answer["secret"].as_str(), answer["secret_hash"].as_str()) {
        (Some(secret), Some(hash)) => print(&format!("id: {id}\nsecret: {secret}\nsecret_hash: {hash}\n")),
        _ => print(&format!("id: {id}\nthe older secret has ended\n")),
    }
}

/// `disable` or `enable`.
pub(super) fn switch(file: &Path, named: Named, deed: &str) -> Result<(), Failure> {
    let path = format!("/clients/{}/{deed}", encoded(&named.id));
    let answer = Operator::reach(file, named.options.access)?.call(&Method::POST, &path, Some(&json!({})))?;
    if named.options.json { print_json(&answer) } else { print(&format!("{deed}d: {}", named.id)) }
}

/// Prints the token alone, so that it can be handed on.
pub(super) fn invite(file: &Path, invite: Invite) -> Result<(), Failure> {
    let body = json!({ "ttl": invite.ttl.as_secs(), "uses": invite.uses });
    let answer = Operator::reach(file, invite.options.access)?.call(&Method::POST, "/invites", Some(&body))?;
    if invite.options.json { print_json(&answer) } else { print(answer["token"].as_str().unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takes;

    #[test]
    fn the_end_of_an_older_secret_is_said_in_one_way() {
        let parses = |line: &[&str]| takes(&[&["client", "rotate", "robot"], line].concat());
        assert!(parses(&[]) && parses(&["--expire-old", "24h"]) && parses(&["--finish"]));
        assert!(!parses(&["--expire-old", "24"]) && !parses(&["--expire-old", "1ms"]));
        assert!(!parses(&["--expire-old", "now", "--finish"]));
        assert_eq!(from_now("now"), Ok(Duration::ZERO));
        assert!(takes(&["client", "invite", "--ttl", "1h", "--uses", "3", "--json"]));
    }

    #[test]
    fn a_terminal_obeys_no_name() {
        assert_eq!(plain(&json!("a\u{1b}[2J")), "a\\u{1b}[2J");
        assert_eq!(plain(&json!(["a", "b"])), "a b");
    }
}
