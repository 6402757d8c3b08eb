//! A client of the store from its first secret to its end, by the operator's commands.

use crate::harness::{Config, Gateway, Redis, Upstream};
use serde_json::Value;
use std::time::{Duration, Instant};

const CLIENT_CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let output = gateway.cli(&[arguments, &["--json"]].concat());
    serde_json::from_str(&output.expect(0).stdout).unwrap()
}

/// A robot, and its secret.
fn robot(gateway: &Gateway) -> String {
    let arguments = ["client", "new", "robot", "--grants", "client_credentials", "--scopes", "notes:read"];
    json(gateway, &arguments)["secret"].as_str().unwrap().to_owned()
}

fn ask(gateway: &Gateway, secret: &str) -> crate::harness::Response {
    gateway.post("/oauth2/token").basic(("robot", secret)).form(&CLIENT_CREDENTIALS).send()
}

/// TOK-7: two secrets are good at once, the older until its end.
#[test]
fn a_secret_is_changed_without_an_outage() {
    let gateway = Gateway::start(Config::people());
    let first = robot(&gateway);
    let rotated = gateway.cli(&["client", "rotate", "robot"]);
    let second = rotated.expect(0).stdout.lines().find_map(|line| line.strip_prefix("secret: ")).unwrap().to_owned();
    for secret in [&first, &second] {
        ask(&gateway, secret).expect(200);
    }
    let third = json(&gateway, &["client", "rotate", "robot", "--expire-old", "1s"]);
    let third = third["secret"].as_str().unwrap();
    ask(&gateway, &first).expect_error(401, "invalid_client");
    ask(&gateway, third).expect(200);
    crate::harness::eventually("the older secret ends", || ask(&gateway, &second).status == 401);
    ask(&gateway, third).expect(200);
    let fourth = json(&gateway, &["client", "rotate", "robot", "--expire-old", "now"]);
    ask(&gateway, third).expect_error(401, "invalid_client");
    let fifth = json(&gateway, &["client", "rotate", "robot"]);
    gateway.cli(&["client", "rotate", "robot", "--finish"]).expect(0).says("has ended");
    ask(&gateway, fourth["secret"].as_str().unwrap()).expect_error(401, "invalid_client");
    ask(&gateway, fifth["secret"].as_str().unwrap()).expect(200);
    let shown = gateway.cli(&["client", "show", "robot"]);
    shown.expect(0).says("secrets: 1").says("state: active").says("origin: store");
    gateway.cli(&["client", "rotate", "service"]).expect(1).says("configuration");
    gateway.cli(&["client", "rotate", "nobody"]).expect(1).says("no such client");
    gateway.cli(&["client", "rotate", "robot", "--expire-old", "soon"]).expect(2);
    assert!(!gateway.output().contains(&first) && !gateway.output().contains(third));
}

/// TOK-13: a disabled client has no token, on no node, and gets none.
#[test]
fn disabling_a_client_ends_its_tokens_on_every_node() {
    let upstream = Upstream::start();
    let redis = Redis::start();
    let nodes =
        [(); 2].map(|()| Gateway::start(Config::notes(&upstream).set("store.url", &format!("\"{}\"", redis.url()))));
    let secret = robot(&nodes[0]);
    let token = ask(&nodes[1], &secret).tokens().access;
    for node in &nodes {
        node.get("/notes/1").bearer(&token).send().expect(200);
    }
    nodes[0].cli(&["client", "disable", "robot"]).expect(0).says("disabled: robot");
    let told = Instant::now();
    nodes[0].get("/notes/1").bearer(&token).send().expect(401);
    while nodes[1].get("/notes/1").bearer(&token).send().status != 401 {
        assert!(told.elapsed() < Duration::from_secs(1), "the other node still takes it");
    }
    for node in &nodes {
        ask(node, &secret).expect_error(401, "invalid_client");
    }
    assert_eq!(json(&nodes[1], &["client", "show", "robot"])["state"], "disabled");
    nodes[1].cli(&["client", "list"]).expect(0).says("disabled");
    nodes[1].cli(&["client", "enable", "robot"]).expect(0).says("enabled: robot");
    nodes[0].get("/notes/1").bearer(&token).send().expect(401);
    let token = ask(&nodes[0], &secret).tokens().access;
    nodes[1].get("/notes/1").bearer(&token).send().expect(200);
    nodes[0].cli(&["client", "disable", "service"]).expect(1).says("configuration");
}
