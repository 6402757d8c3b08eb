//! A document as it is stored: version and expiry in 16 hexadecimal digits each, then its JSON.
//! A script of Redis reads the two without understanding the rest.

use super::Kind;
use crate::clock::Timestamp;

/// How long one of the two numbers is.
const NUMBER: usize = 16;
/// In place of the expiry of what never expires.
const NEVER: u64 = u64::MAX;

/// What decides over a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Head {
    pub(in crate::store) version: u64,
    pub(in crate::store) expires: Option<Timestamp>,
}

/// A document whose value has not been read.
pub(in crate::store) struct Raw {
    pub(in crate::store) head: Head,
    pub(in crate::store) json: Vec<u8>,
}

/// A document that is to be written.
pub(in crate::store) struct Change {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) id: String,
    pub(in crate::store) raw: Raw,
    /// The version that must be there; `None`: none.
    pub(in crate::store) expected: Option<u64>,
    pub(in crate::store) now: Timestamp,
}

impl Change {
    /// Whether a document may be changed that has this head, or none.
    pub(in crate::store) fn fits(&self, there: Option<Head>) -> bool {
        there.filter(|head| head.is_live(self.now)).map(|head| head.version) == self.expected
    }
}

impl Head {
    /// The head of a packed document; `None` when it is not ours.
    pub(in crate::store) fn of(packed: &[u8]) -> Option<Self> {
        let version = number(packed.get(..NUMBER)?)?;
        let expires = number(packed.get(NUMBER..2 * NUMBER)?)?;
        Some(Self { version, expires: (expires != NEVER).then_some(Timestamp::from_millis(expires)) })
    }

    /// Whether the document has not expired.
    pub(in crate::store) fn is_live(self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Raw {
    /// Reads what [`pack`](Self::pack) made; `None` when it is not ours.
    pub(in crate::store) fn unpack(packed: &[u8]) -> Option<Self> {
        Some(Self { head: Head::of(packed)?, json: packed.get(2 * NUMBER..)?.to_vec() })
    }

    pub(in crate::store) fn pack(&self) -> Vec<u8> {
        let Head { version, expires } = self.head;
        let mut packed = format!("{version:016x}{:016x}", expires.map_or(NEVER, Timestamp::as_millis)).into_bytes();
        packed.extend_from_slice(&self.json);
        packed
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let hexadecimal = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    hexadecimal.then_some(digits).and_then(|digits| u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(version: u64, expires in proptest::option::of(0..NEVER), json: Vec<u8>) {
            let head = Head { version, expires: expires.map(Timestamp::from_millis) };
            let packed = Raw { head, json: json.clone() }.pack();
            let raw = Raw::unpack(&packed).unwrap();
            prop_assert_eq!((raw.head, raw.json), (head, json));
            prop_assert_eq!(Head::of(&packed), Some(head));
        }

        #[test]
        fn octets_of_others_are_unpacked_without_a_panic(octets: Vec<u8>) {
            prop_assert_eq!(Raw::unpack(&octets).map(|raw| raw.head), Head::of(&octets));
        }
    }

    #[test]
    fn what_is_short_or_no_number_is_not_ours() {
        for other in ["", "0123456789abcdef", "0123456789abcdef0123456789abcde", "+123456789abcdef0123456789abcdef{}"] {
            assert_eq!(Head::of(other.as_bytes()), None, "{other}");
        }
    }
}
