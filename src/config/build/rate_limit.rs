//! `rate_limit` of a route.

use super::store;
use crate::config::keys::{RATE_LIMIT, ROUTE, STORE};
use crate::config::section::Section;
use crate::enforce::rate::{By, RateLimit, Terms};
use crate::proxy::route::MethodAccess;

/// Reads the limit of the route that `route` is.
pub(super) fn read(route: &Section<'_>, path: &str, access: Option<&MethodAccess>) -> Option<RateLimit> {
    route.node("rate_limit")?.table()?;
    let section = route.section("rate_limit", RATE_LIMIT);
    let requests = section.number("requests")?;
    let terms = Terms {
        requests,
        per: section.duration("per")?,
        burst: section.number("burst").unwrap_or(requests),
        by: match section.text_or_default("by") {
            "ip" => By::Ip,
            "subject" => By::Subject,
            _ => By::Client,
        },
        shared: section.boolean("shared"),
    };
    // Routes of one path take different methods.
    let methods = access.map(|access| access.named().join(" ")).unwrap_or_default();
    let text = |name| route.text(name).unwrap_or_default();
    Some(RateLimit::new(terms, &[text("host"), path, text("name"), &methods]))
}

/// Nodes count together in a store that all of them see.
pub(super) fn check_shared(root: &Section<'_>) {
    if store::is_shared(&root.section("store", STORE)) {
        return;
    }
    for (_, route) in root.tables("routes", ROUTE) {
        let section = route.section("rate_limit", RATE_LIMIT);
        if let Some(entry) = section.entry("shared").filter(|_| section.boolean("shared")) {
            let help = "remove it, or point `url` in `[store]` at a Redis";
            root.report.problem(&entry.key_at, "no other node sees this store: there is nobody to count with", help);
        }
    }
}
