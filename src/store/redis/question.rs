//! What Redis is asked, in one go or many things at a time, and what its failures mean.

use super::link::Link;
use super::slots::{slot_of, slot_of_command};
use super::step::Step;
use crate::store::StoreError;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::task::JoinSet;

/// How many questions about several slots of a cluster are under way at a time.
const AT_ONCE: usize = 32;

/// What is sent in one go. Whatever it is may be sent twice.
#[derive(Clone, Copy)]
pub(super) enum Question<'q> {
    Command(&'q Cmd),
    /// A script, whole or by its digest.
    Step(&'q Step, bool),
    /// Several in their order, on one connection.
    Row(&'q [Step], bool),
}

impl Question<'_> {
    /// With the text of its scripts.
    pub(super) const fn whole(self) -> Self {
        match self {
            Self::Command(_) => self,
            Self::Step(step, _) => Self::Step(step, true),
            Self::Row(steps, _) => Self::Row(steps, true),
        }
    }

    /// The slot that it is about, on a cluster.
    pub(super) fn slot(self) -> Option<u16> {
        match self {
            Self::Command(command) => slot_of_command(command),
            Self::Step(step, _) => step.keys.first().map(|key| slot_of(key.as_bytes())),
            Self::Row(..) => None,
        }
    }

    /// Puts it to the process at the other end of `link`; `again` where it may have been done before, and from
    /// now on.
    pub(super) async fn put(self, link: &Link, in_transit: bool, again: &mut bool) -> RedisResult<Value> {
        match self {
            Self::Command(command) if in_transit => Box::pin(link.ask_in_transit(command)).await,
            Self::Command(command) => link.ask(command).await,
            Self::Step(step, whole) if in_transit => Box::pin(link.ask_in_transit(&step.command(whole, *again))).await,
            Self::Step(step, whole) => Box::pin(link.ask(&step.command(whole, *again))).await,
            Self::Row(steps, whole) => {
                let commands = steps.iter().map(|step| step.command(whole, *again));
                let answers = Box::pin(link.ask_each(commands)).await?;
                // Some may be done and others not, or not known by their digests.
                let mut each = steps.iter().zip(&answers);
                let some_done = each.any(|(step, answer)| !step.is_marked() && answer.is_ok());
                let answers: RedisResult<_> = answers.into_iter().collect();
                *again |= some_done && answers.is_err();
                answers.map(Value::Array)
            }
        }
    }
}

/// What all of these give, in no order; the first failure is that of all. A few are under way at a time.
pub(super) async fn at_once<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<Vec<T>, StoreError> {
    let (mut under_way, mut done) = (JoinSet::new(), Vec::new());
    let mut end = |ended: Result<_, tokio::task::JoinError>| -> Result<(), StoreError> {
        done.push(ended.map_err(|error| StoreError::Unavailable(error.to_string()))??);
        Ok(())
    };
    for work in work {
        if under_way.len() == AT_ONCE
            && let Some(ended) = under_way.join_next().await
        {
            end(ended)?;
        }
        under_way.spawn(work);
    }
    while let Some(ended) = under_way.join_next().await {
        end(ended)?;
    }
    Ok(done)
}

/// What an error says.
pub(super) enum Meaning {
    /// The connection is of no use; whether it was done is unknown.
    Broken,
    /// Not done: this is a replica, or has just become one, or its cluster is out of order.
    Refused,
    /// Not done: it is not ready, or the keys are on their way.
    NotYet,
    /// A script came upon keys that are on their way; what it was told of several may be done in part.
    Midway,
    /// Not done: another one has the key.
    Elsewhere { in_transit: bool },
    /// Another try says the same.
    Final,
}

pub(super) fn meaning(error: &RedisError) -> Meaning {
    use ServerErrorKind as Kind;
    let is_broken = error.is_unrecoverable_error() || error.is_connection_dropped() || error.is_io_error();
    if let ErrorKind::Server(kind) = error.kind() {
        // Redis 6 says so what a script met.
        let told = error.detail().is_some_and(|detail| detail.contains("-READONLY "));
        if matches!(kind, Kind::ReadOnly | Kind::MasterDown | Kind::ClusterDown) || told {
            return Meaning::Refused;
        }
        if matches!(kind, Kind::Moved | Kind::Ask) {
            return Meaning::Elsewhere { in_transit: kind == Kind::Ask };
        }
        if matches!(kind, Kind::BusyLoading | Kind::TryAgain) {
            return Meaning::NotYet;
        }
    }
    if error.detail().is_some_and(|detail| detail.contains("access a non local key")) {
        return Meaning::Midway;
    }
    if error.kind() == ErrorKind::MasterNameNotFoundBySentinel {
        return Meaning::Refused;
    }
    if is_broken { Meaning::Broken } else { Meaning::Final }
}
