//! `users_file`: who is in it, what is wrong with it, and that it is watched.

use super::*;

const BCRYPT: &str = "$2y$04$nDsEwrRWuCzmZD0QV4QYduRb1K1fPbBBSRuaoYwk1cIQW4zKkcNCi";

fn with(file: &str, content: &str, more: &str) -> (Folder, Result<Configuration, ConfigErrors>) {
    let folder = Folder::new(&[("gateway.toml", &format!("users_file = \"{file}\"\n{SMALL}{more}")), (file, content)]);
    let loaded = folder.load();
    (folder, loaded)
}

#[test]
fn the_users_of_a_file_are_users() {
    let htpasswd = format!("# ours\nCarol:{BCRYPT}\ndave:{BCRYPT}\n");
    let toml = format!("[[users]]\nname = \"Carol\"\npassword_hash = \"{BCRYPT}\"\nscopes = \"notes:read\"\n");
    for (file, content) in [("users.htpasswd", &htpasswd), ("etc/users.toml", &toml), ("passwd", &htpasswd)] {
        let (folder, loaded) = with(file, content, "");
        let plan = loaded.unwrap_or_else(|errors| panic!("{errors}")).plan;
        assert!(plan.users.has("cAROL"), "{file}");
        assert_eq!(files(&folder.path("gateway.toml")), [folder.path("gateway.toml"), folder.path(file)]);
        assert_eq!(plan.users.get("carol").unwrap().scopes.is_some(), file == "etc/users.toml");
    }
}

#[test]
fn the_configuration_wins_over_the_file() {
    let alice =
        format!("[[users]]\nname = \"Carol\"\npassword_hash = \"{}\"\n", demo::PASSWORD_HASH.replace("s39F", "t39F"));
    let (_, loaded) = with("users", &format!("CAROL:{BCRYPT}\ndave:{BCRYPT}\n"), &alice);
    let configuration = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    let carol = configuration.plan.users.get("carol").unwrap();
    assert!(carol.name == "Carol" && carol.password_hash.starts_with("$argon2id$"));
    assert!(configuration.plan.users.has("dave"));
    assert!(
        configuration.warnings[0].contains("users:1:1: the user `CAROL` is left out"),
        "{:?}",
        configuration.warnings
    );
}

#[test]
fn what_is_wrong_in_the_file_is_reported_with_its_line_and_column() {
    for (file, content, line, column) in [
        ("users", format!("a:{BCRYPT}\nb:plain\n"), 2, 3),
        ("users", format!("a:{BCRYPT}\nA:{BCRYPT}\n"), 2, 1),
        ("users", "nonsense\n".to_owned(), 1, 1),
        ("users.toml", "[[users]]\nname = \"a\"\npassword_hash = \"plain\"\n".to_owned(), 3, 17),
        ("users.toml", format!("[[users]]\nname = \"a\"\npassword_hash = \"{BCRYPT}\"\nscopes = \"nope\"\n"), 4, 10),
        ("users.toml", "[[users]]\nname = \"a\"\n".to_owned(), 1, 1),
        ("users.toml", "[[clients]]\nid = \"a\"\n".to_owned(), 1, 3),
        ("users.toml", "users = \n".to_owned(), 1, 9),
    ] {
        let (folder, loaded) = with(file, &content, "");
        let errors = loaded.err().unwrap_or_else(|| panic!("{content}"));
        let problem = errors.iter().next().unwrap();
        assert_eq!((problem.line, problem.column), (line, column), "{content} {errors}");
        assert_eq!(problem.file, folder.path(file));
        assert!(!errors.render(false).contains("plain"), "{errors}");
    }
    let missing = load_text(&format!("users_file = \"gone\"\n{SMALL}")).err().unwrap();
    assert!(missing.count() == 1 && missing.render(false).contains("gone"), "{missing}");
}

const LOGIN: &str = "[login]\nurl = \"http://127.0.0.1:9/check\"\n";

#[test]
fn passwords_go_over_https_or_stay_on_this_machine() {
    let with = |url: &str| format!("{SMALL}{}", LOGIN.replace("http://127.0.0.1:9/check", url));
    for url in ["https://login.example/check?a=b", "http://localhost/", "http://[::1]:8080/x"] {
        right(&with(url));
    }
    for url in [
        "http://login.example/",
        "https://u:p@login.example/",
        "ftp://a/",
        "/check",
        "https://a/#b",
        "http://127.0.0.1.evil/",
    ] {
        let all = problems(&with(url));
        assert!(all.len() == 1 && all[0].1.contains("passwords cannot be sent"), "{url}: {all:?}");
    }
    let all = problems(&format!("{}ca = \"gateway.toml\"\n", with("https://login.example/")));
    assert!(all.len() == 1 && all[0].1.contains("certification authorities"), "{all:?}");
}

#[test]
fn users_are_in_one_place() {
    let user = format!("[[users]]\nname = \"a\"\npassword_hash = \"{BCRYPT}\"\n");
    let all = problems(&format!("{SMALL}{LOGIN}{user}"));
    assert!(all.len() == 1 && all[0].1.contains("two places"), "{all:?}");
    let all = problems(&format!("users_file = \"users.toml\"\n{SMALL}{LOGIN}"));
    assert!(all.iter().any(|(line, problem)| *line == 1 && problem.contains("two places")), "{all:?}");
}
