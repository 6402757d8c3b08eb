//! The `Date` field (RFC 9110 section 6.6.1), formatted once a second for each thread.

/// Appends `date: Tue, 15 Nov 1994 08:12:31 GMT\r\n`.
pub fn append(out: &mut Vec<u8>) {
    let _ = out;
    todo!()
}
