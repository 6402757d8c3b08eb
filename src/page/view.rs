//! The templates, each with what it shows. A text reaches a page through `Neutral`, a value that a form
//! sends back as it is; askama escapes both.

use super::neutral::Neutral;
use super::{Account, AccountApp, AccountSession, Consent, DeviceCode, Message, Onward, Page, Permission, SignIn};
use askama::Template;

/// What every page knows.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The product's name.
    pub(super) name: String,
    /// Where forms go and files are: `/oauth2`.
    pub(super) base: String,
    /// The path of the style sheet.
    pub(super) style: String,
    /// The path of the logo, or of the mark that stands in its place.
    pub(super) logo: String,
    /// The logo is the operator's: it says the name.
    pub(super) has_own_logo: bool,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInView<'a> {
    site: &'a Site,
    page: &'a SignIn,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentView<'a> {
    site: &'a Site,
    page: &'a Consent,
}

#[derive(Template)]
#[template(path = "device_code.html")]
struct DeviceCodeView<'a> {
    site: &'a Site,
    page: &'a DeviceCode,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountView<'a> {
    site: &'a Site,
    page: &'a Account,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessageView<'a> {
    site: &'a Site,
    page: &'a Message,
}

#[derive(Template)]
#[template(path = "onward.html")]
struct OnwardView<'a> {
    site: &'a Site,
    page: &'a Onward,
}

impl AccountApp {
    /// When its access ends; on the day on which it was given the time alone.
    fn end(&self) -> Option<String> {
        self.until.as_ref().map(|until| until.after(&self.since).unwrap_or_else(|| until.day()))
    }
}

impl AccountSession {
    /// When it was seen last, where that is not the moment in which it began. The one that looks is seen now.
    fn last_seen(&self) -> Option<String> {
        let apart = !self.current && self.seen.when() != self.since.when();
        apart.then(|| self.seen.after(&self.since).unwrap_or_else(|| self.seen.when()))
    }
}

impl Permission {
    /// What it allows; the scope token where the configuration has no words for it.
    fn shown(&self) -> String {
        Some(self.text.words()).filter(|words| !words.is_empty()).unwrap_or_else(|| self.scope.line())
    }
}

/// The page as HTML.
pub(super) fn html(site: &Site, page: &Page) -> askama::Result<String> {
    match page {
        Page::SignIn(page) => SignInView { site, page }.render(),
        Page::Consent(page) => ConsentView { site, page }.render(),
        Page::DeviceCode(page) => DeviceCodeView { site, page }.render(),
        Page::Account(page) => AccountView { site, page }.render(),
        Page::Message(page) => MessageView { site, page }.render(),
        Page::Onward(page) => OnwardView { site, page }.render(),
    }
}
