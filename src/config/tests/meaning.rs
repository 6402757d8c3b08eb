//! What each section may not say: a change of the small file, the line of the problem, its message.

use super::*;
use crate::oauth::client::GrantType;

/// Checks that each change of `SMALL` gives exactly one problem that says this.
fn each_is_refused(changes: &[(&str, &str, &str)]) {
    for (from, to, message) in changes {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        let all = problems(&text);
        assert!(all.len() == 1 && all[0].1.contains(message), "{to}: {all:?}");
    }
}

fn each_is_taken(changes: &[(&str, &str)]) {
    for (from, to) in changes {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        right(&text);
    }
}

const LISTEN: &str = "listen = \"127.0.0.1:18080\"";
const URL: &str = "public_url = \"http://127.0.0.1:18080\"";

/// TLS-2
#[test]
fn a_plain_listener_is_local_or_behind_tls() {
    each_is_refused(&[
        (LISTEN, "listen = \"0.0.0.0:18080\"", "without encryption"),
        (LISTEN, "listen = [\"127.0.0.1:1\", \"[::]:18080\"]", "without encryption"),
        (LISTEN, "listen = \"localhost:18080\"", "is no address"),
        (LISTEN, "listen = \":18080\"", "is no address"),
        (LISTEN, "listen = \"unix:\"", "without a path"),
        (LISTEN, &format!("listen = \"unix:{}\"", "x".repeat(108)), "107 octets"),
        (LISTEN, "listen = []", "no address to listen on"),
        (LISTEN, "listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "twice"),
        ("[store]", "[telemetry]\nlisten = \"127.0.0.1:18080\"\n[store]", "taken by another section"),
        ("[store]", "[admin]\nlisten = \"0.0.0.0:1\"\n[store]", "operators' tokens"),
        ("[store]", "[telemetry]\nlog = \"a=b=c\"\n[store]", "this is no filter"),
        ("[store]", "[telemetry]\nlog = \"inof,tollgate::audit=info\"\n[store]", "`inof` is no level"),
    ]);
    each_is_taken(&[
        (LISTEN, "listen = \"unix:a.sock\""),
        (LISTEN, "listen = [\"[::1]:18080\", \"127.0.0.1:0\", \"127.9.9.9:0\"]"),
        (LISTEN, "behind_tls = true\nlisten = \"0.0.0.0:18080\""),
        (LISTEN, "listen = \"127.0.0.1:${PORT}\""),
        ("[store]", "[telemetry]\nlog = \"WARN, tollgate::audit=info\"\n[store]"),
        ("[store]", "[telemetry]\nlisten = \"0.0.0.0:9090\"\n[admin]\nlisten = \"127.0.0.1:9091\"\n[store]"),
    ]);
}

/// FWD-3, IDH-3
#[test]
fn what_upstreams_are_told_of_a_client_may_be_chosen() {
    let parameters = |names: &str| format!("{LISTEN}\nforwarded_parameters = {names}");
    let at = "[[routes]]";
    each_is_refused(&[
        (LISTEN, &format!("{LISTEN}\nforwarded = \"all\""), "is unknown"),
        (LISTEN, &parameters("[]"), "could have these parameters"),
        (LISTEN, &(parameters("[\"for\"]") + "\nforwarded = \"x-forwarded\""), "could have these parameters"),
        (LISTEN, &parameters("[\"by\"]"), "is unknown"),
        (at, "[[routes]]\nunderscores = [\"x-a\"]", "`x-a` cannot be let pass"),
        (at, "[[routes]]\nunderscores = [\"X_Auth_User\"]", "`X_Auth_User` cannot be let pass"),
        (at, "[[routes]]\nunderscores = [\"x_a b\"]", "`x_a b` cannot be let pass"),
    ]);
    each_is_taken(&[
        (LISTEN, &format!("{LISTEN}\nforwarded = \"none\"")),
        (LISTEN, &parameters("[\"proto\"]")),
        (at, "[[routes]]\nunderscores = [\"X_Legacy_Id\"]"),
    ]);
}

/// R8628-4
#[test]
fn devices_are_served_where_something_says_so() {
    let times = |text: &str| {
        let device = right(text).plan.issue.device;
        device.map(|device| (device.code_ttl.as_secs(), device.interval.as_secs()))
    };
    assert_eq!(times(SMALL), None);
    for grant in ["device_code", "urn:ietf:params:oauth:grant-type:device_code"] {
        let text = SMALL.replace("[\"client_credentials\"]", &format!("[\"{grant}\"]"));
        assert_eq!(times(&text), Some((600, 5)), "{grant}");
        assert!(right(&text).plan.clients.get("reporter").unwrap().may_use(GrantType::DeviceCode), "{grant}");
    }
    let oauth = |lines: &str| SMALL.replace("[scopes]", &format!("[oauth]\n{lines}\n[scopes]"));
    assert_eq!(times(&oauth("device_interval = \"2s\"")), Some((600, 2)));
    assert_eq!(times(&oauth("device_code_ttl = \"2m\"")), Some((120, 5)));
    each_is_refused(&[
        ("[scopes]", "[oauth]\ndevice_code_ttl = \"10s\"\ndevice_interval = \"10s\"\n[scopes]", "poll twice"),
        ("[scopes]", "[oauth]\ndevice_interval = \"0s\"\n[scopes]", "device_interval"),
    ]);
}

/// R8414-2a
#[test]
fn the_public_url_is_an_issuer() {
    each_is_refused(&[
        (URL, "public_url = \"http://a.example\"", "not on loopback"),
        (URL, "public_url = \"https://a.example/?x\"", "query or a fragment"),
        (URL, "public_url = \"https://a.example#x\"", "query or a fragment"),
        (URL, "public_url = \"https://u@a.example\"", "user information"),
        (URL, "public_url = \"ftp://a.example\"", "neither https nor http"),
        (URL, "public_url = \"a.example\"", "is no URL"),
        (URL, "public_url = \"\"", "is no URL"),
        (URL, "public_url = \"https://a.example/a/../b\"", "two ways"),
        (URL, "public_url = \"https://a.example//\"", "two ways"),
        (URL, "trusted_proxies = \"10/8\"\npublic_url = \"http://localhost\"", "must be a list"),
        (URL, "trusted_proxies = [\"10.0.0.0/99\"]\npublic_url = \"http://localhost\"", "is no network"),
    ]);
    each_is_taken(&[
        (URL, "public_url = \"https://a.example/api\""),
        (URL, "public_url = \"http://localhost:1\""),
        (URL, "behind_tls = true\npublic_url = \"http://a.example\""),
    ]);
    for url in ["https://a.example/", "https://a.example/api/"] {
        let configuration = right(&SMALL.replace(URL, &format!("public_url = \"{url}\"")));
        assert_eq!((configuration.plan.issue.issuer.as_str(), configuration.warnings.len()), (url, 0), "R8414-3.3");
    }
}

#[test]
fn the_gateways_own_endpoints_have_one_place() {
    each_is_refused(&[
        ("[scopes]", "[oauth]\npath = \"oauth2\"\n[scopes]", "does not begin"),
        ("[scopes]", "[oauth]\npath = \"/\"\n[scopes]", "empty segment"),
        ("[scopes]", "[oauth]\npath = \"/a/\"\n[scopes]", "empty segment"),
        ("[scopes]", "[oauth]\npath = \"/{a}\"\n[scopes]", "parameter"),
        ("[scopes]", "[oauth]\npath = \"/.well-known/x\"\n[scopes]", "other specifications"),
        ("[scopes]", "[bearer]\nrealm = \"a\\\"b\"\n[scopes]", "header field"),
        ("[scopes]", "[bearer]\nmethods = []\n[scopes]", "no token could be sent"),
    ]);
    // PX-19: a route below them would never be taken.
    each_is_refused(&[
        ("/notes/{*rest}", "/oauth2/{*rest}", "never be taken"),
        ("/notes/{*rest}", "/oauth2", "never be taken"),
        ("/notes/{*rest}", "/.well-known/oauth-authorization-server/x", "never be taken"),
    ]);
    each_is_taken(&[("/notes/{*rest}", "/{*rest}"), ("/notes/{*rest}", "/oauth2x")]);
    let below = SMALL.replace(URL, "public_url = \"https://a.example/gw\"");
    assert_eq!(problems(&below.replace("/notes/{*rest}", "/gw/oauth2/token")).len(), 1);
    right(&below.replace("/notes/{*rest}", "/oauth2/token"));
}

#[test]
fn the_look_of_the_pages_is_checked() {
    let long = format!("[branding]\nname = \"{}\"\n[scopes]", "x".repeat(81));
    each_is_refused(&[
        ("[scopes]", "[branding]\nname = \"\"\n[scopes]", "cannot be shown"),
        ("[scopes]", "[branding]\nname = \"a\\u202eb\"\n[scopes]", "cannot be shown"),
        ("[scopes]", "[branding]\nname = \" a\"\n[scopes]", "cannot be shown"),
        ("[scopes]", &long, "cannot be shown"),
        ("[scopes]", "[branding]\ncolour = \"blue\"\n[scopes]", "is no colour"),
        ("[scopes]", "[branding]\ncolour = \"#12345\"\n[scopes]", "is no colour"),
        ("[scopes]", "[branding]\nlogo = \"missing.png\"\n[scopes]", "cannot be read"),
        ("[scopes]", "[branding]\nlogo = \"gateway.toml\"\n[scopes]", "is no image"),
        ("[scopes]", "[branding]\ncolor = \"#123456\"\n[scopes]", "`color`"),
    ]);
    each_is_taken(&[("[scopes]", "[branding]\nname = \"Bücherei 株式会社\"\ncolour = \"#FFD400\"\n[scopes]")]);
    let branding = right(SMALL).plan.branding.clone();
    assert_eq!((branding.name.as_str(), branding.colour.as_str()), ("Tollgate", "#2451c7"));
    assert_eq!(format!("{branding:?}"), format!("{:?}", crate::page::Branding::default()));
}

#[test]
fn a_logo_is_read_with_the_file_that_names_it() {
    let text = SMALL.replacen("[scopes]", "[branding]\nlogo = \"images/logo\"\n[scopes]", 1);
    let folder = Folder::new(&[("gateway.toml", &text)]);
    let png = b"\x89PNG\r\n\x1a\nand so on";
    folder.write("images/logo", png);
    let (content, media_type) = folder.load().unwrap().plan.branding.logo.clone().unwrap();
    assert_eq!((&content[..], media_type), (&png[..], "image/png"));
    folder.write("images/logo", &[&png[..], &vec![0; 256 << 10]].concat());
    assert!(folder.load().err().unwrap().to_string().contains("larger than 256 KiB"));
}

#[test]
fn stores_are_named_by_urls_whose_passwords_are_not_repeated() {
    each_is_refused(&[
        ("memory:", "mysql://u:hunter2@h", "not known"),
        ("memory:", "redis://u:hunter2@h:x/0", "port"),
        ("memory:", "redb:", "no path"),
    ]);
    let shown = load_text(&SMALL.replace("memory:", "redis://u:hunter2@h:x/0")).err().unwrap().render(true);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn scopes_are_declared() {
    each_is_refused(&[
        ("\"notes:read\" = ", "\"a b\" = \"x\"\n\"notes:read\" = ", "cannot be the name of a scope"),
        ("\"notes:read\" = ", "\"a{b\" = \"x\"\n\"notes:read\" = ", "exactly one parameter"),
        ("\"Read your notes\"", "{ implies = \"nots:read\" }", "`nots:read` does not exist"),
        ("scopes = \"notes:read\"\n\n", "scopes = \"notes:reed\"\n\n", "`notes:reed` does not exist"),
        ("scopes = \"notes:read\"\n\n", "scopes = \"\"\n\n", "this is no scope"),
        ("scopes = \"notes:read\"\nup", "scopes = [\"notes:read\", \"x\"]\nup", "`x` does not exist"),
        ("scopes = \"notes:read\"\n\n", "scopes = \"notes:read\"\ndefault_scopes = \"shelf:1\"\n\n", "not in `scopes`"),
    ]);
    let errors = load_text(&SMALL.replace("scopes = \"notes:read\"\nup", "scopes = \"notes:reed\"\nup")).err().unwrap();
    assert!(errors.iter().next().unwrap().help.starts_with("did you mean `notes:read`?"), "{errors}");
    each_is_taken(&[
        (
            "scopes = \"notes:read\"\n\n",
            "scopes = [\"notes:read\", \"shelf:42\", \"shelf:{id}\"]\ndefault_scopes = \"shelf:7\"\n\n",
        ),
        ("\"Read your notes\"", "{ text = \"x\", implies = [\"shelf:{id}\"] }"),
        ("scopes = \"notes:read\"\nup", "scopes = \"shelf:42\"\nup"),
    ]);
}

/// PX-2
#[test]
fn a_route_says_once_how_it_is_protected() {
    let needs = "scopes = \"notes:read\"\nup";
    each_is_refused(&[
        (needs, "up", "does not say how it is protected"),
        (needs, "scopes = \"notes:read\"\naccess = \"public\"\nup", "either `scopes` or `access`"),
        (needs, "scopes = \"\"\nup", "no scope is named"),
        (needs, "scopes = []\nup", "no scope is named"),
        (needs, "scopes = [1]\nup", "must be a string"),
        (needs, "scopes = 1\nup", "must be a string, a list or a table"),
        (needs, "scopes = {}\nup", "no method is named"),
        (needs, "scopes = { any = [] }\nup", "no alternative"),
        (needs, "scopes = { any = [\"notes:read\", \"\"] }\nup", "no scope is named"),
        (needs, "scopes = { any = [\"notes:read\"], GET = \"notes:read\" }\nup", "beside `any`"),
        (needs, "scopes = { get = \"notes:read\" }\nup", "`get` is no method"),
        (needs, "scopes = { CONNECT = \"notes:read\" }\nup", "`CONNECT` is no method"),
        (needs, "scopes = { GET = \"\" }\nup", "no scope is named"),
        (needs, "access = \"maybe\"\nup", "is unknown"),
        (needs, "scopes = \"shelf:{id}\"\nup", "no parameter `id`"),
        (needs, "scopes = \"book:{rest}\"\nup", "`book:{rest}` does not exist"),
        (needs, "scopes = \"shelf:{a}{b}\"\nup", "exactly one parameter"),
        (needs, "scopes = \"shelf:{a\"\nup", "exactly one parameter"),
    ]);
    each_is_taken(&[
        (needs, "access = \"authenticated\"\nup"),
        (needs, "scopes = \"shelf:{rest}\"\nup"),
        (needs, "scopes = \"notes:{rest}\"\nup"),
        (needs, "scopes = { any = [\"notes:read shelf:1\", [\"notes:read\"]] }\nup"),
        (needs, "scopes = { GET = \"notes:read\", PROPFIND = [\"notes:read\"], \"*\" = { any = [\"shelf:1\"] } }\nup"),
    ]);
}

#[test]
fn routes_refer_to_what_exists() {
    let upstream = "upstream = \"notes\"";
    each_is_refused(&[
        (upstream, "upstream = \"nots\"", "there is no upstream `nots`"),
        (upstream, "upstream = \"notes\"\nbearer = [\"query\"]", "not among `methods`"),
        (upstream, "upstream = \"notes\"\nbearer = []", "no token could be sent"),
        (upstream, "upstream = \"notes\"\nhost = \"https://a\"", "is no host"),
        (upstream, "upstream = \"notes\"\nhost = \"a:80\"", "is no host"),
        (upstream, "upstream = \"notes\"\nhost = \"a.*.b\"", "is no host"),
        (upstream, "upstream = \"notes\"\nname = \"\"", "the name is empty"),
        ("servers = [\"echo:\"]", "servers = []", "an upstream needs a server"),
        ("servers = [\"echo:\"]", "servers = [\"http://a/b\"]", "is no server"),
    ]);
    let shown = load_text(&SMALL.replace("echo:", "http://u:hunter2@a")).err().unwrap().render(false);
    assert!(!shown.contains("hunter2"), "{shown}");
    let named = "[[routes]]\nname = \"n\"\npath = \"/a\"\naccess = \"public\"\nupstream = \"notes\"\n";
    let text = format!("{SMALL}\n{named}\n{}", named.replace("/a", "/b"));
    assert_eq!(problems(&text), [(33, "two routes have the name `n`".to_owned())]);
}

#[test]
fn fields_of_the_gateway_are_not_a_routes_to_change() {
    let upstream = "upstream = \"notes\"";
    let set = |side: &str, name: &str, value: &str| {
        SMALL.replace(upstream, &format!("{upstream}\nheaders.{side}.set = {{ \"{name}\" = \"{value}\" }}"))
    };
    for (side, name) in [
        ("request", "X-Auth-Subject"),
        ("request", "x_auth_subject"),
        ("request", "Host"),
        ("request", "content-length"),
        ("request", "Connection"),
        ("request", "x-forwarded-for"),
        ("request", "x-request-id"),
        ("response", "Content-Length"),
        ("response", "transfer-encoding"),
    ] {
        let all = problems(&set(side, name, "x"));
        assert!(all.len() == 1 && all[0].1.contains("the gateway's own"), "{name}: {all:?}");
    }
    assert!(problems(&set("request", "a b", "x"))[0].1.contains("cannot be the name"));
    assert!(problems(&set("request", "x-a", "a\\nb"))[0].1.contains("cannot have this value"));
    assert!(problems(&set("request", "x-a", "x\", \"X-A\" = \"y"))[0].1.contains("set twice"));
    right(&set("request", "authorization", "Basic x"));
    right(&set("response", "strict-transport-security", "max-age=1"));
    let text = SMALL.replace(upstream, &format!("{upstream}\nheaders.request.remove = [\"x-auth-scope\"]"));
    assert_eq!(problems(&text).len(), 1);
}

#[test]
fn paths_rewrites_and_conflicts_are_checked() {
    each_is_refused(&[
        ("/notes/{*rest}", "notes", "notes"),
        ("/notes/{*rest}", "/notes/{*rest}/x", "/notes/{*rest}/x"),
        ("upstream = \"notes\"", "upstream = \"notes\"\nrewrite = \"/x/{id}\"", "`rewrite`"),
        ("upstream = \"notes\"", "upstream = \"notes\"\nrewrite = \"x\"", "`rewrite`"),
    ]);
    let conflict =
        format!("{SMALL}\n[[routes]]\npath = \"/notes/{{*all}}\"\naccess = \"public\"\nupstream = \"notes\"\n");
    let errors = load_text(&conflict).err().unwrap();
    assert_eq!(errors.count(), 1, "{errors}");
    let shown = errors.render(false);
    assert!(shown.contains("/notes/{*rest}") && shown.contains("/notes/{*all}"), "{shown}");
    assert!(shown.contains("21 |") && shown.contains("26 |"), "{shown}");
    let route = |path: &str| format!("{{ path = \"{path}\", access = \"public\", upstream = \"a\" }}");
    let line = format!("routes = [{}, {}, {}]", route("/a"), route("/{b}"), route("/{c}"));
    let small = "server = { listen = \"127.0.0.1:1\", public_url = \"http://127.0.0.1:1\" }\nstore.url = \"memory:\"\n";
    let errors = load_text(&format!("{small}upstreams.a.servers = [\"echo:\"]\n{line}\n")).err().unwrap();
    let shown = errors.render(false);
    let columns = ["/{b}", "/{c}"].map(|path| line.find(&route(path)).unwrap() + 1);
    assert!(columns.iter().all(|column| shown.contains(&format!("gateway.toml:4:{column}"))), "{shown}");
}

#[test]
fn clients_are_complete() {
    let secret = "secret = \"env:REPORTER_SECRET\"\n";
    let grants = "grants = [\"client_credentials\"]";
    let dear = crate::people::password::UNUSED_HASH.replacen("m=19456", "m=4294967295", 1);
    each_is_refused(&[
        (secret, "", "`client_credentials` needs a client that can keep a secret"),
        (secret, "secret = \"env:NOT_SET\"\n", "`NOT_SET` is not set"),
        (secret, "secret = \"env:EMPTY\"\n", "the secret is empty"),
        (secret, "secret = \"file:missing\"\n", "cannot be read from"),
        (secret, "secret = \"${NOT_SET}\"\n", "`NOT_SET` is not set"),
        (secret, "secret_hash = \"nonsense\"\n", "`secret_hash` cannot be read"),
        (secret, "secret_hash = \"$argon2id$v=19$m=19456,t=2,p=1\"\n", "can never be matched"),
        (secret, &format!("secret_hash = \"{dear}\"\n"), "its `m` is beyond 2 GiB"),
        (secret, "secret = [\"env:APP_SECRET\", \"env:APP_SECRET\", \"env:APP_SECRET\"]\n", "two secrets at most"),
        (grants, "grants = [\"client_credential\"]", "is unknown"),
        (grants, "grants = [\"authorization_code\"]", "needs `redirect_uris`"),
        (grants, "grants = []\nredirect_uris = [\"https://a.example/#x\"]", "has a fragment"),
        (secret, "pkce = \"no\"\nsecret = \"env:REPORTER_SECRET\"\n", "`pkce`"),
        (grants, "grants = []\nredirect_uris = [\"https://u@a.example/\"]", "user information"),
        ("id = \"reporter\"", "id = \"\"", "`id` is empty"),
        ("id = \"reporter\"", "id = \"ä\"", "`id` is empty or has"),
    ]);
    let early = right(&SMALL.replace(secret, &format!("{secret}redirect_uris = [\"https://a.example/cb\"]\n")));
    assert!(
        early.warnings.iter().any(|warning| warning.contains("but not the grant `authorization_code`")),
        "{:?}",
        early.warnings
    );
    let public = SMALL.replace(secret, "introspect = true\n").replace("client_credentials", "password");
    assert_eq!(problems(&public), [(12, "`introspect` needs a client that can keep a secret".to_owned())]);
    for (path, known) in [("/", true), ("/notes", true), ("", false), ("/other", false), ("/notes/", false)] {
        let listed = "[[resources]]\npath = \"/notes\"\n";
        let bound = format!("{}\n{listed}", SMALL.replace(secret, &format!("{secret}introspect = \"{path}\"\n")));
        let wrong = format!("`introspect` names no `[[resources]]`: `{path}`");
        assert_eq!(problems(&bound).iter().any(|(_, text)| *text == wrong), !known, "{path}");
    }
    let bare = SMALL.replace(secret, "pkce = \"optional\"\n").replace("client_credentials", "password");
    assert_eq!(problems(&bare), [(14, "a client without a secret cannot do without PKCE".to_owned())]);
    let code = format!("{secret}redirect_uris = [\"https://a.example/cb\"]\n");
    let code = SMALL.replace(secret, &code).replace("client_credentials", "authorization_code");
    assert!(right(&code).warnings.is_empty(), "nothing is for later");
    let literal = right(&SMALL.replace(secret, "secret = \"short\"\n"));
    assert_eq!(literal.warnings.len(), 2, "{:?}", literal.warnings);
    assert!(
        literal.warnings.iter().all(|warning| warning.contains("gateway.toml:14") && !warning.contains("\"short\""))
    );
    assert!(right(&SMALL.replace(secret, "secret = \"${APP_SECRET}\"\n")).warnings.is_empty());
}

#[test]
fn users_stand_once_and_have_a_hash() {
    let user = |name: &str, hash: &str| format!("[[users]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\n");
    let good = demo::PASSWORD_HASH.replace("s39F", "t39F");
    right(&format!("{SMALL}{}", user("alice", &good)));
    let twice = format!("{SMALL}{}{}", user("alice", &good), user("ALICE", &good));
    let errors = load_text(&twice).err().unwrap();
    assert!(errors.count() == 1 && errors.render(false).contains("the other one"), "{errors}");
    for (name, hash) in [
        ("", good.as_str()),
        (" a", &good),
        ("a", "hunter2"),
        ("a", "$sha256$ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("a", "$argon2id$v=19$m=19456,t=2,p=1"),
        ("a", "$argon2i$v=19$m=19456,t=2,p=1$t39F0IRIrsTKyrqZ2eKsmA$nJLLJ8o4gpiZQKUFJ+xBvm9B9XiOF6s8JQBcLpUSZFk"),
    ] {
        let all = problems(&format!("{SMALL}{}", user(name, hash)));
        assert_eq!(all.len(), 1, "{name} {hash}: {all:?}");
        assert!(!all[0].1.contains("hunter2"));
    }
    assert_eq!(
        problems(&format!("{SMALL}[[users]]\nname = \"a\"\n")),
        [(25, "`password_hash` is missing in `[[users]]`".to_owned())]
    );
}

/// TOK-17: secrets never stand in an error, however it comes about.
#[test]
fn errors_do_not_show_secrets() {
    for line in [
        "secret = \"hun\\\"hunter2\" x",
        "secret = \"\"\"\nhunter2\\q\"\"\"",
        "secret = \"hunter2",
        "secret = hunter2",
        "secret = [\"hunter2\", 1]",
        "secret = \"hunter2\" x",
        "secret_hash = \"hunter2\"",
        "secret = { a = \"hunter2\" }",
        "secret_hash = \"hunter2\"\nsecret = 1",
    ] {
        let text = SMALL.replace("secret = \"env:REPORTER_SECRET\"", line);
        let shown = load_text(&text).err().unwrap_or_else(|| panic!("{line}")).render(false);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// The example of the guide, and what becomes of it.
#[test]
fn the_example_of_an_mcp_server_loads() {
    let guide = include_str!("../../../docs/mcp.md");
    let example = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let configuration = right(&example.replace("AGENT_SECRET", "APP_SECRET"));
    let resources = &configuration.plan.issue.resources;
    let [server] = resources.listed().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(server.identifier, "https://tools.example.com/mcp");
    assert!(server.mcp && server.requires_audience && resources.at_root() == server);
    assert_eq!(server.origins, ["https://tools.example.com"]);
    assert_eq!(server.scopes.as_ref().map(ToString::to_string).as_deref(), Some("tools:read tools:use"));
}

/// The longest prefix; a route that reaches into another resource is told so, unless a route of its host
/// takes all that is there.
#[test]
fn each_route_knows_its_resource() {
    let routes = [
        ("/{*all}", ""),
        ("/notes/secret/{id}", ""),
        ("/{kind}/secret/{*rest}", ""),
        ("/n%6Ftes/x", ""),
        ("/{*rest}", "host = \"b.example\""),
    ];
    let routes = routes.map(|(path, more)| {
        format!("[[routes]]\npath = \"{path}\"\naccess = \"authenticated\"\nupstream = \"notes\"\n{more}")
    });
    let listed = "[[resources]]\npath = \"/notes\"\n[[resources]]\npath = \"/notes/secret\"";
    let configuration = right(&format!("{SMALL}\n{}\n{listed}", routes.join("\n")));
    let resources = &configuration.plan.issue.resources;
    let of = |path: &str, host: Option<&str>, asked: &str| {
        let routes = configuration.plan.routes.routes();
        let route = routes.iter().find(|route| route.spec.path == path && route.spec.host.as_deref() == host).unwrap();
        resources.get(route.spec.resource.of(asked)).path.clone()
    };
    assert_eq!(of("/notes/{*rest}", None, "/notes"), "/notes");
    assert_eq!(of("/notes/{*rest}", None, "/notes/secret/a/b"), "/notes/secret");
    assert_eq!(of("/notes/secret/{id}", None, "/notes/secret/a"), "/notes/secret");
    assert_eq!(of("/n%6Ftes/x", None, "/notes/x"), "/notes");
    assert_eq!(of("/{kind}/secret/{*rest}", None, "/notes/secret/a"), "/notes/secret");
    assert_eq!(of("/{kind}/secret/{*rest}", None, "/books/secret/a"), "");
    assert_eq!(of("/{*rest}", Some("b.example"), "/notes/x"), "/notes");
    assert_eq!(of("/{*rest}", Some("b.example"), "/x"), "");
}

/// LIM-429, PX-10
#[test]
fn limits_and_cors_say_what_can_be_done() {
    let route = |line: &str| format!("[[routes]]\n{line}");
    let refused = |line: &str, message: &str| {
        let text = SMALL.replacen("[[routes]]", &route(line), 1);
        let all = problems(&text);
        assert!(all.len() == 1 && all[0].1.contains(message), "{line}: {all:?}");
    };
    refused("rate_limit = { requests = 1 }", "`per` is missing");
    refused("rate_limit = { requests = 0, per = \"1s\" }", "out of bounds");
    refused("rate_limit = { requests = 1, per = \"100ms\" }", "out of bounds");
    refused("rate_limit = { requests = 1, per = \"1s\", by = \"user\" }", "is unknown");
    refused("rate_limit = { requests = 1, per = \"1s\", shared = true }", "nobody to count with");
    refused("cors = {}", "`origins` is missing");
    refused("cors = { origins = [] }", "no origin is named");
    refused("cors = { origins = [\"*\"], credentials = true }", "every origin could act");
    refused("cors = { origins = [\"*\", \"https://a.example\"] }", "every origin already");
    for origin in [
        "https://a.example/",
        "https://a.example/x",
        "a.example",
        "null",
        "",
        "ftp://a.example",
        "https://u@a.example",
        "https://*",
        "https://*.com",
        "https://a*.example.com",
        "https://*.*.example.com",
        "https://a.*.example.com",
    ] {
        refused(&format!("cors = {{ origins = [\"{origin}\"] }}"), "is no origin");
    }
    let with = |rest: &str| format!("cors = {{ origins = [\"https://a.example\"], {rest} }}");
    refused(&with("methods = [\"no method\"]"), "does not take the method");
    let reads = SMALL.replacen(
        "scopes = \"notes:read\"\nupstream",
        &format!("scopes.GET = \"notes:read\"\n{}\nupstream", with("methods = [\"GET\", \"PUT\"]")),
        1,
    );
    let all = problems(&reads);
    assert!(all.len() == 1 && all[0].1.contains("does not take the method \"PUT\""), "{all:?}");
    refused(&with("headers = [\"*\"]"), "is no name of a field");
    refused(&with("expose = [\"x y\"]"), "is no name of a field");
    refused(&with("max_age = \"2d\""), "out of bounds");
    let set = "\nheaders.response = { set = { \"Access-Control-Allow-Origin\" = \"*\" } }";
    refused(&format!("{}{set}", with("credentials = true")), "`cors` says");
    right(&SMALL.replacen(
        "[[routes]]",
        &route("cors = { origins = [\"HTTPS://A.example:443\", \"http://[::1]:3000\"] }"),
        1,
    ));
}
