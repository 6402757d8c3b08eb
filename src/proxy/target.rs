//! The one reading of a request's target and host (standards: PATH-1 to PATH-16, H-form, H-host).
//!
//! What could be read two ways is refused here; what passes is forwarded byte for byte.

use std::borrow::Cow;

/// What a route may opt into; otherwise each of them in a path is 400.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// `encoded_slash = "keep"`: `%2F` stays as it is and is a character of its segment (PATH-3).
    pub encoded_slash: bool,
    /// `encoded_percent = "keep"`: `%25` before two hexadecimal digits (PATH-11).
    pub encoded_percent: bool,
    /// `empty_segments = "keep"`: `//` (PATH-4).
    pub empty_segments: bool,
    /// `path_parameters = "keep"`: `;` in a segment (PATH-6).
    pub path_parameters: bool,
}

impl PathPolicy {
    /// Whether everything that `oddities` found is opted into.
    pub fn allows(&self, oddities: Self) -> bool {
        let _ = oddities;
        todo!()
    }
}

/// A request target in its one reading.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    path: &'a str,
    query: Option<&'a str>,
    authority: Option<&'a str>,
    normal: Cow<'a, str>,
    oddities: PathPolicy,
}

/// Why a target or a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub &'static str);

impl<'a> Target<'a> {
    /// Reads a request target in origin-form or absolute-form (H-form, H-host-2). `*` and
    /// authority-form are the caller's.
    ///
    /// # Errors
    /// When it can be read two ways; the text says why and holds nothing of the request.
    pub fn read(raw: &'a [u8]) -> Result<Self, TargetError> {
        let _ = raw;
        todo!()
    }

    /// The path as received: what the upstream gets. Never empty.
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query as received, without the `?`.
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The authority of an absolute-form target: it replaces the `Host` field (H-host-2).
    pub const fn authority(&self) -> Option<&'a str> {
        self.authority
    }

    /// The path as it is matched: unreserved characters decoded once, the rest with upper-case
    /// hexadecimal digits (PATH-10). Borrowed when nothing had to change.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The forms in it that a route must have opted into.
    pub const fn oddities(&self) -> PathPolicy {
        self.oddities
    }
}

/// The `Host` of a request: lower case, without the default port and without a trailing dot
/// (H-host-3), in a form that compares byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// As received, for forwarding.
    pub raw: &'a str,
    /// The name alone, folded; a port is not part of it.
    pub name: Cow<'a, str>,
}

impl<'a> Host<'a> {
    /// Reads a `Host` field value or an authority.
    ///
    /// # Errors
    /// When it is empty, holds userinfo, a path, a list or a space (H-host-1).
    pub fn read(raw: &'a [u8]) -> Result<Self, TargetError> {
        let _ = raw;
        todo!()
    }
}
