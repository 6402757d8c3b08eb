//! The choice of a server.

use super::pool::Node;
use crate::proxy::upstream::{Balance, Upstream};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use tokio::time::Instant;

/// The servers of one upstream.
#[derive(Debug)]
pub(super) struct Servers {
    nodes: Vec<Rc<Node>>,
    balance: Balance,
    turn: Cell<usize>,
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
    pub(super) fn new(upstream: &Upstream, mut node: impl FnMut(&crate::proxy::upstream::Server) -> Rc<Node>) -> Self {
        Self { nodes: upstream.servers.iter().map(&mut node).collect(), balance: upstream.balance, turn: Cell::new(0) }
    }

    /// The server for a request, and its position: one that has not been tried, and that has not just
    /// failed while there is another. `None` when all have been tried.
    pub(super) fn choose(&self, tried: Tried, dice: &Dice, now: Instant) -> Option<(usize, &Rc<Node>)> {
        if let [only] = self.nodes.as_slice() {
            return (!tried.contains(0)).then_some((0, only));
        }
        self.among(dice, |position, node| !tried.contains(position) && !node.is_aside(now))
            .or_else(|| self.among(dice, |position, _| !tried.contains(position)))
    }

    /// Whether there is a server that has not been tried.
    pub(super) fn has_other(&self, tried: Tried) -> bool {
        (0..self.nodes.len()).any(|position| !tried.contains(position))
    }

    pub(super) fn nodes(&self) -> &[Rc<Node>] {
        &self.nodes
    }

    fn among(&self, dice: &Dice, fits: impl Fn(usize, &Node) -> bool) -> Option<(usize, &Rc<Node>)> {
        let fitting = || self.nodes.iter().enumerate().filter(|(position, node)| fits(*position, node));
        let count = fitting().count();
        match (self.balance, count) {
            (_, 0) => None,
            (_, 1) => fitting().next(),
            (Balance::RoundRobin, _) => {
                let turn = self.turn.get();
                self.turn.set(turn.wrapping_add(1));
                fitting().nth(turn % count)
            }
            (Balance::LeastLoaded, _) => {
                // Two different ones at random, the less loaded of them.
                let first = dice.below(count);
                let second = (first + 1 + dice.below(count - 1)) % count;
                let (first, second) = (fitting().nth(first)?, fitting().nth(second)?);
                Some(if second.1.load() < first.1.load() { second } else { first })
            }
        }
    }
}

/// Cheap random numbers, for the choice of servers and nothing else.
#[derive(Debug)]
pub(super) struct Dice(Cell<u64>);

impl Dice {
    pub(super) fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0) | 1))
    }

    /// A number below `end`, which is not zero (xorshift64).
    fn below(&self, end: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        usize::try_from(state >> 33).unwrap_or_default() % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::upstream::{HostHeader, Server};
    use std::time::Duration;

    fn servers(count: u16, balance: Balance) -> Servers {
        let upstream = Upstream {
            name: "test".to_owned(),
            index: 0,
            servers: (0..count).map(|port| Server::Http { host: "127.0.0.1".to_owned(), port }).collect(),
            balance,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            retries: 1,
            host_header: HostHeader::Client,
            http2: false,
        };
        Servers::new(&upstream, Node::new)
    }

    #[tokio::test]
    async fn round_robin_takes_one_after_the_other() {
        let (servers, dice, now) = (servers(3, Balance::RoundRobin), Dice::new(), Instant::now());
        let turns: Vec<usize> = (0..6).filter_map(|_| Some(servers.choose(Tried::default(), &dice, now)?.0)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[tokio::test]
    async fn the_less_loaded_of_two_is_taken() {
        let (servers, dice, now) = (servers(2, Balance::LeastLoaded), Dice::new(), Instant::now());
        let _busy = servers.nodes()[0].enter();
        for _ in 0..50 {
            assert_eq!(servers.choose(Tried::default(), &dice, now).map(|(position, _)| position), Some(1));
        }
    }

    #[tokio::test]
    async fn idle_servers_share_the_work() {
        let (servers, dice, now) = (servers(4, Balance::LeastLoaded), Dice::new(), Instant::now());
        let mut taken = [0; 4];
        for _ in 0..400 {
            let (position, _) = servers.choose(Tried::default(), &dice, now).unwrap();
            taken[position] += 1;
        }
        assert!(taken.iter().all(|&count| count > 40), "{taken:?}");
    }

    #[tokio::test]
    async fn a_failed_server_is_passed_over_while_there_is_another() {
        let (servers, dice, now) = (servers(2, Balance::LeastLoaded), Dice::new(), Instant::now());
        servers.nodes()[1].put_aside(now);
        let mut tried = Tried::default();
        assert_eq!(servers.choose(tried, &dice, now).map(|(position, _)| position), Some(0));
        tried.add(0);
        assert_eq!(servers.choose(tried, &dice, now).map(|(position, _)| position), Some(1), "better than none");
        tried.add(1);
        assert!(servers.choose(tried, &dice, now).is_none() && !servers.has_other(tried));
    }
}
