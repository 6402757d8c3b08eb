//! Which clients have access to what is a resource owner's, and how it is taken back (UI-10): by the
//! resource owner, and by an operator.

mod lowest;

use super::Access;
use super::consent::{self, Consent};
use crate::clock::Timestamp;
use crate::issue::refusal::IssueError;
use crate::issue::{Issuer, audit};
use crate::oauth::token::TokenRecord;
use crate::people::users::Subject;
use crate::store::{Document, Filter, Kind, StoreError};
use lowest::Lowest;
use std::collections::{BTreeMap, BTreeSet};

/// How much is read from the store at once.
const PAGE: usize = 256;

/// How many apps and how many tokens the account page looks at: somebody with more of them sees some.
const MOST: usize = 4096;

/// Which access is meant. Every given part must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessFilter<'f> {
    /// To what is one of these's; `None`: anybody's.
    pub owners: Option<&'f [Subject]>,
    /// Of this client.
    pub client_id: Option<&'f str>,
}

impl Issuer {
    /// The apps that have access to what is `subject`'s, for the account page: those with a consent, and
    /// those with a token, by identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn access_of(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Access>, IssueError> {
        let filter = AccessFilter { owners: Some(std::slice::from_ref(subject)), client_id: None };
        let mut lowest = Lowest::new(None, MOST);
        self.add_consents(filter, &mut lowest, now).await?;
        self.add_tokens(filter, &mut lowest, (now, MOST)).await?;
        let mut all = self.named(lowest.into_values()).await?;
        all.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        Ok(all)
    }

    /// The access that `filter` means, for an operator: with a consent or with a token, in the order of
    /// [`Access::id`], behind `after`, `limit` at most. However much there is, no more than that is held.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn all_access(
        &self,
        filter: AccessFilter<'_>,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Access>, StoreError> {
        let mut lowest = Lowest::new(after, limit);
        self.add_consents(filter, &mut lowest, now).await?;
        self.add_tokens(filter, &mut lowest, (now, usize::MAX)).await?;
        self.named(lowest.into_values()).await
    }

    async fn named(&self, access: impl Iterator<Item = Access>) -> Result<Vec<Access>, StoreError> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut all = Vec::new();
        for access in access {
            let id = &access.client_id;
            if !names.contains_key(id) {
                let name = self.client(id).await?.and_then(|client| client.name.clone());
                names.insert(id.clone(), name.unwrap_or_else(|| id.clone()));
            }
            let client_name = names.get(id).cloned().unwrap_or_default();
            all.push(Access { client_name, ..access });
        }
        Ok(all)
    }

    async fn add_consents(
        &self,
        filter: AccessFilter<'_>,
        lowest: &mut Lowest<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for prefix in prefixes(filter.owners) {
            let mut after = lowest.after().map(str::to_owned);
            loop {
                let page = self.consents(&prefix, after.as_deref(), now).await?;
                let is_last = page.len() < PAGE;
                after = page.last().map(|(id, _)| id.clone());
                for (id, Document { value, .. }) in page {
                    if filter.client_id.is_none_or(|wanted| wanted == value.client_id) {
                        lowest.add(of_consent(id, value));
                    }
                }
                if is_last || after.as_deref().is_some_and(|after| !lowest.takes(after)) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Looks at so many tokens at most.
    async fn add_tokens(
        &self,
        filter: AccessFilter<'_>,
        lowest: &mut Lowest<'_>,
        (now, most): (Timestamp, usize),
    ) -> Result<(), StoreError> {
        let prefixes = prefixes(filter.owners);
        let names: BTreeSet<Option<&str>> = match filter.owners {
            Some(owners) => owners.iter().map(|owner| Some(owner.name.as_str())).collect(),
            None => BTreeSet::from([None]),
        };
        let mut left = most;
        for name in names {
            if left == 0 {
                break;
            }
            let tokens = Filter { client_id: filter.client_id.map(str::to_owned), subject: name.map(str::to_owned) };
            let visit = |record| {
                let access = of_token(record);
                if let Some(access) = access.filter(|access| prefixes.iter().any(|key| access.id.starts_with(key))) {
                    lowest.add(access);
                }
                left -= 1;
                left > 0
            };
            self.store.survey(&tokens, now, visit).await?;
        }
        Ok(())
    }

    async fn consents(
        &self,
        prefix: &str,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<(String, Document<Consent>)>, StoreError> {
        self.store.documents(Kind::Consent, prefix, after, PAGE, now).await
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

    /// Ends access that an operator was [shown](Self::all_access), on every node: the consent first, as
    /// [above](Self::take_back), then every token of the resource owner at the client. Returns how many
    /// access tokens ended.
    ///
    /// # Errors
    /// When it is not known to be done.
    pub async fn end_access(&self, access: &Access) -> Result<usize, StoreError> {
        self.store.forget(Kind::Consent, &access.id).await?;
        let mut ended = 0;
        for name in &access.spellings {
            let filter = Filter { client_id: Some(access.client_id.clone()), subject: Some(name.clone()) };
            ended += self.store.revoke_where(&filter).await?;
        }
        Ok(ended)
    }

    async fn forget_consents(&self, subject: &Subject, now: Timestamp) -> Result<(), StoreError> {
        let (prefix, mut after) = (subject.key(), None);
        loop {
            let page = self.consents(&prefix, after.as_deref(), now).await?;
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

/// What the identifiers of access to what is these owners' begin with, each once: a name in two
/// spellings is one.
fn prefixes(owners: Option<&[Subject]>) -> BTreeSet<String> {
    match owners {
        Some(owners) => owners.iter().map(Subject::key).collect(),
        None => BTreeSet::from([String::new()]),
    }
}

fn of_consent(id: String, consent: Consent) -> Access {
    Access {
        id,
        scope: consent.scope(),
        since: Timestamp::from_millis(consent.since),
        client_id: consent.client_id,
        client_name: String::new(),
        spellings: consent.subject.into_iter().collect(),
        last_used: None,
        until: None,
    }
}

/// What a client has for itself is nobody's to take back.
fn of_token(record: TokenRecord) -> Option<Access> {
    let subject = Subject { name: record.subject?, origin: record.subject_origin };
    Some(Access {
        id: consent::id(&subject, &record.client_id),
        spellings: BTreeSet::from([subject.name]),
        scope: record.scope.parse().unwrap_or_default(),
        client_id: record.client_id,
        client_name: String::new(),
        since: record.issued_at,
        last_used: Some(record.issued_at),
        // A grant can outlive this token by a refresh token.
        until: record.grant.is_none().then_some(record.expires_at),
    })
}
