//! `[[users]]`.

use super::scopes::Scopes;
use crate::config::demo;
use crate::config::file::Node;
use crate::config::keys::USER;
use crate::config::section::Section;
use crate::oauth::client::SecretHash;
use crate::oauth::token::Origin;
use crate::people::users::{User, fold};
use std::collections::HashMap;

/// Reads `[[users]]`.
pub(super) fn build(root: &Section<'_>, scopes: &Scopes) -> Vec<User> {
    let mut seen: HashMap<String, &Node> = HashMap::new();
    let mut users = Vec::new();
    for (_, section) in root.tables("users", USER) {
        let Some((node, name)) = section.node("name").zip(section.text("name")) else { continue };
        if let Some(first) = seen.insert(fold(name), node) {
            let message = format!("the user `{name}` stands here twice; upper and lower case are one");
            root.report.conflict(&node.at, message, "rename or remove one of them", &first.at, "the other one");
        }
        if name.trim() != name || name.is_empty() || name.contains(char::is_control) {
            let help = "a name has no control characters and no space at its ends";
            root.report.problem(&node.at, "this cannot be the name of a user", help);
        }
        if name.contains(':') {
            root.report.warning(&node.at, "a name with a colon cannot be sent with HTTP Basic (RFC 7617)");
        }
        users.push(User {
            name: name.to_owned(),
            password_hash: password_hash(&section),
            scopes: section.node("scopes").map(|node| scopes.read(node, root.report)),
            origin: Origin::Configuration,
        });
    }
    users
}

fn password_hash(section: &Section<'_>) -> String {
    let Some((node, text)) = section.node("password_hash").zip(section.text("password_hash")) else {
        return String::new();
    };
    if !is_argon2id(text) {
        let help = "`tollgate hash` makes one: $argon2id$v=19$m=…,t=…,p=…$salt$hash";
        section.report.problem(&node.at, "`password_hash` is no PHC string of argon2id", help);
    } else if demo::is_known_hash(text) {
        section.report.demo_secret();
    }
    text.to_owned()
}

/// Whether `text` is a PHC string of argon2id that a password can match: one without its salt or its
/// output never could.
pub(super) fn is_argon2id(text: &str) -> bool {
    matches!(text.parse(), Ok(SecretHash::Phc(_)))
        && argon2::PasswordHash::new(text)
            .is_ok_and(|hash| hash.salt.is_some() && hash.hash.is_some() && argon2::Params::try_from(&hash).is_ok())
}
