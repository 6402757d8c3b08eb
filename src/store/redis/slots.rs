//! Which node of a Redis Cluster has which keys: keys fall into 16,384 slots by their hash tag, and
//! each slot is a master's.

use super::address::Node;
use redis::{Arg, Cmd, Value};

/// How many slots there are.
const SLOTS: u16 = 16_384;
/// Nobody's.
const NOBODY: u16 = u16::MAX;

/// A cluster as one of its nodes sees it.
pub(super) struct Slots {
    /// Of each slot the place of its master in `masters`.
    owners: Vec<u16>,
    masters: Vec<Node>,
    /// Masters and replicas.
    nodes: Vec<Node>,
    /// Counts the changes of the cluster.
    pub(super) epoch: u64,
    /// Whether it answers for every slot that it must have.
    pub(super) is_ok: bool,
}

impl Slots {
    /// From the answers to `CLUSTER SLOTS` and `CLUSTER INFO` of `teller`; `None`: they are none.
    pub(super) fn read(slots: &Value, info: &str, teller: &Node) -> Option<Self> {
        let Value::Array(ranges) = slots else { return None };
        let mut read = Self {
            owners: vec![NOBODY; SLOTS.into()],
            masters: Vec::new(),
            nodes: Vec::new(),
            epoch: field(info, "cluster_current_epoch")?.parse().ok()?,
            is_ok: field(info, "cluster_state")? == "ok",
        };
        for range in ranges {
            read.add(range, teller)?;
        }
        Some(read)
    }

    fn add(&mut self, range: &Value, teller: &Node) -> Option<()> {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), nodes @ ..] = parts.as_slice() else { return None };
        let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
        let nodes: Vec<Node> = nodes.iter().filter_map(|node| node_of(node, teller)).collect();
        let master = nodes.first()?;
        let place = self.masters.iter().position(|known| known == master).unwrap_or_else(|| {
            self.masters.push(master.clone());
            self.masters.len() - 1
        });
        self.owners.get_mut(first..=last)?.fill(u16::try_from(place).ok().filter(|place| *place != NOBODY)?);
        for node in nodes {
            if !self.nodes.contains(&node) {
                self.nodes.push(node);
            }
        }
        Some(())
    }

    /// Whose a slot is.
    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        self.masters.get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    /// Every master that has slots, in one order.
    pub(super) fn masters(&self) -> Vec<Node> {
        let mut masters = self.masters.clone();
        masters.sort_unstable();
        masters
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.split_once(':').filter(|(known, _)| *known == name)).map(|(_, value)| value)
}

/// `[host, port, …]`; a host that is not said is the one that was asked.
fn node_of(value: &Value, teller: &Node) -> Option<Node> {
    let Value::Array(parts) = value else { return None };
    let [host, Value::Int(port), ..] = parts.as_slice() else { return None };
    let port = u16::try_from(*port).ok()?;
    let host = if let Value::BulkString(host) = host { str::from_utf8(host).ok()? } else { "" };
    Some(at(host, port, teller))
}

fn at(host: &str, port: u16, teller: &Node) -> Node {
    match teller {
        Node::Tcp { host: asked, .. } if host.is_empty() || host == "?" => Node::Tcp { host: asked.clone(), port },
        Node::Tcp { .. } | Node::Unix(_) => Node::Tcp { host: host.to_owned(), port },
    }
}

/// The node that a redirection of `teller` names: `host:port`, `:port`.
pub(super) fn redirected(to: &str, teller: &Node) -> Option<Node> {
    let (host, port) = to.rsplit_once(':')?;
    Some(at(host.trim_matches(['[', ']']), port.parse().ok()?, teller))
}

/// The slot of the first key of `command`; `None`: it has none.
pub(super) fn slot_of_command(command: &Cmd) -> Option<u16> {
    let mut words = command.args_iter().map(|word| if let Arg::Simple(word) = word { word } else { b"" });
    let key = match words.next()? {
        b"EVAL" | b"EVALSHA" => words.nth(1).filter(|count| *count != b"0").and_then(|_| words.next())?,
        b"PING" | b"SCAN" => return None,
        _ => words.next()?,
    };
    Some(slot_of(key))
}

/// The slot of a key: of what is in its first braces, unless that is nothing.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|octet| *octet == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|octet| *octet == b'}').filter(|length| *length > 0).map(|length| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16 as the Cluster specification has it (XMODEM).
fn crc16(octets: &[u8]) -> u16 {
    octets.iter().fold(0, |crc, octet| {
        (0..8).fold(
            crc ^ (u16::from(*octet) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redis::cmd;

    fn node(host: &str, port: u16) -> Node {
        Node::Tcp { host: host.to_owned(), port }
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, nodes: &[(&str, i64)]) -> Value {
        let mut parts = vec![Value::Int(first), Value::Int(last)];
        parts.extend(nodes.iter().map(|(host, port)| Value::Array(vec![text(host), Value::Int(*port), text("id")])));
        Value::Array(parts)
    }

    const INFO: &str = "cluster_state:ok\r\ncluster_current_epoch:6\r\n";

    #[test]
    fn a_key_falls_into_the_slot_of_its_tag() {
        // What `CLUSTER KEYSLOT` says.
        for (key, slot) in [("123456789", 12739), ("foo", 12182), ("{foo}:x", 12182), ("a{foo}b{c}", 12182)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"{bar"), crc16(b"{bar") % SLOTS);
    }

    #[test]
    fn the_first_key_of_a_command_decides() {
        let foo = Some(12182);
        assert_eq!(slot_of_command(cmd("GET").arg("foo")), foo);
        assert_eq!(slot_of_command(cmd("EVALSHA").arg("digest").arg(1).arg("foo").arg("x")), foo);
        assert_eq!(slot_of_command(cmd("EVAL").arg("return 1").arg(0).arg("foo")), None);
        assert_eq!(slot_of_command(cmd("SCAN").arg(0)), None);
        assert_eq!(slot_of_command(&cmd("PING")), None);
    }

    #[test]
    fn masters_replicas_and_gaps_are_read() {
        let said = Value::Array(vec![range(0, 99, &[("a", 1), ("b", 2)]), range(200, 16383, &[("", 3)])]);
        let slots = Slots::read(&said, INFO, &node("t", 9)).unwrap();
        assert_eq!(slots.owner(0), Some(&node("a", 1)));
        assert_eq!(slots.owner(100), None);
        assert_eq!(slots.owner(16383), Some(&node("t", 3)));
        assert_eq!(slots.masters(), [node("a", 1), node("t", 3)]);
        assert_eq!(slots.nodes(), [node("a", 1), node("b", 2), node("t", 3)]);
        assert!(slots.is_ok && slots.epoch == 6);
    }

    #[test]
    fn a_redirection_without_a_host_means_the_one_that_was_asked() {
        assert_eq!(redirected("h:1", &node("t", 9)), Some(node("h", 1)));
        assert_eq!(redirected(":1", &node("t", 9)), Some(node("t", 1)));
        assert_eq!(redirected("2001:db8::1:7", &node("t", 9)), Some(node("2001:db8::1", 7)));
        assert_eq!(redirected("h", &node("t", 9)), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            (-1..20_000_i64).prop_map(Value::Int),
            any::<i64>().prop_map(Value::Int),
            ".*".prop_map(|text| Value::BulkString(text.into_bytes())),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| prop::collection::vec(inner, 0..6).prop_map(Value::Array))
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(said in value(), info in ".*") {
            let _ = Slots::read(&said, &info, &node("t", 9));
            let _ = Slots::read(&said, INFO, &node("t", 9));
            let _ = redirected(&info, &node("t", 9));
        }

        #[test]
        fn a_range_of_any_bounds_is_read_or_refused(first: i64, last in -1..20_000_i64) {
            for (first, last) in [(first, last), (last, first), (0, last)] {
                let _ = Slots::read(&Value::Array(vec![range(first, last, &[("a", 1)])]), INFO, &node("t", 9));
            }
        }
    }
}
