//! Which fields of a request and of a response pass (standards: H-conn, FWD-1, IDH-1 to IDH-5,
//! PX-3, PX-4, PX-9; hazards, lines 11 to 18).
//!
//! Programs behind a gateway read names in ways of their own: CGI and its heirs fold every character
//! that is not alphanumeric to `_`, others ignore case only. So a name is judged by its folded form
//! (lower case, everything that is not alphanumeric is `-`), and a name that means something to
//! somebody but is spelled differently never passes.

/// What becomes of a request field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Forwarded as it is.
    Pass,
    /// Never forwarded: hop-by-hop, an identity field in any spelling, a name with an underscore.
    Drop,
    /// Forwarded only from trusted peers: `Forwarded`, `X-Forwarded-*` and their kin.
    Forwarding,
    /// One that the gateway reads or makes itself: `Host`, `Authorization`, `Content-Length`, …
    Ours,
}

/// The fate of a request field by its name alone. Fields that a `Connection` line names are the
/// caller's to drop.
pub fn request_fate(name: &[u8]) -> Fate {
    let mut folded = [0; LONGEST];
    let Some(folded) = folded.get_mut(..name.len()) else {
        return overlong_fate(name);
    };
    let mut canonical = true;
    for (to, &from) in folded.iter_mut().zip(name) {
        *to = FOLDED[usize::from(from)];
        canonical &= *to == from.to_ascii_lowercase();
    }
    match meaning(folded) {
        Fate::Pass if name.contains(&b'_') => Fate::Drop,
        Fate::Pass => Fate::Pass,
        _ if !canonical => Fate::Drop,
        fate @ (Fate::Drop | Fate::Forwarding | Fate::Ours) => fate,
    }
}

/// Whether an operator may let a request field pass that is dropped for the underscore in its name alone
/// (IDH-3): one that is another spelling of a name with a meaning never passes.
pub fn may_keep_underscore(name: &[u8]) -> bool {
    let dotted: Vec<u8> = name.iter().map(|&octet| if octet == b'_' { b'.' } else { octet }).collect();
    name.contains(&b'_') && request_fate(&dotted) == Fate::Pass
}

/// Whether a proxy of others has to leave out a request field that is not for the upstream. What belongs
/// to its own connections, and the fields about certificates that it makes itself, are its own business.
pub fn is_for_nobody(name: &[u8]) -> bool {
    const OWN: [&[u8]; 11] = [
        b"te",
        b"trailer",
        b"upgrade",
        b"connection",
        b"keep-alive",
        b"http2-settings",
        b"proxy-connection",
        b"transfer-encoding",
        b"proxy-authenticate",
        b"x-forwarded-client-cert",
        b"x-forwarded-tls-client-cert",
    ];
    request_fate(name) == Fate::Drop && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// What becomes of a field of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseFate {
    /// Passed on as it is.
    Pass,
    /// Hop-by-hop, framing, or made anew.
    Drop,
    /// `Date`: passed on, and not added.
    Date,
    /// `Cache-Control`, `Expires` and their kin are the owner's business, but this one decides
    /// whether a shared cache may keep what only one bearer may see (PX-9).
    CacheControl,
    /// `Vary`: gains `Authorization` (PX-9).
    Vary,
}

/// The fate of a response field by its name alone.
pub(super) fn response_fate(name: &[u8]) -> ResponseFate {
    let mut lower = [0; 25];
    let Some(lower) = lower.get_mut(..name.len()) else {
        return ResponseFate::Pass;
    };
    for (to, from) in lower.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    match &*lower {
        b"date" => ResponseFate::Date,
        b"vary" => ResponseFate::Vary,
        b"cache-control" => ResponseFate::CacheControl,
        b"te"
        | b"trailer"
        | b"upgrade"
        | b"connection"
        | b"keep-alive"
        | b"x-request-id"
        | b"content-length"
        | b"proxy-connection"
        | b"transfer-encoding"
        | b"proxy-authenticate"
        | b"proxy-authentication-info" => ResponseFate::Drop,
        _ => ResponseFate::Pass,
    }
}

/// Whether a trailer field may pass, in either direction, by its name alone (H-trl-1, SMUG-15, RFC 9110
/// section 6.5.1): whoever merges trailers into the head must not get anything by them that frames,
/// routes, authenticates, identifies or controls. Spelled differently, such a name is still one.
pub(super) fn trailer_passes(name: &[u8]) -> bool {
    let mut folded = [0; LONGEST];
    let Some(folded) = folded.get_mut(..name.len()) else { return false };
    for (to, &from) in folded.iter_mut().zip(name) {
        *to = fold(from);
    }
    if matches!(request_fate(name), Fate::Drop | Fate::Forwarding | Fate::Ours)
        || response_fate(folded) != ResponseFate::Pass
    {
        return false;
    }
    // RFC 9530 has digests in trailers.
    let content = folded.starts_with(b"content-") && folded != b"content-digest";
    !content && !is_control(folded)
}

/// Fields that control, condition or authenticate (RFC 9110 section 6.5.1).
fn is_control(folded: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 5] = [b"if-", b"accept-", b"sec-", b"access-control-", b"proxy-"];
    matches!(
        folded,
        b"age"
            | b"from"
            | b"allow"
            | b"range"
            | b"accept"
            | b"cookie"
            | b"origin"
            | b"pragma"
            | b"cookie2"
            | b"expires"
            | b"referer"
            | b"refresh"
            | b"alt-svc"
            | b"warning"
            | b"location"
            | b"priority"
            | b"set-cookie"
            | b"set-cookie2"
            | b"user-agent"
            | b"retry-after"
            | b"max-forwards"
            | b"surrogate-control"
            | b"clear-site-data"
            | b"www-authenticate"
            | b"authentication-info"
            | b"cdn-cache-control"
            | b"strict-transport-security"
    ) || PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

/// Whether two names are one after folding.
pub(super) fn same_folded(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(&left, &right)| fold(left) == fold(right))
}

/// The elements of a comma-separated list without the white space around them (RFC 9110 section
/// 5.6.1); not for lists whose elements may hold quoted commas.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&octet| octet == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The names that the `Connection` lines of a message name (H-conn-1): lower case, sorted. Options
/// that are no field, or one that is never forwarded anyway, are left out, so that the usual message
/// costs no allocation.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<Vec<u8>>);

impl Named {
    /// Reads the `Connection` lines.
    pub(super) fn read<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Self {
        const USUAL: [&[u8]; 4] = [b"close", b"keep-alive", b"upgrade", b"te"];
        let mut names: Vec<Vec<u8>> = lines
            .flat_map(list)
            .filter(|option| !USUAL.iter().any(|usual| option.eq_ignore_ascii_case(usual)))
            .map(<[u8]>::to_ascii_lowercase)
            .collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Whether `name` is among them.
    #[inline]
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        !self.0.is_empty() && self.0.binary_search(&name.to_ascii_lowercase()).is_ok()
    }
}

/// The longest name that is folded as a whole; no name of [`meaning`] is longer.
const LONGEST: usize = 64;

const fn fold(octet: u8) -> u8 {
    FOLDED[octet as usize]
}

const FOLDED: [u8; 256] = {
    let mut table = [b'-'; 256];
    let mut octet = 0u8;
    while octet < 128 {
        if octet.is_ascii_alphanumeric() {
            table[octet as usize] = octet.to_ascii_lowercase();
        }
        octet += 1;
    }
    table
};

/// The fate of a name that is too long to be one of the known ones, but may begin like one.
fn overlong_fate(name: &[u8]) -> Fate {
    let mut folded = [0; LONGEST];
    let mut canonical = true;
    for (to, &from) in folded.iter_mut().zip(name) {
        *to = fold(from);
        canonical &= *to == from.to_ascii_lowercase();
    }
    match family(&folded) {
        Some(Fate::Forwarding) if canonical && !name.contains(&b'_') => Fate::Forwarding,
        Some(_) => Fate::Drop,
        None if name.contains(&b'_') => Fate::Drop,
        None => Fate::Pass,
    }
}

/// What a folded name means. Most names of a request begin with a letter of which there is little
/// here, so the first octet decides most cases.
fn meaning(name: &[u8]) -> Fate {
    match name.first() {
        Some(b'a' | b'c' | b'e' | b'h' | b'v') => end_to_end(name),
        Some(b'x') => extension(name),
        Some(b'd' | b'f' | b'k' | b'p' | b'r' | b's' | b't' | b'u' | b'w') => other(name),
        _ => Fate::Pass,
    }
}

fn end_to_end(name: &[u8]) -> Fate {
    match name {
        b"via" | b"host" | b"expect" | b"authorization" | b"content-length" => Fate::Ours,
        b"connection" | b"http2-settings" | b"client-cert" | b"client-cert-chain" => Fate::Drop,
        b"client-ip" | b"cf-connecting-ip" | b"cf-connecting-ipv6" | b"early-data" => Fate::Forwarding,
        _ => Fate::Pass,
    }
}

fn other(name: &[u8]) -> Fate {
    match name {
        b"te"
        | b"dpop"
        | b"proxy"
        | b"trailer"
        | b"upgrade"
        | b"keep-alive"
        | b"proxy-connection"
        | b"transfer-encoding"
        | b"proxy-authenticate"
        | b"proxy-authorization"
        | b"remote-user"
        | b"remote-name"
        | b"remote-email"
        | b"remote-groups" => Fate::Drop,
        b"forwarded"
        | b"front-end-https"
        | b"true-client-ip"
        | b"fastly-client-ip"
        | b"proxy-client-ip"
        | b"wl-proxy-client-ip" => Fate::Forwarding,
        _ if name.starts_with(b"ssl-client-") => Fate::Drop,
        _ => Fate::Pass,
    }
}

fn extension(name: &[u8]) -> Fate {
    match name {
        b"x-request-id" => Fate::Ours,
        b"x-forwarded-user"
        | b"x-forwarded-email"
        | b"x-forwarded-groups"
        | b"x-forwarded-preferred-username"
        | b"x-forwarded-access-token"
        | b"x-arr-clientcert"
        | b"x-user"
        // A program that obeys one of these takes another path or method than was decided on. A trusted
        // proxy hands on its client's, so it is not trusted in this.
        | b"x-rewrite-url"
        | b"x-override-url"
        | b"x-original-url"
        | b"x-original-uri"
        | b"x-original-method"
        | b"x-http-method"
        | b"x-http-method-override"
        | b"x-method-override" => Fate::Drop,
        b"x-forwarded"
        | b"x-host"
        | b"x-scheme"
        | b"x-url-scheme"
        | b"x-real-ip"
        | b"x-client-ip"
        | b"x-cluster-client-ip"
        | b"x-originating-ip"
        | b"x-proxyuser-ip"
        | b"x-envoy-external-address" => Fate::Forwarding,
        _ => family(name).unwrap_or(Fate::Pass),
    }
}

/// Names that belong together by how they begin.
fn family(name: &[u8]) -> Option<Fate> {
    const IDENTITY: [&[u8]; 10] = [
        b"x-auth-",
        b"x-user-",
        b"x-client-cert",
        b"x-ssl-client-",
        b"x-remote-",
        b"x-webauth-",
        b"x-authenticated-",
        b"x-forwarded-client-cert",
        b"x-forwarded-tls-client-cert",
        b"ssl-client-",
    ];
    const FORWARDING: [&[u8]; 2] = [b"x-forwarded-", b"x-original-"];
    if IDENTITY.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(Fate::Drop);
    }
    FORWARDING.iter().any(|prefix| name.starts_with(prefix)).then_some(Fate::Forwarding)
}

#[cfg(test)]
mod tests;
