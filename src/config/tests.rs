//! Whole files: what loads, what does not, and what it then says.

mod every_key;
mod meaning;
mod provider;
mod reload;
mod shipped;
mod tls;
mod upstreams;
mod users;

use super::*;
use proptest::prelude::*;

/// A folder with files in it, removed in the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Configuration, ConfigErrors> {
        load_with(&self.path("gateway.toml"), 7, &variable)
    }
}

/// The environment of the tests.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "APP_SECRET" | "REPORTER_SECRET" => "a-secret-of-the-environment-0123456789",
        "EMPTY" => "",
        "PORT" => "18081",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load_text(text: &str) -> Result<Configuration, ConfigErrors> {
    Folder::new(&[("gateway.toml", text)]).load()
}

fn right(text: &str) -> Configuration {
    load_text(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The line and the message of every problem.
fn problems(text: &str) -> Vec<(usize, String)> {
    let errors = load_text(text).err();
    errors.iter().flat_map(ConfigErrors::iter).map(|problem| (problem.line, problem.message.clone())).collect()
}

/// A small file that is right.
const SMALL: &str = include_str!("testdata/small.toml");

#[test]
fn a_small_file_has_the_documented_defaults() {
    let configuration = right(SMALL);
    assert_eq!(configuration.server.limits, crate::http1::Limits::default());
    assert_eq!(configuration.server.connections, 10_000);
    assert_eq!(configuration.cache.max_size, 64 << 20);
    assert_eq!(configuration.plan.form_body, 64 << 10);
    assert_eq!(configuration.plan.issue.path, "/oauth2");
    assert_eq!(configuration.plan.issue.issuer, "http://127.0.0.1:18080");
}

#[test]
fn a_small_file_has_the_documented_defaults_of_tokens() {
    let configuration = right(SMALL);
    assert_eq!(configuration.plan.issue.access_token_ttl.as_secs(), 3600);
    assert_eq!(configuration.plan.issue.failed_logins.max, 10);
    assert_eq!((configuration.plan.realm.as_str(), configuration.plan.generation), ("tollgate", 7));
    assert!(configuration.plan.bearer.header && !configuration.plan.bearer.form && !configuration.plan.bearer.query);
    assert!(configuration.server.workers >= 1 && configuration.admin.listen.is_none());
    assert!(!configuration.demo && configuration.warnings.is_empty(), "{:?}", configuration.warnings);
}

#[test]
fn the_scope_of_operators_exists_without_being_declared() {
    let configuration = right(SMALL);
    let scopes = configuration.plan.scopes.declared();
    let admin = scopes.iter().find(|scope| scope.name.as_str() == "tollgate:admin").unwrap();
    assert!(admin.restricted);
    let declared = SMALL.replace("[scopes]", "[scopes]\n\"tollgate:admin\" = \"Mine\"");
    let configuration = right(&declared);
    let texts: Vec<_> = configuration.plan.scopes.declared().iter().map(|scope| scope.text.as_str()).collect();
    assert_eq!(texts, ["Mine", "Read your notes", "One shelf"]);
}

#[test]
fn every_problem_is_reported_at_once_in_the_order_of_the_file() {
    let text = SMALL
        .replace("listen =", "lissten =")
        .replace("\"memory:\"", "\"mysql://u:p@x\"")
        .replace("upstream = \"notes\"", "upstream = \"nowhere\"")
        .replace("[\"client_credentials\"]", "[\"magic\"]")
        .replace("env:REPORTER_SECRET", "env:NOT_SET");
    let lines: Vec<usize> = problems(&text).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 6, 14, 15, 24]);
    let shown = load_text(&text).err().unwrap().render(false);
    assert!(shown.ends_with("6 problems in the configuration"), "{shown}");
    assert!(shown.contains("gateway.toml:2:1") && shown.contains("lissten = \"127.0.0.1:18080\""), "{shown}");
    assert!(shown.contains("did you mean `listen`?") && !shown.contains("u:p"), "{shown}");
}

#[test]
fn an_included_file_adds_to_the_main_one() {
    let main = format!("include = [\"routes.d/*.toml\", \"gateway.toml\"]\n{SMALL}");
    let team = "[scopes]\nteam = \"Team\"\n[upstreams.team]\nservers = [\"echo:\"]\n[[routes]]\npath = \"/team\"\nscopes = \"team\"\nupstream = \"team\"\n[[users]]\nname = \"bob\"\npassword_hash = \"$argon2id$v=19$m=19456,t=2,p=1$CjdOYlf9aUcrGmaNq40GeA$fQ4fsJkvpBjrgwvZo0od4+QELkEyypkRfCGXaOBauYQ\"\n[[clients]]\nid = \"team\"\nsecret = \"file:../secrets/team\"\nscopes = \"team\"\ngrants = [\"client_credentials\"]\n";
    let folder = Folder::new(&[
        ("gateway.toml", &main),
        ("routes.d/team.toml", team),
        ("secrets/team", "from-a-file-0123456789-abc\n"),
    ]);
    let configuration = folder.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(configuration.plan.upstreams.len(), 2);
    assert!(configuration.plan.users.has("BOB") && configuration.plan.clients.get("team").is_some());
    assert_eq!(configuration.plan.routes.routes().len(), 2);

    folder.write(
        "routes.d/other.toml",
        b"[upstreams.team]\nservers = [\"echo:\"]\n[[clients]]\nid = \"reporter\"\n[server]\nlisten = \"127.0.0.1:2\"\n[[issuers]]\nx = 1\n",
    );
    let errors = folder.load().err().unwrap();
    let all: Vec<_> = errors.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    assert_eq!(
        all,
        [
            (4, "the client `reporter` stands here twice"),
            (5, "`server` belongs in the main file"),
            (7, "`issuers` belongs to a later version and is not supported in this version"),
            (3, "`team` stands in `upstreams` twice"),
        ]
    );
    let shown = errors.render(false);
    folder.write("routes.d/other.toml", b"");
    std::fs::create_dir(folder.path("routes.d/x.toml")).unwrap();
    let unreadable = folder.load().err().unwrap();
    assert!(unreadable.count() == 1 && unreadable.to_string().contains("`include`"), "{unreadable}");
    assert!(shown.contains("other.toml:4:6") && shown.contains("gateway.toml:"), "{shown}");
}

#[test]
fn included_files_that_do_not_exist_are_reported_unless_a_pattern_names_them() {
    assert!(right(&format!("include = [\"d/*.toml\"]\n{SMALL}")).warnings[0].contains("gateway.toml:1"));
    for (pattern, message) in
        [("a.toml", "there is no such file"), ("[", "this is no pattern"), ("a***", "this is no pattern")]
    {
        let all = problems(&format!("include = [\"{pattern}\"]\n{SMALL}"));
        assert!(all.len() == 1 && all[0].0 == 1 && all[0].1.starts_with(message), "{all:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_explained() {
    let folder = Folder::new(&[("folder/x", "")]);
    for name in ["missing.toml", "folder"] {
        let errors = load_with(&folder.path(name), 0, &variable).err().unwrap();
        let problem = errors.iter().next().unwrap();
        assert!(problem.line == 0 && problem.message.starts_with("the file cannot be read"), "{errors}");
        assert!(errors.render(false).contains(name), "{errors}");
    }
    folder.write("gateway.toml", b"[server]\nlisten = \"\xff\"");
    let errors = folder.load().err().unwrap();
    let problem = errors.iter().next().unwrap();
    assert_eq!((problem.line, problem.column, problem.message.as_str()), (2, 11, "the file is not UTF-8 from here on"));
    let empty = load_text("").err().unwrap();
    assert!(empty.count() == 1 && empty.to_string().contains("add [server] with `listen`, `public_url`"), "{empty}");
    assert_eq!(problems("a = = 1\n[b\n").first().map(|(line, _)| *line), Some(1));
    folder.write("gateway.toml", &vec![b'#'; 9 << 20]);
    assert!(folder.load().err().unwrap().to_string().contains("8 MiB"));
}

#[test]
fn a_file_that_is_no_configuration_is_not_shown_whole() {
    let log = "Nov 24 23:00:00 host app[1]: hello\n".repeat(20_000);
    let errors = load_text(&log).err().unwrap();
    let shown = errors.render(false);
    assert!(errors.count() > 10_000 && errors.iter().count() == 100, "{}", errors.count());
    assert!(shown.len() < 100_000 && shown.ends_with("problems in the configuration; 100 of them are shown"));
}

/// Loads `content` and shows what is wrong with it; the test is that this ends.
fn survives(folder: &Folder, content: &[u8]) {
    folder.write("gateway.toml", content);
    if let Err(errors) = folder.load() {
        assert!(errors.count() > 0);
        let lines = content.split(|octet| *octet == b'\n').count();
        assert!(errors.iter().all(|problem| problem.line <= lines), "{errors}");
        let _ = (errors.render(true), errors.render(false));
    }
}

/// A file with a place for every team is read in a moment.
#[test]
fn thousands_of_routes_are_read() {
    let route =
        |number| format!("[[routes]]\npath = \"/r{number}/{{id}}\"\nscopes = \"notes:read\"\nupstream = \"notes\"\n\n");
    let routes = (0..2000).map(route).collect::<Vec<_>>().concat();
    assert_eq!(right(&format!("{SMALL}\n{routes}")).plan.routes.routes().len(), 2001);
}

#[test]
fn deep_nesting_is_refused() {
    let folder = Folder::new(&[]);
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        survives(&folder, format!("a = {}{}", open.repeat(100_000), close.repeat(100_000)).as_bytes());
    }
    survives(&folder, format!("a{} = 1", ".a".repeat(50_000)).as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_octets_are_read_or_refused(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&Folder::new(&[]), &content);
    }

    #[test]
    fn any_toml_like_text_is_read_or_refused(content in "([a-z]{1,4}( = |\\.)|[\\[\\]{}\",=#\n0-9]|true|\\$\\{|\\PC){0,60}") {
        survives(&Folder::new(&[]), content.as_bytes());
    }

    #[test]
    fn any_value_of_any_key_is_read_or_refused(line in 0usize..120, value in prop_oneof![
        Just("1".to_owned()), Just("-1".to_owned()), Just("true".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()),
        Just("\"\"".to_owned()), Just("[\"\"]".to_owned()), Just("1.5".to_owned()), Just("1979-05-27".to_owned()),
        Just("[[\"a\"], 1, {}]".to_owned()), Just("{ any = 1, GET = [], \"\" = \"x\" }".to_owned()), "'[ -&(-~ä🙂]{0,12}'",
    ]) {
        let lines: Vec<&str> = include_str!("testdata/every_key.toml").lines().collect();
        let changed = lines.iter().enumerate().map(|(number, text)| match text.split_once(" = ") {
            Some((key, _)) if number == line % lines.len() => format!("{key} = {value}\n"),
            _ => format!("{text}\n"),
        });
        survives(&Folder::new(&[]), changed.collect::<String>().as_bytes());
    }

    #[test]
    fn damaged_copies_of_a_right_file_are_read_or_refused(
        at in any::<proptest::sample::Index>(), length in 0usize..40, with in ".{0,8}",
    ) {
        let text = include_str!("testdata/contract.toml").as_bytes();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = [&text[..start], with.as_bytes(), &text[end..]].concat();
        survives(&Folder::new(&[]), &damaged);
    }
}
