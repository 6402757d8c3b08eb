//! The pages that people see, from plain values: no store, no request, no decision. Templates are
//! compiled into the program (askama); every value is escaped (UI-6); no script is needed (UI-3).
//!
//! A page is a struct; [`Pages::render`] makes the response: status, `Content-Security-Policy`, and
//! the other fields of UI-1.

mod assets;
mod colour;
mod neutral;
mod policy;
mod view;

use assets::Assets;
use bytes::Bytes;
use colour::Colour;
use http::{HeaderValue, Response, StatusCode, header};
use neutral::Neutral;
use std::sync::Arc;
use view::Site;

/// `[branding]`.
#[derive(Clone, Debug)]
pub struct Branding {
    /// The product's name.
    pub name: String,
    /// The contents of the logo, served at `<oauth path>/assets/logo` with this media type.
    pub logo: Option<(Bytes, &'static str)>,
    /// `#rrggbb`: the main button as it is, with the ink that is legible on it; links and focus rings
    /// darker or lighter, until they are legible.
    pub colour: String,
}

/// Renders pages.
#[derive(Clone, Debug)]
pub struct Pages {
    site: Site,
    assets: Assets,
}

/// What every form holds.
#[derive(Clone, Debug)]
pub struct Form {
    /// Where it goes: below the base, `/login`.
    pub action: &'static str,
    /// The sealed state of the dialogue, in the hidden field `dialogue`: it is the anti-forgery token
    /// as well (UI-4).
    pub dialogue: String,
}

/// Who asks for access.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name, or its identifier.
    pub name: String,
    /// Where the browser goes with the answer: the host of the redirect URI, or its scheme; `None`
    /// for a device.
    pub destination: Option<String>,
    /// It registered itself: nobody has checked its name.
    pub unverified: bool,
}

/// A scope in plain words.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The scope token: the value of the check box.
    pub scope: String,
    /// What the consent page says of it.
    pub text: String,
}

/// Sign in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Fields `username`, `password`; the button is `sign in`.
    pub form: Form,
    /// For which app; `None`: for the account or the device page.
    pub app: Option<App>,
    /// Filled in already (`login_hint`, or after a failure).
    pub username: String,
    /// What was wrong with the last try, in plain words.
    pub problem: Option<&'static str>,
    /// The button of an identity provider instead of, or beside, the password: its name and the
    /// form's action.
    pub provider: Option<(String, &'static str)>,
    /// Whether there is a password form.
    pub password: bool,
}

/// Allow or refuse.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Fields `scope` (one a box, all ticked), `decision` = `allow` or `deny`.
    pub form: Form,
    /// Who asks.
    pub app: App,
    /// Who is signed in.
    pub account: String,
    /// What it asks for.
    pub permissions: Vec<Permission>,
    /// The user code of a device (RFC 8628), to be compared with what the device shows.
    pub user_code: Option<String>,
    /// The form that signs out and begins anew as somebody else.
    pub switch_account: Form,
}

/// Enter the code that a device shows (RFC 8628 section 3.3).
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// Field `user_code`.
    pub form: Form,
    /// Filled in already.
    pub user_code: String,
    /// Who is signed in.
    pub account: String,
    /// What was wrong with the last try.
    pub problem: Option<&'static str>,
}

/// The resource owner's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who is signed in.
    pub account: String,
    /// The apps with access.
    pub apps: Vec<AccountApp>,
    /// The sign-ins.
    pub sessions: Vec<AccountSession>,
    /// Fields `client_id`: takes back one app's access; without it, every app's.
    pub take_back: Form,
    /// Field `session`: ends one sign-in.
    pub end_session: Form,
    /// Signs out.
    pub sign_out: Form,
    /// What has just been done.
    pub notice: Option<String>,
}

/// One app on the account page.
#[derive(Clone, Debug)]
pub struct AccountApp {
    /// The value of `client_id`.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What it may do, in plain words.
    pub permissions: Vec<Permission>,
    /// RFC 3339.
    pub since: String,
    /// RFC 3339.
    pub until: Option<String>,
}

/// One sign-in on the account page.
#[derive(Clone, Debug)]
pub struct AccountSession {
    /// The value of `session`.
    pub id: String,
    /// Where and with what.
    pub device: String,
    /// RFC 3339.
    pub since: String,
    /// RFC 3339.
    pub seen: String,
    /// The one that looks at the page.
    pub current: bool,
}

/// Something to read: an error, or that a device is connected.
#[derive(Clone, Debug)]
pub struct Message {
    /// The status of the response.
    pub status: StatusCode,
    /// The heading.
    pub title: &'static str,
    /// What happened and what to do.
    pub text: String,
    /// For support: `X-Request-Id`.
    pub request_id: String,
    /// Where one can go from here: what it is called, and where it is below the base.
    pub link: Option<(&'static str, &'static str)>,
}

/// On the way to another site, without anything to do: where a redirect might be stopped on its way (UI-2).
#[derive(Clone, Debug)]
pub struct Onward {
    /// Where the browser goes, http or https. It may hold a code: it stands nowhere but in this address.
    pub location: String,
    /// The host of it.
    pub destination: String,
}

/// A page.
#[derive(Clone, Debug)]
pub enum Page {
    /// Sign in.
    SignIn(SignIn),
    /// Allow or refuse.
    Consent(Consent),
    /// Enter a device's code.
    DeviceCode(DeviceCode),
    /// The account.
    Account(Account),
    /// Something to read.
    Message(Message),
    /// On the way to another site.
    Onward(Onward),
}

impl Default for Branding {
    fn default() -> Self {
        Self { name: "Tollgate".to_owned(), logo: None, colour: "#2451c7".to_owned() }
    }
}

impl Branding {
    /// Whether `text` is shown as it stands: not too long, and nothing in it is neutralised.
    pub(crate) fn is_name(text: &str) -> bool {
        text.name() == text
    }

    /// Whether `text` is `#rrggbb`.
    pub(crate) fn is_colour(text: &str) -> bool {
        Colour::parse(text).is_some()
    }
}

impl Pages {
    /// Pages below `base`, `/oauth2`.
    pub fn new(branding: Arc<Branding>, base: &str) -> Self {
        let assets = Assets::new(&branding);
        let site = Site {
            name: branding.name.clone(),
            base: base.to_owned(),
            style: format!("{base}/assets/{}", assets.style()),
            logo: format!("{base}/assets/{}", assets.logo()),
            has_own_logo: branding.logo.is_some(),
        };
        Self { site, assets }
    }

    /// The response with a page; a message has its own status. `destination`: where the browser may be
    /// sent after the form, for `form-action` (UI-2): the redirect URI, and further URIs (of an identity
    /// provider) after a space.
    pub fn render(&self, page: &Page, status: StatusCode, destination: Option<&str>) -> Response<Bytes> {
        let status = if let Page::Message(message) = page { message.status } else { status };
        let Ok(html) = view::html(&self.site, page) else { return failed() };
        let mut response = Response::new(Bytes::from(html));
        *response.status_mut() = status;
        policy::of_page(response.headers_mut(), destination);
        response
    }

    /// The style sheet or the logo, at `<base>/assets/<name>`: the names that pages have, and `style.css`
    /// and `logo`; cacheable. `None`: there is no such file.
    pub fn asset(&self, name: &str) -> Option<Response<Bytes>> {
        self.assets.find(name)
    }
}

/// Templates write to memory, which does not fail; but if one did, nobody should see half a page.
fn failed() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"This page cannot be shown."));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    policy::of_page(response.headers_mut(), None);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests;
