//! What is read, and what is refused without being repeated.

use super::*;
use proptest::prelude::*;

fn tcp(host: &str, port: u16) -> Node {
    Node::Tcp { host: host.to_owned(), port }
}

fn login(user: Option<&str>, password: Option<&str>) -> Login {
    Login { user: user.map(str::to_owned), password: password.map(Secret::new) }
}

fn read(url: &str) -> RedisAddress {
    RedisAddress::parse(url).unwrap_or_else(|why| panic!("{url} {why}"))
}

#[test]
fn one_server_is_named_by_host_port_login_and_database() {
    for (url, node, who, database) in [
        ("redis://127.0.0.1:6379/0", tcp("127.0.0.1", 6379), login(None, None), 0),
        ("redis://h", tcp("h", 6379), login(None, None), 0),
        ("redis://u:p@[::1]:1/2", tcp("::1", 1), login(Some("u"), Some("p")), 2),
        ("redis://:p@h:1", tcp("h", 1), login(None, Some("p")), 0),
        ("rediss://u%40x:p%2Fq+r@h", tcp("h", 6379), login(Some("u@x"), Some("p/q+r")), 0),
        ("redis+unix:///run/r.sock", Node::Unix("/run/r.sock".into()), login(None, None), 0),
        ("redis+unix:///r?db=3&user=u&pass=p", Node::Unix("/r".into()), login(Some("u"), Some("p")), 3),
    ] {
        let address = read(url);
        assert_eq!(address.topology, Topology::Standalone(node), "{url}");
        assert_eq!((&address.login, address.database), (&who, database), "{url}");
        assert_eq!(address.is_secured(), url.starts_with("rediss"), "{url}");
    }
}

#[test]
fn sentinels_have_a_master_and_a_login_of_their_own() {
    let address = read("rediss+sentinel://u:p@s1,s2:1,[::2]:3/mymaster/4?sentinel_username=v&sentinel_password=q%26");
    let sentinels = vec![tcp("s1", 26379), tcp("s2", 1), tcp("::2", 3)];
    let theirs = login(Some("v"), Some("q&"));
    assert_eq!(address.topology, Topology::Sentinel { sentinels, master: "mymaster".to_owned(), login: theirs });
    assert_eq!((address.login.clone(), address.database), (login(Some("u"), Some("p")), 4));
    assert!(address.is_secured());
    assert_eq!(address.to_string(), "Redis `mymaster` of the sentinels s1:26379, s2:1, [::2]:3");
}

#[test]
fn a_cluster_is_named_by_some_of_its_nodes() {
    let address = read("redis+cluster://:p@n1:1,n2/0");
    assert_eq!(address.topology, Topology::Cluster(vec![tcp("n1", 1), tcp("n2", 6379)]));
    assert_eq!(address.login, login(None, Some("p")));
}

#[test]
fn nonsense_is_refused() {
    for url in [
        "",
        "redis",
        "redis:",
        "redis://",
        "redis://:6379",
        "redis://h:x",
        "redis://h/x",
        "redis://h/0?db=1",
        "redis://a,b",
        "redis://u@h",
        "redis://u:%zz@h",
        "redis://a b",
        "redis+unix://a",
        "rediss+unix:///a",
        "redis+unix:///a?x=y",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/",
        "redis+sentinel://a:1/m/x",
        "redis+sentinel://a:1/m?password=p",
        "redis+cluster://a:1,",
        "redis+cluster://a:1/1",
        "redis+ring://a",
        "mysql://h",
    ] {
        assert!(RedisAddress::parse(url).is_err(), "{url}");
    }
}

/// TOK-6
#[test]
fn neither_debug_nor_display_has_a_password() {
    let address = read("redis+sentinel://u:hunter2@s/m?sentinel_password=hunter3");
    let text = format!("{address} {address:?}");
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn another_login_is_another_place() {
    let one = read("redis://u:p@h");
    assert!(one.is_same_place(&read("redis://u:p@h:6379/0")));
    for other in ["redis://u:q@h", "redis://v:p@h", "redis://h", "rediss://u:p@h", "redis://u:p@h/1", "redis://u:p@g"] {
        assert!(!one.is_same_place(&read(other)), "{other}");
    }
}

proptest! {
    #[test]
    fn any_url_is_read_or_refused(url in "(rediss?(\\+(unix|sentinel|cluster))?://)?.*") {
        let _ = RedisAddress::parse(&url);
    }
}
