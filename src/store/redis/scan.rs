//! What walks over many keys, for operators: listings and mass revocations. It goes in chunks,
//! each of which Redis answers quickly, and holds no more than one chunk and one page. What is in no
//! index is looked for on every master.

use super::layout::Member;
use super::tokens::{Ended, read};
use super::walk::{self, Walk};
use super::{Redis, decode};
use crate::clock::Timestamp;
use crate::oauth::token::{RefreshRecord, TokenDigest, TokenRecord};
use crate::store::{Filter, Listed, StoreError};
use std::collections::BTreeMap;

impl Redis {
    /// Ends what `filter` means; gives the access tokens that ended to `tell`, chunk by chunk.
    pub(in crate::store) async fn revoke_where(
        &self,
        filter: &Filter,
        tell: impl Fn(&Ended),
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for mut walk in self.walks(filter) {
            while let Some(members) = walk.next(self).await? {
                for members in members.chunks(walk::CHUNK) {
                    let ended = self.end(filter, members).await?;
                    tell(&ended);
                    count += ended.tokens.len();
                }
            }
        }
        Ok(count)
    }

    pub(in crate::store) async fn list(
        &self,
        filter: &Filter,
        after: Option<TokenDigest>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Listed>, StoreError> {
        let walk = self.layout.index(filter).map_or_else(|| Walk::of_keys(self.layout.every_access()), Walk::of_index);
        self.page(walk, after, limit, |record| {
            now < record.expires_at && filter.means(&record.client_id, record.subject.as_deref())
        })
        .await
    }

    /// Shows `visit` what is good and what `filter` means, until it says `false`.
    pub(in crate::store) async fn survey(
        &self,
        filter: &Filter,
        now: Timestamp,
        mut visit: impl FnMut(TokenRecord) -> bool,
    ) -> Result<(), StoreError> {
        let meant = |record: &TokenRecord| {
            now < record.expires_at && filter.means(&record.client_id, record.subject.as_deref())
        };
        for mut walk in self.walks(filter) {
            while let Some(members) = walk.next(self).await? {
                for members in members.chunks(walk::CHUNK) {
                    if !self.good(members).await?.into_iter().filter(meant).all(&mut visit) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Over the tokens and grants that `filter` means, and others. Without an index grants have keys of their own.
    fn walks(&self, filter: &Filter) -> Vec<Walk> {
        match self.layout.index(filter) {
            Some(index) => vec![Walk::of_index(index)],
            None => [self.layout.every_family(), self.layout.every_access()].map(Walk::of_keys).into(),
        }
    }

    /// The records of access tokens, and of the refresh tokens of grants that may be used.
    async fn good(&self, members: &[Member]) -> Result<Vec<TokenRecord>, StoreError> {
        let tokens = self.records(members.iter().filter_map(Member::access).collect()).await?;
        let mut records: Vec<_> = tokens.into_iter().map(|(_, record)| record).collect();
        let grants: Vec<Member> = members.iter().filter(|member| member.grant().is_some()).copied().collect();
        let families = |grants: Vec<Member>| {
            let grants = grants.iter().filter_map(Member::grant);
            let families = grants.map(|grant| self.layout.family(grant)).map(|[family, ..]| family).collect();
            self.scripts.current.step(families, Vec::new())
        };
        let steps = self.together(&grants).into_iter().map(families).collect();
        let answers = self.connection.call_each(steps, self.connection.deadline()).await?;
        for answer in answers.value {
            for value in read::<Vec<Vec<u8>>>(answer)? {
                records.push(decode::<RefreshRecord>(&value, "a refresh token")?.into());
            }
        }
        Ok(records)
    }

    pub(in crate::store) async fn find_by_public_id(
        &self,
        first: [u8; 8],
        now: Timestamp,
    ) -> Result<Option<Listed>, StoreError> {
        let walk = Walk::of_keys(self.layout.access_beginning_with(first));
        Ok(self.page(walk, None, 1, |record| now < record.expires_at).await?.pop())
    }

    /// The first `limit` tokens of a walk that comes in no order.
    async fn page(
        &self,
        mut walk: Walk,
        after: Option<TokenDigest>,
        limit: usize,
        usable: impl Fn(&TokenRecord) -> bool,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut page = BTreeMap::new();
        while let Some(members) = walk.next(self).await? {
            let last = page.last_key_value().map(|(digest, _)| *digest).filter(|_| page.len() >= limit);
            let wanted = |digest: &TokenDigest| Some(*digest) > after && last.is_none_or(|last| *digest < last);
            let digests = members.iter().filter_map(Member::access);
            for (digest, record) in self.records(digests.filter(wanted).collect()).await? {
                if usable(&record) {
                    page.insert(digest, record);
                }
            }
            while page.len() > limit {
                page.pop_last();
            }
        }
        Ok(page.into_iter().map(|(digest, record)| Listed { digest, record }).collect())
    }

    async fn records(&self, digests: Vec<TokenDigest>) -> Result<Vec<(TokenDigest, TokenRecord)>, StoreError> {
        let keys: Vec<String> = digests.iter().map(|digest| self.layout.access(digest)).collect();
        let values = self.connection.values(&keys).await?;
        let found = digests.into_iter().zip(values).filter_map(|(digest, value)| Some((digest, value?)));
        found.map(|(digest, value)| Ok((digest, decode(&value, "an access token")?))).collect()
    }
}
