//! What a shared cache may keep of a response to one bearer (PX-9, R6750-2.3b).
//!
//! The upstream did not see the credential, so its `public` was said without knowing that the response
//! is one bearer's; and a token in a query or a form is no `Authorization` field, so RFC 9111 section
//! 3.5 does not hold caches back. The response says `private` itself.

use super::edits::line;
use crate::http1::head::Response;
use crate::proxy::fields::list;

/// Whose a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Anybody's: the upstream's fields pass as they are.
    Anybody,
    /// One bearer's, whose request says so to caches: `Authorization` was in it.
    Bearer,
    /// One bearer's, and caches cannot see it.
    HiddenBearer,
}

/// Appends `Cache-Control` for `audience`; `said`: the response has such a field.
pub(super) fn cache_control(response: &Response<'_>, said: bool, audience: Audience, out: &mut Vec<u8>) {
    if !said {
        if audience != Audience::Anybody {
            out.extend_from_slice(b"cache-control: private\r\n");
        }
        return;
    }
    let directives = || response.values("cache-control").flat_map(directives);
    if Said::of(directives()).is_private_enough(audience) {
        for value in response.values("cache-control") {
            line(out, b"cache-control", value);
        }
        return;
    }
    out.extend_from_slice(b"cache-control: private");
    for directive in directives() {
        if !is(directive, b"public") && !is(directive, b"s-maxage") && !is(directive, b"private") {
            out.extend_from_slice(b", ");
            out.extend_from_slice(directive);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// What an upstream's directives say.
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of its own")]
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    anything: bool,
    /// `public` or `s-maxage`: a shared cache may keep it.
    shared: bool,
    must_revalidate: bool,
    no_store: bool,
    private: bool,
    /// `private` without a list of fields, which would be about those.
    wholly_private: bool,
}

impl Said {
    fn of<'d>(directives: impl Iterator<Item = &'d [u8]>) -> Self {
        let mut said = Self::default();
        for directive in directives {
            said.anything = true;
            said.shared |= is(directive, b"public") || is(directive, b"s-maxage");
            said.must_revalidate |= is(directive, b"must-revalidate");
            said.no_store |= is(directive, b"no-store");
            said.private |= is(directive, b"private");
            said.wholly_private |= directive.eq_ignore_ascii_case(b"private");
        }
        said
    }

    /// Whether no shared cache keeps the response, as it is.
    const fn is_private_enough(self, audience: Audience) -> bool {
        match audience {
            Audience::Anybody => true,
            // RFC 9111 section 3.5: `must-revalidate` lets a shared cache store the response as well.
            Audience::Bearer => {
                self.anything && !self.shared && (!self.must_revalidate || self.private || self.no_store)
            }
            Audience::HiddenBearer => self.wholly_private && !self.shared,
        }
    }
}

/// Appends `Vary`, with `Authorization` in it where the response is a bearer's; `said`: the response
/// has such a field.
pub(super) fn vary(response: &Response<'_>, said: bool, audience: Audience, out: &mut Vec<u8>) {
    if !said {
        if audience != Audience::Anybody {
            out.extend_from_slice(b"vary: Authorization\r\n");
        }
        return;
    }
    let names = || response.values("vary").flat_map(list);
    let says = |wanted: &[u8]| names().any(|name| name.eq_ignore_ascii_case(wanted));
    if audience == Audience::Anybody || says(b"authorization") || says(b"*") {
        for value in response.values("vary") {
            line(out, b"vary", value);
        }
        return;
    }
    out.extend_from_slice(b"vary: ");
    for name in names() {
        out.extend_from_slice(name);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(b"Authorization\r\n");
}

/// Whether a field steers shared caches past `Cache-Control` (RFC 9213 and what came before it).
pub(super) fn is_targeted(name: &[u8]) -> bool {
    const SUFFIX: &[u8] = b"cdn-cache-control";
    let ends = name.len() >= SUFFIX.len()
        && name.iter().rev().zip(SUFFIX.iter().rev()).all(|(octet, wanted)| octet.eq_ignore_ascii_case(wanted));
    ends || name.eq_ignore_ascii_case(b"surrogate-control") || name.eq_ignore_ascii_case(b"x-accel-expires")
}

fn is(directive: &[u8], name: &[u8]) -> bool {
    directive.split(|&octet| octet == b'=').next().is_some_and(|said| said.trim_ascii().eq_ignore_ascii_case(name))
}

/// The directives of one line. A comma inside quotes does not separate, unless a quote is left open:
/// then nobody knows how a cache reads it, and every comma does.
fn directives(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let balanced = value.iter().fold(true, |balanced, &octet| balanced ^ (octet == b'"'));
    let mut quoted = false;
    value
        .split(move |&octet| {
            quoted ^= octet == b'"' && balanced;
            octet == b',' && !quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|directive| !directive.is_empty())
}
