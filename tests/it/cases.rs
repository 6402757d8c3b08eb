//! The lists of inputs below `cases`: what was published on requests with two readings, held against the gateway.
//!
//! A list is text. `[name]` begins a case; `source:` says where it was described, `send:` gives octets (`\r`, `\n`, `\t`,
//! `\0`, `\\`, `\xNN`; lines are joined as they are), `expect:` what has to come of it:
//!
//! - numbers of 400 and above: one response with one of these statuses, then the end; nothing whole reaches the upstream,
//! - such a number and `kept`: the request ends where everybody says, so the connection may go on with what follows it,
//! - `cut`: one response with 400 and the end, but the end may come without a response,
//! - `200` and octets: the upstream gets one request with that body, and what follows it is a request of its own,
//! - `502`, `aborted` or `200` in the list of responses: what another client sees of an upstream's octets.
//!
//! The lists of messages of HTTP/2 have keys of their own, explained in `cases/downgrade.rs` and `cases/answers.rs`.

mod answers;
mod downgrade;
mod requests;
mod responses;

/// One case of a list.
#[derive(Debug, Default)]
struct Case {
    name: String,
    source: String,
    send: Vec<u8>,
    expect: String,
}

/// Reads a list of octets to send.
#[track_caller]
fn read(list: &str) -> Vec<Case> {
    let cases = entries(list).into_iter().map(|entry| {
        let mut case = Case { name: entry.name.to_owned(), ..Case::default() };
        for (key, value) in entry.lines {
            match key {
                "source" => value.clone_into(&mut case.source),
                "expect" => value.clone_into(&mut case.expect),
                "send" => case.send.extend(octets(value)),
                other => panic!("{other} in {case:?}"),
            }
        }
        assert!(!case.source.is_empty() && !case.expect.is_empty() && !case.send.is_empty(), "{case:?}");
        case
    });
    cases.collect()
}

/// What stands below one name: keys and their values.
#[derive(Debug)]
struct Entry<'l> {
    name: &'l str,
    lines: Vec<(&'l str, &'l str)>,
}

/// The entries of a list.
#[track_caller]
fn entries(list: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            assert!(entries.iter().all(|entry| entry.name != name), "twice: {name}");
            entries.push(Entry { name, lines: Vec::new() });
            continue;
        }
        let pair = line.split_once(": ").unwrap_or_else(|| panic!("no case's line: {line}"));
        entries.last_mut().expect("a name first").lines.push(pair);
    }
    entries
}

/// Text with its escapes undone.
#[track_caller]
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.expect("two digits")));
                u8::from_str_radix(&String::from_iter(digits), 16).expect("two digits")
            }
            other => panic!("an escape nobody knows, {other:?}: {text}"),
        });
    }
    octets
}

/// A list says what it means.
#[test]
fn escapes_are_undone() {
    let list = "# a list\n[one]\nsource: none\nsend: a\\r\\n\nsend:  b\\x0b\\\\\\0\\t\nexpect: 400 501\n";
    let cases = read(list);
    assert_eq!((cases.len(), cases[0].send.as_slice()), (1, &b"a\r\n b\x0b\\\0\t"[..]));
    assert_eq!((cases[0].name.as_str(), cases[0].expect.as_str()), ("one", "400 501"));
}
