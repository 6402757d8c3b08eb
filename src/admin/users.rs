//! Resource owners: they are in the configuration, and so can only be looked at.

use super::Admin;
use super::answer::json;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json as value};

impl Admin {
    /// Every user, by name.
    pub(super) fn list_users(&self) -> Response<Bytes> {
        let mut users: Vec<_> = self.directory.configured().iter().collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        let users: Vec<Value> = users
            .into_iter()
            .map(|user| value!({ "name": user.name, "scopes": user.scopes.as_ref().map(ToString::to_string) }))
            .collect();
        json(StatusCode::OK, &value!({ "users": users }))
    }
}
