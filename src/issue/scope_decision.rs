//! Which scope is granted (RFC 6749 section 3.3): the request, cut to what the client and the user
//! may have. Narrowing, never widening.

use super::refusal::IssueError;
use crate::oauth::client::Client;
use crate::oauth::scope::{Scope, ScopeTable};

const MALFORMED: &str = "the scope is malformed";
const BEYOND: &str = "the scope is unknown or beyond what the client may have";
const NOTHING_LEFT: &str = "nothing of the scope may be granted";

/// The scope of a new grant. `owner` is what the resource owner can grant at most; `None`:
/// everything, or there is none.
///
/// # Errors
/// When the request goes beyond the client's, or nothing is left of it (R6749-3.3c).
pub(super) fn grant(
    table: &ScopeTable,
    requested: Option<&str>,
    client: &Client,
    owner: Option<&Scope>,
) -> Result<Scope, IssueError> {
    let scope = if let Some(text) = requested {
        within(table, text, &client.scopes)?
    } else {
        // R6749-3.3b. A template stands for its instances: only they can be granted.
        let default = client.default_scopes.as_ref().unwrap_or(&client.scopes);
        let held = table.narrow(default, &table.set_of(&client.scopes));
        held.iter().filter(|token| table.exists(token)).cloned().collect()
    };
    let scope = owner.map_or_else(|| scope.clone(), |owner| table.narrow(&scope, &table.set_of(owner)));
    not_empty(scope)
}

/// The scope of a refreshed access token: a part of the original grant (R6749-6b), less what client
/// and user have lost since.
///
/// # Errors
/// When the request goes beyond the grant, or nothing is left of it.
pub(super) fn refresh(
    table: &ScopeTable,
    requested: Option<&str>,
    original: &str,
    client: &Client,
    owner: Option<&Scope>,
) -> Result<Scope, IssueError> {
    let original: Scope = original.parse().map_err(|_| IssueError::InvalidScope(NOTHING_LEFT))?;
    let scope = match requested {
        Some(text) => within(table, text, &original)?,
        None => original.iter().filter(|token| table.exists(token)).cloned().collect(),
    };
    let scope = table.narrow(&scope, &table.set_of(&client.scopes));
    let scope = owner.map_or_else(|| scope.clone(), |owner| table.narrow(&scope, &table.set_of(owner)));
    not_empty(scope)
}

/// The scope that an operator asks for: what exists.
///
/// # Errors
/// When some of it does not exist.
pub(super) fn existing(table: &ScopeTable, requested: &str) -> Result<Scope, IssueError> {
    let scope: Scope = requested.parse().map_err(|_| IssueError::InvalidScope(MALFORMED))?;
    if scope.iter().all(|token| table.exists(token)) { not_empty(scope) } else { Err(IssueError::InvalidScope(BEYOND)) }
}

fn within(table: &ScopeTable, requested: &str, ceiling: &Scope) -> Result<Scope, IssueError> {
    let scope = existing(table, requested)?;
    let ceiling = table.set_of(ceiling);
    if scope.iter().all(|token| table.holds(&ceiling, token.as_str())) {
        Ok(scope)
    } else {
        Err(IssueError::InvalidScope(BEYOND))
    }
}

/// # Errors
/// When nothing is left of `scope`.
pub(super) fn not_empty(scope: Scope) -> Result<Scope, IssueError> {
    if scope.is_empty() { Err(IssueError::InvalidScope(NOTHING_LEFT)) } else { Ok(scope) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::resource::tests::table;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    fn client(scopes: &str, default: Option<&str>) -> Client {
        Client {
            id: "c".into(),
            name: None,
            secrets: Vec::new(),
            grants: Vec::new(),
            redirect_uris: Vec::new(),
            scopes: scope(scopes),
            default_scopes: default.map(scope),
            registration: None,
            ..Client::default()
        }
    }

    fn granted(asked: Option<&str>, client: &Client, owner: Option<&str>) -> Option<String> {
        grant(&table(), asked, client, owner.map(scope).as_ref()).ok().map(|scope| scope.to_string())
    }

    /// R6749-3.3b
    #[test]
    fn nothing_asked_gives_the_default_then_the_clients_scopes() {
        assert_eq!(granted(None, &client("read write", Some("read")), None).as_deref(), Some("read"));
        assert_eq!(granted(None, &client("read write", None), None).as_deref(), Some("read write"));
        assert_eq!(granted(None, &client("read", Some("read other")), None).as_deref(), Some("read"));
    }

    /// R6749-3.3c
    #[test]
    fn beyond_the_client_is_refused_and_beyond_the_user_is_left_out() {
        assert_eq!(granted(Some("read other"), &client("read", None), None), None);
        assert_eq!(granted(Some("read other"), &client("read other", None), Some("other")).as_deref(), Some("other"));
        assert_eq!(granted(Some("read"), &client("read", None), Some("other")), None, "nothing left");
        assert_eq!(granted(Some("unheard"), &client("read", None), None), None);
    }

    #[test]
    fn implied_scopes_count_in_ceilings_and_never_widen() {
        assert_eq!(granted(Some("read"), &client("admin", None), Some("write")).as_deref(), Some("read"));
        assert_eq!(granted(Some("admin"), &client("read write", None), None), None);
        assert_eq!(granted(Some("admin read"), &client("admin", None), Some("write")).as_deref(), Some("read"));
    }

    #[test]
    fn a_template_grants_its_instances_but_not_itself() {
        let client = client("shelf:{id} read", None);
        assert_eq!(granted(Some("shelf:42"), &client, None).as_deref(), Some("shelf:42"));
        assert_eq!(granted(None, &client, None).as_deref(), Some("read"));
        assert_eq!(granted(Some("shelf:{id}"), &client, None), None);
    }

    /// R6749-3.3a
    #[test]
    fn malformed_scopes_are_refused() {
        for text in ["read  write", " read", "read\twrite", "re\"ad", "r\\ead", "é"] {
            assert_eq!(granted(Some(text), &client("read write", None), None), None, "{text:?}");
        }
    }

    /// R6749-6b
    #[test]
    fn a_refresh_may_narrow_and_not_widen() {
        let client = client("read write other", None);
        let of = |asked, owner: Option<&str>| {
            refresh(&table(), asked, "write", &client, owner.map(scope).as_ref()).ok().map(|scope| scope.to_string())
        };
        assert_eq!(of(None, None).as_deref(), Some("write"));
        assert_eq!(of(Some("read"), None).as_deref(), Some("read"));
        assert_eq!(of(Some("other"), None), None);
        assert_eq!(of(None, Some("other")), None, "the user has lost it since");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_grant_stays_below_both_ceilings(
            asked in proptest::option::of("(admin|write|read|other|shelf:1)( (admin|write|read|other|shelf:2)){0,3}"),
            of_client in "(admin|write|read|other)( (write|read|shelf:\\{id\\})){0,2}",
            of_owner in proptest::option::of("(admin|write|read|other)( (write|read|shelf:\\{id\\})){0,2}"),
        ) {
            let table = table();
            if let Some(text) = granted(asked.as_deref(), &client(&of_client, None), of_owner.as_deref()) {
                for token in scope(&text).iter() {
                    prop_assert!(table.holds(&table.set_of(&scope(&of_client)), token.as_str()));
                    if let Some(owner) = &of_owner {
                        prop_assert!(table.holds(&table.set_of(&scope(owner)), token.as_str()));
                    }
                }
            }
        }
    }
}
