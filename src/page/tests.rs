//! Every page as a whole.

mod assets;
mod markup;
mod samples;

use super::neutral::is_unseen;
use super::*;
use http::HeaderMap;
use markup::{Piece, pieces};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn pages() -> Pages {
    Pages::new(Arc::new(Branding { name: "Fernwood".to_owned(), ..Branding::default() }), "/gw/oauth2")
}

fn html(page: &Page) -> String {
    let response = pages().render(page, StatusCode::OK, None);
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn all(text: &str) -> Vec<String> {
    samples::all(text).iter().map(html).collect()
}

fn named<'p>(pieces: &'p [Piece], name: &str) -> Vec<&'p Piece> {
    pieces.iter().filter(|piece| piece.name == name).collect()
}

/// All that is read, without tags.
fn read(html: &str) -> String {
    let pieces = pieces(html);
    let words = pieces.iter().skip_while(|piece| piece.name != "main").map(|piece| piece.text.as_str());
    words.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn field<'f>(fields: &'f HeaderMap, name: &str) -> &'f str {
    fields[name].to_str().unwrap()
}

/// UI-1, R9700-4.2
#[test]
fn a_page_is_not_framed_kept_sniffed_or_told_to_others() {
    for page in samples::all("x") {
        let response = pages().render(&page, StatusCode::OK, Some("https://app.example/cb"));
        let fields = response.headers();
        assert_eq!(
            field(fields, "content-security-policy"),
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' https://app.example"
        );
        assert_eq!(field(fields, "x-frame-options"), "DENY");
        assert_eq!(field(fields, "referrer-policy"), "no-referrer");
        assert_eq!(field(fields, "x-content-type-options"), "nosniff");
        assert_eq!(field(fields, "cache-control"), "no-store");
        assert!(!fields.contains_key("cross-origin-opener-policy"), "a popup keeps its opener");
        assert_eq!(field(fields, "content-type"), "text/html; charset=utf-8");
        assert!(field(fields, "permissions-policy").contains("camera=()"));
    }
}

#[test]
fn a_message_has_its_own_status_and_other_pages_the_given_one() {
    let message = Page::Message(samples::message("x"));
    assert_eq!(pages().render(&message, StatusCode::OK, None).status(), StatusCode::BAD_REQUEST);
    let sign_in = Page::SignIn(samples::sign_in("x"));
    assert_eq!(pages().render(&sign_in, StatusCode::TOO_MANY_REQUESTS, None).status(), StatusCode::TOO_MANY_REQUESTS);
}

/// UI-2: where it goes on to stands in its two addresses, and the words say the host alone.
#[test]
fn a_page_on_the_way_goes_on_by_itself_and_by_a_link() {
    let location = "https://app.example/cb?code=tgc_1&state=\"><b>";
    let onward = Onward { location: location.to_owned(), destination: "app.example".to_owned() };
    let html = html(&Page::Onward(onward));
    let escaped = "https://app.example/cb?code=tgc_1&#38;state=&#34;&#62;&#60;b&#62;";
    assert_eq!(html.matches("tgc_1").count(), 2, "{html}");
    assert!(html.contains(&format!("http-equiv=\"refresh\" content=\"0;url={escaped}\"")), "{html}");
    assert!(html.contains(&format!("href=\"{escaped}\"")) && read(&html).contains("Going on to app.example"), "{html}");
}

/// UI-10
#[test]
fn the_account_page_says_no_day_twice_and_every_button_what_it_does() {
    let day = |time: &str| format!("2026-01-02T{time}Z");
    let session = |seen: &str, current| AccountSession {
        since: day("15:04:05"),
        seen: seen.to_owned(),
        current,
        id: "s".to_owned(),
        device: "Firefox".to_owned(),
    };
    let sessions = vec![
        session(&day("15:04:59"), false),
        session(&day("16:00:00"), false),
        session("2026-01-03T09:00:00Z", false),
    ];
    let said = read(&html(&Page::Account(Account { sessions, ..samples::account("Notes") })));
    assert!(said.contains("Signed in 2 January 2026, 15:04 UTC Sign out"), "{said}");
    assert!(said.contains("Signed in 2 January 2026, 15:04 UTC, last seen 16:00 UTC"), "{said}");
    assert!(said.contains("Signed in 2 January 2026, 15:04 UTC, last seen 3 January 2026, 09:00 UTC"), "{said}");
    assert_eq!(said.matches("Take back access of Notes").count(), 2, "{said}");
    assert_eq!(said.matches("Take back access of all apps").count(), 1, "{said}");
    assert!(!said.contains("Take back all access"), "{said}");
}

/// R9700-4.2, R7591-5c: a page loads nothing from elsewhere and leads nowhere else, whatever a client
/// said of itself.
#[test]
fn a_page_loads_its_own_files_only_and_links_nowhere() {
    for html in all("https://evil.example/logo.png") {
        for piece in pieces(&html) {
            assert!(!["iframe", "object", "embed", "base", "video", "audio"].contains(&piece.name.as_str()));
            for (key, value) in &piece.attributes {
                let is_address = ["src", "href", "action", "formaction", "srcset", "poster"].contains(&key.as_str());
                assert!(!is_address || value.starts_with("/gw/oauth2/"), "{piece:?}");
            }
            let refreshes = piece.attributes.iter().any(|(key, _)| key == "http-equiv");
            assert!(!refreshes, "{piece:?}");
        }
    }
}

/// UI-3
#[test]
fn there_is_no_script_and_no_style_in_a_page() {
    for html in all("x") {
        for piece in pieces(&html) {
            assert!(!["script", "style", "noscript"].contains(&piece.name.as_str()), "{html}");
            for (key, _) in &piece.attributes {
                assert!(key != "style" && !key.starts_with("on"), "{piece:?}");
            }
        }
    }
}

/// UI-5, O21-consent
#[test]
fn consent_shows_who_asks_for_what_of_whom_and_where_it_leads() {
    let consent = Consent {
        app: App { name: "Reading Notes".to_owned(), destination: Some("notes.example".to_owned()), unverified: false },
        account: "alice".to_owned(),
        permissions: vec![
            Permission { scope: "notes:read".to_owned(), text: "Read your notes".to_owned() },
            Permission { scope: "shelf:42".to_owned(), text: " ".to_owned() },
        ],
        user_code: Some("WDJB-MJHT".to_owned()),
        ..samples::consent("sealed")
    };
    let html = html(&Page::Consent(consent));
    let said = read(&html);
    for words in ["Reading Notes wants access", "notes.example", "alice", "Read your notes", "shelf:42", "WDJB-MJHT"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("not verified"));
    let pieces = pieces(&html);
    let boxes: Vec<_> = pieces.iter().filter(|piece| piece.get("type") == Some("checkbox")).collect();
    assert!(boxes.iter().all(|piece| piece.get("name") == Some("scope") && piece.get("checked").is_some()));
    assert_eq!(boxes.iter().filter_map(|piece| piece.get("value")).collect::<Vec<_>>(), ["notes:read", "shelf:42"]);
}

/// UI-5: both answers are buttons of one form, side by side, of one size; Enter refuses.
#[test]
fn refusing_is_as_easy_as_allowing() {
    for page in [Page::Consent(samples::consent("x")), samples::all("x").swap_remove(4)] {
        let pieces = pieces(&html(&page));
        let from = pieces.iter().position(|piece| piece.get("class") == Some("pair")).unwrap();
        let to = from + pieces[from..].iter().position(|piece| piece.name == "/div").unwrap();
        let buttons = named(&pieces[from..to], "button");
        let decisions: Vec<_> = buttons.iter().filter_map(|button| button.get("value")).collect();
        assert_eq!(decisions, ["deny", "allow"]);
        assert!(buttons.iter().all(|button| button.get("name") == Some("decision")));
        let form = pieces[..from].iter().rev().find(|piece| piece.name.ends_with("form")).unwrap();
        assert_eq!(form.get("action"), Some("/gw/oauth2/consent"));
        let inside = pieces[..from].iter().rev().take_while(|piece| piece.name != "form");
        assert!(!inside.into_iter().any(|piece| piece.name == "button"), "another button would be the one of Enter");
    }
}

/// R7591-5b
#[test]
fn an_app_that_registered_itself_is_marked_and_its_name_is_text() {
    let app =
        App { name: "<b>Bank</b> & \"Co\"".to_owned(), destination: Some("evil.example".to_owned()), unverified: true };
    let consent = html(&Page::Consent(Consent { app: app.clone(), ..samples::consent("x") }));
    assert!(read(&consent).contains("This app is not verified."), "{consent}");
    assert!(read(&consent).contains("know and trust evil.example"), "{consent}");
    assert!(consent.contains("&#60;b&#62;Bank&#60;/b&#62; &#38; &#34;Co&#34;"), "{consent}");
    assert!(!consent.contains("class=\"main\""), "no answer is put forward");
    let sign_in = html(&Page::SignIn(SignIn { app: Some(app), ..samples::sign_in("x") }));
    assert!(read(&sign_in).contains("Nobody has verified this app."), "{sign_in}");
    assert!(read(&sign_in).contains("evil.example"), "{sign_in}");
}

#[test]
fn the_account_takes_back_one_or_all_and_ends_other_sessions() {
    let account = samples::account("x");
    let page = html(&Page::Account(account.clone()));
    let pieces = pieces(&page);
    let names = |name: &str| pieces.iter().filter(|piece| piece.get("name") == Some(name)).count();
    assert_eq!((names("client_id"), names("session"), named(&pieces, "details").len()), (2, 1, 1));
    assert_eq!(named(&pieces, "form").len(), 5, "sign out, two apps, all apps, one session");
    let one = Account { apps: account.apps[..1].to_vec(), ..account };
    assert!(!html(&Page::Account(one)).contains("<details>"));
    let empty = samples::all("x").swap_remove(8);
    assert!(read(&html(&empty)).contains("No app has access to your account."));
}

#[test]
fn every_form_posts_its_dialogue_below_the_base() {
    for html in all("sealed") {
        let pieces = pieces(&html);
        for (at, form) in pieces.iter().enumerate().filter(|(_, piece)| piece.name == "form") {
            assert_eq!(form.get("method"), Some("post"));
            assert!(form.get("action").unwrap().starts_with("/gw/oauth2/"), "{form:?}");
            let inside: Vec<_> = pieces[at + 1..].iter().take_while(|piece| piece.name != "/form").collect();
            assert!(inside.iter().all(|piece| piece.name != "form"), "forms do not nest");
            let dialogues: Vec<_> = inside.iter().filter(|piece| piece.get("name") == Some("dialogue")).collect();
            assert_eq!(dialogues.iter().filter_map(|piece| piece.get("value")).collect::<Vec<_>>(), ["sealed"]);
        }
    }
}

#[test]
fn every_page_has_its_language_title_and_landmarks() {
    for html in all("x") {
        let pieces = pieces(&html);
        assert_eq!(named(&pieces, "html")[0].get("lang"), Some("en"));
        assert!(named(&pieces, "title")[0].text.ends_with(" – Fernwood"));
        for name in ["header", "main", "h1", "title"] {
            assert_eq!(named(&pieces, name).len(), 1, "{name}: {html}");
        }
        assert!(named(&pieces, "button").iter().all(|button| button.get("type") == Some("submit")));
        assert!(named(&pieces, "img").iter().all(|image| image.get("alt").is_some()));
        let focused = pieces.iter().filter(|piece| piece.get("autofocus").is_some()).count();
        assert!(focused <= 1, "{html}");
    }
}

#[test]
fn every_field_has_a_label_and_every_reference_its_target() {
    for html in all("x") {
        let pieces = pieces(&html);
        let ids: Vec<_> = pieces.iter().filter_map(|piece| piece.get("id")).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice: {html}");
        let labelled: Vec<_> = named(&pieces, "label").iter().filter_map(|label| label.get("for")).collect();
        for input in named(&pieces, "input").iter().filter(|input| input.get("type") != Some("hidden")) {
            assert!(labelled.contains(&input.get("id").unwrap()), "{input:?}");
        }
        for attribute in ["for", "aria-describedby", "aria-labelledby"] {
            let targets = pieces.iter().filter_map(|piece| piece.get(attribute)).flat_map(str::split_whitespace);
            let lost: Vec<_> = targets.filter(|target| !ids.contains(target)).collect();
            assert!(lost.is_empty(), "{attribute} {lost:?}: {html}");
        }
    }
}

#[test]
fn a_problem_is_announced_and_the_field_to_correct_has_the_focus() {
    let input = |html: &str, id: &str| pieces(html).into_iter().find(|piece| piece.get("id") == Some(id)).unwrap();
    let sign_in = html(&Page::SignIn(samples::sign_in("alice")));
    let device = html(&Page::DeviceCode(samples::device_code("WDJB")));
    for (html, id) in [(&sign_in, "password"), (&device, "user_code")] {
        assert_eq!(input(html, "problem").get("role"), Some("alert"));
        let input = input(html, id);
        assert!(input.get("autofocus").is_some() && input.get("aria-invalid") == Some("true"));
        assert!(input.get("aria-describedby").unwrap().starts_with("problem"));
        assert!(pieces(html).iter().any(|piece| piece.name == "title" && piece.text.starts_with("Problem: ")));
    }
    let fresh = html(&samples::all("x").swap_remove(2));
    assert!(input(&fresh, "username").get("autofocus").is_some() && !fresh.contains("role=\"alert\""));
}

#[test]
fn browsers_and_password_managers_know_the_fields() {
    let sign_in = html(&Page::SignIn(samples::sign_in("x")));
    let device = html(&Page::DeviceCode(samples::device_code("x")));
    for (html, id, autocomplete) in [
        (&sign_in, "username", "username"),
        (&sign_in, "password", "current-password"),
        (&device, "user_code", "one-time-code"),
    ] {
        let pieces = pieces(html);
        let input = pieces.iter().find(|piece| piece.get("name") == Some(id)).unwrap();
        assert_eq!((input.get("id"), input.get("autocomplete")), (Some(id), Some(autocomplete)));
        assert!(input.get("required").is_some());
    }
    assert!(!read(&html(&samples::all("x").swap_remove(1))).contains("Password"), "without passwords, no field");
}

/// UI-6
#[test]
fn values_of_strangers_are_isolated() {
    for html in all("\u{202e}mark") {
        for piece in pieces(&html).iter().filter(|piece| piece.text.contains("mark")) {
            let alone = ["bdi", "label", "li", "title", "time", "span", "p"].contains(&piece.name.as_str());
            assert!(alone && !piece.text.contains('\u{202e}'), "{piece:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// UI-6: whatever stands in any field, the page has the tags and attributes that it has for a plain
    /// text, and nothing shown can turn, hide or break what is around it.
    #[test]
    fn any_text_in_any_field_leaves_the_page_as_it_is(text in prop_oneof![
        "\\PC{0,80}",
        "[<>\"'&=/ a-z\u{0}-\u{1f}\u{200e}\u{202e}\u{2066}\u{feff}]{0,120}",
        Just("\"><script>alert(1)</script><p style=\"".to_owned()),
        Just("' onfocus=alert(1) x='--></title></bdi></main>".to_owned()),
    ]) {
        let text = format!("x{text}");
        let branding = Branding { name: text.clone(), ..Branding::default() };
        let pages = Pages::new(Arc::new(branding), "/gw/oauth2");
        for (page, plain) in samples::all(&text).iter().zip(samples::all("x")) {
            let response = pages.render(page, StatusCode::OK, Some(&text));
            let html = std::str::from_utf8(response.body()).unwrap();
            let taken_apart = pieces(html);
            let expected = pieces(&self::html(&plain));
            prop_assert_eq!(
                taken_apart.iter().map(Piece::shape).collect::<Vec<_>>(),
                expected.iter().map(Piece::shape).collect::<Vec<_>>()
            );
            for piece in &taken_apart {
                let shown = |c: char| c == '\n' || !(c.is_control() || is_unseen(c));
                prop_assert!(piece.text.chars().all(shown), "{:?}", piece);
            }
        }
    }
}
