//! What a request carries of its way: how far it may still go (`Max-Forwards`), and which trace it is
//! part of (`traceparent`).

use super::edits::line;
use crate::http1::head::Request;
use crate::text;

/// How often a request may still be forwarded; `None`: as often as it takes. Only OPTIONS says so
/// (RFC 9110 section 7.6.2; TRACE is never forwarded).
pub fn max_forwards(request: &Request<'_>) -> Option<u64> {
    if request.method() != "OPTIONS" {
        return None;
    }
    let mut values = request.values("max-forwards");
    let value = values.next().filter(|value| value.iter().all(u8::is_ascii_digit))?;
    // Two lines have no meaning, nor has a number that nobody would count to.
    std::str::from_utf8(value).ok()?.parse().ok().filter(|_| values.next().is_none())
}

/// Appends the limit for the next station. One of zero does not come here.
pub(super) fn forwarded(limit: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"max-forwards: ");
    text::decimal(out, limit.saturating_sub(1));
    out.extend_from_slice(b"\r\n");
}

/// Appends the start of a trace (W3C Trace Context) for a request that is part of none: its
/// identifier is that of the request, so that the log finds the trace and the trace the log. An
/// identifier that a trusted peer chose in another form starts none: that peer would have.
pub(super) fn traceparent(request_id: &str, out: &mut Vec<u8>) {
    let hexadecimal = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
    let Some((_, parent)) = request_id.split_at_checked(16) else { return };
    let zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
    if request_id.len() != 32 || !request_id.bytes().all(hexadecimal) || zero(parent) {
        return;
    }
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    value[3..35].copy_from_slice(request_id.as_bytes());
    value[36..52].copy_from_slice(parent.as_bytes());
    line(out, b"traceparent", &value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Limits;
    use crate::http1::head::RequestHead;

    fn limit(method: &str, fields: &str) -> Option<u64> {
        let bytes = format!("{method} /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut head = RequestHead::default();
        let length = head.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
        max_forwards(&Request::new(&head, &bytes.as_bytes()[..length]))
    }

    /// H-trace
    #[test]
    fn only_options_counts_and_only_numbers_count() {
        assert_eq!(limit("OPTIONS", "Max-Forwards: 0\r\n"), Some(0));
        assert_eq!(limit("OPTIONS", "max-forwards: 10\r\n"), Some(10));
        for fields in
            ["", "Max-Forwards:\r\n", "Max-Forwards: -1\r\n", "Max-Forwards: +1\r\n", "Max-Forwards: 1, 0\r\n"]
        {
            assert_eq!(limit("OPTIONS", fields), None, "{fields}");
        }
        assert_eq!(limit("OPTIONS", "Max-Forwards: 99999999999999999999\r\n"), None);
        assert_eq!(limit("OPTIONS", "Max-Forwards: 0\r\nMax-Forwards: 0\r\n"), None);
        assert_eq!(limit("GET", "Max-Forwards: 0\r\n"), None);
    }

    #[test]
    fn a_trace_has_the_requests_identifier() {
        let started = |id| {
            let mut out = Vec::new();
            traceparent(id, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            started("0af7651916cd43dd8448eb211c80319c"),
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-8448eb211c80319c-01\r\n"
        );
        for id in ["", "abc", "0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd0000000000000000", &"é".repeat(16)]
        {
            assert_eq!(started(id), "", "{id}");
        }
    }
}
