//! The choice of a server.

use super::pool::Node;
use crate::proxy::fleet::{Group, Member, Place, Sent};
use crate::proxy::upstream::{Balance, Upstream};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// The servers of one upstream, as one worker sees them.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) group: Arc<Group>,
    balance: Balance,
    keep_alive: Duration,
    /// Requests of this worker.
    sent: Sent,
    view: RefCell<Rc<View>>,
}

/// The servers at one moment: a request keeps the ones that it began with.
#[derive(Debug)]
pub(super) struct View {
    version: u64,
    slots: Vec<Slot>,
    /// The servers whose addresses change by themselves.
    named: Vec<Arc<Member>>,
}

#[derive(Debug)]
struct Slot {
    node: Rc<Node>,
    weight: u32,
    /// What it is behind its share (smooth weighted round robin).
    credit: Cell<i64>,
}

impl Slot {
    /// Its weight beside those of the others at this moment.
    fn pull(&self, now: Instant) -> u64 {
        u64::from(self.weight) * u64::from(self.node.standing.share(now).max(1))
    }
}

/// The servers that one request has tried in vain. Those beyond the width of the set are never in it:
/// the number of tries is bounded elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried(u128);

impl Tried {
    fn contains(self, position: usize) -> bool {
        position < 128 && self.0 & (1 << position) != 0
    }

    /// Adds the server at `position`.
    pub(super) fn add(&mut self, position: usize) {
        if position < 128 {
            self.0 |= 1 << position;
        }
    }
}

impl Servers {
    /// The servers of `group`; those that `previous` has already stay the same.
    pub(super) fn new(upstream: &Upstream, group: Arc<Group>, previous: Option<&Self>) -> Self {
        let previous = previous.filter(|previous| Arc::ptr_eq(&previous.group, &group));
        let known = previous.map(Self::current);
        Self {
            balance: upstream.balance,
            keep_alive: upstream.keep_alive,
            sent: previous.map_or_else(|| group.sent(), |previous| Arc::clone(&previous.sent)),
            view: RefCell::new(Rc::new(View::new(&group, known.as_deref()))),
            group,
        }
    }

    /// The servers as they are now. While nothing changes this costs one load.
    pub(super) fn view(&self, now: Instant) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if view.version != self.group.version() {
            *view = Rc::new(View::new(&self.group, Some(&view)));
        }
        for member in &view.named {
            member.refresh_behind(now);
        }
        Rc::clone(&view)
    }

    /// As `view`, where no server has an address yet: waits for one, `limit` at most.
    pub(super) async fn resolved(&self, limit: Duration, now: Instant) -> Rc<View> {
        let view = self.current();
        let resolving = async {
            for member in &view.named {
                if matches!(member.refreshing().await, Ok(Ok(()))) {
                    break;
                }
            }
        };
        // What was found in time is in the view, and what was not is logged.
        let _ = tokio::time::timeout(limit, resolving).await;
        self.view(now)
    }

    /// A place for a request, waited for `limit` at most.
    pub(super) async fn place(&self, limit: Duration) -> Option<Place<'_>> {
        match self.group.places.take() {
            Some(place) => Some(place),
            None => Box::pin(self.group.places.wait(limit)).await,
        }
    }

    /// Counts a request.
    pub(super) fn count(&self) {
        self.sent.store(self.sent.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Closes idle connections whose time is up.
    pub(super) fn sweep(&self, now: Instant) {
        for slot in &self.current().slots {
            slot.node.sweep(self.keep_alive, now);
        }
    }

    /// The server for a request, and its position: one that has not been tried and that is healthy; one
    /// that has not failed lately while there is another. `None` when there is none.
    pub(super) fn choose<'v>(
        &self,
        view: &'v View,
        tried: Tried,
        dice: &Dice,
        now: Instant,
    ) -> Option<(usize, &'v Rc<Node>)> {
        if let [only] = view.slots.as_slice() {
            return (!tried.contains(0) && only.node.standing.is_healthy()).then_some((0, &only.node));
        }
        let open = |position: usize, node: &Node| !tried.contains(position) && node.standing.is_healthy();
        let position = self
            .among(view, dice, now, |at, node| open(at, node) && !node.is_aside(now) && !node.standing.is_ejected(now))
            .or_else(|| self.among(view, dice, now, |at, node| open(at, node) && !node.standing.is_ejected(now)))
            .or_else(|| self.among(view, dice, now, open))?;
        Some((position, &view.slots.get(position)?.node))
    }

    fn among(&self, view: &View, dice: &Dice, now: Instant, fits: impl Fn(usize, &Node) -> bool) -> Option<usize> {
        let fitting = || view.slots.iter().enumerate().filter(|(position, slot)| fits(*position, &slot.node));
        match self.balance {
            Balance::RoundRobin => in_turn(fitting(), now),
            Balance::LeastLoaded => {
                // Two different ones at random, by their weight; the one with less load for its weight.
                let total: u64 = fitting().map(|(_, slot)| slot.pull(now)).sum();
                let (first, one) = drawn(fitting(), dice.below(total), now)?;
                let others = || fitting().filter(|(position, _)| *position != first);
                let rest = dice.below(total.saturating_sub(one.pull(now)));
                let Some((second, other)) = drawn(others(), rest, now) else { return Some(first) };
                let load = |slot: &Slot, beside: &Slot| u64::from(slot.node.load()).saturating_mul(beside.pull(now));
                Some(if load(other, one) < load(one, other) { second } else { first })
            }
        }
    }

    #[cfg(test)]
    pub(super) fn nodes(&self) -> Vec<Rc<Node>> {
        self.current().slots.iter().map(|slot| Rc::clone(&slot.node)).collect()
    }

    fn current(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }
}

impl View {
    fn new(group: &Group, known: Option<&Self>) -> Self {
        // The version first: what changes while the servers are read is seen the next time.
        let version = group.version();
        let members = group.members();
        let mut slots = Vec::new();
        for member in &*members {
            for standing in &*member.standings() {
                let stays = known.into_iter().flat_map(|known| &known.slots);
                let stays = stays.map(|slot| &slot.node).find(|node| Arc::ptr_eq(&node.standing, standing));
                let node = stays.map_or_else(|| Node::new(member, standing), Rc::clone);
                slots.push(Slot { node, weight: member.weight(), credit: Cell::new(0) });
            }
        }
        let named = members.iter().filter(|member| member.has_name()).map(Arc::clone);
        Self { version, slots, named: named.collect() }
    }

    /// Whether no server has an address.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether there is a healthy server that has not been tried.
    pub(super) fn has_other(&self, tried: Tried) -> bool {
        self.untried(tried).any(|node| node.standing.is_healthy())
    }

    /// Whether another address of this server's name has not been tried.
    pub(super) fn has_other_address(&self, of: &Node, tried: Tried) -> bool {
        self.untried(tried).any(|node| node.standing.is_healthy() && Arc::ptr_eq(&node.member, &of.member))
    }

    fn untried(&self, tried: Tried) -> impl Iterator<Item = &Rc<Node>> {
        let open = self.slots.iter().enumerate().filter(move |(position, _)| !tried.contains(*position));
        open.map(|(_, slot)| &slot.node)
    }
}

/// The one that is furthest behind its share (smooth weighted round robin).
fn in_turn<'v>(fitting: impl Iterator<Item = (usize, &'v Slot)>, now: Instant) -> Option<usize> {
    let mut total = 0_i64;
    let mut best: Option<(usize, &Slot)> = None;
    for (position, slot) in fitting {
        let pull = slot.pull(now).cast_signed();
        total = total.saturating_add(pull);
        slot.credit.set(slot.credit.get().saturating_add(pull));
        if best.is_none_or(|(_, best)| slot.credit.get() > best.credit.get()) {
            best = Some((position, slot));
        }
    }
    let (position, slot) = best?;
    slot.credit.set(slot.credit.get().saturating_sub(total));
    Some(position)
}

/// The one in whose part of the whole `point` is.
fn drawn<'v>(
    fitting: impl Iterator<Item = (usize, &'v Slot)>,
    mut point: u64,
    now: Instant,
) -> Option<(usize, &'v Slot)> {
    let mut last = None;
    for (position, slot) in fitting {
        last = Some((position, slot));
        match point.checked_sub(slot.pull(now)) {
            Some(beyond) => point = beyond,
            None => break,
        }
    }
    last
}

/// Cheap random numbers, for the choice of servers and nothing else.
#[derive(Debug)]
pub(super) struct Dice(Cell<u64>);

impl Dice {
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0) | 1))
    }

    /// A number below `end`; 0 where there is none (xorshift64).
    fn below(&self, end: u64) -> u64 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        (state >> 16).checked_rem(end).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
