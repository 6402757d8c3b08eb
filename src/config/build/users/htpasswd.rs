//! A users file as `htpasswd -B` writes it: a line `name:hash` each, bcrypt or argon2id.

use super::{Listed, check_hash, check_name};
use crate::config::error::Report;
use crate::config::source::{Place, Source};
use crate::oauth::token::Origin;
use crate::people::users::User;
use std::collections::HashMap;
use std::sync::Arc;

/// Reads the lines of `source`; empty ones and those with `#` in front are skipped.
pub(super) fn read(source: &Arc<Source>, report: &Report) -> Vec<Listed> {
    // Problems are shown with their line: this one has no hashes in it.
    let shown = Source::new(&source.path, source.text.split('\n').map(masked).collect::<Vec<_>>().join("\n"));
    let mut seen = HashMap::new();
    let mut users = Vec::new();
    let mut start = 0;
    for line in source.text.split('\n') {
        let at = start;
        start += line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, hash)) = line.split_once(':') else {
            report.problem(&Place::new(&shown, at..at + line.len()), "this is no line `name:hash`", HELP);
            continue;
        };
        let name_at = Place::new(&shown, at..at + name.len());
        check_name(name, &name_at, &mut seen, report);
        let hash_at = Place::new(&shown, at + name.len() + 1..at + line.len());
        check_hash(hash, &hash_at, "the hash", report);
        let user =
            User { name: name.to_owned(), password_hash: hash.to_owned(), scopes: None, origin: Origin::Configuration };
        users.push(Listed { at: name_at, user });
    }
    users
}

const HELP: &str = "`htpasswd -B FILE NAME` writes one; a file with `[[users]]` has a name that ends with .toml";

/// The line with asterisks in place of what may be a secret, as long as before.
fn masked(line: &str) -> String {
    let secret = line.find(':').map_or(0, |colon| colon + 1);
    let (name, hash) = line.split_at(secret);
    let stars = |character: char| if character == '\r' { "\r".to_owned() } else { "*".repeat(character.len_utf8()) };
    name.chars().map(String::from).chain(hash.chars().map(stars)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    const BCRYPT: &str = "$2y$04$nDsEwrRWuCzmZD0QV4QYduRb1K1fPbBBSRuaoYwk1cIQW4zKkcNCi";

    fn lines(text: &str) -> (Vec<Listed>, Report) {
        let report = Report::default();
        (read(&Source::new(Path::new("users"), text.to_owned()), &report), report)
    }

    #[test]
    fn lines_are_users() {
        let (users, report) =
            lines(&format!("# ours\n\nalice:{BCRYPT}\r\nBjörk Ü:{}", crate::people::password::UNUSED_HASH));
        let names: Vec<_> = users.iter().map(|listed| (listed.user.name.as_str(), listed.at.line())).collect();
        assert_eq!(names, [("alice", 3), ("Björk Ü", 4)]);
        assert_eq!(users[0].user.password_hash, BCRYPT);
        assert!(report.finish(&[]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_place_and_without_the_secret() {
        let text =
            format!("a:{{SHA}}hunter2=\nhunter2\nb:hunter2\nc:{BCRYPT}\nC:{BCRYPT}\n:{BCRYPT}\nd:$apr1$x$hunter2");
        let errors = lines(&text).1.finish(&[]).unwrap_err();
        let places: Vec<_> = errors.iter().map(|problem| (problem.line, problem.column)).collect();
        assert_eq!(places, [(1, 3), (2, 1), (3, 3), (5, 1), (6, 1), (7, 3)]);
        assert!(!errors.render(false).contains("hunter2") && !errors.render(false).contains("$2y"), "{errors}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_its_mask_has_its_length(text in "(?s).*") {
            let (users, _) = lines(&text);
            prop_assert!(users.len() <= text.len());
            prop_assert_eq!(masked(&text).len(), text.len());
        }
    }
}
