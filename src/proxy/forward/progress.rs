//! How far an exchange has come: known while it goes on, and after it was cut off from outside.

use std::cell::Cell;

/// What has passed so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// The status of the response that has begun; 0: none has.
    pub status: Cell<u16>,
    /// Octets of content, or of what a connection was switched to, that the client got.
    pub sent: Cell<u64>,
    /// The same, from the client.
    pub received: Cell<u64>,
}

/// Counts `octets` more.
pub(super) fn count(cell: &Cell<u64>, octets: usize) {
    cell.set(cell.get().saturating_add(u64::try_from(octets).unwrap_or(u64::MAX)));
}
