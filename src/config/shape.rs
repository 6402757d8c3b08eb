//! Checks the shape of what was written against the table of known keys: names, kinds of values,
//! bounds, and what belongs to a later version.

use super::error::Report;
use super::file::{Entry, Node, Table, Value};
use super::keys::{Key, Kind};
use super::source::Place;
use super::value::{DURATION_HELP, SIZE_HELP, duration, size};

/// Checks `table`, which `place` is the beginning of and `section` the name of.
pub(super) fn check(table: &Table, keys: &[Key], section: &str, place: &Place, report: &Report) {
    check_entries(table.entries.iter(), keys, section, report);
    for key in keys.iter().filter(|key| key.required && table.get(key.name).is_none()) {
        report.problem(place, format!("`{}` is missing{}", key.name, within(section)), how_to_add(key));
    }
}

fn how_to_add(key: &Key) -> String {
    let Kind::Table(keys) = key.kind else { return format!("add it: {}", key.about) };
    let required = keys.iter().filter(|key| key.required).map(|key| format!("`{}`", key.name));
    format!("add [{}] with {}", key.name, required.collect::<Vec<_>>().join(", "))
}

/// Checks `entries` for themselves: what is missing is no matter.
pub(super) fn check_entries<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    keys: &[Key],
    section: &str,
    report: &Report,
) {
    for entry in entries {
        match keys.iter().find(|key| key.name == entry.key) {
            Some(key) => Checker { key: key.name, section, place: "", report }.entry(entry, key.kind),
            None => unknown(entry, keys, section, report),
        }
    }
}

fn unknown(entry: &Entry, keys: &[Key], section: &str, report: &Report) {
    let known = keys.iter().map(|key| key.name);
    let message = format!("unknown key `{}`{}", entry.key, within(section));
    report.problem(&entry.key_at, message, suggestion(&entry.key, known));
}

fn within(section: &str) -> String {
    if section.is_empty() { String::new() } else { format!(" in `{section}`") }
}

/// "did you mean …", or everything that is known.
pub(super) fn suggestion<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// The name that `written` was probably meant to be.
pub(super) fn nearest<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // The distance is quadratic in the lengths: no name is that long.
    if written.len() > 200 {
        return None;
    }
    let folded = written.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&folded, &name.to_lowercase().replace('-', "_"));
    let (best, name) = known.map(|name| (distance(name), name)).min()?;
    (best <= name.chars().count().max(3) / 3).then_some(name)
}

/// Checks the value of one key.
#[derive(Clone, Copy)]
struct Checker<'c> {
    key: &'c str,
    section: &'c str,
    /// What the value is to the key, before its name: nothing, or one of several.
    place: &'static str,
    report: &'c Report,
}

impl Checker<'_> {
    fn entry(&self, entry: &Entry, kind: Kind) {
        if let Kind::Later(instead) = kind {
            let what = format!("`{}`{}", entry.key, within(self.section));
            self.report.later(&entry.key_at, &what, instead);
        } else {
            self.node(&entry.node, &kind, &self.name(&entry.key, kind));
        }
    }

    /// The name of the table that stands under `key`, as a heading would write it.
    fn name(&self, key: &str, kind: Kind) -> String {
        let heading = self.section.trim_start_matches('[').trim_end_matches(']');
        let path = if heading.is_empty() { key.to_owned() } else { format!("{heading}.{key}") };
        let is_repeated = matches!(kind, Kind::List(Kind::Table(_)));
        if is_repeated { format!("[[{path}]]") } else { format!("[{path}]") }
    }

    fn node(&self, node: &Node, kind: &Kind, name: &str) {
        match (kind, &node.value) {
            (Kind::Table(keys), Value::Table(table)) => check(table, keys, name, &node.at, self.report),
            (Kind::List(kind), Value::List(items)) => {
                let item = Checker { place: "a value of ", ..*self };
                for node in items {
                    item.node(node, kind, name);
                }
            }
            (Kind::Named(kind), Value::Table(table)) => self.named(table, kind, name),
            (Kind::TextOr(_) | Kind::Text, Value::Text(_))
            | (Kind::Boolean | Kind::BooleanOr(_) | Kind::TextOr(Kind::Boolean), Value::Boolean(_))
            | (Kind::RouteScopes | Kind::Later(_), _)
            | (_, Value::Broken) => {}
            (Kind::TextOr(kind @ Kind::List(_)), Value::List(_))
            | (Kind::TextOr(kind @ Kind::Table(_)), Value::Table(_)) => {
                self.node(node, kind, name);
            }
            (Kind::BooleanOr(kind), _) => self.node(node, kind, name),
            (Kind::Choice(words, later), Value::Text(text)) => self.choice(node, &text.text, words, later),
            (Kind::Duration(least, most), Value::Text(text)) => {
                self.bounded(node, duration(&text.text), [*least, *most].map(duration), DURATION_HELP, (least, most));
            }
            (Kind::Size(least, most), Value::Text(text)) => {
                self.bounded(node, size(&text.text), [*least, *most].map(size), SIZE_HELP, (least, most));
            }
            (Kind::Integer(least, most), Value::Integer(number)) => {
                if !(*least..=*most).contains(number) {
                    self.wrong(node, "is out of bounds", format!("write a number from {least} to {most}"));
                }
            }
            _ => self.wrong_kind(node, kind),
        }
    }

    fn named(&self, table: &Table, kind: &Kind, name: &str) {
        let heading = name.trim_start_matches('[').trim_end_matches(']');
        for entry in &table.entries {
            let named = Checker { key: &entry.key, section: name, place: "", report: self.report };
            named.node(&entry.node, kind, &format!("[{heading}.{}]", entry.key));
        }
    }

    fn choice(&self, node: &Node, word: &str, words: &[&str], later: &[&str]) {
        if later.contains(&word) {
            let what = format!("`{}` in `{}`{}", word, self.key, within(self.section));
            self.report.later(&node.at, &what, &format!("in this version: {}", words.join(", ")));
        } else if !words.contains(&word) {
            let help = suggestion(word, words.iter().copied());
            self.wrong(node, &format!("is unknown: {}", node.at.written()), help);
        }
    }

    fn bounded<T: PartialOrd>(
        &self,
        node: &Node,
        value: Option<T>,
        [least, most]: [Option<T>; 2],
        help: &str,
        written: (&str, &str),
    ) {
        let Some(value) = value else { return self.wrong(node, "cannot be read", help.to_owned()) };
        let too_small = least.is_some_and(|least| value < least);
        if too_small || most.is_some_and(|most| value > most) {
            self.wrong(node, "is out of bounds", format!("write something from {} to {}", written.0, written.1));
        }
    }

    fn wrong_kind(&self, node: &Node, kind: &Kind) {
        let (expected, help) = expected(kind);
        self.wrong(node, &format!("must be {expected}, not {}", node.kind()), help);
    }

    fn wrong(&self, node: &Node, what: &str, help: String) {
        self.report.problem(&node.at, format!("{}`{}`{} {what}", self.place, self.key, within(self.section)), help);
    }
}

fn expected(kind: &Kind) -> (&'static str, String) {
    match kind {
        Kind::Boolean => ("a boolean", "write true or false".to_owned()),
        Kind::BooleanOr(other) => expected(other),
        Kind::Choice(words, _) => ("a string", format!("write one of: {}", words.join(", "))),
        Kind::Duration(..) => ("a duration", DURATION_HELP.to_owned()),
        Kind::Integer(least, most) => ("a whole number", format!("write a number from {least} to {most}")),
        Kind::List(Kind::Table(_)) => ("a list of tables", "write `[[…]]` for each".to_owned()),
        Kind::List(_) => ("a list", "write [\"…\", \"…\"]".to_owned()),
        Kind::Size(..) => ("a size", SIZE_HELP.to_owned()),
        Kind::Table(_) | Kind::Named(_) => ("a table", "write { key = value } or a heading".to_owned()),
        Kind::Later(_) | Kind::RouteScopes | Kind::Text => ("a string", "write it in quotes".to_owned()),
        Kind::TextOr(Kind::Boolean) => ("a string or a boolean", "write \"…\", true or false".to_owned()),
        Kind::TextOr(Kind::Table(_)) => ("a string or a table", "write \"…\" or { key = \"…\" }".to_owned()),
        Kind::TextOr(_) => ("a string or a list", "write \"…\" or [\"…\", \"…\"]".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;
    use crate::config::keys::ROOT;
    use crate::config::source::Source;
    use std::path::Path;

    fn problems(text: &str) -> Vec<(usize, String, String)> {
        let report = Report::default();
        let source = Source::new(Path::new("a.toml"), text.to_owned());
        let node = parse(&source, &|_| None, &report);
        check(node.table().unwrap(), ROOT, "", &node.at, &report);
        let problems = report.finish(&[]).map_or_else(|errors| errors.iter().cloned().collect(), |_| Vec::new());
        problems.into_iter().map(|problem| (problem.line, problem.message, problem.help)).collect()
    }

    const SERVER: &str = "server = { listen = \"127.0.0.1:1\", public_url = \"http://127.0.0.1:1\" }\n";

    fn one(text: &str) -> (usize, String, String) {
        let mut all = problems(&format!("{SERVER}{text}"));
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let (line, message, help) = one("[limits]\nhead_timout = \"1s\"");
        assert_eq!((line, message.as_str()), (3, "unknown key `head_timout` in `[limits]`"));
        assert_eq!(help, "did you mean `head_timeout`?");
        assert_eq!(one("[[route]]\npath = \"/\"").2, "did you mean `routes`?");
        assert!(one("[cache]\nzzz = 1").2.starts_with("known here: max_size, ttl"));
    }

    #[test]
    fn a_key_of_a_later_version_is_known_and_refused() {
        let (_, message, help) = one("[upstreams.a]\nservers = [\"echo:\"]\nidentity = { nonsense = 1 }");
        assert_eq!(
            message,
            "`identity` in `[upstreams.a]` belongs to a later version and is not supported in this version"
        );
        assert!(help.starts_with("remove it"));
        assert_eq!(
            one("[[clients]]\nid = \"a\"\ngrants = [\"token_exchange\"]").1,
            "`token_exchange` in `grants` in `[[clients]]` belongs to a later version and is not supported in this version"
        );
    }

    #[test]
    fn values_of_the_wrong_kind_or_out_of_bounds_are_refused() {
        for (text, message) in [
            ("cache.ttl = 60", "`ttl` in `[cache]` must be a duration, not a number"),
            ("cache.ttl = \"60\"", "`ttl` in `[cache]` cannot be read"),
            ("cache.ttl = \"2d\"", "`ttl` in `[cache]` is out of bounds"),
            ("limits.head_size = \"2MiB\"", "`head_size` in `[limits]` is out of bounds"),
            ("limits.head_fields = 0", "`head_fields` in `[limits]` is out of bounds"),
            ("limits.head_fields = 1.5", "`head_fields` in `[limits]` must be a whole number, not a fraction"),
            ("bearer.methods = \"header\"", "`methods` in `[bearer]` must be a list, not a string"),
            ("bearer.methods = [\"heder\"]", "a value of `methods` in `[bearer]` is unknown: \"heder\""),
            ("routes = [1]", "a value of `routes` must be a table, not a number"),
            ("routes = 1", "`routes` must be a list of tables, not a number"),
            ("scopes = [\"a\"]", "`scopes` must be a table, not a list"),
            ("scopes.a = 1", "`a` in `[scopes]` must be a string or a table, not a number"),
            ("upstreams.a = 1", "`a` in `[upstreams]` must be a table, not a number"),
            (
                "upstreams.a.servers = [1]",
                "a value of `servers` in `[upstreams.a]` must be a string or a table, not a number",
            ),
            (
                "users = [{ name = \"a\", password_hash = \"b\", scopes = {} }]",
                "`scopes` in `[[users]]` must be a string or a list, not a table",
            ),
        ] {
            assert_eq!(one(text).1, message);
        }
    }

    #[test]
    fn required_keys_are_missed_where_their_table_begins() {
        let all = problems("\n[server]\n[[clients]]\nname = \"a\"");
        let lines: Vec<_> = all.iter().map(|(line, message, _)| (*line, message.as_str())).collect();
        assert_eq!(
            lines,
            [
                (2, "`listen` is missing in `[server]`"),
                (2, "`public_url` is missing in `[server]`"),
                (3, "`id` is missing in `[[clients]]`")
            ]
        );
    }
}
