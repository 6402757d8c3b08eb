//! The configuration that most tests use, and the ways to bend it.

use super::Upstream;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A client's identifier and secret.
pub(crate) type Credentials = (&'static str, &'static str);

/// May have every scope for itself.
pub(crate) const SERVICE: Credentials = ("service", "service-secret-4Hq9");
/// May read for itself.
pub(crate) const READER: Credentials = ("reader", "reader-secret-8Kd2");
/// A confidential client with the password grant and refresh tokens.
pub(crate) const WEB: Credentials = ("web", "web-secret-1Zx7");
/// May introspect everybody's tokens, and nothing else.
pub(crate) const BILLING: Credentials = ("billing", "billing-secret-6Tn3");
/// May grant reading and writing.
pub(crate) const ALICE: Credentials = ("alice", "correct horse");
/// May grant reading; the password is not ASCII.
pub(crate) const BOB: Credentials = ("bob", "123£");

const ALICE_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$CjdOYlf9aUcrGmaNq40GeA$fQ4fsJkvpBjrgwvZo0od4+QELkEyypkRfCGXaOBauYQ";
const BOB_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Jxq1ZdI4fIMspx5bFMwJ4g$oSb9ojaCuW55doMlfbZCeDwuJrjmpd2ZJMmfi3Pr+M8";

/// A configuration file in the making: sections of keys, then text for what comes in lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    lists: String,
}

impl Config {
    /// A listener, telemetry, the operator's socket and a store in memory; no client and no route.
    pub(crate) fn bare() -> Self {
        Self::default()
            .set("telemetry.log_format", r#""json""#)
            .set("admin.listen", r#""unix:admin.sock""#)
            .set("store.url", r#""memory:""#)
    }

    /// The notes API: routes of every kind of protection in front of `upstream`.
    pub(crate) fn notes(upstream: &Upstream) -> Self {
        Self::people().set("upstreams.notes.servers", &format!(r#"["{}"]"#, upstream.url())).add(ROUTES)
    }

    /// Scopes, clients and resource owners, without a route.
    pub(crate) fn people() -> Self {
        Self::bare()
            .set("bearer.methods", r#"["header", "form", "query"]"#)
            .set("bearer.realm", r#""notes""#)
            .set(r#"scopes."notes:read""#, r#""Read your notes""#)
            .set(r#"scopes."notes:write""#, r#""Add and change your notes""#)
            .set(r#"scopes."notes:delete""#, r#""Delete your notes""#)
            .set(r#"scopes."notes:admin""#, r#"{ text = "Manage all notes", implies = "notes:read notes:write" }"#)
            .set(r#"scopes."shelf:{id}""#, r#""One shelf""#)
            .add(&clients())
    }

    /// Sets `section.key` to a TOML value; the key is what follows the last dot outside quotes.
    pub(crate) fn set(mut self, path: &str, value: &str) -> Self {
        let (section, key) = match path.split_once(".\"") {
            Some((section, key)) => (section, format!("\"{key}")),
            None => path.rsplit_once('.').map(|(section, key)| (section, key.to_owned())).expect("section.key"),
        };
        self.sections.entry(section.to_owned()).or_default().insert(key, value.to_owned());
        self
    }

    /// Adds text at the end: `[[clients]]`, `[[routes]]`, further upstreams.
    pub(crate) fn add(mut self, text: &str) -> Self {
        self.lists.push_str(text);
        self.lists.push('\n');
        self
    }

    /// Takes `text` out of what was added; it must be there.
    pub(crate) fn replace(mut self, text: &str, with: &str) -> Self {
        assert!(self.lists.contains(text), "not in the configuration: {text}");
        self.lists = self.lists.replace(text, with);
        self
    }

    /// A value that was set, if it was.
    pub(crate) fn has(&self, section: &str, key: &str) -> bool {
        self.sections.get(section).is_some_and(|keys| keys.contains_key(key))
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.sections {
            let _ = writeln!(text, "[{section}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
            text.push('\n');
        }
        text + &self.lists
    }
}

fn clients() -> String {
    let mut text = String::new();
    for (id, secret, rest) in [
        (
            SERVICE.0,
            SERVICE.1,
            r#"grants = ["client_credentials"]
scopes = "notes:read notes:write notes:delete notes:admin shelf:42""#,
        ),
        (READER.0, READER.1, "grants = [\"client_credentials\"]\nscopes = \"notes:read\""),
        (
            WEB.0,
            WEB.1,
            "grants = [\"password\", \"refresh_token\", \"client_credentials\"]\nscopes = \"notes:read notes:write notes:delete\"\ndefault_scopes = \"notes:read\"",
        ),
        (BILLING.0, BILLING.1, "grants = []\nintrospect = true"),
    ] {
        let _ = writeln!(text, "[[clients]]\nid = \"{id}\"\nsecret = \"{secret}\"\n{rest}\n");
    }
    text.push_str(
        "[[clients]]\nid = \"notes-cli\"\ngrants = [\"password\", \"refresh_token\"]\nscopes = \"notes:read notes:write\"\n\n",
    );
    for ((name, _), hash, scopes) in [(ALICE, ALICE_HASH, "notes:read notes:write"), (BOB, BOB_HASH, "notes:read")] {
        let _ = writeln!(text, "[[users]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\nscopes = \"{scopes}\"\n");
    }
    text
}

const ROUTES: &str = r#"
[[routes]]
name = "notes"
path = "/notes/{*rest}"
upstream = "notes"
[routes.scopes]
GET = "notes:read"
POST = "notes:write"
DELETE = { any = ["notes:write notes:delete", "notes:admin"] }

[[routes]]
name = "shelf"
path = "/shelves/{id}/{*rest}"
scopes = "shelf:{id}"
upstream = "notes"

[[routes]]
name = "any"
path = "/any/{*rest}"
access = "authenticated"
upstream = "notes"

[[routes]]
name = "admin"
path = "/admin/{*rest}"
scopes = "notes:admin"
upstream = "notes"

[[routes]]
name = "public"
path = "/public/{*rest}"
access = "public"
upstream = "notes"

[[routes]]
name = "moved"
path = "/old/{*rest}"
scopes = "notes:read"
upstream = "notes"
rewrite = "/internal/{rest}"
"#;
