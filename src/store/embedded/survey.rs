//! What is good at the moment, in pieces.

use super::tables::{ACCESS, FAMILIES, REFRESH, Trouble, decode};
use super::{CHUNK, Embedded, Family, each_item};
use crate::clock::Timestamp;
use crate::oauth::token::{RefreshRecord, TokenRecord};
use crate::store::{Filter, StoreError};
use redb::ReadTransaction;

impl Embedded {
    /// The records of the next items behind `after`, and, where there may be more, the last item that was
    /// looked at.
    #[expect(clippy::type_complexity, reason = "a page and its cursor")]
    pub(in crate::store) fn survey(
        &self,
        filter: &Filter,
        after: &[u8],
        now: Timestamp,
    ) -> Result<(Vec<TokenRecord>, Option<Vec<u8>>), StoreError> {
        self.read(|view| {
            let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
            each_item(view, filter, after, |item| {
                if item == after {
                    return Ok(true);
                }
                let record = good(view, item, now)?;
                found.extend(record.filter(|record| filter.means(&record.client_id, record.subject.as_deref())));
                seen += 1;
                if seen == CHUNK {
                    last = Some(item.to_vec());
                }
                Ok(seen < CHUNK)
            })?;
            Ok((found, last))
        })
    }
}

/// The record of an access token, or of the refresh token of a grant that may be used.
fn good(view: &ReadTransaction, item: &[u8], now: Timestamp) -> Result<Option<TokenRecord>, Trouble> {
    let record = if let Ok(digest) = <&[u8; 32]>::try_from(item) {
        let value = view.open_table(ACCESS)?.get(digest)?;
        value.map(|value| decode::<TokenRecord>(value.value(), "an access token")).transpose()?
    } else if let Ok(grant) = <&[u8; 16]>::try_from(item) {
        let family = view.open_table(FAMILIES)?.get(grant)?;
        let family = family.map(|value| decode::<Family>(value.value(), "a family")).transpose()?;
        let Some(family) = family else { return Ok(None) };
        let value = view.open_table(REFRESH)?.get(&family.current)?;
        value.map(|value| decode::<RefreshRecord>(value.value(), "a refresh token")).transpose()?.map(TokenRecord::from)
    } else {
        None
    };
    Ok(record.filter(|record| now < record.expires_at))
}
