//! Path templates: `/notes/{id}/{*rest}`, and the host that a route may be bound to.

use super::Reach;
use crate::proxy::target::{Host, PathPolicy, Target};
use std::cmp::Ordering;

/// Bounds the depth of the tree of routes, and with it the recursion of a lookup.
const MOST_SEGMENTS: usize = 128;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Text, in the form in which paths are matched.
    Literal(Box<str>),
    /// `{name}`: one segment that is not empty.
    Parameter(Box<str>),
    /// `{*name}`: what is left, which may be nothing. Always the last.
    Rest(Box<str>),
}

/// A path template. `/notes/` is the template `/notes`.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
    /// What its literal text needs a route to opt into.
    pub(super) oddities: PathPolicy,
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let Some(text) = path.strip_prefix('/') else {
            return Err(format!("the path `{path}` does not begin with `/`"));
        };
        let text = text.strip_suffix('/').unwrap_or(text);
        let mut template = Self { segments: Vec::new(), oddities: PathPolicy::default() };
        if text.is_empty() && path.len() <= 1 {
            return Ok(template);
        }
        for text in text.split('/') {
            if matches!(template.segments.last(), Some(Segment::Rest(_))) {
                return Err(format!("in the path `{path}` something follows `{{*…}}`, which takes all that is left"));
            }
            let segment = template.segment(text).map_err(|why| format!("in the path `{path}`: {why}"))?;
            template.segments.push(segment);
        }
        if template.segments.len() > MOST_SEGMENTS {
            return Err(format!("the path `{path}` has more than {MOST_SEGMENTS} segments"));
        }
        Ok(template)
    }

    /// The names of the parameters, in order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Rest(name) => Some(&**name),
        })
    }

    /// How the paths of this template lie to those below `prefix`.
    pub(super) fn reach(&self, prefix: &str) -> Reach {
        let mut own = self.segments.iter();
        let mut all_are_below = true;
        for wanted in prefix.split('/').skip(1) {
            match own.next() {
                Some(Segment::Literal(text)) if **text == *wanted => {}
                Some(Segment::Parameter(_)) => all_are_below = false,
                Some(Segment::Rest(_)) => return Reach::Some,
                Some(Segment::Literal(_)) | None => return Reach::None,
            }
        }
        match own.next() {
            _ if !all_are_below => Reach::Some,
            Some(Segment::Rest(_)) => Reach::All,
            Some(Segment::Literal(_) | Segment::Parameter(_)) | None => Reach::Within,
        }
    }

    fn segment(&mut self, text: &str) -> Result<Segment, String> {
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            return self.literal(text).map(Segment::Literal);
        };
        let name = inner.strip_prefix('*').unwrap_or(inner);
        check_name(name)?;
        if self.parameters().any(|known| known == name) {
            return Err(format!("the parameter `{name}` stands in it twice"));
        }
        Ok(if inner.starts_with('*') { Segment::Rest(name.into()) } else { Segment::Parameter(name.into()) })
    }

    /// Literal text goes through the reading that every request goes through, so that the two compare
    /// byte for byte. It may be written with the characters that a browser would escape.
    fn literal(&mut self, text: &str) -> Result<Box<str>, String> {
        if text.contains(['{', '}']) {
            return Err(format!("`{text}`: a parameter is a whole segment, `{{name}}` or `{{*name}}`"));
        }
        if text.contains(['?', '#']) {
            return Err(format!("`{text}` holds `?` or `#`: a path has neither query nor fragment"));
        }
        let escaped = format!("/{}", escape(text));
        let target = Target::read(escaped.as_bytes()).map_err(|error| format!("`{text}`: {error}"))?;
        if text.is_empty() {
            return Err("it holds an empty segment (`//`)".to_owned());
        }
        let oddities = target.oddities();
        self.oddities.encoded_slash |= oddities.encoded_slash;
        self.oddities.encoded_percent |= oddities.encoded_percent;
        self.oddities.path_parameters |= oddities.path_parameters;
        Ok(target.normal().trim_start_matches('/').into())
    }
}

/// The order in which templates are tried at one position, for two that may both match: the end of a
/// template, literal text, `{name}`, `{*rest}`.
pub(super) fn more_specific(left: &[Segment], right: &[Segment]) -> Ordering {
    let rank = |segment: Option<&Segment>| match segment {
        None => (0, ""),
        Some(Segment::Literal(_)) => (1, ""),
        Some(Segment::Parameter(_)) => (2, ""),
        Some(Segment::Rest(_)) => (3, ""),
    };
    let longest = left.len().max(right.len());
    (0..longest)
        .map(|at| match (left.get(at), right.get(at)) {
            (Some(Segment::Literal(one)), Some(Segment::Literal(other))) => one.cmp(other),
            (one, other) => rank(one).cmp(&rank(other)),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What a route says about the host, in the order in which it is tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostPattern {
    /// This host alone.
    Exact(Box<str>),
    /// One label before this name.
    Wildcard(Box<str>),
    /// Every host.
    Any,
}

impl HostPattern {
    /// Reads `host` of a route.
    pub(super) fn parse(host: Option<&str>) -> Result<Self, String> {
        let Some(host) = host else { return Ok(Self::Any) };
        let (wildcard, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        let read = Host::read(name.as_bytes()).map_err(|error| format!("`{host}`: {error}"))?;
        let has_port = !name.ends_with(']') && name.contains(':');
        if has_port || (wildcard && name.starts_with('[')) {
            return Err(format!("`{host}`: a host is a name without a port, or `*.` and a name"));
        }
        let name = Box::from(&*read.name);
        Ok(if wildcard { Self::Wildcard(name) } else { Self::Exact(name) })
    }

    /// Whether some host is taken by both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exact(name), Self::Wildcard(suffix)) | (Self::Wildcard(suffix), Self::Exact(name)) => {
                parent(name) == Some(suffix)
            }
            (Self::Exact(one), Self::Exact(other)) | (Self::Wildcard(one), Self::Wildcard(other)) => one == other,
        }
    }
}

/// The name without its first label.
pub(super) fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

/// A parameter's name is a word, so that a slip of the pen is not taken for one.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    if !name.is_empty() && name.bytes().all(word) {
        return Ok(());
    }
    Err(format!("`{{{name}}}`: the name of a parameter is letters, digits and `_`"))
}

/// Escapes what may not stand in a target at all.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_graphic() {
            escaped.push(char::from(octet));
        } else {
            escaped.push('%');
            escaped.push_str(&crate::secret::hex(&[octet]));
        }
    }
    escaped
}
