//! The secrets of the shipped `gateway.toml`. Everybody knows them, so that the gateway serves them
//! on loopback only; the banner prints them.

use crate::oauth::client::SecretHash;
use crate::secret::Digest;

/// The confidential client: client credentials, `notes:read`.
pub const CLIENT_ID: &str = "reporter";
/// Its secret.
pub const CLIENT_SECRET: &str = "demo-secret-that-everybody-knows";
/// The public client: the password grant and refresh tokens, `notes:read notes:write`.
pub const CLI_CLIENT_ID: &str = "notes-cli";
/// The client of another resource server: may introspect.
pub const INTROSPECTOR_ID: &str = "billing";
/// Its secret.
pub const INTROSPECTOR_SECRET: &str = "demo-billing-secret-that-everybody-knows";
/// The resource owner.
pub const USER: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "demo-password";
/// What `tollgate hash` made of it.
pub const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$s39F0IRIrsTKyrqZ2eKsmA$nJLLJ8o4gpiZQKUFJ+xBvm9B9XiOF6s8JQBcLpUSZFk";

/// Whether the secret of a client is one of the demonstration.
pub(super) fn is_known_secret(secret: &SecretHash) -> bool {
    match secret {
        SecretHash::Digest(digest) => {
            [CLIENT_SECRET, INTROSPECTOR_SECRET].iter().any(|known| digest.matches(&Digest::of(known.as_bytes())))
        }
        SecretHash::Phc(text) => is_known_hash(text),
    }
}

/// Whether `text` is the secret of a client of the demonstration.
pub(super) fn is_known_text(text: &str) -> bool {
    text == CLIENT_SECRET || text == INTROSPECTOR_SECRET
}

/// Whether the hash of a password is the one of the demonstration.
pub(super) fn is_known_hash(text: &str) -> bool {
    text == PASSWORD_HASH
}
