//! `[[users]]`, and the users of `users_file`.

mod htpasswd;

use super::Variables;
use super::scopes::Scopes;
use crate::config::demo;
use crate::config::error::Report;
use crate::config::file::{Value, parse};
use crate::config::keys::{USER, USERS_FILE};
use crate::config::section::Section;
use crate::config::shape;
use crate::config::source::{Place, Source};
use crate::oauth::token::Origin;
use crate::people::password;
use crate::people::users::{User, fold, wrong_name};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A user and where the name stands.
struct Listed {
    at: Place,
    user: User,
}

/// Reads `[[users]]` and the file. A user of the file who stands in the configuration too is left out:
/// the configuration wins.
pub(super) fn build(root: &Section<'_>, scopes: &Scopes, variable: Variables<'_>) -> Vec<User> {
    let mut users = of_section(root, scopes);
    let known: HashMap<String, Place> =
        users.iter().map(|listed| (fold(&listed.user.name), listed.at.clone())).collect();
    for listed in of_file(root, scopes, variable) {
        match known.get(&fold(&listed.user.name)) {
            Some(first) => {
                let text = format!("the user `{}` is left out: {first} has one of this name", listed.user.name);
                root.report.warning(&listed.at, text);
            }
            None => users.push(listed),
        }
    }
    users.into_iter().map(|listed| listed.user).collect()
}

/// Where `users_file` is: beside the file that names it, unless it is absolute.
pub(in crate::config) fn file(written: &str, at: &Place) -> PathBuf {
    at.path().parent().unwrap_or(Path::new("")).join(written)
}

const UNREADABLE: &str =
    "`users_file` names it, relative to the file that says so; the gateway must be able to read it";

fn of_file(root: &Section<'_>, scopes: &Scopes, variable: Variables<'_>) -> Vec<Listed> {
    let Some((node, written)) = root.node("users_file").zip(root.text("users_file")) else { return Vec::new() };
    let report = root.report;
    let source = match Source::read(&file(written, &node.at), UNREADABLE) {
        Ok(source) => source,
        Err(unreadable) => {
            report.unreadable(unreadable);
            return Vec::new();
        }
    };
    if source.path.extension().is_none_or(|extension| extension != "toml") {
        return htpasswd::read(&source, report);
    }
    let Value::Table(table) = parse(&source, variable, report).value else { return Vec::new() };
    shape::check_entries(table.entries.iter(), USERS_FILE, "", report);
    of_section(&Section::new(Some(&table), USERS_FILE, report), scopes)
}

fn of_section(root: &Section<'_>, scopes: &Scopes) -> Vec<Listed> {
    let mut seen = HashMap::new();
    let mut users = Vec::new();
    for (_, section) in root.tables("users", USER) {
        let Some((node, name)) = section.node("name").zip(section.text("name")) else { continue };
        check_name(name, &node.at, &mut seen, root.report);
        if name.contains(':') {
            root.report.warning(&node.at, "a name with a colon cannot be sent with HTTP Basic (RFC 7617)");
        }
        let user = User {
            name: name.to_owned(),
            password_hash: password_hash(&section),
            scopes: section.node("scopes").map(|node| scopes.read(node, root.report)),
            origin: Origin::Configuration,
        };
        users.push(Listed { at: node.at.clone(), user });
    }
    users
}

fn check_name(name: &str, at: &Place, seen: &mut HashMap<String, Place>, report: &Report) {
    if let Some(first) = seen.insert(fold(name), at.clone()) {
        let message = format!("the user `{name}` stands here twice; upper and lower case are one");
        report.conflict(at, message, "rename or remove one of them", &first, "the other one");
    }
    if let Some(help) = wrong_name(name) {
        report.problem(at, "this cannot be the name of a user", help);
    }
}

fn password_hash(section: &Section<'_>) -> String {
    let Some((node, text)) = section.node("password_hash").zip(section.text("password_hash")) else {
        return String::new();
    };
    check_hash(text, &node.at, "`password_hash`", section.report);
    text.to_owned()
}

fn check_hash(text: &str, at: &Place, what: &str, report: &Report) {
    if let Err(why) = password::check(text) {
        report.problem(at, format!("{what} can never be matched: {why}"), HASH_HELP);
    } else if demo::is_known_hash(text) {
        report.demo_secret();
    }
}

const HASH_HELP: &str = "`tollgate hash` makes one ($argon2id$v=19$m=…,t=…,p=…$salt$hash), or `htpasswd -B`";
