//! The path that the upstream gets, where it differs from the one that was asked for.

use super::Matched;
use super::template::{Template, check_name};
use crate::proxy::target::{PathPolicy, Target, TargetError};

/// A path template for the upstream.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<str>),
    /// The parameter at this position of the route's path.
    Parameter(usize),
}

impl Rewrite {
    /// Reads `template`, whose parameters must be among those of `path`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(template: &str, path: &str) -> Result<Self, String> {
        let parameters = Template::parse(path)?;
        let mut pieces = Vec::new();
        let mut sample = String::new();
        let mut text = template;
        while let Some((literal, rest)) = text.split_once('{') {
            let (name, rest) = rest.split_once('}').ok_or_else(|| format!("in `{template}` a `{{` is not closed"))?;
            check_name(name).map_err(|why| format!("in `{template}`: {why}"))?;
            let position = parameters.parameters().position(|known| known == name);
            pieces.push(Piece::Literal(literal.into()));
            pieces.push(Piece::Parameter(
                position.ok_or_else(|| format!("`{{{name}}}` in `{template}` is not a parameter of `{path}`"))?,
            ));
            sample.push_str(literal);
            // A character that can be no part of an escape, so that literal text cannot begin one.
            sample.push('x');
            text = rest;
        }
        pieces.push(Piece::Literal(text.into()));
        sample.push_str(text);
        check_literal(template, &sample)?;
        Ok(Self { pieces })
    }

    /// The path for the upstream: captured text as received, without extra decoding, checked again
    /// (PATH-15).
    ///
    /// # Errors
    /// When the result can be read two ways.
    pub fn apply(&self, matched: &Matched<'_>, target: &Target<'_>) -> Result<String, TargetError> {
        let mut path = String::with_capacity(target.path().len() + 32);
        for piece in &self.pieces {
            path.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Parameter(position) => {
                    matched.params.get(*position).map_or("", |range| as_received(target, *range))
                }
            });
        }
        // What the route let in may be in the result too; nothing else may have come about.
        if !target.oddities().allows(Target::read(path.as_bytes())?.oddities()) {
            return Err(TargetError("the rewritten path can be read in two ways"));
        }
        Ok(path)
    }
}

/// The text as received at a range of the matched form: both have the same slashes, so it is found
/// by counting them. An empty range is the rest of a path that has none.
fn as_received<'t>(target: &'t Target<'_>, (start, end): (usize, usize)) -> &'t str {
    let (path, normal) = (target.path(), target.normal());
    if path.len() == normal.len() && path == normal {
        return path.get(start..end).unwrap_or_default();
    }
    let (Some(before), Some(inside)) = (normal.get(..start), normal.get(start..end)) else { return "" };
    if inside.is_empty() {
        return "";
    }
    let slashes = |text: &str| memchr::memchr_iter(b'/', text.as_bytes()).count();
    let nth = |text: &str, skip: usize| memchr::memchr_iter(b'/', text.as_bytes()).nth(skip);
    let Some(tail) = slashes(before).checked_sub(1).and_then(|skip| nth(path, skip)).and_then(|at| path.get(at + 1..))
    else {
        return "";
    };
    nth(tail, slashes(inside)).and_then(|length| tail.get(..length)).unwrap_or(tail)
}

/// Whether what is written down is a path by itself, which no captured text has to make good.
fn check_literal(template: &str, sample: &str) -> Result<(), String> {
    if !sample.starts_with('/') {
        return Err(format!("`{template}` does not begin with `/`"));
    }
    if sample.contains(['?', '}']) {
        return Err(format!("`{template}` holds `?` or a `}}` that closes nothing: it is a path and `{{name}}`"));
    }
    let target = Target::read(sample.as_bytes()).map_err(|error| format!("`{template}`: {error}"))?;
    if !PathPolicy::default().allows(target.oddities()) {
        return Err(format!("`{template}` holds `//`, `;`, `%2F` or a double encoding, which can be read in two ways"));
    }
    Ok(())
}
