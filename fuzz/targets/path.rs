//! The one reading of a request's target (PATH-1 to PATH-11, PATH-16): what is accepted means the same to
//! whoever reads it again, and nothing in it leads out of its place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::proxy::target::{Host, PathPolicy, Target};

fuzz_target!(|octets: &[u8]| {
    if let Ok(host) = Host::read(octets) {
        let again = Host::read(host.name.as_bytes()).expect("a name that was read is a host");
        assert_eq!(again.name, host.name);
    }
    let Ok(target) = Target::read(octets) else { return };
    assert!(target.path().starts_with('/') && !target.path().contains('?'));
    reads_the_same(&target);
    if let Some(authority) = target.authority() {
        Host::read(authority.as_bytes()).expect("the authority is a host");
    }
    let policy = PathPolicy::default();
    if policy.allows(target.oddities()) {
        is_plain(target.path());
        is_plain(target.normal());
    }
    // Whatever a route opts in to.
    for segment in target.normal()[1..].split('/') {
        assert!(!leads_elsewhere(&decoded(segment.as_bytes())), "{:?}", target.normal());
    }
});

/// PATH-10: the forwarded form and the form that is matched are one path.
fn reads_the_same(target: &Target<'_>) {
    for text in [target.path(), target.normal()] {
        let again = Target::read(text.as_bytes()).expect("what was read can be read");
        assert_eq!(again.normal(), target.normal());
        assert_eq!(again.oddities(), target.oddities());
        assert_eq!((again.path(), again.query(), again.authority()), (text, None, None));
    }
    let slashes = |text: &str| text.bytes().filter(|octet| *octet == b'/').count();
    assert_eq!(slashes(target.path()), slashes(target.normal()));
    assert_eq!(decoded(target.path().as_bytes()), decoded(target.normal().as_bytes()));
}

/// Nothing in it can be read in another way, however often it is decoded, and by whom.
fn is_plain(path: &str) {
    let mut octets = path.as_bytes().to_vec();
    loop {
        let more = decoded(&octets);
        if more == octets {
            break;
        }
        octets = more;
    }
    let text = String::from_utf8(octets).expect("it is UTF-8");
    assert!(
        !text.contains(['\\', ';']) && !text.contains("//") && !text.contains(|letter: char| letter.is_ascii_control()),
        "{text:?}"
    );
    assert_eq!(text.matches('/').count(), path.matches('/').count(), "{text:?}");
    assert!(!text.split('/').any(|segment| segment == "." || segment == ".."), "{text:?}");
}

/// A dot segment, also to those who cut off parameters or take a kept `%2F` for a slash.
fn leads_elsewhere(segment: &[u8]) -> bool {
    segment.split(|octet| matches!(octet, b'/' | b'\\')).any(|piece| {
        let name = piece.split(|octet| *octet == b';').next().unwrap_or_default();
        name == b"." || name == b".."
    })
}

/// Every whole escape decoded once.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        let escape = behind.get(..2).filter(|_| octet == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escape.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(value) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(value);
            rest = &behind[2..];
        } else {
            out.push(octet);
            rest = behind;
        }
    }
    out
}
