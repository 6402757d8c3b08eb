//! Everything that is wrong with a configuration: gathered while it is read, shown as a compiler
//! shows errors. A line that holds a secret is shown without it.

mod mask;

use super::source::{Place, Unreadable};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Problems that are kept and shown: a file that has more is not meant to be a configuration, and
/// nobody reads further. The others are counted.
const MOST: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 when it is the file as a whole.
    pub line: usize,
    /// The character in the line, from 1; 0 when it is the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    excerpt: Option<Excerpt>,
    other: Option<Box<Other>>,
}

/// A second place that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    file: PathBuf,
    line: usize,
    label: &'static str,
    excerpt: Option<Excerpt>,
}

/// A line of the file, without its secrets, and the octets that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    span: Range<usize>,
}

impl Excerpt {
    fn of(place: &Place) -> Option<Self> {
        place.excerpt().map(|(line, span)| Self { text: mask::without_continued(place.text_before(), line), span })
    }
}

/// Everything that is wrong with a configuration, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
    /// How many there are beside them.
    more: usize,
}

impl ConfigErrors {
    /// The problems, a hundred at most: the main file first, each file from top to bottom.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are; never none.
    pub fn count(&self) -> usize {
        self.problems.len() + self.more
    }

    /// All of them for people, and how many at the end; in colour when asked.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&problem.render(&renderer));
            text.push_str("\n\n");
        }
        let noun = if self.count() == 1 { "problem" } else { "problems" };
        let shown = if self.more == 0 { String::new() } else { format!("; {} of them are shown", self.problems.len()) };
        text + &format!("{} {noun} in the configuration{shown}", self.count())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

impl Problem {
    fn render(&self, renderer: &Renderer) -> String {
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(shown(
            &self.file,
            self.line,
            self.excerpt.as_ref(),
            AnnotationKind::Primary,
            "",
        ));
        if let Some(other) = &self.other {
            let excerpt = other.excerpt.as_ref();
            group = group.element(shown(&other.file, other.line, excerpt, AnnotationKind::Context, other.label));
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(normalize_untrusted_str(&self.help)));
        }
        renderer.render(&[group])
    }
}

fn shown<'p>(
    file: &std::path::Path,
    line: usize,
    excerpt: Option<&'p Excerpt>,
    kind: AnnotationKind,
    label: &'static str,
) -> Element<'p> {
    let path = file.display().to_string();
    let Some(excerpt) = excerpt else { return Element::Origin(Origin::path(path)) };
    let mut annotation = kind.span(excerpt.span.clone());
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    let snippet = Snippet::source(excerpt.text.as_str()).line_start(line).path(path).annotation(annotation);
    Element::Cause(snippet)
}

/// Gathers what is wrong and what is unwise while a configuration is read.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
    more: Cell<usize>,
    warnings: RefCell<Vec<String>>,
    demo: Cell<bool>,
}

impl Report {
    /// `message` says what is wrong at `at`, `help` what to do.
    pub(super) fn problem(&self, at: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.add(at, message.into(), help.into(), None);
    }

    /// As [`problem`](Self::problem), with a second place and what it is.
    pub(super) fn conflict(
        &self,
        at: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
        other: &Place,
        label: &'static str,
    ) {
        let other = Other { file: other.path().to_owned(), line: other.line(), label, excerpt: Excerpt::of(other) };
        self.add(at, message.into(), help.into(), Some(Box::new(other)));
    }

    /// Something that exists in the contract, but not in this version.
    pub(super) fn later(&self, at: &Place, what: &str, instead: &str) {
        self.problem(at, format!("{what} belongs to a later version and is not supported in this version"), instead);
    }

    /// A file that cannot be read.
    pub(super) fn unreadable(&self, unreadable: Unreadable) {
        self.problem(&unreadable.at, unreadable.why, unreadable.help);
    }

    /// Something that is allowed but unwise.
    pub(super) fn warning(&self, at: &Place, text: impl fmt::Display) {
        self.warnings.borrow_mut().push(format!("{at}: {text}"));
    }

    /// One of the secrets is known to everybody.
    pub(super) fn demo_secret(&self) {
        self.demo.set(true);
    }

    /// Whether one of the secrets is known to everybody.
    pub(super) fn is_demo(&self) -> bool {
        self.demo.get()
    }

    /// The warnings; or everything that is wrong, in the order of `files`.
    pub(super) fn finish(self, files: &[PathBuf]) -> Result<Vec<String>, ConfigErrors> {
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        let order = |file: &PathBuf| files.iter().position(|known| known == file).unwrap_or(files.len());
        problems.sort_by_key(|problem| (order(&problem.file), problem.line, problem.column));
        problems.dedup();
        Err(ConfigErrors { problems, more: self.more.get() })
    }

    fn add(&self, at: &Place, message: String, help: String, other: Option<Box<Other>>) {
        if self.problems.borrow().len() == MOST {
            self.more.set(self.more.get() + 1);
            return;
        }
        self.problems.borrow_mut().push(Problem {
            file: at.path().to_owned(),
            line: at.line(),
            column: at.column(),
            message,
            help,
            excerpt: Excerpt::of(at),
            other,
        });
    }
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
