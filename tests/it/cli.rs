//! The command line: what it prints and how it exits.

use crate::harness::{ALICE, Command, Config, Gateway, READER, SERVICE, notes};

fn file() -> String {
    let upstream = "[upstreams.notes]\nservers = [\"echo:\"]\n";
    let config = Config::people()
        .set("server.listen", "\"127.0.0.1:18080\"")
        .set("server.public_url", "\"http://127.0.0.1:18080\"");
    config
        .add(upstream)
        .add(
            r#"
[[routes]]
name = "notes"
path = "/notes/{*rest}"
upstream = "notes"
scopes = { GET = "notes:read", POST = "notes:write" }

[[routes]]
name = "shelf"
path = "/shelves/{id}"
upstream = "notes"
scopes = "shelf:{id}"

[[routes]]
name = "public"
path = "/public/{*rest}"
access = "public"
upstream = "notes"
"#,
        )
        .text()
}

fn command() -> Command {
    Command::new().file("gateway.toml", &file())
}

/// Exit 2: wrong usage.
#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["nonsense"][..],
        &["check", "--nonsense"],
        &["explain"],
        &["explain", "GET"],
        &["token"],
        &["client", "new", "--grants"],
    ] {
        command().run(arguments).expect(2);
    }
    Command::new().run(&["--help"]).expect(0).says("explain").says("token");
    let version = Command::new().run(&["--version"]);
    version.expect(0).says(env!("CARGO_PKG_VERSION"));
}

/// `check` prints the table of routes.
#[test]
fn check_prints_the_routes() {
    let output = command().run(&["check"]);
    output.expect(0);
    for text in
        ["/notes/{*rest}", "notes:write", "/shelves/{id}", "shelf:{id}", "/public/{*rest}", "public", "SERVER", "echo:"]
    {
        output.says(text);
    }
    assert!(!output.all().contains(SERVICE.1));
}

/// `explain`: `route`, `needs`, `verdict`, `reason`; exit 0 when the request would pass, 1 when not.
#[test]
fn explain_says_what_would_happen() {
    for (arguments, code, words) in [
        (&["GET", "/notes/1", "--scope", "notes:read"][..], 0, &["notes", "notes:read"][..]),
        (&["HEAD", "/notes/1", "--scope", "notes:read"], 0, &["notes:read"]),
        (&["GET", "/notes/1", "--scope", "notes:admin"], 0, &["notes:read"]),
        (&["GET", "/notes/1"], 1, &["notes:read"]),
        (&["POST", "/notes/1", "--scope", "notes:read"], 1, &["notes:write", "insufficient_scope"]),
        (&["GET", "/shelves/7", "--scope", "shelf:7"], 0, &["shelf:7"]),
        (&["GET", "/shelves/7", "--scope", "shelf:8"], 1, &["shelf:7"]),
        (&["GET", "/public/x"], 0, &["public"]),
        (&["GET", "http://127.0.0.1:18080/public/x?y=z"], 0, &["public"]),
        (&["GET", "/nowhere"], 1, &["404"]),
        (&["PUT", "/notes/1", "--scope", "notes:write"], 1, &["405"]),
        (&["GET", "/notes/../public"], 1, &["400"]),
        (&["GET", "//notes"], 1, &["400"]),
    ] {
        let output = command().run(&[&["explain"], arguments].concat());
        output.expect(code);
        for name in ["route", "needs", "verdict", "reason"] {
            output.says(name);
        }
        for word in words {
            output.says(word);
        }
    }
}

/// `hash`: a password on standard input becomes a PHC string, one trailing newline trimmed; it works as a user's.
#[test]
fn hash_makes_a_password_hash_that_works() {
    let output = Command::new().input("geheim £\n").run(&["hash"]);
    let hash = output.expect(0).stdout.trim().to_owned();
    assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
    assert!(!output.all().contains("geheim"));
    let gateway =
        Gateway::start(Config::people().add(&format!("[[users]]\nname = \"carol\"\npassword_hash = \"{hash}\"\n")));
    gateway.login(("carol", "geheim £"));
    let other = Command::new().input("geheim £").run(&["hash"]);
    assert_ne!(other.stdout.trim(), hash, "salted");
}

/// `schema` and `completions`.
#[test]
fn schema_and_completions_are_printed() {
    let schema = Command::new().run(&["schema"]);
    let json = schema.expect(0).json();
    for section in ["server", "routes", "clients", "scopes", "upstreams"] {
        assert!(json["properties"][section].is_object(), "{section}");
    }
    for shell in ["bash", "zsh", "fish"] {
        Command::new().run(&["completions", shell]).expect(0).says("tollgate");
    }
    Command::new().run(&["completions", "cmd.exe"]).expect(2);
}

/// Token commands against a running gateway.
#[test]
fn the_operator_issues_inspects_lists_and_revokes_tokens() {
    let (_upstream, gateway) = notes();
    let issued = gateway.cli(&["token", "issue", "--client", "service", "--scope", "notes:read"]);
    let text = issued.expect(0).stdout.clone();
    let token =
        text.split_whitespace().find(|word| word.starts_with("tga_")).expect("a token").trim_matches('"').to_owned();
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    let inspected = gateway.cli(&["token", "inspect", &token]);
    inspected.expect(0).says("service").says("notes:read");
    assert!(!inspected.all().contains(&token[4..]));
    let listed = gateway.cli(&["token", "list", "--json"]);
    let list = listed.expect(0).json();
    assert!(list.to_string().contains("service") && !list.to_string().contains(&token[4..]), "{list}");
    gateway.cli(&["token", "revoke", &token]).expect(0);
    gateway.get("/notes/1").bearer(&token).send().expect_error(401, "invalid_token");
    let gone = gateway.cli(&["token", "inspect", &token]);
    assert_ne!(gone.code, Some(2), "{gone:?}");
    gateway.cli(&["token", "issue", "--client", "nobody"]).expect(1);
    gateway.cli(&["token", "issue", "--client", "service", "--scope", "nothing:known"]).expect(1);
}

/// By public identifier, by client, by user.
#[test]
fn the_operator_revokes_by_identifier_client_and_user() {
    let (_upstream, gateway) = notes();
    let (service, alice) = (gateway.token("notes:read"), gateway.login(ALICE));
    let jti = gateway.introspect(&service)["jti"].as_str().unwrap().to_owned();
    gateway.cli(&["token", "revoke", &jti]).expect(0);
    gateway.get("/notes/1").bearer(&service).send().expect(401);
    gateway.get("/notes/1").bearer(&alice.access).send().expect(200);
    gateway.cli(&["token", "revoke", "--user", "alice"]).expect(0);
    gateway.get("/notes/1").bearer(&alice.access).send().expect(401);
    gateway.refresh(&alice.refresh).expect_error(400, "invalid_grant");
}

/// Client commands: a secret is shown once; a removed client's tokens end (TOK-7, TOK-13).
#[test]
fn the_operator_adds_lists_and_removes_clients() {
    let (_upstream, gateway) = notes();
    let made = gateway.cli(&["client", "new", "robot", "--grants", "client_credentials", "--scopes", "notes:read"]);
    let secret = made.expect(0).all();
    let secret = secret.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.starts_with("tgs_"));
    let secret = secret.expect("a generated secret").to_owned();
    let form = [("grant_type", "client_credentials")];
    let token = gateway.post("/oauth2/token").basic(("robot", &secret)).form(&form).send().tokens().access;
    gateway.get("/notes/1").bearer(&token).send().expect(200);
    let listed = gateway.cli(&["client", "list", "--json"]);
    let list = listed.expect(0).json();
    for id in ["robot", "service", "notes-cli"] {
        assert!(list.to_string().contains(id), "{id} in {list}");
    }
    for hidden in [&secret[4..], SERVICE.1, READER.1] {
        assert!(!listed.all().contains(hidden));
    }
    gateway.cli(&["client", "remove", "robot"]).expect(0);
    gateway.get("/notes/1").bearer(&token).send().expect_error(401, "invalid_token");
    gateway.post("/oauth2/token").basic(("robot", &secret)).form(&form).send().expect_error(401, "invalid_client");
    gateway.cli(&["client", "remove", "robot"]).expect(1);
}

/// The operator's socket is for the owner alone.
#[test]
fn the_operators_socket_has_mode_0600() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_upstream, gateway) = notes();
    let mode = std::fs::metadata(gateway.path("admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A gateway that is not there is said in words.
#[test]
fn commands_without_a_gateway_fail_in_words() {
    let output = command().run(&["token", "list"]);
    output.expect(1);
    assert!(!output.stderr.is_empty());
}

/// Nothing reads and ignores an option.
#[test]
fn secrets_are_never_arguments_in_the_output() {
    let output = command().run(&["check"]);
    for secret in [SERVICE.1, READER.1, "$argon2id$"] {
        assert!(!output.all().contains(secret));
    }
}
