//! Which clients have access to what is a resource owner's, and how it is taken back (UI-10).

use super::Access;
use super::consent::{self, Consent};
use crate::clock::Timestamp;
use crate::issue::refusal::IssueError;
use crate::issue::{Issuer, audit};
use crate::oauth::scope::Scope;
use crate::oauth::token::TokenRecord;
use crate::people::users::Subject;
use crate::store::{Document, Filter, Kind};
use std::collections::BTreeMap;

/// How much is read from the store at once.
const PAGE: usize = 256;

/// How many pages the account page reads at most: somebody with more tokens than that sees some of them.
const PAGES: usize = 16;

impl Issuer {
    /// The apps that have access to what is `subject`'s, for the account page: those with a consent, and
    /// those with a token, by identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn access_of(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Access>, IssueError> {
        let mut found: BTreeMap<String, Access> = BTreeMap::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.consents(subject, after.as_deref(), now).await?;
            after = page.last().map(|(id, _)| id.clone());
            let is_last = page.len() < PAGE;
            for (_, document) in &page {
                add(&mut found, of_consent(&document.value));
            }
            if is_last {
                break;
            }
        }
        self.add_tokens(subject, &mut found, now).await?;
        let mut all = Vec::with_capacity(found.len());
        for access in found.into_values() {
            let name = self.client(&access.client_id).await?.and_then(|client| client.name.clone());
            all.push(Access { client_name: name.unwrap_or_else(|| access.client_id.clone()), ..access });
        }
        Ok(all)
    }

    async fn add_tokens(
        &self,
        subject: &Subject,
        found: &mut BTreeMap<String, Access>,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        let filter = Filter { client_id: None, subject: Some(subject.name.clone()) };
        let mut after = None;
        for _ in 0..PAGES {
            let page = self.store.list(&filter, after, PAGE, now).await?;
            after = page.last().map(|listed| listed.digest);
            let is_last = page.len() < PAGE;
            let own = page.into_iter().filter(|listed| listed.record.subject_origin == subject.origin);
            own.for_each(|listed| add(found, of_token(listed.record)));
            if is_last {
                break;
            }
        }
        Ok(())
    }

    async fn consents(
        &self,
        subject: &Subject,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<(String, Document<Consent>)>, IssueError> {
        Ok(self.store.documents(Kind::Consent, &subject.key(), after, PAGE, now).await?)
    }

    /// Takes back what a resource owner allowed a client (`None`: every client): consents, grants and
    /// tokens (UI-10). A code that is not redeemed yet ends with its consent, which goes first: what is
    /// redeemed at the same time finds it gone, or leaves tokens that are found here.
    ///
    /// # Errors
    /// When it is not known to be done.
    pub async fn take_back(
        &self,
        subject: &Subject,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        match client_id {
            Some(client_id) => {
                self.store.forget(Kind::Consent, &consent::id(subject, client_id)).await?;
            }
            None => self.forget_consents(subject, now).await?,
        }
        let filter = Filter { client_id: client_id.map(str::to_owned), subject: Some(subject.name.clone()) };
        let ended = self.store.revoke_where(&filter).await?;
        audit::taken_back(client_id, &subject.name, ended);
        Ok(())
    }

    async fn forget_consents(&self, subject: &Subject, now: Timestamp) -> Result<(), IssueError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.consents(subject, after.as_deref(), now).await?;
            for (id, _) in &page {
                self.store.forget(Kind::Consent, id).await?;
            }
            match page.last() {
                Some((id, _)) if page.len() == PAGE => after = Some(id.clone()),
                _ => return Ok(()),
            }
        }
    }
}

fn of_consent(consent: &Consent) -> Access {
    Access {
        client_id: consent.client_id.clone(),
        client_name: String::new(),
        scope: consent.scope(),
        since: Timestamp::from_millis(consent.since),
        until: None,
    }
}

fn of_token(record: TokenRecord) -> Access {
    Access {
        scope: record.scope.parse().unwrap_or_default(),
        client_id: record.client_id,
        client_name: String::new(),
        since: record.issued_at,
        // A grant can outlive this token by a refresh token.
        until: record.grant.is_none().then_some(record.expires_at),
    }
}

/// Joins what is known of one client: since the first, until the last.
fn add(found: &mut BTreeMap<String, Access>, access: Access) {
    if let Some(known) = found.get_mut(&access.client_id) {
        known.scope = known.scope.iter().chain(access.scope.iter()).cloned().collect::<Scope>();
        known.since = known.since.min(access.since);
        known.until = known.until.zip(access.until).map(|(known, until)| known.max(until));
    } else {
        found.insert(access.client_id.clone(), access);
    }
}
