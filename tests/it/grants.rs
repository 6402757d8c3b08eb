//! What resource owners allowed clients, listed and ended by an operator's commands.

use crate::harness::dance::{self, APP, answer};
use crate::harness::{ALICE, BOB, Browser, Form, Gateway, Redis, Response, SERVICE, Tokens, Upstream, eventually};
use serde_json::Value;

/// The client that people sign in to on the command line, by password.
const CLI: &str = "notes-cli";

/// Alice and Bob have allowed [`APP`] something, and let the command line client in by password.
struct Life<'g> {
    gateway: &'g Gateway,
    browser: Browser<'g>,
    apps: [Tokens; 2],
    cli: [Tokens; 2],
    service: String,
}

impl<'g> Life<'g> {
    fn begin(gateway: &'g Gateway) -> Self {
        let (browser, bobs) = (Browser::new(gateway), Browser::new(gateway));
        let alices = dance::tokens(gateway, &browser);
        let page = bobs.sign_in(&bobs.get(&dance::request(APP.0, &[])), BOB);
        let code = answer(&dance::allow(&bobs, &page))["code"].clone();
        let apps = [alices, dance::redeem(gateway, &code).tokens()];
        let cli = [gateway.login(ALICE), gateway.login(BOB)];
        Self { gateway, browser, apps, cli, service: gateway.token("notes:read") }
    }

    fn all(&self) -> [&Tokens; 4] {
        let ([app, bobs_app], [cli, bobs_cli]) = (&self.apps, &self.cli);
        [app, bobs_app, cli, bobs_cli]
    }

    /// Which of the access tokens `node` takes: the app's of Alice and Bob, then the command line's.
    fn good(&self, node: &Gateway) -> [bool; 4] {
        self.all().map(|tokens| node.get("/notes/1").bearer(&tokens.access).send().status == 200)
    }

    /// After these ended, on every node: access and refresh tokens are dead, and the others' live.
    #[track_caller]
    fn expect(&self, nodes: &[Gateway], good: [bool; 4]) {
        assert_eq!(self.good(self.gateway), good);
        for node in nodes {
            eventually("every node knows", || self.good(node) == good);
            node.get("/notes/1").bearer(&self.service).send().expect(200);
        }
        for (tokens, lives) in self.all().into_iter().zip(good).filter(|(_, lives)| !lives) {
            assert!(!lives);
            let form = [("grant_type", "refresh_token"), ("refresh_token", &*tokens.refresh)];
            self.gateway.ask(APP, &form).expect_error(400, "invalid_grant");
            self.gateway.refresh(&tokens.refresh).expect_error(400, "invalid_grant");
        }
    }

    /// What Alice's browser is answered that asks for the app again.
    fn asked(&self) -> Response {
        self.browser.get(&dance::request(APP.0, &[]))
    }
}

fn listed(gateway: &Gateway, more: &[&str]) -> Vec<(String, String)> {
    let output = gateway.cli(&[&["grant", "list", "--json"], more].concat());
    let answer: Value = serde_json::from_str(&output.expect(0).stdout).unwrap();
    let text = |grant: &Value, name: &str| grant[name].as_str().unwrap().to_owned();
    answer["grants"].as_array().unwrap().iter().map(|grant| (text(grant, "subject"), text(grant, "client"))).collect()
}

fn revoke(gateway: &Gateway, more: &[&str]) -> Value {
    let output = gateway.cli(&[&["grant", "revoke", "--json"], more].concat());
    serde_json::from_str(&output.expect(0).stdout).unwrap()
}

/// The nodes of each kind of store: one with a file, two with Redis.
fn on_every_store(test: impl Fn(&[Gateway])) {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let start = |url: &str| Gateway::start(dance::with_apps(&upstream).set("store.url", &format!("\"{url}\"")));
    test(&[start("redb:data/tollgate.redb")]);
    test(&[(); 2].map(|()| start(&redis.url())));
}

/// UI-10, R7009-2.1e
#[test]
fn what_a_user_allowed_ends_and_another_users_stays() {
    on_every_store(|nodes| {
        let life = Life::begin(&nodes[0]);
        life.expect(nodes, [true; 4]);
        let expected = [("alice", CLI), ("alice", APP.0), ("bob", CLI), ("bob", APP.0)];
        let expected = expected.map(|(user, client)| (user.to_owned(), client.to_owned()));
        assert_eq!(listed(nodes.last().unwrap(), &[]), expected);
        assert_eq!(listed(&nodes[0], &["--user", "ALICE"]), expected[..2]);
        assert_eq!(listed(&nodes[0], &["--client", CLI, "--user", "bob"]), expected[2..3]);
        let ended = revoke(&nodes[0], &["--user", "Alice"]);
        assert_eq!(ended, serde_json::json!({ "ended": 2, "revoked": 2 }));
        life.expect(nodes, [false, true, false, true]);
        Form::to(&life.asked(), "/oauth2/consent");
        assert_eq!(listed(&nodes[0], &[]), expected[2..]);
        nodes[0].cli(&["grant", "revoke", "--user", "alice"]).expect(1).says("no such grant");
    });
}

/// UI-10, TOK-13: what the client has for itself stays.
#[test]
fn what_a_client_was_allowed_ends_and_another_clients_stays() {
    on_every_store(|nodes| {
        let life = Life::begin(&nodes[0]);
        nodes[0].cli(&["grant", "revoke", "--client", APP.0]).expect(0).says("ended: 2").says("revoked: 2");
        life.expect(nodes, [false, false, true, true]);
        Form::to(&life.asked(), "/oauth2/consent");
        assert_eq!(revoke(&nodes[0], &["--client", CLI])["ended"], 2);
        life.expect(nodes, [false; 4]);
        assert!(listed(&nodes[0], &[]).is_empty());
        nodes[0].cli(&["grant", "revoke", "--client", SERVICE.0]).expect(1).says("no such grant");
    });
}

/// UI-10, R7009-2.1e: of one user at one client, by another node; a code that is not redeemed ends too.
#[test]
fn one_grant_ends_alone_with_its_code_and_its_line_in_the_log() {
    on_every_store(|nodes| {
        let (here, there) = (&nodes[0], nodes.last().unwrap());
        let life = Life::begin(here);
        let code = answer(&life.asked())["code"].clone();
        let arguments = ["--user", "alice", "--client", APP.0];
        assert_eq!(revoke(there, &arguments), serde_json::json!({ "ended": 1, "revoked": 1 }));
        eventually("this node knows", || life.good(here) == [false, true, true, true]);
        life.expect(nodes, [false, true, true, true]);
        dance::redeem(here, &code).expect_error(400, "invalid_grant");
        Form::to(&life.asked(), "/oauth2/consent");
        eventually("the log has a line of it", || {
            let lines = there.events();
            let ended: Vec<_> = lines.iter().filter(|line| line.to_string().contains("grant ended")).collect();
            ended.len() == 1 && ["alice", APP.0, "operator"].iter().all(|word| ended[0].to_string().contains(word))
        });
        let arguments = [&["grant", "revoke"][..], &arguments].concat();
        there.cli(&arguments).expect(1).says("no such grant");
        there.cli(&["grant", "revoke"]).expect(2);
        there.cli(&["grant", "revoke", "--client", APP.0, "--user", ""]).expect(1).says("subject is empty");
        life.expect(nodes, [false, true, true, true]);
    });
}

/// Where no gateway runs the command opens the store itself; what it ends stays ended.
#[test]
fn grants_are_listed_and_ended_while_no_gateway_runs() {
    let upstream = Upstream::start();
    let config = dance::with_apps(&upstream).set("store.url", "\"redb:data/tollgate.redb\"");
    let gateway = Gateway::start(config);
    let life = Life::begin(&gateway);
    gateway.terminate();
    gateway.cli(&["grant", "list", "--client", APP.0]).expect(0).says("Photo Book").says("LAST USED").says("bob");
    gateway.cli(&["grant", "revoke", "--user", "bob"]).expect(0).says("ended: 2");
    gateway.spawn();
    gateway.wait_until_ready();
    life.expect(&[], [true, false, true, false]);
}
