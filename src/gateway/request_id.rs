//! `X-Request-Id`: kept from trusted peers, made for everybody else.

use crate::clock;
use crate::http1::head::Request;
use crate::secret::random;
use std::cell::Cell;

/// The longest identifier that is taken from a trusted peer.
const LONGEST: usize = 128;

/// Makes the identifiers of one worker: 64 random bits of the worker, then a count. They need to be
/// unlike each other, not unguessable, so that no request costs a system call.
pub(super) struct RequestIds {
    worker: u64,
    count: Cell<u64>,
}

/// The identifier of one request.
#[derive(Clone, Copy)]
pub(super) enum RequestId<'r> {
    Kept(&'r str),
    Made([u8; 32]),
}

impl RequestIds {
    pub(super) fn new() -> Self {
        // Should there be no randomness, the time tells this worker from those of earlier runs.
        let worker = random::<8>().map_or_else(|_| clock::now().as_millis(), u64::from_le_bytes);
        Self { worker, count: Cell::new(0) }
    }

    /// A new identifier: 32 hexadecimal characters.
    pub(super) fn make<'r>(&self) -> RequestId<'r> {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut text = [b'0'; 32];
        let digits = self.worker.to_be_bytes().into_iter().chain(count.to_be_bytes());
        for (pair, octet) in text.chunks_exact_mut(2).zip(digits) {
            pair[0] = HEX[usize::from(octet >> 4)];
            pair[1] = HEX[usize::from(octet & 15)];
        }
        RequestId::Made(text)
    }

    /// The identifier that a trusted peer gave the request, where it is one; else a new one.
    pub(super) fn of<'r>(&self, request: &Request<'r>, trusted: bool) -> RequestId<'r> {
        if !trusted {
            return self.make();
        }
        let mut values = request.values("x-request-id");
        match (values.next(), values.next()) {
            (Some(value), None) => kept(value).unwrap_or_else(|| self.make()),
            _ => self.make(),
        }
    }
}

fn kept(value: &[u8]) -> Option<RequestId<'_>> {
    let usable = (1..=LONGEST).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    usable.then(|| std::str::from_utf8(value).ok().map(RequestId::Kept)).flatten()
}

impl RequestId<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Kept(text) => text,
            Self::Made(text) => std::str::from_utf8(text).unwrap_or_default(),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ_and_are_hexadecimal() {
        let ids = RequestIds::new();
        let (first, second) = (ids.make(), ids.make());
        assert_ne!(first.as_str(), second.as_str());
        assert!(first.as_str().len() == 32 && first.as_str().bytes().all(|digit| digit.is_ascii_hexdigit()));
    }

    #[test]
    fn what_a_peer_sends_is_kept_only_when_it_is_short_and_visible() {
        assert!(kept(b"abc-1").is_some());
        for odd in [&b""[..], b"a b", b"\xff", &[b'a'; 129]] {
            assert!(kept(odd).is_none());
        }
    }
}
