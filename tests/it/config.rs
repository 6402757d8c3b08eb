//! A configuration that is wrong is refused with everything that is wrong with it, before a port is bound.

use crate::harness::{Authority, Command, Config, Output};

/// A small file that is right.
const RIGHT: &str = include_str!("../../src/config/testdata/small.toml");

/// The client's secret.
const SECRET: &str = "from-the-environment-0123456789";

fn with_secret() -> Command {
    Command::new().env("REPORTER_SECRET", SECRET)
}

fn check(text: &str) -> Output {
    with_secret().file("gateway.toml", text).run(&["check"])
}

/// Where `text` begins to differ from the right file: line and column, from 1.
fn place(text: &str, marker: &str) -> String {
    let at = text.find(marker).expect(marker);
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |end| end + 1) + 1;
    format!("gateway.toml:{line}:{column}")
}

/// The right file is right: the table of routes, exit 0.
#[test]
fn a_right_file_passes_and_its_routes_are_shown() {
    let output = check(RIGHT);
    output.expect(0).says("/notes/{*rest}").says("notes:read");
}

/// A literal secret is a warning, not an error; references are not.
#[test]
fn a_literal_secret_is_a_warning() {
    let with = |secret: &str| RIGHT.replace("env:REPORTER_SECRET", secret);
    let output = check(&with("a-secret-4Xk9"));
    assert!(output.expect(0).all().to_lowercase().contains("warning"), "{output:?}");
    assert!(!output.all().contains("a-secret-4Xk9"));
    let output = check(RIGHT);
    assert!(!output.expect(0).all().contains(SECRET) && output.stderr.is_empty(), "{output:?}");
    check(&with("env:NOT_SET")).expect(1).says("NOT_SET");
    with_secret()
        .file("secrets/it", "s3cret\n")
        .file("gateway.toml", &with("file:secrets/it"))
        .run(&["check"])
        .expect(0);
    check(&with("file:secrets/none")).expect(1).says("secrets/none");
}

/// Unknown keys name their place and the nearest known key.
#[test]
fn an_unknown_key_names_its_place_and_the_nearest_known_one() {
    for (right, wrong, marker, nearest) in [
        ("listen =", "lissten =", "lissten", "listen"),
        ("public_url =", "public_uri =", "public_uri", "public_url"),
        ("[scopes]", "[cach]\nttl = \"1s\"\n\n[scopes]", "cach]", "cache"),
        ("grants =", "grant =", "grant =", "grants"),
        (
            "scopes = \"notes:read\"\nupstream",
            "scope = \"notes:read\"\nupstream",
            "scope = \"notes:read\"\nupstream",
            "scopes",
        ),
        ("servers =", "server =", "server =", "servers"),
    ] {
        let text = RIGHT.replacen(right, wrong, 1);
        let output = check(&text);
        output.expect(1).says(&place(&text, marker)).says(nearest);
    }
}

/// Wrong values name their place.
#[test]
fn a_wrong_value_names_its_place() {
    for (right, wrong, marker) in [
        ("\"127.0.0.1:18080\"\n", "\"nonsense\"\n", "\"nonsense\""),
        ("\"memory:\"", "\"mysql://x\"", "\"mysql://x\""),
        ("[\"echo:\"]", "[\"gopher://x\"]", "\"gopher://x\""),
        ("[\"client_credentials\"]", "[\"magic\"]", "\"magic\""),
        ("upstream = \"notes\"", "upstream = \"nowhere\"", "\"nowhere\""),
        ("scopes = \"notes:read\"\nupstream", "scopes = \"notes:reed\"\nupstream", "\"notes:reed\""),
        ("scopes = \"notes:read\"\nupstream", "scopes = \"\"\nupstream", "\"\"\nupstream"),
        ("scopes = \"notes:read\"\nupstream", "scopes = []\nupstream", "[]\nupstream"),
        ("scopes = \"notes:read\"\nupstream", "access = \"maybe\"\nupstream", "\"maybe\""),
        ("[scopes]", "[cache]\nttl = \"60\"\n\n[scopes]", "\"60\""),
        ("[scopes]", "[limits]\nhead_size = \"lots\"\n\n[scopes]", "\"lots\""),
        ("[scopes]", "[limits]\nhead_fields = -1\n\n[scopes]", "-1"),
        ("[scopes]", "[bearer]\nmethods = [\"cookie\"]\n\n[scopes]", "\"cookie\""),
        ("\"http://127.0.0.1:18080\"", "\"http://example.com\"", "\"http://example.com\""),
        ("\"http://127.0.0.1:18080\"", "\"http://127.0.0.1:18080/?x\"", "\"http://127.0.0.1:18080/?x\""),
    ] {
        let text = RIGHT.replacen(right, wrong, 1);
        assert_ne!(text, RIGHT, "{right}");
        check(&text).expect(1).says(&place(&text, marker));
    }
}

/// Every problem at once.
#[test]
fn several_problems_are_reported_at_once() {
    let text = RIGHT
        .replace("listen =", "lissten =")
        .replace("\"memory:\"", "\"mysql://x\"")
        .replace("upstream = \"notes\"", "upstream = \"nowhere\"")
        .replace("[\"client_credentials\"]", "[\"magic\"]");
    let output = check(&text);
    output.expect(1);
    for marker in ["lissten", "\"mysql://x\"", "\"nowhere\"", "\"magic\""] {
        output.says(&place(&text, marker));
    }
}

/// Files that are no TOML, empty, missing or not text.
#[test]
fn a_file_that_cannot_be_read_is_explained() {
    for text in ["[server", "a = = 1", "\u{feff}[server]\nlisten = 'x", "listen = \"127.0.0.1:1\"\nlisten = 1"] {
        check(text).expect(1).says("gateway.toml:");
    }
    check("").expect(1).says("listen");
    with_secret().run(&["check", "--config", "missing.toml"]).expect(1).says("missing.toml");
    with_secret().run(&["check"]).expect(1);
    with_secret().file("folder/x", "").run(&["check", "--config", "folder"]).expect(1);
}

/// PX-2: a route says how it is protected, once.
#[test]
fn a_route_says_how_it_is_protected() {
    let bare = RIGHT.replace("scopes = \"notes:read\"\nupstream", "upstream");
    check(&bare).expect(1).says("access").says("gateway.toml:");
    let both =
        RIGHT.replace("scopes = \"notes:read\"\nupstream", "scopes = \"notes:read\"\naccess = \"public\"\nupstream");
    check(&both).expect(1).says("gateway.toml:");
}

/// PATH-14: routes that cannot be ordered are an error that names both; names stand once.
#[test]
fn conflicts_name_both_places() {
    let route = "[[routes]]\npath = \"/notes/{*all}\"\naccess = \"public\"\nupstream = \"notes\"\n";
    let text = format!("{RIGHT}\n{route}");
    let output = check(&text);
    output.expect(1).says("/notes/{*rest}").says("/notes/{*all}");
    let named = format!("{RIGHT}\n[[clients]]\nid = \"reporter\"\ngrants = [\"password\"]\nscopes = \"notes:read\"\n");
    check(&named).expect(1).says("reporter");
    let users =
        "[[users]]\nname = \"Alice\"\npassword_hash = \"x\"\n[[users]]\nname = \"alice\"\npassword_hash = \"x\"\n";
    check(&format!("{RIGHT}\n{users}")).expect(1).says("gateway.toml:");
}

/// TLS-2, R6750-5.2: a plain listener is loopback, a unix socket, or behind TLS.
#[test]
fn a_plain_listener_must_be_loopback_or_behind_tls() {
    let open = RIGHT.replace("127.0.0.1:18080\"\npublic", "0.0.0.0:18080\"\npublic");
    check(&open).expect(1).says("behind_tls");
    let behind = open.replace("[store]", "behind_tls = true\n\n[store]").replace("\"http://127", "\"https://127");
    let behind = behind.replace(
        "public_url = \"https://127.0.0.1:18080\"\n\nbehind_tls",
        "public_url = \"https://127.0.0.1:18080\"\nbehind_tls",
    );
    check(&behind).expect(0);
    check(&RIGHT.replace("\"127.0.0.1:18080\"\n", "\"unix:x.sock\"\n")).expect(0);
}

/// Keys of later versions are known, and refused with a message that says so; nothing is read and ignored.
#[test]
fn keys_of_later_versions_are_refused_with_a_message() {
    for (section, line) in
        [("[upstreams.notes]", "identity = \"jwt\""), ("[[clients]]", "dpop_bound_access_tokens = true")]
    {
        let text = RIGHT.replacen(section, &format!("{section}\n{line}"), 1);
        let output = check(&text);
        let said = output.expect(1).says(&place(&text, line)).all().to_lowercase();
        assert!(
            said.contains("not in this version") || said.contains("not yet") || said.contains("later version"),
            "{line}: {said}"
        );
    }
    let text = format!("{RIGHT}\n[[issuers]]\nissuer = \"https://a.example\"\n");
    check(&text).expect(1).says("gateway.toml:").says("version");
}

/// A store that nobody can reach is said with its place and without its password.
#[test]
fn the_url_of_a_store_is_checked_and_not_repeated() {
    for url in ["redis+sentinel://u:hunter2@a:1,b:2/m/0", "redis+cluster://:hunter2@a:1,b", "redis://u:hunter2@a/1"] {
        check(&RIGHT.replace("memory:", url)).expect(0);
    }
    for url in [
        "redis+sentinel://u:hunter2@a:1",
        "redis+cluster://:hunter2@a:1/1",
        "redis+unix:///r?pass=hunter2&x=y",
        "redis+sentinel://a?sentinel_password=hunter2",
    ] {
        let said =
            check(&RIGHT.replace("memory:", url)).expect(1).says("gateway.toml:").says("`url` in `[store]`").all();
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// Everything of the configuration reference that this version takes.
#[test]
fn every_documented_key_is_taken() {
    let text = include_str!("../../src/config/testdata/every_key.toml");
    let logo = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let authority = Authority::new();
    let mut command = with_secret()
        .file("gateway.toml", text)
        .file("logo.svg", logo)
        .file("users.htpasswd", "")
        .file("ca.pem", &std::fs::read_to_string(authority.path("ca.pem")).unwrap())
        .env("APP_SECRET", "from-the-environment-0123456789");
    for name in ["one", "two"] {
        authority.issue(name, &["a.example"]);
        for file in [format!("{name}.pem"), format!("{name}.key")] {
            command = command.file(&file, &std::fs::read_to_string(authority.path(&file)).unwrap());
        }
    }
    command.run(&["check"]).expect(0).says("shelf:{id}").says("(report only; 100 per 1s by client, 200 at once)");
}

/// `${NAME}` in any string comes from the environment; unset is an error with its place.
#[test]
fn names_in_braces_come_from_the_environment() {
    let text = RIGHT.replace("127.0.0.1:18080", "127.0.0.1:${PORT}");
    with_secret().file("gateway.toml", &text).env("PORT", "18081").run(&["check"]).expect(0);
    with_secret().file("gateway.toml", &text).run(&["check"]).expect(1).says("PORT").says("gateway.toml:2");
}

/// `include`: each team has its file; problems name it, and names that stand twice name both.
#[test]
fn included_files_add_routes_and_clients() {
    let main = format!("include = [\"routes.d/*.toml\"]\n\n{RIGHT}");
    let team = "[[routes]]\npath = \"/team\"\naccess = \"public\"\nupstream = \"notes\"\n";
    let command = with_secret().file("gateway.toml", &main).file("routes.d/team.toml", team);
    command.run(&["check"]).expect(0).says("/team");
    let command = command.file("routes.d/other.toml", &team.replace("upstream =", "upstreem ="));
    command.run(&["check"]).expect(1).says("other.toml:4:1").says("upstream");
    let twice = "[[clients]]\nid = \"reporter\"\nsecret = \"x-1234567890\"\ngrants = [\"client_credentials\"]\nscopes = \"notes:read\"\n";
    let command = with_secret().file("gateway.toml", &main).file("routes.d/team.toml", twice);
    command.run(&["check"]).expect(1).says("team.toml").says("gateway.toml").says("reporter");
}

/// The file is looked for in this order.
#[test]
fn the_file_is_found_by_option_environment_and_place() {
    let broken = "nonsense = 1\n";
    let command = with_secret().file("gateway.toml", broken).file("a.toml", RIGHT).file("b.toml", broken);
    command.run(&["check"]).expect(1);
    command.run(&["check", "--config", "a.toml"]).expect(0);
    command.run(&["--config", "a.toml", "check"]).expect(0);
    let command = command.env("TOLLGATE_CONFIG", "b.toml");
    command.run(&["check", "--config", "a.toml"]).expect(0);
    command.run(&["check"]).expect(1).says("b.toml");
}

/// `serve` refuses what `check` refuses, before a port is bound.
#[test]
fn serving_a_wrong_file_fails_before_a_port_is_bound() {
    let text = RIGHT.replace("upstream = \"notes\"", "upstream = \"nowhere\"");
    let command = with_secret().file("gateway.toml", &text);
    for arguments in [&[][..], &["serve"]] {
        command.run(arguments).expect(1).says(&place(&text, "\"nowhere\""));
    }
    let said = command.run(&[]).stderr;
    assert!(said.ends_with("in the configuration\n"), "{said:?}");
    // a port that is taken is said
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let text = RIGHT.replace("127.0.0.1:18080", &taken);
    with_secret().file("gateway.toml", &text).run(&["serve"]).expect(1).says(&taken);
}

/// The configuration that the other tests use is right too.
#[test]
fn the_tests_own_configuration_is_right() {
    let config = Config::people()
        .set("server.listen", "\"127.0.0.1:18080\"")
        .set("server.public_url", "\"http://127.0.0.1:18080\"");
    check(&config.text()).expect(0);
}
