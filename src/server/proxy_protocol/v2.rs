//! Version 2: octets.

use super::{Announced, Client};
use std::net::{IpAddr, SocketAddr};

/// How it begins.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The part that every header has.
pub(super) const FIXED: usize = 16;
/// The longest part behind that: addresses, and what else a proxy tells.
const LONGEST: usize = 4096;

/// The type of the field that holds a checksum.
const CRC32C: u8 = 0x03;
/// The type of the field about TLS between the client and the proxy, and the flag in it that there is some.
const SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;
/// What stands in that field in front of further fields: flags, and what became of the client's certificate.
const SSL_FIXED: usize = 5;

/// How many octets follow the fixed part; `None`: too many.
pub(super) fn length(fixed: &[u8]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes(*fixed.last_chunk()?));
    (length <= LONGEST).then_some(length)
}

/// What a whole header says; `None`: it is malformed.
pub(super) fn parse(header: &[u8]) -> Option<Announced> {
    let (fixed, rest) = header.split_at_checked(FIXED)?;
    let &[command, family, _, _] = fixed.last_chunk()?;
    let (client, fields) = match (command, family) {
        // Whatever it says of a connection of its own is to be ignored.
        (0x20, _) => return Some(Announced::Proxy),
        (0x21, 0x00) => return Some(Announced::Client(Client::UNNAMED)),
        (0x21, 0x11) => {
            let (addresses, fields) = rest.split_first_chunk::<12>()?;
            (client::<4>(addresses)?, fields)
        }
        (0x21, 0x21) => {
            let (addresses, fields) = rest.split_first_chunk::<36>()?;
            (client::<16>(addresses)?, fields)
        }
        // A unix socket of the proxy's machine, not of this one.
        (0x21, 0x31) => (Client::UNNAMED, rest.split_first_chunk::<216>()?.1),
        _ => return None,
    };
    let tls = tls(header, fields).ok()?;
    Some(Announced::Client(Client { tls, ..client }))
}

fn client<const N: usize>(addresses: &[u8]) -> Option<Client>
where
    IpAddr: From<[u8; N]>,
{
    let source: [u8; N] = *addresses.first_chunk()?;
    let port: [u8; 2] = *addresses.get(2 * N..)?.first_chunk()?;
    Some(Client::at(SocketAddr::new(source.into(), u16::from_be_bytes(port))))
}

/// The fields do not end where the header ends, a checksum among them is wrong, or they say something twice.
struct Malformed;

/// What the fields behind the addresses say of TLS.
fn tls(header: &[u8], mut fields: &[u8]) -> Result<Option<bool>, Malformed> {
    let mut tls = None;
    while let Some((kind, value, rest)) = field(fields)? {
        match kind {
            CRC32C if !is_sum(value, header, rest.len()) => return Err(Malformed),
            SSL if tls.is_some() => return Err(Malformed),
            SSL => tls = Some(is_secured(value)?),
            _ => {}
        }
        fields = rest;
    }
    Ok(tls)
}

/// A field: its type, its value, and what stands behind it.
type Field<'f> = (u8, &'f [u8], &'f [u8]);

/// The first of `fields`, where there is one.
fn field(fields: &[u8]) -> Result<Option<Field<'_>>, Malformed> {
    if fields.is_empty() {
        return Ok(None);
    }
    let (&[kind, high, low], rest) = fields.split_first_chunk().ok_or(Malformed)?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low]))).ok_or(Malformed)?;
    Ok(Some((kind, value, rest)))
}

/// Whether the client speaks TLS with the proxy.
fn is_secured(value: &[u8]) -> Result<bool, Malformed> {
    let (&[flags, ..], mut further) = value.split_first_chunk::<SSL_FIXED>().ok_or(Malformed)?;
    while let Some((_, _, rest)) = field(further)? {
        further = rest;
    }
    Ok(flags & CLIENT_SSL != 0)
}

/// Whether `value`, which stands in front of the last `behind` octets of `header`, is the checksum of
/// the header with zeros in its place.
fn is_sum(value: &[u8], header: &[u8], behind: usize) -> bool {
    let Ok(value) = <[u8; 4]>::try_from(value) else { return false };
    let place = header.len() - behind - value.len();
    let zeroed = header.iter().enumerate().map(|(at, &octet)| {
        let in_place = (place..place + value.len()).contains(&at);
        if in_place { 0 } else { octet }
    });
    crc32c(zeroed) == u32::from_be_bytes(value)
}

/// RFC 3720 appendix B.4.
pub(super) fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !octets.fold(u32::MAX, |sum, octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 })
    })
}
