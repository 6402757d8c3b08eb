//! Which route a request takes, beside a naive reference; rewrites; the vectors of the standards.

use super::template::{Segment, Template};
use super::*;
use crate::proxy::target::{Host, PathPolicy, Target};
use crate::proxy::upstream::Server;
use proptest::prelude::*;

fn action(path_policy: PathPolicy) -> Arc<Action> {
    Arc::new(Action {
        upstream: Arc::new(Upstream::of(vec![Server::Echo])),
        bearer: Methods { header: true, form: false, query: false },
        rewrite: None,
        path_policy,
        body_limit: None,
        timeout: None,
        request_headers: HeaderEdits::default(),
        response_headers: HeaderEdits::default(),
        upgrade: crate::proxy::route::Upgrade::Only(vec!["websocket".to_owned()]),
        report_only: false,
        rate_limit: None,
        cors: None,
        case_blind: false,
        refusal_is_failure: false,
        underscored: Vec::new(),
    })
}

/// A route from `[host]/path`, `METHOD,METHOD` (empty: every one; `*`: every other one).
fn spec(place: usize, line: &str, methods: &str, access: Access) -> RouteSpec {
    let (host, path) = line.split_at(line.find('/').unwrap_or(0));
    let access = Arc::new(access);
    RouteSpec {
        name: line.to_owned(),
        place: format!("gateway.toml:{place}"),
        host: (!host.is_empty()).then(|| host.to_owned()),
        path: path.to_owned(),
        resource: RouteResource::default(),
        access: if methods.is_empty() {
            MethodAccess::Every(access)
        } else {
            let named = methods.split(',').filter(|name| *name != "*");
            MethodAccess::PerMethod {
                methods: named.map(|name| (name.parse().unwrap(), Arc::clone(&access))).collect(),
                other: methods.contains('*').then(|| Arc::clone(&access)),
            }
        },
        action: action(PathPolicy::default()),
    }
}

fn specs(lines: &[(&str, &str)]) -> Vec<RouteSpec> {
    let numbered = lines.iter().enumerate();
    numbered.map(|(place, (line, methods))| spec(place, line, methods, Access::Authenticated)).collect()
}

fn table(lines: &[(&str, &str)]) -> RouteTable {
    RouteTable::new(specs(lines)).unwrap()
}

/// The name of the route, the Allow list, or `404`; and the parameters.
fn found(table: &RouteTable, method: &str, host: &str, path: &str) -> (String, Vec<String>) {
    let target = Target::read(path.as_bytes()).unwrap();
    match table.find(method, &Host::read(host.as_bytes()).unwrap(), &target) {
        Ok(matched) => {
            let values = matched.values(&target).iter().map(|value| (*value).to_owned()).collect();
            (matched.route.spec.name.clone(), values)
        }
        Err(NoRoute::NotFound) => ("404".to_owned(), Vec::new()),
        Err(NoRoute::MethodNotAllowed(allow)) => (allow, Vec::new()),
    }
}

fn name(table: &RouteTable, path: &str) -> String {
    found(table, "GET", "h", path).0
}

fn malformed(line: &str, methods: &str) -> String {
    match RouteTable::new(specs(&[(line, methods)])).unwrap_err().remove(0) {
        RouteError::Malformed { why, .. } => why,
        conflict @ RouteError::Conflict { .. } => panic!("{conflict}"),
    }
}

/// Section 28, "Path decisions"; hazards 1 to 9
#[test]
fn the_path_decisions_of_the_standards_are_ours() {
    let table = table(&[("/admin", ""), ("/api/{*rest}", ""), ("/public/{*rest}", "")]);
    let decide = |path: &str| match Target::read(path.as_bytes()) {
        Ok(target) if PathPolicy::default().allows(target.oddities()) => name(&table, path),
        _ => "400".to_owned(),
    };
    for (path, result) in [
        ("/api/a/../admin", "400"),
        ("/api/%2e%2e/admin", "400"),
        ("/api/..;/admin", "400"),
        ("/api\\admin", "400"),
        ("/api/%5cadmin", "400"),
        ("/%c0%ae%c0%ae/admin", "400"),
        ("/admin#/public", "400"),
        ("/apix", "404"),
        ("/%61dmin", "/admin"),
        ("/admin%2Fx", "400"),
        ("/admin%2fx", "400"),
        ("//admin", "400"),
        ("///", "400"),
        ("/\\admin", "400"),
        ("/admin%00.png", "400"),
        ("/%252e%252e/admin", "400"),
        ("/admin?x=/../public", "/admin"),
        ("/admin%zz", "400"),
        ("/public/../admin", "400"),
        ("/public/%2e%2e%2fadmin", "400"),
        ("/public/%2E%2e/", "400"),
        ("/public/%3badmin", "400"),
        ("/public/%25", "/public/{*rest}"),
        ("/public/%3f%23", "/public/{*rest}"),
        ("/admin%3f", "404"),
        ("/admin%23", "404"),
        ("/Admin", "404"),
        ("http://h/%61dmin", "/admin"),
    ] {
        assert_eq!(decide(path), result, "{path}");
    }
}

/// PATH-12
#[test]
fn rules_match_whole_segments_and_a_trailing_slash_changes_nothing() {
    let table = table(&[("/notes/{*rest}", ""), ("/status", ""), ("/users/{id}/", ""), ("/", "")]);
    for (path, expected) in [
        ("/notes", "/notes/{*rest}"),
        ("/notes/", "/notes/{*rest}"),
        ("/notesx", "404"),
        ("/status", "/status"),
        ("/status/", "/status"),
        ("/status/x", "404"),
        ("/users/7", "/users/{id}/"),
        ("/users/7/", "/users/{id}/"),
        ("/users/", "404"),
        ("/users", "404"),
        ("/", "/"),
    ] {
        assert_eq!(name(&table, path), expected, "{path}");
    }
    assert!(RouteTable::new(specs(&[("/notes", ""), ("/notes/", "")])).is_err());
}

#[test]
fn parameters_are_captured_in_the_order_of_the_template() {
    let table = table(&[("/{a}/x/{b}/{*rest}", ""), ("/1/2/{c}/{d}/{e}/{f}/{g}", ""), ("/{*all}", "")]);
    let params = |path: &str| found(&table, "GET", "h", path).1;
    assert_eq!(params("/1/x/%41b/c/d/"), ["1", "Ab", "c/d/"]);
    assert_eq!(params("/1/x/2/"), ["1", "2", ""]);
    assert_eq!(params("/1/x/2"), ["1", "2", ""]);
    assert_eq!(params("/1/2/3/4/5/6/7/"), ["3", "4", "5", "6", "7"]);
    assert_eq!(params("/"), [""]);
    assert_eq!(params("/caf%c3%a9/b"), ["caf%C3%A9/b"]);
}

/// PATH-14
#[test]
fn the_most_specific_path_wins_segment_by_segment() {
    let table = table(&[
        ("/{*rest}", ""),
        ("/a/{*rest}", ""),
        ("/{x}/b/c", ""),
        ("/a/{x}", ""),
        ("/a/b", ""),
        ("/a/{x}/c", ""),
        ("/a/b/d", ""),
    ]);
    for (path, expected) in [
        ("/a/b", "/a/b"),
        ("/a/z", "/a/{x}"),
        ("/a/b/c", "/a/{x}/c"),
        ("/a/b/d", "/a/b/d"),
        ("/a/b/e", "/a/{*rest}"),
        ("/z/b/c", "/{x}/b/c"),
        ("/z/b", "/{*rest}"),
        ("/a", "/a/{*rest}"),
        ("/z", "/{*rest}"),
    ] {
        assert_eq!(name(&table, path), expected, "{path}");
    }
    let order: Vec<&str> = table.routes().iter().map(|route| &*route.spec.name).collect();
    assert_eq!(order, ["/a/b", "/a/b/d", "/a/{x}", "/a/{x}/c", "/a/{*rest}", "/{x}/b/c", "/{*rest}"]);
    assert!(table.routes().iter().enumerate().all(|(at, route)| route.index == at));
}

/// Design, section 5, "Routes and paths"; hazard 4
#[test]
fn a_route_with_a_host_beats_one_without_whatever_their_paths() {
    let table = table(&[
        ("/a/b", ""),
        ("/z", ""),
        ("API.Example.com/{*rest}", "GET"),
        ("*.example.com/a/{x}", ""),
        ("w.example.com/w", ""),
    ]);
    let on = |host: &str, path: &str| found(&table, "GET", host, path).0;
    assert_eq!(on("api.example.com:8443", "/a/b"), "API.Example.com/{*rest}");
    assert_eq!(on("Api.Example.COM.", "/z"), "API.Example.com/{*rest}");
    assert_eq!(on("other.example.com", "/a/b"), "*.example.com/a/{x}");
    assert_eq!(on("other.example.com", "/z"), "/z");
    assert_eq!(on("w.example.com", "/a/b"), "*.example.com/a/{x}");
    assert_eq!(on("w.example.com", "/z"), "/z");
    assert_eq!(on("two.labels.example.com", "/a/b"), "/a/b");
    assert_eq!(on("example.com", "/a/b"), "/a/b");
    assert_eq!(found(&table, "POST", "api.example.com", "/z").0, "GET, HEAD");
}

/// PX-2, PX-12
#[test]
fn the_most_specific_path_decides_about_the_method() {
    let table = table(&[
        ("/notes", "GET"),
        ("/notes", "POST,DELETE"),
        ("/notes/{*rest}", ""),
        ("/only", "HEAD"),
        ("/any", "GET,*"),
        ("/{*rest}", "PUT"),
    ]);
    let route = |method: &str, path: &str| found(&table, method, "h", path).0;
    assert_eq!(route("HEAD", "/notes"), "/notes");
    assert_eq!(route("DELETE", "/notes/"), "/notes");
    assert_eq!(route("PUT", "/notes"), "GET, HEAD, POST, DELETE");
    assert_eq!(route("get", "/notes"), "GET, HEAD, POST, DELETE");
    assert_eq!(route("PUT", "/notes/1"), "/notes/{*rest}");
    assert_eq!(route("GET", "/only"), "HEAD");
    assert_eq!(route("PURGE", "/any"), "/any");
    assert_eq!(route("GET", "/elsewhere"), "PUT");
}

/// PX-12
#[test]
fn head_needs_what_get_needs() {
    let (read, write) = (Arc::new(Access::Authenticated), Arc::new(Access::Public));
    let methods = vec![(Method::GET, Arc::clone(&read)), (Method::POST, Arc::clone(&write))];
    let access = MethodAccess::PerMethod { methods, other: Some(write) };
    assert!(Arc::ptr_eq(access.get("HEAD").unwrap(), &read));
    assert!(matches!(**access.get("PATCH").unwrap(), Access::Public));
    for methods in ["GET,HEAD", "HEAD,*"] {
        assert!(malformed("/a", methods).contains("HEAD needs what GET needs"));
    }
}

#[test]
fn routes_that_take_the_same_requests_are_named_with_their_places() {
    let errors = RouteTable::new(specs(&[
        ("/a/{x}", "GET,POST"),
        ("/a/{y}", "POST,PUT"),
        ("/b", ""),
        ("/b", "GET"),
        ("/c", "HEAD"),
        ("/c", "GET"),
        ("/d", "GET,*"),
        ("/d", "POST"),
        ("h/a/{x}", ""),
        ("/e", ""),
        ("/e/", ""),
    ]))
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 5, "{texts:#?}");
    assert_eq!(
        texts[0],
        "routes `/a/{x}` (gateway.toml:0) and `/a/{y}` (gateway.toml:1) both take the same requests: POST /a/{x}"
    );
    assert!(texts[1].ends_with(": GET, HEAD /b") && texts[2].ends_with(": HEAD /c"));
    assert!(texts[3].ends_with(": POST /d") && texts[4].ends_with(": every method /e"));
    assert!(RouteTable::new(specs(&[("/a", "GET"), ("/a", "POST"), ("H/a", ""), ("*.h/a", "")])).is_ok());
    assert!(RouteTable::new(specs(&[("h/a", ""), ("H./a", "")])).is_err());
}

#[test]
fn templates_that_mean_nothing_are_refused_in_words() {
    for (line, word) in [
        ("notes", "begin with `/`"),
        ("//", "empty segment"),
        ("/a//b", "empty segment"),
        ("/a/{id}.json", "whole segment"),
        ("/v{n}", "whole segment"),
        ("/{a}{b}", "letters, digits"),
        ("/{}", "letters, digits"),
        ("/{*}", "letters, digits"),
        ("/{a/b}", "whole segment"),
        ("/{a}/{a}", "twice"),
        ("/{*a}/b", "takes all that is left"),
        ("/a/../b", "dot segment"),
        ("/a/%2e", "dot segment"),
        ("/a?b", "query"),
        ("/a%zz", "broken escape"),
        ("/a\\b", "backslash"),
        ("/a%2Fb", "does not `keep`"),
        ("/a;b", "does not `keep`"),
        ("h:80/a", "without a port"),
        ("*./a", "empty"),
        ("*/a", "character"),
        ("a.*.b/a", "character"),
        ("*.[::1]/a", "without a port"),
    ] {
        let why = malformed(line, "");
        assert!(why.contains(word), "{line}: {why}");
    }
    assert!(malformed(&"/a".repeat(129), "").contains("segments"));
    assert!(malformed("/a", "GET,GET").contains("twice"));
    assert_eq!(parameters("/a/{b}/{*c}").unwrap(), ["b", "c"]);
    assert!(parameters("/{").is_err());
}

/// PATH-10
#[test]
fn literal_text_may_be_written_as_people_write_it() {
    let table = table(&[("/café au lait/@me", ""), ("/%61dmin", ""), ("[2001:DB8::1]/six", "")]);
    assert_eq!(name(&table, "/caf%c3%a9%20au%20lait/%40me"), "/café au lait/@me");
    assert_eq!(name(&table, "/admin"), "/%61dmin");
    assert_eq!(found(&table, "GET", "[2001:db8:0::1]:80", "/six").0, "[2001:DB8::1]/six");
}

/// PATH-3
#[test]
fn a_kept_encoded_slash_is_a_character_of_its_segment() {
    let keep = PathPolicy { encoded_slash: true, ..PathPolicy::default() };
    let mut spec = spec(0, "/projects/{id}/issues", "", Access::Authenticated);
    spec.action = action(keep);
    let table = RouteTable::new(vec![spec]).unwrap();
    let (route, values) = found(&table, "GET", "h", "/projects/group%2fname/issues");
    assert_eq!((&*route, &*values), ("/projects/{id}/issues", &["group%2Fname".to_owned()][..]));
}

/// PATH-4
#[test]
fn a_kept_empty_segment_is_taken_by_the_rest_alone() {
    let table = table(&[("/a/{x}/b", ""), ("/a", ""), ("/{*rest}", "")]);
    for (path, rest) in [("/a//b", "a//b"), ("//", "/"), ("//a", "/a"), ("/a//", "a//")] {
        assert_eq!(found(&table, "GET", "h", path), ("/{*rest}".to_owned(), vec![rest.to_owned()]), "{path}");
    }
}

/// PATH-14
#[test]
fn weaker_protection_inside_a_broader_route_is_reported() {
    let strong = || Access::Scopes(Vec::new());
    let table = RouteTable::new(vec![
        spec(1, "/admin/{*rest}", "", strong()),
        spec(2, "/admin/health", "", Access::Public),
        spec(3, "/admin/{id}", "GET", Access::Authenticated),
        spec(4, "/admin/stronger", "", strong()),
        spec(5, "/elsewhere", "", Access::Public),
        spec(6, "h/admin/x", "GET,*", Access::Public),
    ])
    .unwrap();
    let warnings = table.warnings().join("\n");
    assert!(warnings.contains(
        "route `/admin/health` (gateway.toml:2) is public inside route `/admin/{*rest}` (gateway.toml:1), which asks for more"
    ));
    assert!(warnings.contains("`/admin/{id}` (gateway.toml:3) takes any valid token for GET, HEAD inside"));
    assert!(
        warnings.contains(
            "`h/admin/x` (gateway.toml:6) is public for GET, HEAD, other methods inside route `/admin/{*rest}`"
        )
    );
    assert!(!warnings.contains("elsewhere") && !warnings.contains("stronger`"));
}

fn rewritten(path: &str, template: &str, keep: PathPolicy, request: &str) -> Result<String, String> {
    let rewrite = Rewrite::parse(template, path)?;
    let mut spec = spec(0, path, "", Access::Authenticated);
    spec.action = action(keep);
    let table = RouteTable::new(vec![spec]).unwrap();
    let target = Target::read(request.as_bytes()).unwrap();
    let matched = table.find("GET", &Host::read(b"h").unwrap(), &target).unwrap();
    rewrite.apply(&matched, &target).map_err(|error| error.to_string())
}

/// PATH-15, hazard 5
#[test]
fn a_rewrite_inserts_what_was_captured_as_it_was_received() {
    let plain = PathPolicy::default();
    for (path, template, request, expected) in [
        ("/admin/{*rest}", "/internal/{rest}", "/admin/a/b/", "/internal/a/b/"),
        ("/admin/{*rest}", "/internal/{rest}", "/admin", "/internal/"),
        ("/admin/{*rest}", "/internal/{rest}", "/%61dmin/", "/internal/"),
        ("/admin/{*rest}", "/internal/{rest}", "/%61dmin/%41%c3%a9/x%7c|", "/internal/%41%c3%a9/x%7c|"),
        ("/{a}/x/{b}", "/{b}/-{a}-/y", "/%31/x/2/", "/2/-%31-/y"),
        ("/{a}/{b}", "/fixed", "/1/2", "/fixed"),
        ("/{*rest}", "/{rest}", "/", "/"),
        ("/admin/{*rest}", "/internal/{rest}", "http://h/admin/a?q", "/internal/a"),
    ] {
        assert_eq!(rewritten(path, template, plain, request).unwrap(), expected, "{request}");
    }
}

/// PATH-15
#[test]
fn a_rewrite_that_makes_a_path_ambiguous_is_refused() {
    let plain = PathPolicy::default();
    for (path, template, request) in [
        ("/a/{*rest}", "/b/.{rest}", "/a/"),
        ("/a/{x}", "/b/.{x}/c", "/a/..x"),
        ("/a/{x}/{*y}", "/{y}{x}", "/a/.x/y/"),
        ("/a/{x}", "/b/{x}41", "/a/%25"),
        ("/a/{*x}", "/b/{x}/c", "/a/"),
    ] {
        let result = rewritten(path, template, plain, request);
        let fine = result
            .as_ref()
            .is_ok_and(|path| PathPolicy::default().allows(Target::read(path.as_bytes()).unwrap().oddities()));
        assert!(result.is_err() || fine, "{request}: {result:?}");
    }
    assert!(rewritten("/a/{*rest}", "/b/.{rest}", plain, "/a/").is_err());
    assert!(rewritten("/a/{x}", "/b/{x}41", plain, "/a/%25").is_err());
    assert!(rewritten("/a/{*x}", "/b/{x}/c", plain, "/a/").is_err());
    for template in
        ["b", "//b", "/b/../{x}", "/b%2{x}", "/b%2Fc", "/b;c", "/b?c={x}", "/b#", "/{y}", "/{x", "/x}", "/{*x}", ""]
    {
        assert!(Rewrite::parse(template, "/a/{x}").is_err(), "{template}");
    }
}

/// What a lookup must find, said as plainly as can be: every template is tried, and the smallest
/// wins in the order of its segments.
fn naive<'s>(specs: &'s [RouteSpec], host: &str, path: &str) -> Option<&'s str> {
    let mut segments: Vec<&str> = path[1..].split('/').collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    let takes_host = |pattern: Option<&str>| match pattern {
        None => Some(2),
        Some(pattern) if pattern == host => Some(0),
        Some(pattern) => pattern
            .strip_prefix("*.")
            .filter(|suffix| host.split_once('.').is_some_and(|(_, rest)| rest == *suffix))
            .map(|_| 1),
    };
    let takes_path = |template: &Template| {
        let mut key = Vec::new();
        for (at, segment) in template.segments.iter().enumerate() {
            match (segment, segments.get(at)) {
                (Segment::Rest(_), _) => {
                    key.push(3);
                    return Some(key);
                }
                (Segment::Literal(text), Some(asked)) if **text == **asked => key.push(1),
                (Segment::Parameter(_), Some(asked)) if !asked.is_empty() => key.push(2),
                _ => return None,
            }
        }
        (template.segments.len() == segments.len()).then_some(key)
    };
    specs
        .iter()
        .filter_map(|spec| {
            let template = Template::parse(&spec.path).unwrap();
            Some((takes_host(spec.host.as_deref())?, takes_path(&template)?, &*spec.name))
        })
        .min()
        .map(|(_, _, name)| name)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "%41"]), 0..5)
        .prop_flat_map(|segments| (Just(segments), any::<bool>()))
        .prop_map(|(segments, slash)| {
            let path = format!("/{}", segments.join("/"));
            if slash && path.len() > 1 { format!("{path}/") } else { path }
        })
}

fn template() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["", "", "x.y", "*.y", "z.y"]),
        prop::collection::vec(prop::sample::select(vec!["a", "b", "{?}", "{?}"]), 0..5),
        any::<bool>(),
    )
        .prop_map(|(host, segments, rest)| {
            let named = segments.iter().enumerate().map(|(at, text)| text.replace('?', &format!("p{at}")));
            let path: Vec<String> = named.chain(rest.then(|| "{*rest}".to_owned())).collect();
            format!("{host}/{}", path.join("/"))
        })
}

proptest! {
    #[test]
    fn a_lookup_finds_what_trying_everything_finds(
        lines in prop::collection::vec(template(), 1..24),
        host in prop::sample::select(vec!["x.y", "w.y", "y", "x.x.y"]),
        path in path(),
    ) {
        let mut routes = specs(&lines.iter().map(|line| (&**line, "")).collect::<Vec<_>>());
        // Two templates of one shape conflict: keep the first.
        let shape = |spec: &RouteSpec| {
            let template = Template::parse(&spec.path).unwrap();
            (spec.host.clone(), template.segments.iter().map(|segment| match segment {
                Segment::Literal(text) => text.to_string(),
                Segment::Parameter(_) => "?".to_owned(),
                Segment::Rest(_) => "*".to_owned(),
            }).collect::<Vec<_>>())
        };
        let mut seen = std::collections::HashSet::new();
        routes.retain(|spec| seen.insert(shape(spec)));
        let table = RouteTable::new(routes.clone()).unwrap();
        let target = Target::read(path.as_bytes()).unwrap();
        let expected = naive(&routes, host, target.normal()).unwrap_or("404");
        prop_assert_eq!(found(&table, "GET", host, &path).0, expected);
    }

    #[test]
    fn a_rewritten_path_is_read_again_and_holds_what_was_captured(
        first in "[a-z.%0-9|]{1,6}",
        rest in "[a-z./%0-9@;]{0,12}",
        template in prop::sample::select(vec!["/i/{rest}", "/i/{id}/x/{rest}", "/{rest}/{id}", "/i-{id}.{rest}"]),
    ) {
        let path = format!("/r/{first}/{rest}");
        let Ok(target) = Target::read(path.as_bytes()) else { return Ok(()) };
        let table = table(&[("/r/{id}/{*rest}", "")]);
        let rewrite = Rewrite::parse(template, "/r/{id}/{*rest}").unwrap();
        let matched = table.find("GET", &Host::read(b"h").unwrap(), &target).unwrap();
        let Ok(result) = rewrite.apply(&matched, &target) else { return Ok(()) };
        let again = Target::read(result.as_bytes()).unwrap();
        prop_assert_eq!(again.path(), &*result);
        prop_assert!(target.oddities().allows(again.oddities()));
        prop_assert_eq!(&result, &template.replace("{id}", &first).replace("{rest}", &rest));
    }

    #[test]
    fn any_template_is_read_or_refused(path: String, template: String) {
        let _ = RouteTable::new(vec![spec(0, &format!("/{path}"), "", Access::Public)]);
        let _ = Rewrite::parse(&template, &path);
    }
}

/// PATH-13
#[test]
fn a_route_for_an_upstream_without_case_takes_every_spelling() {
    let mut specs = specs(&[
        ("/{*rest}", ""),
        ("/admin/{name}/{*rest}", ""),
        ("/Users/{id}/edit", "GET"),
        ("/open/admin", ""),
        ("/stra\u{df}e", ""),
    ]);
    for spec in specs.iter_mut().filter(|spec| !spec.path.starts_with("/{") && !spec.path.starts_with("/open")) {
        let mut action = (*spec.action).clone();
        action.case_blind = true;
        spec.action = Arc::new(action);
    }
    let table = RouteTable::new(specs).unwrap();
    for path in [
        "/admin/A/b",
        "/ADMIN/A/b",
        "/Admin/A/b/",
        "/admin./A/b",
        "/admin%20/A/b",
        "/admin.%20./A/b",
        "/%41dmin/A/b",
        "/adm%C4%B1n/A/b",
    ] {
        let (name, values) = found(&table, "GET", "h", path);
        assert_eq!(name, "/admin/{name}/{*rest}", "{path}");
        assert_eq!(values[0], "A", "the value is what was sent: {path}");
    }
    assert_eq!(name(&table, "/users/X/EDIT."), "/Users/{id}/edit");
    assert_eq!(found(&table, "POST", "h", "/USERS/1/Edit").0, "GET, HEAD", "it does not fall through");
    assert_eq!(name(&table, "/STRASSE"), "/stra\u{df}e");
    assert_eq!(name(&table, "/open/admin"), "/open/admin");
    assert_eq!(name(&table, "/OPEN/admin"), "/{*rest}");
    assert_eq!(name(&table, "/admins/A"), "/{*rest}");
    assert_eq!(name(&table, "/.../x"), "/{*rest}");
}
