//! Another master: one that sentinels promote, and the one that a slot of a cluster is moved to, both under load.

use super::{Nodes, RECOVERY};
use crate::harness::{Redis, eventually, free_port};
use std::time::Instant;

/// The port of the master by the word of each sentinel, where they agree.
fn master(sentinels: &[Redis]) -> Option<String> {
    let told = |sentinel: &Redis| {
        let told = sentinel.cli(&["sentinel", "get-master-addr-by-name", "notes"]);
        told.lines().nth(1).map(str::to_owned)
    };
    let first = told(&sentinels[0])?;
    sentinels.iter().all(|sentinel| told(sentinel).as_ref() == Some(&first)).then_some(first)
}

/// Hazards 2.9 and 2.12: a master dies, three sentinels name another, and nobody helps.
#[test]
fn sentinels_that_name_another_master() {
    let mut former = Redis::start_with(&["--repl-diskless-sync-delay", "0"]);
    let port = former.port().to_string();
    let next = Redis::start_with(&["--repl-diskless-sync-delay", "0", "--replicaof", &format!("127.0.0.1 {port}")]);
    eventually("a replica", || {
        let (former, next) = (former.cli(&["info", "replication"]), next.cli(&["info", "replication"]));
        former.contains("state=online") && next.contains("master_link_status:up")
    });
    let sentinels = [(); 3].map(|()| Redis::sentinel(former.port()));
    for sentinel in &sentinels {
        eventually("they know each other", || {
            let state = sentinel.cli(&["sentinel", "master", "notes"]);
            let is = |field: &str, value: &str| state.contains(&format!("{field}\n{value}\n"));
            is("num-slaves", "1") && is("num-other-sentinels", "2")
        });
    }
    let named = sentinels.each_ref().map(|sentinel| format!("127.0.0.1:{}", sentinel.port()));
    let nodes = Nodes::of(&format!("redis+sentinel://{}/notes/0", named.join(",")));
    let clients = nodes.clients();
    // A replica that is new hears of nothing until it has acknowledged the first copy, up to a second later.
    former.command("SET marker 1");
    eventually("the replica has what was issued so far", || next.command("EXISTS marker").trim() == ":1");
    let lost = Instant::now();
    std::thread::sleep(RECOVERY / 10);
    former.stop();
    eventually("another master", || master(&sentinels) == Some(next.port().to_string()));
    let promoted = Instant::now();
    // Replication is asynchronous: what was answered in the last moment is promised by nobody.
    clients.each(|clients| clients.forgive_losses_since(lost));
    nodes.recovered(clients, promoted);
}

/// A cluster of masters alone, made and changed as an operator does it.
struct Cluster([Redis; 3]);

impl Cluster {
    fn start() -> Self {
        let masters = [(); 3].map(|()| {
            let bus = free_port().to_string();
            Redis::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "2000"])
        });
        let cluster = Self(masters);
        let nodes = cluster.addresses();
        let made = cluster.0[0].cli(&["--cluster", "create", &nodes[0], &nodes[1], &nodes[2], "--cluster-yes"]);
        assert!(made.contains("All 16384 slots covered"), "{made}");
        for node in &cluster.0 {
            eventually("the cluster is complete", || node.cli(&["cluster", "info"]).contains("cluster_state:ok"));
        }
        cluster
    }

    fn addresses(&self) -> [String; 3] {
        self.0.each_ref().map(|node| format!("127.0.0.1:{}", node.port()))
    }

    /// Moves so many slots, with the keys in them.
    fn reshard(&self, from: usize, to: usize, slots: u16) {
        let name = |node: usize| self.0[node].cli(&["cluster", "myid"]).trim().to_owned();
        let (from, to, slots) = (name(from), name(to), slots.to_string());
        let words = ["--cluster-from", &from, "--cluster-to", &to, "--cluster-slots", &slots, "--cluster-yes"];
        let moved = self.0[0].cli(&[&["--cluster", "reshard", &self.addresses()[0]], &words[..]].concat());
        assert!(moved.contains("Moving slot") && !moved.contains("ERR"), "{moved}");
        let told = self.0[0].cli(&["--cluster", "check", &self.addresses()[0]]);
        assert!(told.contains("All 16384 slots covered"), "{told}");
    }
}

/// Slots and the tokens in them go from one master to another and back: nobody notices.
#[test]
fn slots_that_are_moved() {
    let cluster = Cluster::start();
    let nodes = Nodes::of(&format!("redis+cluster://{}", cluster.addresses().join(",")));
    let clients = nodes.clients();
    let begun = Instant::now();
    cluster.reshard(0, 1, 1000);

    cluster.reshard(1, 2, 1000);

    let moved = Instant::now();
    clients.each(|clients| clients.served_since(moved));
    clients.each(|clients| clients.never_failed(begun));
    nodes.recovered(clients, moved);
}
