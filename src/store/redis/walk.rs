//! Walks over tokens and grants, in chunks that Redis answers quickly. What is there from the beginning of a walk to
//! its end is met, whatever comes and goes meanwhile and whoever becomes a master; some may be met twice.

use super::Redis;
use super::connection::{Answer, Connection};
use super::layout::Member;
use crate::store::StoreError;
use redis::cmd;

/// How many keys Redis looks at in one step.
pub(super) const CHUNK: usize = 500;

/// Where a walk is. `None`: it is over.
pub(super) struct Walk(Option<Way>);

enum Way {
    Index(Index),
    Keys(Keys),
}

/// Over what an index names, from one expiry to the next: an order that every process has.
struct Index {
    key: String,
    from: String,
    /// The last expiry of the beginning: what is named later is not waited for.
    to: Option<String>,
    limit: usize,
}

/// Over all keys of a pattern.
struct Keys {
    pattern: String,
    /// Those that are left, the last one first; `None`: it has not begun.
    masters: Option<Vec<Connection>>,
    cursor: u64,
}

impl Walk {
    pub(super) fn of_index(key: String) -> Self {
        Self(Some(Way::Index(Index { key, from: "-inf".to_owned(), to: None, limit: CHUNK })))
    }

    pub(super) fn of_keys(pattern: String) -> Self {
        Self(Some(Way::Keys(Keys { pattern, masters: None, cursor: 0 })))
    }

    /// The next ones.
    pub(super) async fn next(&mut self, redis: &Redis) -> Result<Option<Vec<Member>>, StoreError> {
        let Some(way) = &mut self.0 else { return Ok(None) };
        let (members, ended): (Vec<_>, _) = match way {
            Way::Index(index) => {
                let (names, ended) = index.next(redis).await?;
                (names.iter().filter_map(|name| Member::read(name)).collect(), ended)
            }
            Way::Keys(keys) => {
                let (keys, ended) = keys.next(redis).await?;
                (keys.iter().filter_map(|key| redis.layout.member(key)).collect(), ended)
            }
        };
        if ended {
            self.0 = None;
        }
        Ok(Some(members))
    }
}

impl Index {
    /// The next names, and whether they are the last ones.
    async fn next(&mut self, redis: &Redis) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
        let to = if let Some(to) = &self.to {
            to
        } else {
            let last = cmd("ZREVRANGE").arg(&self.key).arg(0).arg(0).arg("WITHSCORES").clone();
            let last: Vec<(Vec<u8>, String)> = redis.connection.ask(&last).await?;
            let Some((_, to)) = last.into_iter().next() else { return Ok((Vec::new(), true)) };
            self.to.insert(to)
        };
        let mut step = cmd("ZRANGEBYSCORE");
        step.arg(&self.key).arg(&self.from).arg(to).arg("WITHSCORES").arg("LIMIT").arg(0).arg(self.limit);
        let found: Vec<(Vec<u8>, String)> = redis.connection.ask(&step).await?;
        let ended = found.len() < self.limit;
        if let Some((_, last)) = found.last() {
            // Those that expire together with the last one are met again, with those that had no room. When nothing
            // else had any, more is asked for.
            self.limit = if self.from == *last { self.limit.saturating_mul(2) } else { CHUNK };
            self.from.clone_from(last);
        }
        Ok((found.into_iter().map(|(name, _)| name).collect(), ended))
    }
}

impl Keys {
    /// The next keys of the master that is being looked through, then those of the next one; and whether they are
    /// the last ones.
    async fn next(&mut self, redis: &Redis) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
        let masters = match self.masters.take() {
            Some(masters) => self.masters.insert(masters),
            None => self.masters.insert(redis.connection.masters().await?),
        };
        let Some(master) = masters.last() else { return Ok((Vec::new(), true)) };
        let mut step = cmd("SCAN");
        step.arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(CHUNK);
        let Answer { value, again } = master.try_to::<(u64, Vec<Vec<u8>>)>(&step).await?;
        let (cursor, keys) = value;
        if again && self.cursor != 0 {
            // It may have been started again, and the cursor then means nothing to it.
            self.cursor = 0;
            return Ok((keys, false));
        }
        self.cursor = cursor;
        if cursor == 0 {
            masters.pop();
        }
        Ok((keys, masters.is_empty()))
    }
}
