//! A file of the configuration as text, and places in it.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest file that is read: beyond it, it is not a configuration.
const MAX_SIZE: u64 = 8 * 1024 * 1024;

/// A file that was read.
pub(super) struct Source {
    /// The path as it was given.
    pub(super) path: PathBuf,
    /// All of it.
    pub(super) text: String,
    /// Where each line begins: every route and every problem asks for its line.
    lines: Vec<usize>,
}

/// A file that could not be read: where, and why.
pub(super) struct Unreadable {
    /// The file, or the octet in it.
    pub(super) at: Place,
    /// What is wrong.
    pub(super) why: String,
    /// What to do.
    pub(super) help: &'static str,
}

impl Source {
    /// A text that stands for the file at `path`.
    pub(super) fn new(path: &Path, text: String) -> Arc<Self> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Arc::new(Self { path: path.to_owned(), text, lines })
    }

    /// Reads the file at `path`; `help` says what to do when there is none to be read.
    pub(super) fn read(path: &Path, help: &'static str) -> Result<Arc<Self>, Unreadable> {
        let whole = |why: String, help: &'static str| Unreadable {
            at: Place::whole(&Self::new(path, String::new())),
            why,
            help,
        };
        let bytes = read_bounded(path).map_err(|error| whole(format!("the file cannot be read: {error}"), help))?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(whole(
                "the file is longer than 8 MiB".to_owned(),
                "a configuration is never that long: is it the right file?",
            ));
        }
        String::from_utf8(bytes).map(|text| Self::new(path, text)).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
            let at = Place::new(&Self::new(path, text), good..good);
            Unreadable { at, why: "the file is not UTF-8 from here on".to_owned(), help: "save it as UTF-8" }
        })
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A piece of a file.
#[derive(Clone)]
pub(super) struct Place {
    source: Arc<Source>,
    span: Option<Range<usize>>,
}

impl Place {
    /// The octets `span` of `source`; moved to the nearest characters that exist.
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let start = floor(&source.text, span.start);
        let end = floor(&source.text, span.end).max(start);
        Self { source: Arc::clone(source), span: Some(start..end) }
    }

    /// The file as a whole, when nothing in it can be pointed at.
    pub(super) fn whole(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: None }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.source.path
    }

    /// The text of the place, as it was written.
    pub(super) fn written(&self) -> &str {
        self.span.clone().and_then(|span| self.source.text.get(span)).unwrap_or_default()
    }

    /// The number of the line, from 1; 0: the file as a whole.
    pub(super) fn line(&self) -> usize {
        self.span.as_ref().map_or(0, |span| self.source.lines.partition_point(|start| *start <= span.start))
    }

    /// The number of the character in its line, from 1; 0: the file as a whole.
    pub(super) fn column(&self) -> usize {
        self.span.as_ref().map_or(0, |span| self.source.text[self.line_start()..span.start].chars().count() + 1)
    }

    /// The line itself, and the octets of it that are meant.
    pub(super) fn excerpt(&self) -> Option<(&str, Range<usize>)> {
        let span = self.span.as_ref()?;
        let start = self.line_start();
        let line = self.source.text[start..].split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let from = (span.start - start).min(line.len());
        let to = (span.end - start).min(line.len()).max(from);
        Some((line, from..to))
    }

    /// The lines before the one of the place.
    pub(super) fn text_before(&self) -> &str {
        &self.source.text[..self.line_start()]
    }

    fn line_start(&self) -> usize {
        self.line().checked_sub(1).and_then(|line| self.source.lines.get(line)).copied().unwrap_or_default()
    }
}

/// `file:line:column`, for warnings and for the routes' own errors: two routes may share a line.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().display();
        match self.line() {
            0 => write!(f, "{path}"),
            line => write!(f, "{path}:{line}:{}", self.column()),
        }
    }
}

fn floor(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_line_its_column_and_the_line_itself() {
        let source = Source::new(Path::new("a.toml"), "one\r\nzwölf = 1\n".to_owned());
        let place = Place::new(&source, 14..15);
        assert_eq!((place.line(), place.column(), place.written()), (2, 9, "1"));
        assert_eq!(place.excerpt(), Some(("zwölf = 1", 9..10)));
        assert_eq!(place.to_string(), "a.toml:2:9");
        assert_eq!(Place::whole(&source).to_string(), "a.toml");
    }

    #[test]
    fn places_outside_of_the_text_are_moved_into_it() {
        let source = Source::new(Path::new("a.toml"), "ö".to_owned());
        assert_eq!(Place::new(&source, 1..99).excerpt(), Some(("ö", 0..2)));
        assert_eq!(Place::new(&source, 99..99).column(), 2);
    }
}
