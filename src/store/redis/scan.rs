//! What walks over many keys, for operators: listings and mass revocations. It goes in chunks,
//! each of which Redis answers quickly, and holds no more than one chunk and one page. What is in no
//! index is looked for on every master.

use super::connection::{Connection, Retry};
use super::{ACCESS, Redis, decode, digest_of, digest_text};
use crate::clock::Timestamp;
use crate::oauth::token::{RefreshRecord, TokenDigest, TokenRecord};
use crate::secret::hex;
use crate::store::{Filter, Listed, StoreError};
use redis::cmd;
use std::collections::BTreeMap;

/// How many keys Redis looks at in one step.
const CHUNK: usize = 500;

/// What a walk over everything looks for: grants have keys of their own, while the indexes name both
/// kinds at once.
const PATTERNS: [&str; 2] = ["tg:{*}:f", "tg:a:*"];

/// Where a walk is: over an index, or over all keys of a pattern.
struct Walk {
    index: Option<String>,
    pattern: String,
    /// The masters that are left, the last one first; `None`: it has not begun.
    masters: Option<Vec<Connection>>,
    cursor: u64,
    ended: bool,
}

impl Walk {
    fn over(filter: &Filter, pattern: &str) -> Self {
        let index = match (&filter.subject, &filter.client_id) {
            (Some(subject), _) => Some(format!("tg:i:s:{subject}")),
            (None, Some(client)) => Some(format!("tg:i:c:{client}")),
            (None, None) => None,
        };
        Self { index, pattern: pattern.to_owned(), masters: None, cursor: 0, ended: false }
    }

    /// The next members, as they are named in the indexes: `a<digest>`, `g<grant>`.
    async fn next(&mut self, redis: &Redis) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let mut members = Vec::new();
        if let Some(index) = &self.index {
            let mut step = cmd("ZSCAN");
            step.arg(index).arg(self.cursor).arg("COUNT").arg(CHUNK);
            let (cursor, pairs): (u64, Vec<Vec<u8>>) = redis.read(&step).await?;
            self.cursor = cursor;
            members.extend(pairs.into_iter().step_by(2));
            self.ended = self.cursor == 0;
        } else {
            members.extend(self.keys(redis).await?.iter().filter_map(|key| member(key)));
        }
        Ok(Some(members))
    }

    /// The next keys of the master that is being looked through; then those of the next one.
    async fn keys(&mut self, redis: &Redis) -> Result<Vec<Vec<u8>>, StoreError> {
        let masters = match self.masters.take() {
            Some(masters) => self.masters.insert(masters),
            None => self.masters.insert(redis.connection.masters().await?),
        };
        let Some(master) = masters.last() else {
            self.ended = true;
            return Ok(Vec::new());
        };
        let mut step = cmd("SCAN");
        step.arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(CHUNK);
        let (cursor, keys): (u64, Vec<Vec<u8>>) = master.ask(&step, Retry::Once).await?;
        self.cursor = cursor;
        if cursor == 0 {
            masters.pop();
            self.ended = masters.is_empty();
        }
        Ok(keys)
    }
}

impl Redis {
    /// Ends what `filter` means; gives the access tokens that ended to `tell`, chunk by chunk.
    pub(in crate::store) async fn revoke_where(
        &self,
        filter: &Filter,
        tell: impl Fn(&[TokenDigest]),
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for pattern in PATTERNS {
            let mut walk = Walk::over(filter, pattern);
            while let Some(members) = walk.next(self).await? {
                for members in members.chunks(CHUNK) {
                    let ended = self.end(filter, members.to_vec()).await?;
                    tell(&ended);
                    count += ended.len();
                }
            }
            if walk.index.is_some() {
                break;
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
        self.page(Walk::over(filter, "tg:a:*"), after, limit, |record| {
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
        for pattern in PATTERNS {
            let mut walk = Walk::over(filter, pattern);
            while let Some(members) = walk.next(self).await? {
                for members in members.chunks(CHUNK) {
                    if !self.good(members).await?.into_iter().filter(meant).all(&mut visit) {
                        return Ok(());
                    }
                }
            }
            if walk.index.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// The records of access tokens, and of the refresh tokens of grants that may be used.
    async fn good(&self, members: &[Vec<u8>]) -> Result<Vec<TokenRecord>, StoreError> {
        let digests = members.iter().filter_map(|member| digest_of(member.strip_prefix(b"a")?));
        let tokens = self.records(digests.collect()).await?;
        let mut records: Vec<_> = tokens.into_iter().map(|(_, record)| record).collect();
        let grants: Vec<_> =
            members.iter().filter_map(|member| member.strip_prefix(b"g").map(<[u8]>::to_vec)).collect();
        if !grants.is_empty() {
            let current: Vec<Vec<u8>> = self.call(&self.scripts.current, &grants, Retry::Once).await?;
            for value in current {
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
        let walk = Walk::over(&Filter::default(), &format!("{ACCESS}{}*", hex(&first)));
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
            let digests = members.iter().filter_map(|member| digest_of(member.strip_prefix(b"a")?));
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
        let key = |digest: &TokenDigest| [ACCESS.as_bytes(), &digest_text(digest)].concat();
        let values = self.connection.values(&digests.iter().map(key).collect::<Vec<_>>()).await?;
        let found = digests.into_iter().zip(values).filter_map(|(digest, value)| Some((digest, value?)));
        found.map(|(digest, value)| Ok((digest, decode(&value, "an access token")?))).collect()
    }
}

/// The member that a key found by a scan would be in an index.
fn member(key: &[u8]) -> Option<Vec<u8>> {
    if let Some(digest) = key.strip_prefix(ACCESS.as_bytes()) {
        return Some([b"a".as_slice(), digest].concat());
    }
    let grant = key.strip_prefix(b"tg:{")?.strip_suffix(b"}:f")?;
    Some([b"g".as_slice(), grant].concat())
}
