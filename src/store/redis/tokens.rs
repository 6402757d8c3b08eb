//! Tokens and grants in Redis. Everything about one place is one script, and one step.
//!
//! The indexes, by client and by resource owner, are kept elsewhere in a cluster: names are written there before
//! the tokens that they name, and dropped after those have ended. A name without a token means nothing; but no
//! token that somebody received is without its names, whatever breaks and whoever ends things meanwhile.
//!
//! The client is asked for after its tokens are written, and they are ended when it has gone by then. Who removes
//! a client makes it unknown first, and then ends what the indexes name: one of the two sees the other.

use super::connection::{Answer, Connection};
use super::layout::Member;
use super::step::Step;
use super::{Redis, corrupt, encode, millis};
use crate::clock::Timestamp;
use crate::oauth::token::{GrantId, TokenDigest};
use crate::secret::hex;
use crate::store::{Filter, Issue, Issued, Rotated, Rotation, StoreError};
use redis::{FromRedisValue, Value, from_redis_value};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that Redis is told to keep something: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How many names are dropped in one step.
const CHUNK: usize = 500;

/// What a script ended.
#[derive(Default)]
pub(in crate::store) struct Ended {
    pub(in crate::store) tokens: Vec<TokenDigest>,
    /// It may have been told twice: what the first time ended is not known.
    pub(in crate::store) unsure: bool,
    /// What has ended, by the index that names it.
    names: BTreeMap<String, Vec<Vec<u8>>>,
}

/// Steps that belong together.
struct Writing {
    names: Vec<Step>,
    tokens: Step,
    /// Whether the client is there, asked afterwards.
    proof: Option<Step>,
}

/// What became of them.
struct Written {
    answer: Value,
    again: bool,
    /// Whether the client was there afterwards, if that was asked.
    stands: bool,
}

impl Redis {
    pub(in crate::store) async fn issue(&self, issue: &Issue) -> Result<Issued, StoreError> {
        let (digest, record) = &issue.access;
        let proof = match (issue.needs_registration(), issue.registration) {
            (false, _) => None,
            (true, None) => return Ok(Issued::ClientGone),
            (true, Some(registration)) => {
                let arguments = vec![record.client_id.clone().into_bytes(), hex(&registration.0).into_bytes()];
                Some(self.scripts.registered.step(vec![self.layout.key("clients")], arguments))
            }
        };
        let mut members = vec![(Member::Access(*digest), life(record.issued_at, record.expires_at))];
        if let Some((_, refresh)) = &issue.refresh {
            members.push((Member::Grant(refresh.grant), life(record.issued_at, refresh.expires_at)));
        }
        let names = self.naming((&record.client_id, record.subject.as_deref()), &members);
        let written = self.connection.write(Writing { names, tokens: self.issuing(issue)?, proof }).await?;
        if written.stands {
            return Ok(Issued::Done);
        }
        // Nobody has received them.
        let ended = match record.grant {
            Some(grant) => self.revoke_grant(grant).await?,
            None => self.revoke_access(digest).await?,
        };
        drop(ended);
        Ok(Issued::ClientGone)
    }

    fn issuing(&self, issue: &Issue) -> Result<Step, StoreError> {
        let (digest, record) = &issue.access;
        let mut keys = vec![self.layout.access(digest)];
        let mut arguments = vec![encode(record)?, life(record.issued_at, record.expires_at)];
        if let Some(grant) = record.grant {
            let [family, access, refresh] = self.layout.family(grant);
            keys.push(access);
            if let Some((digest, record)) = &issue.refresh {
                keys.extend([self.layout.refresh(digest), family, refresh]);
                arguments.extend([
                    encode(record)?,
                    life(issue.access.1.issued_at, record.expires_at),
                    millis(record.expires_at),
                    record.client_id.clone().into_bytes(),
                    record.subject.clone().unwrap_or_default().into_bytes(),
                ]);
            }
        }
        Ok(self.scripts.issue.step(keys, arguments))
    }

    /// What became of a rotation, and what ended with it.
    pub(in crate::store) async fn rotate(&self, rotation: &Rotation) -> Result<(Rotated, Ended), StoreError> {
        let Rotation { presented, grant, access, refresh, now, grace } = rotation;
        let [family, accesses, refreshes] = self.layout.family(*grant);
        let (presented, new) = (self.layout.refresh(presented), self.layout.refresh(&refresh.0));
        let keys = vec![family, accesses, refreshes, presented, self.layout.access(&access.0), new];
        let arguments = vec![
            encode(&access.1)?,
            life(*now, access.1.expires_at),
            encode(&refresh.1)?,
            life(*now, refresh.1.expires_at),
            millis(*now),
            grace.as_millis().to_string().into_bytes(),
        ];
        let (member, record) = (Member::Access(access.0), &access.1);
        let owner = (record.client_id.as_str(), record.subject.as_deref());
        let names = self.naming(owner, &[(member, life(*now, record.expires_at))]);
        let tokens = self.scripts.rotate.step(keys, arguments);
        let Written { answer, again, .. } = self.connection.write(Writing { names, tokens, proof: None }).await?;
        let answer: Vec<String> = read(answer)?;
        let Some((outcome, ended)) = answer.split_first() else { return Err(corrupt("the answer of a script")) };
        let mut ended = self.ended(ended, false);
        let rotated = match outcome.as_str() {
            "done" => Rotated::Done,
            "reused" => Rotated::Reused,
            "unknown" => Rotated::Unknown,
            _ => return Err(corrupt("the answer of a script")),
        };
        if rotated != Rotated::Done {
            ended.add(self.layout.indexes(owner.0, owner.1), member);
            // The first time may have ended the family.
            ended.unsure = again;
        }
        self.forget_later(&mut ended);
        Ok((rotated, ended))
    }

    /// Ends one access token.
    pub(in crate::store) async fn revoke_access(&self, digest: &TokenDigest) -> Result<Ended, StoreError> {
        self.revoke(Member::Access(*digest)).await
    }

    /// Ends a grant.
    pub(in crate::store) async fn revoke_grant(&self, grant: GrantId) -> Result<Ended, StoreError> {
        self.revoke(Member::Grant(grant)).await
    }

    async fn revoke(&self, member: Member) -> Result<Ended, StoreError> {
        let Answer { value, again } = self.connection.call(&self.ending(&Filter::default(), &[member])?).await?;
        let mut ended = self.ended(&read::<Vec<String>>(value)?, again);
        self.forget_later(&mut ended);
        Ok(ended)
    }

    /// Ends those of `members` that `filter` means, and what cannot be read.
    pub(super) async fn end(&self, filter: &Filter, members: &[Member]) -> Result<Ended, StoreError> {
        let mut steps = Vec::new();
        for members in self.together(members) {
            steps.push(self.ending(filter, &members)?);
        }
        let Answer { value: answers, again } = self.connection.call_each(steps, self.connection.deadline()).await?;
        let mut lines: Vec<String> = Vec::new();
        for answer in answers {
            lines.extend(read::<Vec<String>>(answer)?);
        }
        let mut ended = self.ended(&lines, again);
        self.forget(std::mem::take(&mut ended.names)).await;
        Ok(ended)
    }

    /// Those of `members` that one script may be about.
    pub(super) fn together(&self, members: &[Member]) -> Vec<Vec<Member>> {
        if !self.connection.is_split() && !members.is_empty() {
            return vec![members.to_vec()];
        }
        let mut placed = BTreeMap::<_, Vec<Member>>::new();
        for member in members {
            placed.entry(member.place()).or_default().push(*member);
        }
        placed.into_values().collect()
    }

    fn ending(&self, filter: &Filter, members: &[Member]) -> Result<Step, StoreError> {
        let (mut keys, mut arguments) = (Vec::new(), vec![encode(filter)?]);
        for member in members {
            match member {
                Member::Access(digest) => {
                    keys.push(self.layout.access(digest));
                    arguments.push(b"a".to_vec());
                }
                Member::Grant(grant) => {
                    keys.extend(self.layout.family(*grant));
                    arguments.push(b"g".to_vec());
                }
            }
        }
        Ok(self.scripts.end.step(keys, arguments))
    }

    /// Puts names into the indexes of a client and a resource owner.
    fn naming(&self, (client, subject): (&str, Option<&str>), named: &[(Member, Vec<u8>)]) -> Vec<Step> {
        let arguments: Vec<Vec<u8>> =
            named.iter().flat_map(|(member, life)| [member.name().into_bytes(), life.clone()]).collect();
        let indexes = self.layout.indexes(client, subject);
        if self.connection.is_split() {
            let naming = |index| self.scripts.name.step(vec![index], arguments.clone());
            return indexes.into_iter().map(naming).collect();
        }
        vec![self.scripts.name.step(indexes, arguments)]
    }

    /// Reads what scripts say that they ended: of each its name, its client and its subject.
    fn ended(&self, lines: &[String], unsure: bool) -> Ended {
        let mut ended = Ended { unsure, ..Ended::default() };
        for line in lines.chunks_exact(3) {
            let [name, client, subject] = line else { continue };
            let Some(member) = Member::read(name.as_bytes()) else { continue };
            ended.tokens.extend(member.access());
            if !client.is_empty() {
                ended.add(self.layout.indexes(client, Some(subject)), member);
            }
        }
        ended
    }

    /// Drops the names of what has ended, which nobody waits for.
    fn forget_later(&self, ended: &mut Ended) {
        let names = std::mem::take(&mut ended.names);
        if !names.is_empty() {
            let redis = self.clone();
            tokio::spawn(async move { redis.forget(names).await });
        }
    }

    /// Drops the names of what has ended. Those that cannot be dropped go when their time is up.
    async fn forget(&self, names: BTreeMap<String, Vec<Vec<u8>>>) {
        let mut steps = Vec::new();
        for (index, names) in names {
            for names in names.chunks(CHUNK) {
                steps.push(self.scripts.unname.step(vec![index.clone()], names.to_vec()));
            }
        }
        if !steps.is_empty() {
            drop(self.connection.call_each(steps, self.connection.deadline()).await);
        }
    }
}

impl Connection {
    /// Writes names, then tokens, then asks for the client: in one round trip, where one Redis has all of it.
    async fn write(&self, writing: Writing) -> Result<Written, StoreError> {
        let Writing { names, tokens, proof } = writing;
        let until = self.deadline();
        if self.is_split() {
            self.call_each(names.clone(), until).await?;
            let Answer { value, again } = self.call_each(vec![tokens], until).await?;
            if again {
                // What the first time wrote may have been ended, and its names dropped, before the second.
                let names = names.into_iter().map(Step::once_more).collect();
                self.call_each(names, until).await?;
            }
            let answer = value.into_iter().next().unwrap_or(Value::Nil);
            let proof = self.call_each(proof.into_iter().collect(), until).await?;
            let stands = proof.value.into_iter().next().map_or(Ok(true), read)?;
            return Ok(Written { answer, again, stands });
        }
        let (named, proven) = (names.len(), proof.is_some());
        let row = names.into_iter().chain([tokens]).chain(proof).collect();
        let Answer { value, again } = self.call_each(row, until).await?;
        let mut answers = value.into_iter().skip(named);
        let (answer, proof) = (answers.next().unwrap_or(Value::Nil), answers.next());
        let stands = if proven { proof.map_or(Ok(false), read)? } else { true };
        Ok(Written { answer, again, stands })
    }
}

impl Ended {
    fn add(&mut self, indexes: Vec<String>, member: Member) {
        for index in indexes {
            self.names.entry(index).or_default().push(member.name().into_bytes());
        }
    }
}

pub(super) fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    from_redis_value(value).map_err(|_| corrupt("the answer of a script"))
}

/// How long something lives at `now` that expires at `at`, in milliseconds.
fn life(now: Timestamp, at: Timestamp) -> Vec<u8> {
    at.since(now).min(LONGEST).as_millis().to_string().into_bytes()
}
