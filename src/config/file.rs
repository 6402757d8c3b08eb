//! The configuration as it was written: tables, lists and values with their places, in the order of
//! the file, `${NAME}` replaced. What they mean is said elsewhere.

use super::error::Report;
use super::source::{Place, Source};
use super::value::replaced;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Where it stands.
    pub(super) at: Place,
}

/// What can be written. It may hold secrets, so it cannot be printed.
pub(super) enum Value {
    /// `true`, `false`.
    Boolean(bool),
    /// What could not be read and has been reported; every kind of value is taken for right.
    Broken,
    /// A number.
    Integer(i64),
    /// `[…]`, `[[…]]`.
    List(Vec<Node>),
    /// `{…}`, `[…]` with entries.
    Table(Table),
    /// Text, `${NAME}` replaced.
    Text(Text),
    /// What no key takes: a float, a date.
    Unwanted(&'static str),
}

/// A string.
pub(super) struct Text {
    /// With every `${NAME}` replaced.
    pub(super) text: String,
    /// Something of it came from the environment: not to be shown.
    pub(super) replaced: bool,
}

/// A line `key = value` of a table.
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) key_at: Place,
    /// The value.
    pub(super) node: Node,
}

/// A table in the order of the file.
#[derive(Default)]
pub(super) struct Table {
    /// Its entries.
    pub(super) entries: Vec<Entry>,
}

impl Table {
    /// The entry of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Node {
    /// The table, where it is one.
    pub(super) const fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    /// The list, where it is one.
    pub(super) fn list(&self) -> Option<&[Self]> {
        if let Value::List(list) = &self.value { Some(list) } else { None }
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(&text.text) } else { None }
    }

    /// The kind of value, in words.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Boolean(_) => "a boolean",
            Value::Broken => "nothing",
            Value::Integer(_) => "a number",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Text(_) => "a string",
            Value::Unwanted(kind) => kind,
        }
    }
}

/// Reads `source` as TOML. What is wrong with it is reported, the rest is returned.
pub(super) fn parse(source: &Arc<Source>, variable: &dyn Fn(&str) -> Option<String>, report: &Report) -> Node {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let at = Place::new(source, error.span().unwrap_or_default());
        if error.message() == "duplicate key" {
            let message = format!("`{}` stands in the same table twice", at.written());
            report.problem(&at, message, "keep one of them, or put what they say together");
        } else {
            let message = format!("this is not TOML: {}", error.message());
            report.problem(&at, message, "https://toml.io shows how it is written");
        }
    }
    // After a syntax error the rest may be read in ways that nobody meant.
    if !errors.is_empty() {
        return Node { value: Value::Broken, at: Place::new(source, 0..0) };
    }
    let reader = Reader { source, variable, report };
    Node { value: Value::Table(reader.table(document.into_inner())), at: Place::new(source, 0..0) }
}

struct Reader<'r> {
    source: &'r Arc<Source>,
    variable: &'r dyn Fn(&str) -> Option<String>,
    report: &'r Report,
}

impl Reader<'_> {
    fn table(&self, written: DeTable<'_>) -> Table {
        let mut keyed: Vec<_> = written.into_iter().collect();
        keyed.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (Spanned<_>, _)| Entry {
            key_at: Place::new(self.source, key.span()),
            key: std::borrow::Cow::into_owned(key.into_inner()),
            node: self.node(value),
        };
        Table { entries: keyed.into_iter().map(entry).collect() }
    }

    fn node(&self, written: Spanned<DeValue<'_>>) -> Node {
        let at = Place::new(self.source, written.span());
        let value = match written.into_inner() {
            DeValue::Array(list) => Value::List(list.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(_) => Value::Unwanted("a date"),
            DeValue::Float(_) => Value::Unwanted("a fraction"),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Value::Unwanted("a number beyond all bounds"), Value::Integer),
            DeValue::String(text) => self.text(&text, &at),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { value, at }
    }

    fn text(&self, written: &str, at: &Place) -> Value {
        match replaced(written, self.variable) {
            Ok(None) => Value::Text(Text { text: written.to_owned(), replaced: false }),
            Ok(Some(text)) => Value::Text(Text { text, replaced: true }),
            Err(names) => {
                for name in names {
                    if name.is_empty() {
                        self.report.problem(at, "`${` without a name and `}`", "write `${NAME}`");
                    } else {
                        let message = format!("the environment variable `{name}` is not set");
                        self.report.problem(at, message, format!("set it: {name}=…"));
                    }
                }
                Value::Broken
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> (Node, Report) {
        let report = Report::default();
        let source = Source::new(Path::new("a.toml"), text.to_owned());
        (parse(&source, &|name| (name == "A").then(|| "1".to_owned()), &report), report)
    }

    #[test]
    fn entries_keep_the_order_and_the_places_of_the_file() {
        let (node, _) = read("[z]\nb = 1\na = \"x${A}\"\n[c]\nd = [true]");
        let keys: Vec<_> = node.table().unwrap().entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["z", "c"]);
        let z = node.table().unwrap().get("z").unwrap().node.table().unwrap();
        assert_eq!(z.entries[1].node.text(), Some("x1"));
        assert_eq!((z.entries[1].node.at.line(), z.entries[1].node.at.column()), (3, 5));
    }

    #[test]
    fn every_syntax_error_and_every_unset_variable_is_reported() {
        let (_, report) = read("a = \nb = 1\nc = [1,,2]\n");
        assert_eq!(report.finish(&[]).unwrap_err().iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 3]);
        let (_, report) = read("[a]\nb = 1\n[a]\nc = 1");
        let errors = report.finish(&[]).unwrap_err();
        let problem = errors.iter().next().unwrap();
        assert_eq!((problem.line, problem.message.as_str()), (3, "`a` stands in the same table twice"));
        let (_, report) = read("a = \"${X}\"\nb = \"${Y}\"");
        assert_eq!(report.finish(&[]).unwrap_err().count(), 2);
    }
}
