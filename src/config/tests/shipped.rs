//! The files that are shipped or shown load as they stand.

use super::*;
use crate::config::demo;
use crate::oauth::client::{GrantType, Introspect, SecretHash};
use crate::secret::Digest;

/// The contract by example, with a hash in the place of the dots.
fn contract() -> String {
    let placeholder = "$argon2id$v=19$m=19456,t=2,p=1$...";
    let text = include_str!("../testdata/contract.toml");
    assert!(text.contains(placeholder));
    text.replace(placeholder, demo::PASSWORD_HASH)
}

#[test]
fn the_contract_loads() {
    let folder = Folder::new(&[("gateway.toml", &contract()), ("secrets/billing", "a-secret-of-a-file-0123456789\n")]);
    let configuration = folder.load().unwrap_or_else(|errors| panic!("{errors}"));
    let secret = |id: &str| configuration.plan.clients.get(id).unwrap().secrets.clone();
    assert_eq!(secret("billing"), [SecretHash::Digest(Digest::of(b"a-secret-of-a-file-0123456789"))]);
    assert_eq!(secret("reporter"), [SecretHash::Digest(Digest::of(b"a-secret-of-the-environment-0123456789"))]);
    assert_eq!(configuration.plan.routes.routes().len(), 3);
}

/// The lines of the contract that are commented out, alone or in place of their neighbours.
#[test]
fn the_alternatives_of_the_contract_load_or_belong_to_a_later_version() {
    for (section, line, later) in [
        ("[server]", "workers = 2", false),
        ("[server]", "behind_tls = true", false),
        ("[server]", "trusted_proxies = [\"10.0.0.0/8\"]", false),
        ("[store]", "timeout = \"1s\"", false),
        ("[store]", "feed_timeout = \"2s\"", false),
        ("[oauth]", "session_idle = \"1h\"", false),
        ("[oauth]", "device_code_ttl = \"10m\"", false),
        ("[oauth]", "device_interval = \"5s\"", false),
        ("[upstreams.notes]", "http2 = true", false),
        ("[upstreams.notes]", "host_header = \"upstream\"", false),
        ("[upstreams.notes]", "identity = \"jwt\"", true),
        ("[[routes]]", "encoded_slash = \"keep\"", false),
        ("[[routes]]", "upgrade = false", false),
        ("[[routes]]", "upgrade = true", false),
        ("[[routes]]", "report_only = true", false),
        ("[oauth]", "registration = \"open\"", false),
        ("[oauth]", "registration = \"token\"", false),
        ("[[clients]]", "par = \"required\"", false),
        ("[[clients]]", "dpop_bound_access_tokens = true", true),
        ("[[clients]]", "jwks = {}", true),
        ("[[resources]]", "path = \"/notes\"", false),
        ("[[issuers]]", "issuer = \"https://a.example\"", true),
    ] {
        let small = format!("{SMALL}\n[oauth]\n");
        let text = if small.contains(section) {
            small.replacen(section, &format!("{section}\n{line}"), 1)
        } else {
            format!("{small}\n{section}\n{line}")
        };
        let all = problems(&text);
        let expected = all.len() == 1 && all[0].1.contains("later version");
        assert!(if later { expected } else { all.is_empty() }, "{line}: {all:?}");
    }
    for url in ["redis+sentinel://s1:26379,s2:26379/mymaster/0", "redis+cluster://n1:6379,n2:6379"] {
        let all = problems(&SMALL.replace("memory:", url));
        assert!(all.is_empty(), "{url}: {all:?}");
    }
    for (from, to) in [
        ("\"client_credentials\"", "\"client_credentials\", \"token_exchange\""),
        ("\"client_credentials\"", "\"client_credentials\", \"urn:ietf:params:oauth:grant-type:token-exchange\""),
    ] {
        let all = problems(&SMALL.replace(from, to));
        assert!(all.len() == 1 && all[0].1.contains("later version"), "{to}: {all:?}");
    }
}

#[test]
fn the_demonstration_is_what_its_constants_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let configuration = load_with(&path, 0, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(configuration.demo);
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
    let clients = &configuration.plan.clients;
    let digest = |secret: &str| [SecretHash::Digest(Digest::of(secret.as_bytes()))];
    let reporter = clients.get(demo::CLIENT_ID).unwrap();
    assert_eq!(reporter.secrets, digest(demo::CLIENT_SECRET));
    assert!(reporter.may_use(GrantType::ClientCredentials));
    assert_eq!(reporter.scopes.to_string(), "notes:read");
    let introspector = clients.get(demo::INTROSPECTOR_ID).unwrap();
    assert!(
        introspector.introspect == Introspect::Everything && introspector.secrets == digest(demo::INTROSPECTOR_SECRET)
    );
    let cli = clients.get(demo::CLI_CLIENT_ID).unwrap();
    assert!(!cli.is_confidential() && cli.may_use(GrantType::Password));
    assert!(configuration.plan.users.has(demo::USER));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(demo::PASSWORD_HASH) && text.contains(demo::PASSWORD));
    let hash = argon2::PasswordHash::new(demo::PASSWORD_HASH).unwrap();
    argon2::PasswordVerifier::verify_password(&argon2::Argon2::default(), demo::PASSWORD.as_bytes(), &hash).unwrap();
}

#[test]
fn the_demonstration_is_refused_where_others_can_reach_it() {
    let shipped = include_str!("../../../gateway.toml");
    let open = shipped.replace("listen = \"127.0.0.1:8080\"", "behind_tls = true\nlisten = \"0.0.0.0:8080\"");
    let all = problems(&open);
    assert!(all.len() == 1 && all[0].1.contains("demonstration"), "{all:?}");
    let admin =
        shipped.replace("unix:data/admin.sock", "0.0.0.0:9099").replace("[server]", "[server]\nbehind_tls = true");
    let all = problems(&admin);
    assert!(all.len() == 1 && all[0].1.contains("demonstration"), "{all:?}");
    let other = open
        .replace(demo::CLIENT_SECRET, "another-secret-0123456789")
        .replace(demo::INTROSPECTOR_SECRET, "another-secret-0123456789");
    assert_eq!(problems(&other).len(), 1, "the password of alice is known too");
    assert!(!right(SMALL).demo);
}

#[test]
fn the_configurations_that_the_documents_show_load() {
    let readme = include_str!("../../../README.md");
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        right(block);
    }
    let pod = include_str!("../../../deploy/sidecar.yaml");
    let map = pod.split("gateway.toml: |\n").nth(1).and_then(|rest| rest.split("\n---").next()).unwrap();
    right(&map.replace("file:/etc/tollgate/secrets/reporter", "env:REPORTER_SECRET").replace("\n    ", "\n"));
}
