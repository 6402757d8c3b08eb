//! What an operator's request says: its query, its body, its path.

use super::answer::Refusal;
use crate::oauth::params::{Params, decode};
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The parameters of a query; unknown ones are refused, so that a misspelt filter is not ignored, and empty
/// ones, so that a filter whose value is missing does not mean everything.
#[derive(Debug)]
pub(super) struct Query<'q>(Params<'q>);

/// The most that one page of a listing holds, and what it holds unless asked otherwise.
const MOST: usize = 1000;
const PAGE: usize = 100;

const KNOWN: [&str; 4] = ["after", "client", "limit", "subject"];

impl<'q> Query<'q> {
    pub(super) fn of(query: Option<&'q str>) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let unreadable = |error: crate::oauth::params::ParamsError| Refusal::Invalid(error.to_string());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name.as_bytes()).map_err(unreadable)?;
            if !KNOWN.contains(&&*name) {
                return Err(Refusal::Invalid(format!("the query takes {}", KNOWN.join(", "))));
            }
            if value.is_empty() {
                return Err(Refusal::Invalid(format!("{name} is empty")));
            }
        }
        Params::parse(query.as_bytes(), &[]).map(Self).map_err(unreadable)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// How much a page may hold.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        let Some(text) = self.get("limit") else { return Ok(PAGE) };
        let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.ok_or_else(|| Refusal::Invalid(format!("limit is a number from 1 to {MOST}")))
    }
}

/// A JSON body; what it may hold is said by its type, and nothing else is taken.
pub(super) fn body<T: DeserializeOwned>(content: &[u8]) -> Result<T, Refusal> {
    // The parser's text names keys and places, and may quote a value: the reader sent it.
    serde_json::from_slice(content).map_err(|error| Refusal::Invalid(format!("the body: {error}")))
}

/// A segment of the path.
pub(super) fn decoded(segment: &str) -> Result<String, Refusal> {
    // `+` is itself in a path.
    let segment = segment.replace('+', "%2B");
    decode(segment.as_bytes()).map(Cow::into_owned).map_err(|error| Refusal::Invalid(error.to_string()))
}
