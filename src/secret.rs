//! Secrets, digests and keyed tags: the only caller of the crypto library.
//!
//! A [`Secret`] cannot be printed, serialised or compared by accident.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Text that must not be shown: wiped when dropped, redacted in `Debug`, no `Display`, no
/// `Serialize`, no `Deref`. Reading it needs a call named [`reveal`](Secret::reveal).
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that must send or check it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 digest of a full-entropy value: what is kept of it at rest (TOK-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest read back from the store.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// A digest from 64 hexadecimal characters; `None` when `text` is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut digest = [0; 32];
        for (octet, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |character: u8| char::from(character).to_digit(16);
            *octet = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(digest))
    }

    /// The public identifier of the digested value (TOK-6): the first 16 hexadecimal characters,
    /// safe to log and to show in listings.
    pub fn public_id(&self) -> String {
        hex(&self.0[..8])
    }

    /// Equality in constant time (TOK-5).
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.public_id())
    }
}

/// The key of the tags that let a forged token be refused without asking the store. Shared by
/// every node through the store.
#[derive(Clone)]
pub struct TagKey(Zeroizing<[u8; 32]>);

impl TagKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// A key read back from the store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 octets, for the store alone.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 64 bits of HMAC-SHA-256 of `message`.
    pub fn tag(&self, message: &[u8]) -> u64 {
        // HMAC takes keys of any length, so this constructor cannot fail; an empty tag would only
        // refuse tokens.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else { return 0 };
        mac.update(message);
        let tag = mac.finalize().into_bytes();
        tag.iter().take(8).fold(0, |sum, octet| (sum << 8) | u64::from(*octet))
    }

    /// A seal over `parts`, which cannot be moved from one part to another: HMAC-SHA-256 under a key
    /// of its own that is derived from this one for `purpose`. Seals of two purposes, and tags of
    /// tokens, have nothing to do with one another.
    pub fn seal(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let derived = Zeroizing::new(mac(&self.0, &[b"tollgate seal", purpose.as_bytes()]));
        mac(&derived, parts)
    }

    /// Whether [`seal`](Self::seal) made `seal`; in constant time.
    pub fn is_sealed(&self, purpose: &str, parts: &[&[u8]], seal: &[u8]) -> bool {
        constant_time_eq(&self.seal(purpose, parts), seal)
    }
}

/// HMAC-SHA-256 of `parts`, each behind its length.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    // Keys are padded with zeros to a block, so that this is the MAC under `key`.
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(…)")
    }
}

/// The operating system had no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system's random generator failed: {0}")]
pub struct RandomError(#[from] getrandom::Error);

/// `N` octets from the operating system's random generator (TOK-1).
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// The SHA-1 digest of `bytes`, where a protocol asks for that and nothing rests on it.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1_smol::Sha1::from(bytes).digest().bytes()
}

/// Equality in constant time for values of equal length; the length itself is not hidden.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
        assert_eq!(format!("{:?}", TagKey::from_bytes([7; 32])), "TagKey(…)");
    }

    #[test]
    fn hexadecimal_survives_a_round_trip() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(Digest::from_hex("zz"), None);
        assert_eq!(digest.public_id().len(), 16);
    }

    #[test]
    fn tags_depend_on_key_and_message() {
        let key = TagKey::from_bytes([1; 32]);
        assert_eq!(key.tag(b"a"), key.tag(b"a"));
        assert_ne!(key.tag(b"a"), key.tag(b"b"));
        assert_ne!(key.tag(b"a"), TagKey::from_bytes([2; 32]).tag(b"a"));
    }

    #[test]
    fn a_seal_is_of_its_key_its_purpose_and_each_part() {
        let key = TagKey::from_bytes([1; 32]);
        let seal = key.seal("form", &[b"ab", b"c"]);
        assert!(key.is_sealed("form", &[b"ab", b"c"], &seal));
        assert!(!key.is_sealed("form", &[b"a", b"bc"], &seal) && !key.is_sealed("form", &[b"abc"], &seal));
        assert!(!key.is_sealed("other", &[b"ab", b"c"], &seal));
        assert!(!TagKey::from_bytes([2; 32]).is_sealed("form", &[b"ab", b"c"], &seal));
        assert!(!key.is_sealed("form", &[b"ab", b"c"], &seal[..31]));
    }

    #[test]
    fn the_mac_is_that_of_the_rfc() {
        use hmac::Mac as _;
        let mut expected = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
        expected.update(&[0, 0, 0, 0, 0, 0, 0, 1, b'a']);
        assert_eq!(mac(&[1; 32], &[b"a"]), <[u8; 32]>::from(expected.finalize().into_bytes()));
    }
}
