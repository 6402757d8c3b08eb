//! What is good at the moment, in pieces.

use super::tables::{ACCESS, FAMILIES, REFRESH, Trouble, decode};
use super::{CHUNK, Embedded, Family, each_item};
use crate::clock::Timestamp;
use crate::oauth::token::{RefreshRecord, TokenRecord};
use crate::store::{Filter, StoreError};
use redb::{ReadOnlyTable, ReadTransaction};

impl Embedded {
    /// The records of the next items behind `after`, and, where there may be more, the last item that was
    /// looked at.
    pub(in crate::store) fn survey(
        &self,
        filter: &Filter,
        after: &[u8],
        now: Timestamp,
    ) -> Result<(Vec<TokenRecord>, Option<Vec<u8>>), StoreError> {
        self.read(|view| {
            let tables = Tables::open(view)?;
            let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
            each_item(view, filter, after, |item| {
                if item == after {
                    return Ok(true);
                }
                let record = tables.good(item, now)?;
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

/// Where what is good is found.
struct Tables {
    access: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    families: ReadOnlyTable<&'static [u8; 16], &'static [u8]>,
    refresh: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
}

impl Tables {
    fn open(view: &ReadTransaction) -> Result<Self, Trouble> {
        let (access, families, refresh) =
            (view.open_table(ACCESS)?, view.open_table(FAMILIES)?, view.open_table(REFRESH)?);
        Ok(Self { access, families, refresh })
    }

    /// The record of an access token, or of the refresh token of a grant that may be used.
    fn good(&self, item: &[u8], now: Timestamp) -> Result<Option<TokenRecord>, Trouble> {
        let record = match (<&[u8; 32]>::try_from(item), <&[u8; 16]>::try_from(item)) {
            (Ok(digest), _) => {
                let value = self.access.get(digest)?;
                value.map(|value| decode::<TokenRecord>(value.value(), "an access token")).transpose()?
            }
            (_, Ok(grant)) => self.current(grant)?.map(TokenRecord::from),
            _ => None,
        };
        Ok(record.filter(|record| now < record.expires_at))
    }

    fn current(&self, grant: &[u8; 16]) -> Result<Option<RefreshRecord>, Trouble> {
        let Some(family) = self.families.get(grant)? else { return Ok(None) };
        let family: Family = decode(family.value(), "a family")?;
        let value = self.refresh.get(&family.current)?;
        value.map(|value| decode(value.value(), "a refresh token")).transpose()
    }
}
