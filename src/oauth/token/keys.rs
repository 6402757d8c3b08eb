//! The keys of the tags, and their rotation.
//!
//! Nobody makes tokens with a key that another node may not know: the one that comes next is made, and told to
//! every node, at the rotation before.

use super::{LENGTH, PREFIX, RANDOM, TAG, TokenKind, push_base62};
use crate::clock::Timestamp;
use crate::secret::{RandomError, TagKey, constant_time_eq};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a rotation has to be the last one before there can be another: until then a node that was cut off
/// may not know the next key.
const PACE: Duration = Duration::from_secs(60);

/// For how long a key is believed after it made its last token, when there are many: longer than any token lives.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// How many former keys are believed. Each costs a forged token one more tag, in the processor alone.
const MOST: usize = 16;

/// The keys of the tags: new tokens get the current one's, every one of them is believed.
#[derive(Clone, Debug)]
pub struct TagKeys {
    current: TagKey,
    next: TagKey,
    /// The last one first.
    retired: Vec<Retired>,
}

/// A key that makes no more tokens.
#[derive(Clone, Debug)]
struct Retired {
    key: TagKey,
    at: Timestamp,
}

/// Why keys were not rotated.
#[derive(Debug, thiserror::Error)]
pub enum NotRotated {
    /// They were a moment ago.
    #[error("the keys were rotated less than a minute ago: some node may not know the next one yet; try again in {} s", .0.as_secs() + 1)]
    TooSoon(Duration),
    /// A key would be forgotten whose tokens may be in use.
    #[error(
        "{MOST} former keys are believed, and tokens of the oldest may be in use: --forget-former makes them invalid"
    )]
    TooMany,
    /// Another operator was faster.
    #[error("the keys were rotated by another meanwhile")]
    Raced,
    /// The operating system has no randomness to give.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl TagKeys {
    /// Keys that have never been rotated.
    pub const fn new(current: TagKey, next: TagKey) -> Self {
        Self { current, next, retired: Vec::new() }
    }

    /// Fresh ones.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::new(TagKey::generate()?, TagKey::generate()?))
    }

    /// The key for new tokens.
    pub const fn current(&self) -> &TagKey {
        &self.current
    }

    /// Every key that is believed, the likeliest first.
    pub fn believed(&self) -> impl Iterator<Item = &TagKey> {
        [&self.current, &self.next].into_iter().chain(self.retired.iter().map(|retired| &retired.key))
    }

    /// How many former keys are believed, and when the last one was retired.
    pub fn former(&self) -> (usize, Option<Timestamp>) {
        (self.retired.len(), self.retired.first().map(|retired| retired.at))
    }

    /// Whether `text` is a token of `kind` that one of these keys made (TOK-4). A forged token
    /// fails here, before any lookup.
    pub fn recognise(&self, kind: TokenKind, text: &[u8]) -> bool {
        if text.len() != LENGTH || !text.starts_with(kind.prefix().as_bytes()) {
            return false;
        }
        let (message, tag) = text.split_at(PREFIX + RANDOM);
        let made_by = |key: &TagKey| {
            let mut expected = Vec::with_capacity(TAG);
            push_base62(&mut expected, key.tag(message));
            constant_time_eq(&expected, tag)
        };
        self.believed().any(made_by)
    }

    /// The keys after a rotation at `now`: the next one makes new tokens, and no token becomes invalid, unless
    /// the former keys are to be forgotten, this one's predecessor among them (TOK-16).
    ///
    /// # Errors
    /// When it is too soon, or there are too many.
    pub fn rotated(&self, now: Timestamp, forget_former: bool) -> Result<Self, NotRotated> {
        if let Some(last) = self.retired.first() {
            let allowed = last.at.plus(PACE);
            if now < allowed {
                return Err(NotRotated::TooSoon(Duration::from_millis(allowed.as_millis() - now.as_millis())));
            }
        }
        let mut retired = vec![Retired { key: self.current.clone(), at: now }];
        if !forget_former {
            retired.extend(self.retired.iter().cloned());
        }
        if retired.len() > MOST {
            let dropped = retired.pop();
            if dropped.is_some_and(|dropped| now < dropped.at.plus(LONGEST)) {
                return Err(NotRotated::TooMany);
            }
        }
        Ok(Self { current: self.next.clone(), next: TagKey::generate()?, retired })
    }

    /// These keys, which another made, with what is believed by `held`: tokens of those may be in use.
    #[must_use]
    pub fn joined(mut self, held: &Self, now: Timestamp) -> Self {
        let retired = held.retired.iter().map(|retired| (&retired.key, retired.at));
        for (key, at) in std::iter::once((&held.current, now)).chain(retired) {
            if !self.believes(key) && self.retired.len() < MOST {
                self.retired.push(Retired { key: key.clone(), at });
            }
        }
        self
    }

    /// Whether these make the tokens that `others` do, and believe whatever those believe.
    pub fn agree_with(&self, others: &Self) -> bool {
        same(&self.current, &others.current) && others.believed().all(|key| self.believes(key))
    }

    /// Whether `other` has been rotated to these, once or several times. Where former keys were forgotten
    /// meanwhile, the one that it knew as the next is among the retired ones all the same.
    pub fn follow(&self, other: &Self) -> bool {
        self.retired.iter().any(|retired| same(&retired.key, &other.current) || same(&retired.key, &other.next))
    }

    /// Whether `other` believes a key that these do not: tokens of it are no longer good.
    pub fn forget_some_of(&self, other: &Self) -> bool {
        other.believed().any(|key| !self.believes(key))
    }

    /// Whether they are those, in every part.
    pub fn same(&self, other: &Self) -> bool {
        constant_time_eq(&self.pack(), &other.pack())
    }

    fn believes(&self, key: &TagKey) -> bool {
        self.believed().any(|believed| same(believed, key))
    }

    /// As the store keeps them.
    pub fn pack(&self) -> Zeroizing<Vec<u8>> {
        let packed = Packed {
            current: *self.current.reveal(),
            next: *self.next.reveal(),
            retired: self.retired.iter().map(|retired| (*retired.key.reveal(), retired.at.as_millis())).collect(),
        };
        // Octets and numbers can always be written.
        Zeroizing::new(serde_json::to_vec(&packed).unwrap_or_default())
    }

    /// Reads what [`pack`](Self::pack) wrote; `None`: it is not ours.
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let Packed { current, next, retired } = serde_json::from_slice(packed).ok()?;
        let retired = retired.into_iter().take(MOST);
        let retired = retired.map(|(key, at)| Retired { key: TagKey::from_bytes(key), at: Timestamp::from_millis(at) });
        Some(Self { current: TagKey::from_bytes(current), next: TagKey::from_bytes(next), retired: retired.collect() })
    }
}

#[derive(Serialize, Deserialize)]
struct Packed {
    current: [u8; 32],
    next: [u8; 32],
    retired: Vec<([u8; 32], u64)>,
}

fn same(one: &TagKey, other: &TagKey) -> bool {
    constant_time_eq(one.reveal(), other.reveal())
}

#[cfg(test)]
mod tests;
