//! `[oauth] registration` and what belongs to it: which clients may come by themselves.

use super::scopes::Scopes;
use crate::config::keys::REGISTRATIONS;
use crate::config::section::Section;
use crate::issue::{Admission, FailedLogins, Registration};
use crate::oauth::scope::{OPERATOR, Scope, ScopeTable, ScopeToken};

/// Reads it, and of `[limits]` what concerns it.
pub(super) fn build(oauth: &Section<'_>, limits: &Section<'_>, scopes: &Scopes) -> Registration {
    let admission = match oauth.text_or_default("registration") {
        "open" => Admission::Open,
        "token" => Admission::Token,
        _ => Admission::Closed,
    };
    let named = oauth.node("registration_scopes").map(|node| (node, scopes.read(node, oauth.report)));
    if let Some((node, named)) = &named
        && named.iter().any(|token| token.as_str() == OPERATOR)
    {
        let message = format!("`{OPERATOR}` is not for clients that nobody knows");
        oauth.report.problem(&node.at, message, "leave it out here");
    }
    let rate = limits.section("registrations", REGISTRATIONS);
    Registration {
        admission,
        scopes: named.map_or_else(|| unrestricted(&scopes.table), |(_, named)| named),
        ttl: oauth.duration("registration_ttl").unwrap_or_default(),
        rate: FailedLogins {
            max: rate.number("max").unwrap_or_default(),
            per: rate.duration("per").unwrap_or_default(),
        },
        most: limits.number("registered_clients").unwrap_or_default(),
    }
}

/// Every scope that neither is restricted nor implies one that is.
fn unrestricted(table: &ScopeTable) -> Scope {
    let restricted = |scope: &ScopeToken| {
        let held = table.set_of(&std::iter::once(scope.clone()).collect());
        let mut kept_back = table.declared().iter().filter(|scope| scope.restricted || scope.name.as_str() == OPERATOR);
        kept_back.any(|scope| table.holds(&held, scope.name.as_str()))
    };
    table.declared().iter().map(|scope| &scope.name).filter(|scope| !restricted(scope)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::scope::ScopeDeclaration;

    #[test]
    fn what_is_restricted_is_not_had_by_implication_either() {
        let declare = |(name, implies, restricted): (&str, &str, bool)| ScopeDeclaration {
            name: name.parse().unwrap(),
            text: String::new(),
            implies: if implies.is_empty() { Scope::default() } else { implies.parse().unwrap() },
            restricted,
        };
        let all = [("a", "", false), ("b", "c", false), ("c", "", true), ("d:{x}", "", false), (OPERATOR, "", false)];
        let table = ScopeTable::new(all.map(declare).to_vec()).unwrap();
        assert_eq!(unrestricted(&table).to_string(), "a d:{x}");
    }
}
