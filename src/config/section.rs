//! A table of the file, read by the names and with the defaults of the known keys. What has the
//! wrong shape has been reported already and reads as if it were not there.

use super::error::Report;
use super::file::{Entry, Node, Table, Value};
use super::keys::{Key, Kind};
use super::value::{duration, size};
use std::time::Duration;

/// A table and the keys that it may have.
#[derive(Clone, Copy)]
pub(super) struct Section<'f> {
    table: Option<&'f Table>,
    keys: &'static [Key],
    /// Where problems go.
    pub(super) report: &'f Report,
}

impl<'f> Section<'f> {
    /// `table`, which may not be there at all.
    pub(super) const fn new(table: Option<&'f Table>, keys: &'static [Key], report: &'f Report) -> Self {
        Self { table, keys, report }
    }

    /// The table under `name`.
    pub(super) fn section(&self, name: &str, keys: &'static [Key]) -> Self {
        Self::new(self.node(name).and_then(Node::table), keys, self.report)
    }

    /// The value of `name`.
    pub(super) fn node(&self, name: &str) -> Option<&'f Node> {
        self.entry(name).map(|entry| &entry.node)
    }

    /// The line of `name`.
    pub(super) fn entry(&self, name: &str) -> Option<&'f Entry> {
        debug_assert!(self.keys.iter().any(|key| key.name == name), "`{name}` is no known key");
        self.table?.get(name)
    }

    /// A text as it was given.
    pub(super) fn text(&self, name: &str) -> Option<&'f str> {
        self.node(name)?.text()
    }

    /// A text, or the default.
    pub(super) fn text_or_default(&self, name: &str) -> &'f str {
        self.text(name).or_else(|| self.default(name)).unwrap_or_default()
    }

    /// A boolean, or the default.
    pub(super) fn boolean(&self, name: &str) -> bool {
        match self.node(name).map(|node| &node.value) {
            Some(Value::Boolean(boolean)) => *boolean,
            _ => self.default(name) == Some("true"),
        }
    }

    /// A number, or the default; `None` when there is neither.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        let written = match self.node(name).map(|node| &node.value) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        T::try_from(written.or_else(|| self.default(name)?.parse().ok())?).ok()
    }

    /// A duration, or the default; `None` when there is neither.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.text(name).and_then(duration).or_else(|| duration(self.default(name)?))
    }

    /// A size, or the default; `None` when there is neither.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(size).or_else(|| size(self.default(name)?))
    }

    /// The texts of a list, or the one text that may stand in its place.
    pub(super) fn texts(&self, name: &str) -> Vec<(&'f Node, &'f str)> {
        let is_a_list = self.keys.iter().any(|key| key.name == name && matches!(key.kind, Kind::List(_)));
        self.node(name).filter(|node| !is_a_list || node.list().is_some()).map(texts).unwrap_or_default()
    }

    /// The tables of a list.
    pub(super) fn tables(&self, name: &str, keys: &'static [Key]) -> Vec<(&'f Node, Self)> {
        let nodes = self.node(name).and_then(Node::list).unwrap_or_default();
        nodes.iter().filter_map(|node| Some((node, Self::new(Some(node.table()?), keys, self.report)))).collect()
    }

    /// The lines of a table whose keys are names.
    pub(super) fn named(&self, name: &str) -> &'f [Entry] {
        self.node(name).and_then(Node::table).map(|table| table.entries.as_slice()).unwrap_or_default()
    }

    fn default(&self, name: &str) -> Option<&'static str> {
        self.keys.iter().find(|key| key.name == name)?.default
    }
}

/// The texts of a list, or the one text that `node` is.
pub(super) fn texts(node: &Node) -> Vec<(&Node, &str)> {
    let one = std::slice::from_ref(node);
    node.list().unwrap_or(one).iter().filter_map(|item| Some((item, item.text()?))).collect()
}
