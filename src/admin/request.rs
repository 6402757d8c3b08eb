//! What an operator's request says: its query, its body, its path.

use super::answer::Refusal;
use crate::oauth::params::{Params, decode};
use serde::de::DeserializeOwned;

/// The parameters of a query; unknown ones are refused, so that a misspelt filter is not ignored.
#[derive(Debug)]
pub(super) struct Query<'q>(Params<'q>);

const KNOWN: [&str; 4] = ["after", "client", "limit", "subject"];

impl<'q> Query<'q> {
    pub(super) fn of(query: Option<&'q str>) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let unreadable = |error: crate::oauth::params::ParamsError| Refusal::Invalid(error.to_string());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = decode(pair.split('=').next().unwrap_or_default().as_bytes()).map_err(unreadable)?;
            if !KNOWN.contains(&&*name) {
                return Err(Refusal::Invalid(format!("the query takes {}", KNOWN.join(", "))));
            }
        }
        Params::parse(query.as_bytes(), &[]).map(Self).map_err(unreadable)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
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
    decode(segment.as_bytes()).map(|text| text.into_owned()).map_err(|error| Refusal::Invalid(error.to_string()))
}
