//! Grants: what resource owners allowed clients, listed and ended.

use super::answer::{Refusal, json};
use super::request::Query;
use super::{AUDIT, Admin};
use crate::clock::Timestamp;
use crate::issue::{Access, AccessFilter};
use crate::oauth::token::Origin;
use crate::people::users::Subject;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json as value;

/// How many are ended in one request, unless it asks for fewer: each is one change of the store or two.
const ENDED: usize = 250;

/// The longest cursor.
const LONGEST: usize = 256;

/// A grant as it is shown.
#[derive(Serialize)]
struct Shown<'s> {
    subject: Option<&'s str>,
    client: &'s str,
    client_name: &'s str,
    scope: String,
    since: u64,
    last_used: Option<u64>,
    until: Option<u64>,
}

impl<'s> From<&'s Access> for Shown<'s> {
    fn from(access: &'s Access) -> Self {
        Self {
            subject: subject(access),
            client: &access.client_id,
            client_name: &access.client_name,
            scope: access.scope.to_string(),
            since: access.since.as_secs(),
            last_used: access.last_used.map(Timestamp::as_secs),
            until: access.until.map(Timestamp::as_secs),
        }
    }
}

fn subject(access: &Access) -> Option<&str> {
    access.spellings.first().map(String::as_str)
}

impl Admin {
    /// `GET /grants`.
    pub(super) async fn list_grants(&self, query: &Query<'_>, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let (page, next) = self.grants(query, query.limit()?, now).await?;
        let grants: Vec<_> = page.iter().map(Shown::from).collect();
        Ok(json(StatusCode::OK, &value!({ "grants": grants, "next": next })))
    }

    /// `DELETE /grants`: of a resource owner, of a client, of both. It ends a page of them; where `next` is
    /// not null, there may be more.
    pub(super) async fn end_grants(&self, query: &Query<'_>, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        if query.get("client").is_none() && query.get("subject").is_none() {
            return Err(Refusal::Invalid("give client, subject, or both".to_owned()));
        }
        let (page, next) = self.grants(query, query.limit()?.min(ENDED), now).await?;
        if page.is_empty() && query.get("after").is_none() {
            return Err(Refusal::NotFound("no such grant: it never was, has ended, or was taken back".to_owned()));
        }
        let mut tokens = 0;
        for access in &page {
            let ended = self.issuer.end_access(access).await?;
            let client = &access.client_id;
            tracing::info!(target: AUDIT, client, subject = subject(access), ended, by = "operator", "grant ended");
            tokens += ended;
        }
        Ok(json(StatusCode::OK, &value!({ "ended": page.len(), "revoked": tokens, "next": next })))
    }

    /// The grants that a query means, and the `after` of the next ones.
    async fn grants(
        &self,
        query: &Query<'_>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<Access>, Option<String>), Refusal> {
        let (client_id, after) = (query.get("client"), query.get("after"));
        if after.is_some_and(|after| !is_cursor(after)) {
            return Err(Refusal::Invalid("after is the `next` of a page".to_owned()));
        }
        let owners = match query.get("subject") {
            Some(name) => Some(self.owners(name, now).await?),
            None => None,
        };
        let filter = AccessFilter { owners: owners.as_deref(), client_id };
        // One more than asked for says whether there is a next page.
        let mut page = self.issuer.all_access(filter, after, limit + 1, now).await?;
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|access| access.id.clone());
        Ok((page, next))
    }

    /// Whoever has or had this name, as it is written and as tokens have it.
    async fn owners(&self, name: &str, now: Timestamp) -> Result<Vec<Subject>, Refusal> {
        let spelling = self.as_issued(Some(name), now).await?.filter(|spelling| spelling != name);
        let names = [Some(name.to_owned()), spelling].into_iter().flatten();
        let origins = [Origin::Configuration, Origin::Store, Origin::Provider];
        Ok(names.flat_map(|name| origins.map(|origin| Subject { name: name.clone(), origin })).collect())
    }
}

/// A cursor is the place of the last line that was seen: words and digests, with colons between them.
fn is_cursor(text: &str) -> bool {
    let is_part = |octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b':');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_part)
}
