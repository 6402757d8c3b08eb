//! A token's record, prepared for use: scopes as a set, fields as bytes.

use crate::clock::Timestamp;
use crate::oauth::resource::{ResourceSet, Resources};
use crate::oauth::scope::{Scope, ScopeSet, ScopeTable};
use crate::oauth::token::{GrantId, Origin, TokenRecord};
use crate::store::cache::Cached;
use std::sync::Arc;

/// A token's record, prepared for the configuration that is in force. There is one for each cached
/// token, so it is packed: its texts stand in one allocation.
#[derive(Debug)]
pub struct Identity {
    /// The granted scopes with what they imply.
    pub scopes: ScopeSet,
    /// The resources that it is good for.
    pub resources: ResourceSet,
    /// The configuration that it was made for.
    pub generation: u64,
    /// From this moment on the token is not valid.
    pub expires_at: Timestamp,
    issued_at: Timestamp,
    /// The client, the resource owner, the scope, the fields for the upstream.
    text: Box<str>,
    /// Where the first three of them end.
    ends: [u32; 3],
    has_subject: bool,
    client_origin: Origin,
    subject_origin: Origin,
    grant: Option<GrantId>,
    audience: Box<[String]>,
}

impl Identity {
    /// The generation of an identity that passes under no configuration.
    pub const NO_GENERATION: u64 = u64::MAX;

    /// Prepares a record. A field without a value is left out (IDH-4).
    pub fn new(record: TokenRecord, table: &ScopeTable, resources: &Resources, generation: u64) -> Self {
        let scopes = table.set_of(&record.scope.parse::<Scope>().unwrap_or_default());
        let subject = record.subject.as_deref().unwrap_or_default();
        let mut text = String::with_capacity(256);
        let mut ends = [0; 3];
        for (part, end) in [&record.client_id, subject, &record.scope].into_iter().zip(&mut ends) {
            text.push_str(part);
            *end = u32::try_from(text.len()).unwrap_or_default();
        }
        push_field(&mut text, "x-auth-subject: ", subject);
        push_field(&mut text, "x-auth-client: ", &record.client_id);
        push_field(&mut text, "x-auth-scope: ", &table.text_of(&scopes));
        Self {
            scopes,
            resources: resources.set_of(&record.audience),
            generation,
            expires_at: record.expires_at,
            issued_at: record.issued_at,
            text: text.into(),
            ends,
            has_subject: record.subject.is_some(),
            client_origin: record.client_origin,
            subject_origin: record.subject_origin,
            grant: record.grant,
            audience: record.audience.into(),
        }
    }

    /// The client that the token was issued to.
    pub fn client_id(&self) -> &str {
        self.part(0, self.ends[0])
    }

    /// The resource owner; `None` when the client acts for itself.
    pub fn subject(&self) -> Option<&str> {
        self.has_subject.then(|| self.part(self.ends[0], self.ends[1]))
    }

    /// The granted scope, space-separated.
    pub fn scope(&self) -> &str {
        self.part(self.ends[1], self.ends[2])
    }

    /// The resources that the token was issued for; none: every one that demands no audience.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// The identity fields that the upstream gets, ready to be copied: `x-auth-subject: …\r\n` and
    /// its kin; values percent-encoded where they need to be (PX-6).
    pub fn fields(&self) -> &[u8] {
        self.text.as_bytes().get(self.ends[2] as usize..).unwrap_or_default()
    }

    /// The facts, as the store has them.
    pub fn record(&self) -> TokenRecord {
        TokenRecord {
            client_id: self.client_id().to_owned(),
            client_origin: self.client_origin,
            subject: self.subject().map(str::to_owned),
            subject_origin: self.subject_origin,
            scope: self.scope().to_owned(),
            audience: self.audience.to_vec(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            grant: self.grant,
        }
    }

    fn part(&self, from: u32, to: u32) -> &str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }
}

impl Cached for Arc<Identity> {
    fn size(&self) -> usize {
        let audience: usize = self.audience.iter().map(|resource| resource.len() + size_of::<String>()).sum();
        // Two counters stand before the value.
        size_of::<Identity>() + 2 * size_of::<usize>() + self.text.len() + self.scopes.size() + audience
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Appends a field line. Control characters, everything outside ASCII and `%` itself are
/// percent-encoded, so that decoding gives the value back; so are spaces at either end, which would be
/// taken for whitespace around it.
fn push_field(fields: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    fields.push_str(name);
    let last = value.len() - 1;
    for (at, octet) in value.bytes().enumerate() {
        let inner_space = octet == b' ' && at > 0 && at < last;
        if inner_space || (octet.is_ascii_graphic() && octet != b'%') {
            fields.push(char::from(octet));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let digits = [octet >> 4, octet & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
            fields.push('%');
            fields.extend(digits);
        }
    }
    fields.push_str("\r\n");
}
