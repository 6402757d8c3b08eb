//! The first lines of a listing whose lines come in no order.

use crate::issue::Access;
use crate::oauth::scope::Scope;
use std::collections::BTreeMap;

/// The access with the lowest identifiers behind a cursor, so many at most.
///
/// What has been dropped stays dropped: it was higher than all that were kept, and those only sink.
pub(super) struct Lowest<'a> {
    after: Option<&'a str>,
    most: usize,
    found: BTreeMap<String, Access>,
}

impl<'a> Lowest<'a> {
    pub(super) fn new(after: Option<&'a str>, most: usize) -> Self {
        Self { after, most, found: BTreeMap::new() }
    }

    pub(super) const fn after(&self) -> Option<&'a str> {
        self.after
    }

    /// Whether access of this identifier would be kept.
    pub(super) fn takes(&self, id: &str) -> bool {
        let has_room =
            || self.found.len() < self.most || self.found.last_key_value().is_some_and(|(last, _)| id <= last.as_str());
        self.after.is_none_or(|after| id > after) && has_room()
    }

    /// Keeps it, or joins it with what is known of the same owner and client: since the first, until the
    /// last.
    pub(super) fn add(&mut self, access: Access) {
        if !self.takes(&access.id) {
            return;
        }
        if let Some(known) = self.found.get_mut(&access.id) {
            known.scope = known.scope.iter().chain(access.scope.iter()).cloned().collect::<Scope>();
            known.since = known.since.min(access.since);
            known.last_used = known.last_used.max(access.last_used);
            known.until = known.until.zip(access.until).map(|(known, until)| known.max(until));
            known.spellings.extend(access.spellings);
        } else {
            self.found.insert(access.id.clone(), access);
            if self.found.len() > self.most {
                self.found.pop_last();
            }
        }
    }

    /// In the order of their identifiers.
    pub(super) fn into_values(self) -> impl Iterator<Item = Access> {
        self.found.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn access(number: u8, secs: u64) -> Access {
        Access {
            id: format!("{number:03}"),
            spellings: BTreeSet::from(["alice".to_owned()]),
            client_id: number.to_string(),
            client_name: String::new(),
            scope: if secs.is_multiple_of(2) { "read" } else { "write" }.parse().unwrap(),
            since: Timestamp::from_secs(secs),
            last_used: Some(Timestamp::from_secs(secs)),
            until: Some(Timestamp::from_secs(secs + 1)),
        }
    }

    proptest! {
        /// Whatever comes in whatever order, and however often.
        #[test]
        fn the_pages_are_those_of_the_sorted_whole(
            lines in proptest::collection::vec((0_u8..20, 0_u64..50), 0..60),
            most in 1_usize..8,
        ) {
            let mut whole: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for (number, secs) in &lines {
                let known = whole.entry(format!("{number:03}")).or_insert((*secs, *secs));
                *known = (known.0.min(*secs), known.1.max(*secs));
            }
            let (mut paged, mut after) = (Vec::new(), None::<String>);
            loop {
                let mut lowest = Lowest::new(after.as_deref(), most);
                for (number, secs) in &lines {
                    lowest.add(access(*number, *secs));
                }
                let page: Vec<Access> = lowest.into_values().collect();
                prop_assert!(page.len() <= most);
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                paged.extend(page);
            }
            let seen: Vec<_> = paged.iter().map(|access| {
                (access.id.clone(), (access.since.as_secs(), access.last_used.unwrap().as_secs()))
            }).collect();
            prop_assert_eq!(seen, whole.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_end_that_is_not_known_makes_that_of_the_whole_unknown() {
        let mut lowest = Lowest::new(None, 9);
        lowest.add(access(1, 2));
        lowest.add(Access { until: None, ..access(1, 3) });
        lowest.add(access(1, 4));
        let joined = lowest.into_values().next().unwrap();
        assert_eq!((joined.until, joined.scope.to_string().as_str()), (None, "read write"));
    }
}
