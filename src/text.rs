//! Text as every request writes it: numbers, addresses and runs of ordinary octets, without the
//! formatting machinery, which would be a tenth of what a request costs.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// Appends a number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            // A remainder of ten is a digit.
            *digit = b'0' + (left % 10).to_le_bytes()[0];
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends an address as RFC 5952 writes it, without brackets.
pub fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => dotted(out, address),
        IpAddr::V6(_) => {
            // Writing to memory does not fail.
            let _ = write!(out, "{address}");
        }
    }
}

fn dotted(out: &mut Vec<u8>, address: Ipv4Addr) {
    let mut text = [b'.'; 16];
    let mut at = 0;
    for octet in address.octets() {
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let skipped = if octet >= 100 { 0 } else { 2 - usize::from(octet >= 10) };
        for digit in digits.iter().skip(skipped) {
            if let Some(place) = text.get_mut(at) {
                *place = b'0' + digit;
            }
            at += 1;
        }
        at += 1;
    }
    out.extend_from_slice(text.get(..at - 1).unwrap_or_default());
}

/// Whether no octet of `text` is below `0x20` or `0x7f`: eight at a time, because every octet of
/// every field of every message is asked.
pub const fn has_no_control(text: &[u8]) -> bool {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let (mut rest, mut found) = (text, 0);
    // The last eight may have been looked at in part already.
    let Some(last) = text.last_chunk::<8>() else { return few_have_no_control(text) };
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        found |= controls(u64::from_le_bytes(*eight));
        rest = after;
    }
    found |= controls(u64::from_le_bytes(*last));
    found & HIGH == 0
}

/// The high bit of an octet is set if there is a control character among the eight ("hasless" of Bit
/// Twiddling Hacks: exact as to whether there is one, not as to where).
const fn controls(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    let deletes = eight ^ (ONES * 0x7f);
    eight.wrapping_sub(ONES * 0x20) & !eight | deletes.wrapping_sub(ONES) & !deletes
}

const fn few_have_no_control(mut text: &[u8]) -> bool {
    let mut clean = true;
    while let Some((octet, after)) = text.split_first() {
        clean &= *octet >= 0x20 && *octet != 0x7f;
        text = after;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for value in [0, 7, 10, 999, 65536, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }

    proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_writes_them(v4: [u8; 4], v6: [u16; 8]) {
            for written in [IpAddr::from(v4), IpAddr::from(v6)] {
                let mut out = b"for=".to_vec();
                address(&mut out, written);
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("for={written}"));
            }
        }

        #[test]
        fn control_characters_are_found_wherever_they_stand(text in proptest::collection::vec(0x1e..=0x81u8, 0..40)) {
            let expected = text.iter().all(|octet| *octet >= 0x20 && *octet != 0x7f);
            prop_assert_eq!(has_no_control(&text), expected, "{:?}", text);
        }

        #[test]
        fn one_control_character_in_any_text_is_found(mut text in proptest::collection::vec(0x20..=0x7eu8, 1..40), at: prop::sample::Index, control in prop_oneof![0..0x20u8, Just(0x7f)]) {
            prop_assert!(has_no_control(&text));
            *at.get_mut(&mut text) = control;
            prop_assert!(!has_no_control(&text));
        }
    }
}
