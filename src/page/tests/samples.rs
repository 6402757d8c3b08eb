//! One of every page, each text in it given.

use super::super::*;

fn form(action: &'static str, text: &str) -> Form {
    Form { action, dialogue: text.to_owned() }
}

fn app(text: &str) -> App {
    App { name: text.to_owned(), destination: Some(text.to_owned()), unverified: true }
}

fn permissions(text: &str) -> Vec<Permission> {
    let one = |words: &str| Permission { scope: text.to_owned(), text: words.to_owned() };
    vec![one(text), one("Read your notes"), one("")]
}

/// Sign in, with everything that can be on it.
pub(super) fn sign_in(text: &str) -> SignIn {
    SignIn {
        form: form("/login", text),
        app: Some(app(text)),
        username: text.to_owned(),
        problem: Some("The username or the password is wrong."),
        provider: Some((text.to_owned(), "/login/upstream")),
        password: true,
    }
}

/// Consent, with everything that can be on it.
pub(super) fn consent(text: &str) -> Consent {
    Consent {
        form: form("/consent", text),
        app: app(text),
        account: text.to_owned(),
        permissions: permissions(text),
        user_code: Some(text.to_owned()),
        switch_account: form("/logout", text),
    }
}

/// The device page after a wrong code.
pub(super) fn device_code(text: &str) -> DeviceCode {
    DeviceCode {
        form: form("/device", text),
        user_code: text.to_owned(),
        account: text.to_owned(),
        problem: Some("No device waits with this code."),
    }
}

/// The account, with two apps and two sessions.
pub(super) fn account(text: &str) -> Account {
    let one = AccountApp {
        client_id: text.to_owned(),
        name: text.to_owned(),
        permissions: permissions(text),
        since: text.to_owned(),
        until: Some(text.to_owned()),
    };
    let session = |current| AccountSession {
        id: text.to_owned(),
        device: text.to_owned(),
        since: text.to_owned(),
        seen: "2026-01-02T15:04:05Z".to_owned(),
        current,
    };
    Account {
        account: text.to_owned(),
        apps: vec![one.clone(), one],
        sessions: vec![session(true), session(false)],
        take_back: form("/account", text),
        end_session: form("/account", text),
        sign_out: form("/logout", text),
        notice: Some(text.to_owned()),
    }
}

/// An error.
pub(super) fn message(text: &str) -> Message {
    Message {
        status: StatusCode::BAD_REQUEST,
        title: "This link does not work",
        text: text.to_owned(),
        request_id: text.to_owned(),
        link: Some(("Sign in again", "/account")),
    }
}

/// All of them, and each without what can be missing.
pub(super) fn all(text: &str) -> Vec<Page> {
    let bare = SignIn { app: None, username: String::new(), problem: None, provider: None, ..sign_in(text) };
    let bare_consent = Consent {
        app: App { destination: None, unverified: false, ..app(text) },
        permissions: Vec::new(),
        user_code: None,
        ..consent(text)
    };
    let bare_account = Account { apps: Vec::new(), sessions: Vec::new(), notice: None, ..account(text) };
    vec![
        Page::SignIn(sign_in(text)),
        Page::SignIn(SignIn { password: false, ..sign_in(text) }),
        Page::SignIn(bare),
        Page::Consent(consent(text)),
        Page::Consent(bare_consent),
        Page::DeviceCode(device_code(text)),
        Page::DeviceCode(DeviceCode { problem: None, user_code: String::new(), ..device_code(text) }),
        Page::Account(account(text)),
        Page::Account(bare_account),
        Page::Message(message(text)),
        Page::Message(Message { status: StatusCode::OK, request_id: String::new(), ..message(text) }),
    ]
}
