//! The line of one request: hand-written, because a general serialiser would cost more than the rest
//! of the request's accounting. Text is bounded, control characters are escaped, a query never gets
//! in, and what looks like one of our tokens is cut (TOK-6).

use super::{Event, REQUEST_TARGET, Verdict};
use crate::text;
use std::io::Write as _;
use std::time::Duration;

/// The longest text of a field in octets; what is cut ends in `…`.
const LONGEST: usize = 1024;
/// Characters after a token's prefix from which on it is taken for a token.
const TOKEN_BODY: usize = 20;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty {
        /// With ANSI colours.
        colours: bool,
    },
}

impl Style {
    /// Appends the line of `event`.
    pub(super) fn write(self, line: &mut Vec<u8>, stamp: &str, event: &Event<'_>) {
        match self {
            Self::Json => json(line, stamp, event),
            Self::Pretty { colours } => pretty(line, stamp, event, colours),
        }
        line.push(b'\n');
    }
}

fn json(line: &mut Vec<u8>, stamp: &str, event: &Event<'_>) {
    line.extend_from_slice(b"{\"timestamp\":\"");
    line.extend_from_slice(stamp.as_bytes());
    line.extend_from_slice(b"\",\"level\":\"INFO\",\"target\":\"");
    line.extend_from_slice(REQUEST_TARGET.as_bytes());
    line.push(b'"');
    member(line, "request_id", Some(event.request_id));
    member(line, "method", Some(event.method));
    member(line, "path", Some(without_query(event.path)));
    member(line, "route", event.route.map(|(_, name)| name));
    member(line, "client", event.client);
    member(line, "subject", event.subject);
    if let Some(address) = event.address {
        line.extend_from_slice(b",\"address\":\"");
        text::address(line, address);
        line.push(b'"');
    }
    line.extend_from_slice(b",\"verdict\":\"");
    line.extend_from_slice(event.verdict.as_str().as_bytes());
    line.extend_from_slice(b"\",\"reason\":\"");
    line.extend_from_slice(event.reason.as_bytes());
    line.push(b'"');
    line.extend_from_slice(b",\"status\":");
    text::decimal(line, event.status.into());
    millis(line, b",\"duration_ms\":", event.duration);
    if let Some(upstream) = event.upstream {
        millis(line, b",\"upstream_ms\":", upstream);
    }
    line.extend_from_slice(b",\"sent\":");
    text::decimal(line, event.sent);
    if event.received > 0 {
        line.extend_from_slice(b",\"received\":");
        text::decimal(line, event.received);
    }
    line.push(b'}');
}

fn pretty(line: &mut Vec<u8>, stamp: &str, event: &Event<'_>, colours: bool) {
    let (colour, plain) = match (colours, event.verdict) {
        (false, _) => ("", ""),
        (true, Verdict::Allowed | Verdict::Public) => ("\x1b[32m", "\x1b[0m"),
        (true, Verdict::Denied | Verdict::WouldDeny) => ("\x1b[33m", "\x1b[0m"),
        (true, Verdict::Failed) => ("\x1b[31m", "\x1b[0m"),
    };
    write(line, format_args!("{stamp}  INFO {colour}{} {}{plain} ", event.status, event.verdict.as_str()));
    escaped(line, event.method);
    line.push(b' ');
    escaped(line, without_query(event.path));
    write(line, format_args!(" reason={}", event.reason));
    pair(line, "route", event.route.map(|(_, name)| name));
    pair(line, "client", event.client);
    pair(line, "subject", event.subject);
    if let Some(address) = event.address {
        line.extend_from_slice(b" address=");
        text::address(line, address);
    }
    millis(line, b" duration_ms=", event.duration);
    if let Some(upstream) = event.upstream {
        millis(line, b" upstream_ms=", upstream);
    }
    line.extend_from_slice(b" sent=");
    text::decimal(line, event.sent);
    if event.received > 0 {
        line.extend_from_slice(b" received=");
        text::decimal(line, event.received);
    }
    pair(line, "request_id", Some(event.request_id));
}

fn member(line: &mut Vec<u8>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":\"");
    escaped(line, value);
    line.push(b'"');
}

fn pair(line: &mut Vec<u8>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    line.push(b' ');
    line.extend_from_slice(name.as_bytes());
    line.push(b'=');
    escaped(line, value);
}

/// Milliseconds with three decimals.
fn millis(line: &mut Vec<u8>, before: &[u8], value: Duration) {
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    line.extend_from_slice(before);
    text::decimal(line, micros / 1000);
    line.push(b'.');
    for divisor in [100, 10, 1] {
        line.push(b'0' + u8::try_from(micros % 1000 / divisor % 10).unwrap_or_default());
    }
}

fn write(line: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `Vec` cannot fail.
    let _ = line.write_fmt(arguments);
}

/// Callers pass paths alone; a query would hold whatever people put there, so it is cut once more.
fn without_query(path: &str) -> &str {
    let end = memchr::memchr2(b'?', b'#', path.as_bytes()).unwrap_or(path.len());
    &path[..end]
}

/// Appends `text` as the inside of a JSON string, which serves people as well.
fn escaped(line: &mut Vec<u8>, text: &str) {
    let suspicions = text.bytes().fold(0, |suspicions, octet| suspicions | SUSPICIONS[usize::from(octet)]);
    if suspicions == 0 && text.len() <= LONGEST {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    let (text, cut) = bounded(text);
    let (text, secret) = before_token(text);
    if suspicions & ESCAPED != 0 {
        text.chars().for_each(|character| escape(line, character));
    } else {
        line.extend_from_slice(text.as_bytes());
    }
    if cut || secret {
        line.extend_from_slice("…".as_bytes());
    }
}

/// The octet may have to be escaped.
const ESCAPED: u8 = 1;
/// The octet may stand in a token of ours, as it is or as an escape.
const TOKEN: u8 = 2;
/// What an octet gives reason to look for: in most texts there is none.
const SUSPICIONS: [u8; 256] = {
    let mut table = [0; 256];
    let mut octet = 0u8;
    loop {
        table[octet as usize] = match octet {
            b'_' | b'%' => TOKEN,
            _ if needs_escape(octet) => ESCAPED,
            _ => 0,
        };
        if octet == u8::MAX {
            break;
        }
        octet += 1;
    }
    table
};

/// ASCII that JSON or a terminal gives a meaning, and everything outside ASCII for a closer look.
const fn needs_escape(octet: u8) -> bool {
    octet < b' ' || octet == b'"' || octet == b'\\' || octet >= 0x7f
}

fn escape(line: &mut Vec<u8>, character: char) {
    match character {
        '"' => line.extend_from_slice(b"\\\""),
        '\\' => line.extend_from_slice(b"\\\\"),
        // Beside control characters those that reorder a line on a terminal.
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => write(line, format_args!("\\u{:04x}", u32::from(character))),
        other => line.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn bounded(text: &str) -> (&str, bool) {
    if text.len() <= LONGEST {
        return (text, false);
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    (&text[..end], true)
}

/// The text up to and with the prefix of the first token of ours in it (`tga_`, `tgr_`, …), escaped or not.
fn before_token(text: &str) -> (&str, bool) {
    // Most texts with an escape are too short for a token, and need not be decoded.
    let end = if text.len() > TOKEN_BODY && memchr::memchr(b'%', text.as_bytes()).is_some() {
        let (octets, ends) = decoded(text.as_bytes());
        token_in(&octets).and_then(|at| ends.get(at).copied())
    } else {
        token_in(text.as_bytes()).map(|at| at + 1)
    };
    // The underscore is ASCII, escaped or not, so what follows it starts a character.
    end.and_then(|end| text.get(..end)).map_or((text, false), |before| (before, true))
}

/// Where the underscore of the first token stands.
fn token_in(octets: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'_', octets).find(|at| {
        let prefixed = *at >= 3 && octets[at - 3..at - 1] == *b"tg";
        prefixed && octets[at + 1..].iter().take_while(|octet| octet.is_ascii_alphanumeric()).count() >= TOKEN_BODY
    })
}

/// The octets that a path stands for, and where each of them ends in it.
fn decoded(path: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let digit = |at: usize| path.get(at).and_then(|octet| char::from(*octet).to_digit(16));
    let mut at = 0;
    let octets = std::iter::from_fn(|| {
        let octet = *path.get(at)?;
        let escaped = if octet == b'%' { digit(at + 1).zip(digit(at + 2)) } else { None };
        let escaped = escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        at += if escaped.is_some() { 3 } else { 1 };
        Some((escaped.unwrap_or(octet), at))
    });
    octets.unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn event<'e>(path: &'e str, client: &'e str) -> Event<'e> {
        Event {
            request_id: "01JD",
            method: "GET",
            path,
            route: Some((0, "notes")),
            client: Some(client),
            subject: None,
            address: Some([127, 0, 0, 1].into()),
            verdict: Verdict::Denied,
            reason: "insufficient_scope",
            status: 403,
            ended: Timestamp::from_secs(1_795_556_585),
            duration: Duration::from_micros(12_034),
            upstream: Some(Duration::from_micros(7)),
            sent: 1234,
            received: 0,
        }
    }

    fn line(style: Style, event: &Event<'_>) -> String {
        let mut line = Vec::new();
        style.write(&mut line, "2026-11-24T21:43:05.042Z", event);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_json_line_has_every_field() {
        let text = line(Style::Json, &event("/notes/1", "reporter"));
        let expected = concat!(
            r#"{"timestamp":"2026-11-24T21:43:05.042Z","level":"INFO","target":"tollgate::request","#,
            r#""request_id":"01JD","method":"GET","path":"/notes/1","route":"notes","client":"reporter","#,
            r#""address":"127.0.0.1","verdict":"denied","reason":"insufficient_scope","status":403,"#,
            r#""duration_ms":12.034,"upstream_ms":0.007,"sent":1234}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_pretty_line_is_one_line_for_people() {
        let text = line(Style::Pretty { colours: false }, &event("/notes/\n\x1b[31m", "reporter"));
        let expected = "2026-11-24T21:43:05.042Z  INFO 403 denied GET /notes/\\u000a\\u001b[31m reason=insufficient_scope \
                        route=notes client=reporter address=127.0.0.1 duration_ms=12.034 upstream_ms=0.007 sent=1234 \
                        request_id=01JD\n";
        assert_eq!(text, expected);
    }

    /// TOK-6; hazards section 1, line 20
    #[test]
    fn neither_query_nor_token_gets_into_a_line() {
        let token = format!("tga_{}", "a1".repeat(25));
        for path in [format!("/x?access_token={token}"), format!("/x#{token}"), format!("/x/{token}/y")] {
            let text = line(Style::Json, &event(&path, &token));
            assert!(!text.contains("a1a1a1"), "{text}");
        }
        assert!(line(Style::Json, &event("/tga_guide/_", "c")).contains("/tga_guide/_"));
    }

    /// TOK-6, PATH-8; hazards section 1, line 20
    #[test]
    fn a_token_in_escapes_does_not_get_into_a_line_either() {
        let secret = "a1".repeat(25);
        for (token, kept) in [
            (format!("%74ga_{secret}"), "%74ga_"),
            (format!("tga%5F{secret}"), "tga%5F"),
            (format!("tg%61%5f%61{}", &secret[1..]), "tg%61%5f"),
            (format!("%zz%tga_{secret}"), "%zz%tga_"),
            (format!("ä%tga_{secret}"), "ä%tga_"),
        ] {
            let text = line(Style::Json, &event(&format!("/x/{token}/y"), "c"));
            assert!(!text.contains("1a1a1a") && text.contains(&format!("\"/x/{kept}…\"")), "{text}");
        }
        let long = format!("tga_{}%{}", "a1".repeat(3), "%61".repeat(40));
        assert!(line(Style::Json, &event(&long, "c")).contains(&long));
    }

    proptest! {
        #[test]
        fn hostile_text_makes_one_bounded_line_of_valid_json(path in "\\PC{0,40}|.{0,3000}|[\\x00-\\x1f\"\\\\]{0,30}", client: String) {
            let text = line(Style::Json, &event(&path, &client));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["status"].as_u64(), Some(403));
            prop_assert!(!value["path"].as_str().unwrap().contains('?'));
            prop_assert!(text.len() < 16 * 1024);
            prop_assert_eq!(text.bytes().filter(|octet| *octet < b' ').count(), 1);
        }
    }
}
