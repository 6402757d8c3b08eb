//! A token's record, prepared for use: scopes as a set, fields as bytes.

use crate::clock::Timestamp;
use crate::oauth::scope::{Scope, ScopeSet, ScopeTable};
use crate::oauth::token::TokenRecord;
use crate::store::cache::Cached;
use std::sync::Arc;

/// A token's record, prepared for the configuration that is in force.
#[derive(Debug)]
pub struct Identity {
    /// The facts.
    pub record: TokenRecord,
    /// The granted scopes with what they imply.
    pub scopes: ScopeSet,
    /// The identity fields that the upstream gets, ready to be copied: `x-auth-subject: …\r\n` and
    /// its kin; values percent-encoded where they need to be (PX-6).
    pub fields: Box<[u8]>,
    /// The configuration that `scopes` and `fields` were made for.
    pub generation: u64,
}

impl Identity {
    /// The generation of an identity that passes under no configuration.
    pub const NO_GENERATION: u64 = u64::MAX;

    /// Prepares a record. A field without a value is left out (IDH-4).
    pub fn new(record: TokenRecord, table: &ScopeTable, generation: u64) -> Self {
        let scopes = table.set_of(&record.scope.parse::<Scope>().unwrap_or_default());
        let mut fields = Vec::with_capacity(128);
        push_field(&mut fields, b"x-auth-subject: ", record.subject.as_deref().unwrap_or_default());
        push_field(&mut fields, b"x-auth-client: ", &record.client_id);
        push_field(&mut fields, b"x-auth-scope: ", &table.text_of(&scopes));
        Self { record, scopes, fields: fields.into(), generation }
    }
}

impl Cached for Arc<Identity> {
    fn size(&self) -> usize {
        let record = &self.record;
        let audience: usize = record.audience.iter().map(|resource| resource.len() + size_of::<String>()).sum();
        let text = record.client_id.len() + record.subject.as_ref().map_or(0, String::len) + record.scope.len();
        // The set of scopes is about as large as their text; two counters stand before the value.
        size_of::<Identity>() + 2 * size_of::<usize>() + text + record.scope.len() + audience + self.fields.len()
    }

    fn expires_at(&self) -> Timestamp {
        self.record.expires_at
    }
}

/// Appends a field line. Control characters, everything outside ASCII and `%` itself are
/// percent-encoded, so that decoding gives the value back; so are spaces at either end, which would be
/// taken for whitespace around it.
fn push_field(fields: &mut Vec<u8>, name: &[u8], value: &str) {
    if value.is_empty() {
        return;
    }
    fields.extend_from_slice(name);
    let last = value.len() - 1;
    for (at, octet) in value.bytes().enumerate() {
        let inner_space = octet == b' ' && at > 0 && at < last;
        if inner_space || (octet.is_ascii_graphic() && octet != b'%') {
            fields.push(octet);
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            fields.extend([b'%', DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
        }
    }
    fields.extend_from_slice(b"\r\n");
}
