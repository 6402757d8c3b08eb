//! Resource owners who come and go: of the store, of a file, of a login service.

use crate::harness::{ALICE, Authority, Command, Config, Ending, Front, Gateway, Redis, Upstream, eventually, notes};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

const CAROL: (&str, &str) = ("carol", "open sesame");

fn run(gateway: &Gateway, input: &str, arguments: &[&str]) -> crate::harness::Output {
    let folder = gateway.path("");
    Command::within(&folder).input(input).run(&[arguments, &["--config", "gateway.toml"]].concat())
}

fn refused(gateway: &Gateway, (name, password): (&str, &str)) -> bool {
    let form = [("grant_type", "password"), ("username", name), ("password", password)];
    let answer = gateway.ask_cli(&form);
    answer.status == 400 && answer.json()["error"] == "invalid_grant"
}

/// Hazards, line 35: on every node, at once.
#[test]
fn a_user_of_the_store_comes_and_goes_on_every_node() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let config = || Config::notes(&upstream).set("store.url", &format!("\"{}\"", redis.url()));
    let (here, there) = (Gateway::start(config()), Gateway::start(config()));
    run(&here, "open sesame\n", &["user", "add", "Carol", "--scopes", "notes:read"]).expect(0).says("added: Carol");
    run(&there, "x\n", &["user", "add", "CAROL"]).expect(1).says("there is a user with this name");
    run(&there, "x\n", &["user", "add", "alice"]).expect(1).says("there is a user with this name");
    for deed in ["disable", "remove"] {
        let tokens = there.login(CAROL);
        there.get("/notes/1").bearer(&tokens.access).send().expect(200);
        here.get("/notes/1").bearer(&tokens.access).send().expect(200);
        run(&here, "", &["user", deed, "carol"]).expect(0);
        here.get("/notes/1").bearer(&tokens.access).send().expect(401);
        eventually("the other node knows", || there.get("/notes/1").bearer(&tokens.access).send().status == 401);
        there.refresh(&tokens.refresh).expect_error(400, "invalid_grant");
        assert!(refused(&there, CAROL));
        let listed = run(&there, "", &["user", "list", "--json"]).expect(0).json();
        let carol = listed["users"].as_array().unwrap().iter().find(|user| user["name"] == "Carol");
        assert_eq!(carol.map(|carol| carol["disabled"] == true), (deed == "disable").then_some(true));
        if deed == "disable" {
            run(&there, "", &["user", "enable", "Carol"]).expect(0);
        }
    }
    run(&here, "", &["user", "remove", "carol"]).expect(1);
    run(&here, "", &["user", "remove", "alice"]).expect(1).says("configuration");
}

#[test]
fn a_password_is_changed_and_is_in_no_output() {
    let (_upstream, gateway) = notes();
    run(&gateway, "open sesame\n", &["user", "add", "carol", "--json"]).expect(0);
    gateway.login(CAROL);
    let changed = run(&gateway, "another one", &["user", "passwd", "carol"]);
    assert!(!changed.expect(0).all().contains("another one"));
    assert!(refused(&gateway, CAROL));
    gateway.login(("CAROL", "another one"));
    assert!(!gateway.output().contains("another one") && !gateway.output().contains("open sesame"));
    run(&gateway, "", &["user", "passwd", "carol"]).expect(1).says("empty");
}

/// `users_file` is read again when it changes; what is broken changes nothing.
#[test]
fn a_users_file_is_read_again_when_it_changes() {
    const HTPASSWD: &str = "$2y$04$nDsEwrRWuCzmZD0QV4QYduRb1K1fPbBBSRuaoYwk1cIQW4zKkcNCi";
    let (upstream, gateway) = notes();
    std::fs::write(gateway.path("users.htpasswd"), "").unwrap();
    gateway.configure(Config::notes(&upstream));
    let text = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    gateway.configure_text(&format!("users_file = \"users.htpasswd\"\n{text}"));
    gateway.signal("HUP");
    let reloads = || gateway.output().matches("the new configuration is in force").count();
    eventually("the file is named", || reloads() == 1);
    let hash = run(&gateway, "open sesame", &["hash"]).expect(0).stdout.clone();
    std::fs::write(gateway.path("users.htpasswd"), format!("dave:{HTPASSWD}\ncarol:{hash}")).unwrap();
    eventually("carol may sign in", || reloads() == 2);
    let token = gateway.login(CAROL).access;
    let before = gateway.output().len();
    std::fs::write(gateway.path("users.htpasswd"), format!("dave:{HTPASSWD}\ncarol:hunter2\n")).unwrap();
    eventually("it is reported", || gateway.output()[before..].contains("users.htpasswd:2:7"));
    assert!(!gateway.output().contains("hunter2"));
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    std::fs::write(gateway.path("users.htpasswd"), format!("dave:{HTPASSWD}\n")).unwrap();
    eventually("carol is gone", || gateway.get("/notes/1").bearer(&token).send().status == 401);
    gateway.login(ALICE);
}

/// A login service that knows one password.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/check", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            while !request.ends_with('}') {
                let read = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let answer = if request.contains("broken") {
                "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
            } else if request.contains("open sesame") {
                "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{\"sub\":\"carol@x\",\"scope\":\"notes:read\"}"
            } else {
                "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

/// `config` without users of its own.
fn without_users(config: Config) -> Config {
    let text = config.text();
    let users = text.find("[[users]]").unwrap();
    let end = users + text[users..].find("[[routes]]").unwrap();
    config.replace(&text[users..end], "")
}

/// TLS-3: new authorities count without a restart, as those of upstreams do.
#[test]
fn whom_a_login_service_is_believed_to_be_is_read_again_when_the_file_changes() {
    let (upstream, authority, next) = (Upstream::start(), Authority::new(), Authority::new());
    next.issue("server", &["localhost"]);
    let port = service().rsplit_once(':').unwrap().1.trim_end_matches("/check").parse().unwrap();
    let front = Front::start(next.server("server", false), port, Ending::Said);
    let config = Config::notes(&upstream)
        .set("login.url", &format!("\"https://localhost:{}/check\"", front.port()))
        .set("login.ca", &authority.quoted("ca.pem"));
    let gateway = Gateway::start(without_users(config));
    let form = [("grant_type", "password"), ("username", CAROL.0), ("password", CAROL.1)];
    gateway.ask_cli(&form).expect(503);
    std::fs::copy(next.path("ca.pem"), authority.path("ca.pem")).unwrap();
    eventually("it is believed", || gateway.ask_cli(&form).status == 200);
}

/// `[login]`
#[test]
fn a_login_service_vouches_for_users() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream).set("login.url", &format!("\"{}\"", service()));
    let gateway = Gateway::start(without_users(config));
    let tokens = gateway.login(CAROL);
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    let told = gateway.introspect(&tokens.access);
    assert_eq!((told["sub"].as_str(), told["scope"].as_str()), (Some("carol@x"), Some("notes:read")));
    assert!(refused(&gateway, ("carol", "wrong")));
    let broken = [("grant_type", "password"), ("username", "carol"), ("password", "broken")];
    gateway.ask_cli(&broken).expect(503);
    run(&gateway, "", &["user", "list"]).expect(0).says("carol@x");
    run(&gateway, "x", &["user", "add", "dave"]).expect(1).says("login service");
    run(&gateway, "", &["user", "disable", "carol@x"]).expect(0);
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
    assert!(refused(&gateway, CAROL));
}
