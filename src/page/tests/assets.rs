//! The files that pages load.

use super::super::colour::Colour;
use super::*;

fn with(branding: Branding) -> Pages {
    Pages::new(Arc::new(branding), "/oauth2")
}

fn names(pages: &Pages) -> Vec<String> {
    let page = pages.render(&Page::Message(samples::message("x")), StatusCode::OK, None);
    let html = String::from_utf8(page.body().to_vec()).unwrap();
    let pieces = pieces(&html);
    let files = pieces.iter().filter(|piece| piece.name != "a");
    let paths = files.filter_map(|piece| piece.get("href").or_else(|| piece.get("src")));
    paths.map(|path| path.strip_prefix("/oauth2/assets/").unwrap().to_owned()).collect()
}

/// UI-3: what a page asks for is there, with the type that `nosniff` demands.
#[test]
fn every_file_that_a_page_names_exists_and_may_be_kept() {
    let pages = with(Branding::default());
    let names = names(&pages);
    assert_eq!(names.len(), 3);
    for name in &names {
        let response = pages.asset(name).unwrap();
        let fields = response.headers();
        let expected = if name.contains("style") { "text/css; charset=utf-8" } else { "image/svg+xml" };
        assert_eq!(field(fields, "content-type"), expected);
        assert_eq!(field(fields, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(field(fields, "x-content-type-options"), "nosniff");
    }
}

#[test]
fn a_file_of_another_configuration_is_kept_for_a_minute_only() {
    let old = names(&with(Branding::default()));
    let pages = with(Branding { colour: "#b00020".to_owned(), ..Branding::default() });
    for name in old.iter().map(String::as_str).chain(["style.css", "logo"]) {
        let response = pages.asset(name).unwrap();
        assert_eq!(field(response.headers(), "cache-control"), "public, max-age=60", "{name}");
    }
    assert!(names(&pages).iter().zip(&old).all(|(new, old)| new != old), "a name says what is in the file");
    for name in ["", "style", "style.css.map", "style-.css", "style-zz.css", "../logo", "logo/", "logo-", "logo.svg"] {
        assert!(pages.asset(name).is_none(), "{name}");
    }
}

/// UI-3: an SVG may hold scripts; opened by itself it cannot run them.
#[test]
fn a_logo_runs_and_loads_nothing() {
    let svg = Bytes::from_static(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>");
    let pages = with(Branding { logo: Some((svg.clone(), "image/svg+xml")), ..Branding::default() });
    let response = pages.asset("logo").unwrap();
    let policy = field(response.headers(), "content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && policy.contains("sandbox") && !policy.contains("script"));
    assert_eq!(response.body(), &svg);
    let page = pages.render(&Page::Message(samples::message("x")), StatusCode::OK, None);
    let html = String::from_utf8(page.body().to_vec()).unwrap();
    assert!(html.contains("alt=\"Tollgate\""), "the logo says the name: {html}");
}

/// UI-3: the style sheet loads nothing and is for both schemes.
#[test]
fn the_style_sheet_has_the_colour_and_asks_for_nothing_else() {
    let pages = with(Branding { colour: "#ffd400".to_owned(), ..Branding::default() });
    let response = pages.asset("style.css").unwrap();
    let style = std::str::from_utf8(response.body()).unwrap();
    assert!(style.contains("--fill: #ffd400") && !style.contains("url(") && !style.contains("@import"));
    for media in ["prefers-color-scheme: dark", "prefers-reduced-motion", "prefers-contrast", ":focus-visible"] {
        assert!(style.contains(media), "{media}");
    }
}

/// WCAG 2 AA: text 4.5 to 1, the edges of controls 3 to 1, in both schemes.
#[test]
fn every_colour_can_be_read_on_what_it_stands_on() {
    let style = include_str!("../../../templates/style.css");
    let schemes: Vec<&str> = style.split(":root {").skip(1).take(2).filter_map(|rest| rest.split('}').next()).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let colour = |name: &str| {
            let value = scheme.split(&format!("--{name}: ")).nth(1).and_then(|rest| rest.split(';').next());
            Colour::parse(value.unwrap()).unwrap()
        };
        for (text, surface, least) in [
            ("ink", "card", 7.0),
            ("ink", "hover", 7.0),
            ("soft", "card", 4.5),
            ("problem", "card", 4.5),
            ("problem", "problem-page", 4.5),
            ("warning", "warning-page", 4.5),
            ("good", "card", 4.5),
            ("good", "good-page", 4.5),
            ("edge", "card", 3.0),
        ] {
            let contrast = colour(text).contrast(colour(surface));
            assert!(contrast >= least, "{text} on {surface}: {contrast}");
        }
    }
}
