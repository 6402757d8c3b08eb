//! Paths as an upstream reads them that does not tell upper from lower case (PATH-13): on such a file
//! system `/ADMIN`, `/admin.` and `/admin%20` are `/admin`, and need what it needs.

use crate::proxy::target::decode;

/// A path in the form in which it is matched, as such an upstream reads it; it has as many segments.
pub(super) fn path(normal: &str) -> String {
    let segments: Vec<String> = normal.split('/').map(segment).collect();
    segments.join("/")
}

/// A segment as such an upstream reads it.
pub(super) fn segment(segment: &str) -> String {
    let Ok(decoded) = decode(segment) else { return segment.to_owned() };
    // Both ways: some letters have a partner in one direction alone.
    let folded: String =
        String::from_utf8_lossy(&decoded).chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    let folded = folded.replace('/', "%2f");
    let bare = folded.trim_end_matches(['.', ' ']);
    if bare.is_empty() { folded } else { bare.to_owned() }
}
