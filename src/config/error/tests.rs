use super::*;
use crate::config::source::Source;
use std::path::Path;

fn report() -> ConfigErrors {
    let main = Source::new(Path::new("gateway.toml"), "[cache]\n\tttl = \"ä\u{1b}[31m\"\nname = 'x'\n".to_owned());
    let team = Source::new(Path::new("d/team.toml"), "name = 'y'\n".to_owned());
    let report = Report::default();
    let (first, second) = (Place::new(&main, 21..24), Place::new(&team, 0..4));
    report.conflict(&second, "`name` stands here twice", "rename one", &first, "the other one");
    report.problem(&Place::new(&main, 15..99), "`ttl` cannot be read", "write a unit");
    report.later(&Place::new(&main, 1..6), "`cache`", "remove it");
    report.later(&Place::new(&main, 1..6), "`cache`", "remove it");
    report.problem(&Place::whole(&Source::new(Path::new("x.toml"), String::new())), "it is not there", "");
    report.finish(&["gateway.toml".into(), "d/team.toml".into(), "x.toml".into()]).unwrap_err()
}

#[test]
fn problems_are_sorted_and_none_is_shown_twice() {
    let errors = report();
    let places: Vec<_> =
        errors.iter().map(|problem| (problem.file.to_str().unwrap(), problem.line, problem.column)).collect();
    assert_eq!(places, [("gateway.toml", 1, 2), ("gateway.toml", 2, 8), ("d/team.toml", 1, 1), ("x.toml", 0, 0)]);
    assert_eq!(errors.count(), 4);
}

#[test]
fn each_problem_is_shown_with_its_place_its_line_and_what_to_do() {
    let shown = report().render(false);
    for part in [
        "error: `cache` belongs to a later version and is not supported in this version\n --> gateway.toml:1:2",
        "1 | [cache]\n  |  ^^^^^\n",
        "--> gateway.toml:2:8",
        "= help: write a unit",
        "--> d/team.toml:1:1",
        "1 | name = 'y'\n  | ^^^^",
        "the other one",
        "error: it is not there\n--> x.toml",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(shown.ends_with("\n\n4 problems in the configuration"), "{shown}");
    assert_eq!(shown, report().to_string());
}

#[test]
fn only_what_was_asked_for_is_in_colour() {
    assert!(!report().render(false).contains('\u{1b}'), "control characters of the file are not passed on");
    assert!(report().render(true).contains("\u{1b}["));
    assert!(!report().render(true).contains("ä\u{1b}[31m"));
}
