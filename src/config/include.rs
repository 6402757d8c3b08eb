//! `include`: the files that a configuration consists of, put together.

use super::build::{tls, users};
use super::error::Report;
use super::file::{Entry, Node, Table, Value, parse};
use super::keys::{INCLUDED, Key, Kind, ROOT};
use super::shape;
use super::source::{Place, Source};
use std::path::{Path, PathBuf};

/// A configuration put together from its files.
pub(super) struct Assembled {
    /// The sections; lists and named tables hold what all files say.
    pub(super) table: Table,
    /// The files, the main one first.
    pub(super) files: Vec<PathBuf>,
}

/// Reads `file` and what it includes, and checks the shape of each. What is wrong is reported.
pub(super) fn assemble(file: &Path, variable: &dyn Fn(&str) -> Option<String>, report: &Report) -> Assembled {
    let mut files = vec![file.to_owned()];
    let mut table = Table::default();
    if let Some(main) = read(file, HELP, variable, report) {
        shape::check(&main, ROOT, "", &start(&main, file), report);
        let included = included(file, &main, report);
        table = main;
        for path in included {
            if let Some(part) = read(&path, HELP_INCLUDED, variable, report) {
                check_part(&part, report);
                for entry in part.entries {
                    merge(&mut table, entry, report);
                }
            }
            files.push(path);
        }
        // Read where users are; watched like the others.
        let users = table.get("users_file").and_then(|entry| Some((entry.node.text()?, &entry.node.at)));
        files.extend(users.map(|(written, at)| users::file(written, at)));
        files.extend(tls::files(&table));
    }
    Assembled { table, files }
}

/// What to do about a main file that cannot be read, and about an included one.
const HELP: &str = "name another with `--config` or TOLLGATE_CONFIG (else ./gateway.toml, else /etc/tollgate/gateway.toml), or make this one readable";
const HELP_INCLUDED: &str = "make it a readable file, or change the `include` that names it";

fn read(path: &Path, help: &'static str, variable: &dyn Fn(&str) -> Option<String>, report: &Report) -> Option<Table> {
    match Source::read(path, help) {
        Ok(source) => {
            if let Value::Table(table) = parse(&source, variable, report).value {
                Some(table)
            } else {
                None
            }
        }
        Err(unreadable) => {
            report.unreadable(unreadable);
            None
        }
    }
}

fn start(table: &Table, file: &Path) -> Place {
    let empty = || Place::whole(&Source::new(file, String::new()));
    table.entries.first().map_or_else(empty, |entry| entry.key_at.clone())
}

/// An included file has some of the sections of a main file, and none that is required.
fn check_part(part: &Table, report: &Report) {
    let may_be_there = |key: &Key| INCLUDED.contains(&key.name) || matches!(key.kind, Kind::Later(_));
    let (here, elsewhere): (Vec<Key>, Vec<Key>) = ROOT.iter().copied().partition(may_be_there);
    let is_misplaced = |entry: &&Entry| elsewhere.iter().any(|key| key.name == entry.key);
    let (misplaced, rest): (Vec<_>, Vec<_>) = part.entries.iter().partition(is_misplaced);
    for entry in misplaced {
        let help = format!("an included file may have: {}", INCLUDED.join(", "));
        report.problem(&entry.key_at, format!("`{}` belongs in the main file", entry.key), help);
    }
    shape::check_entries(rest.into_iter(), &here, "", report);
}

/// Adds the lists and the names of a section to those that are there already.
fn merge(table: &mut Table, entry: Entry, report: &Report) {
    // What does not belong in an included file has been reported as a whole.
    if !INCLUDED.contains(&entry.key.as_str()) {
        return;
    }
    let Some(existing) = table.entries.iter_mut().find(|known| known.key == entry.key) else {
        table.entries.push(entry);
        return;
    };
    match (&mut existing.node.value, entry.node.value) {
        (Value::List(all), Value::List(more)) => all.extend(more),
        (Value::Table(all), Value::Table(more)) => {
            for named in more.entries {
                if let Some(first) = all.get(&named.key) {
                    let message = format!("`{}` stands in `{}` twice", named.key, entry.key);
                    report.conflict(
                        &named.key_at,
                        message,
                        "rename or remove one of them",
                        &first.key_at,
                        "the other one",
                    );
                } else {
                    all.entries.push(named);
                }
            }
        }
        _ => {}
    }
}

/// The files that the patterns of `include` name, sorted, each once.
fn included(file: &Path, main: &Table, report: &Report) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let patterns = main.get("include").and_then(|entry| entry.node.list()).unwrap_or_default();
    let mut seen: Vec<PathBuf> = file.canonicalize().into_iter().collect();
    let mut files = Vec::new();
    for node in patterns {
        let Some(pattern) = node.text() else { continue };
        for path in matching(folder, pattern, node, report) {
            let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
            if !seen.contains(&canonical) {
                seen.push(canonical);
                files.push(path);
            }
        }
    }
    files
}

fn matching(folder: &Path, pattern: &str, node: &Node, report: &Report) -> Vec<PathBuf> {
    let whole = if Path::new(pattern).is_absolute() {
        pattern.to_owned()
    } else {
        PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy())).join(pattern).to_string_lossy().into_owned()
    };
    let found = match glob::glob(&whole) {
        Ok(found) => found,
        Err(error) => {
            report.problem(&node.at, format!("this is no pattern: {}", error.msg), "write \"routes.d/*.toml\"");
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in found {
        match path {
            Ok(path) => files.push(path),
            Err(error) => report.problem(&node.at, format!("a folder cannot be read: {error}"), "make it readable"),
        }
    }
    if files.is_empty() && !pattern.contains(['*', '?', '[']) {
        report.problem(&node.at, "there is no such file", "the path is relative to this file");
    } else if files.is_empty() {
        report.warning(&node.at, "no file has a name that matches this pattern");
    }
    files
}
