//! A person in front of a browser without script: keeps cookies, and sends the forms of the pages it sees.

use super::http::{Request, Response};
use super::{Credentials, Gateway};
use std::collections::BTreeMap;

/// A browser.
pub(crate) struct Visitor<'g> {
    gateway: &'g Gateway,
    cookies: BTreeMap<String, String>,
}

impl<'g> Visitor<'g> {
    pub(crate) fn new(gateway: &'g Gateway) -> Self {
        Self { gateway, cookies: BTreeMap::new() }
    }

    /// Opens an address.
    pub(crate) fn open(&mut self, target: &str) -> Response {
        self.send(self.gateway.get(target))
    }

    /// Sends a form of `page`, the first that goes to `action`, with `fields` beside what is hidden in it.
    #[track_caller]
    pub(crate) fn submit(&mut self, page: &Response, action: &str, fields: &[(&str, &str)]) -> Response {
        let dialogue = dialogue(page, action);
        let form = [&[("dialogue", &*dialogue)], fields].concat();
        let request = self.gateway.post(action).field("Origin", &self.gateway.url());
        self.send(request.field("Sec-Fetch-Site", "same-origin").form(&form))
    }

    /// Signs in on a sign-in page.
    #[track_caller]
    pub(crate) fn sign_in(&mut self, page: &Response, (name, password): Credentials) -> Response {
        self.submit(page, "/oauth2/login", &[("username", name), ("password", password)])
    }

    /// Sends a request with the cookies that it has, and keeps those of the answer.
    pub(crate) fn send(&mut self, request: Request) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.field("Cookie", &cookies.join("; ")) };
        let response = request.send();
        for line in response.values("set-cookie") {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

/// What is hidden in the form of `page` that goes to `action`.
#[track_caller]
pub(crate) fn dialogue(page: &Response, action: &str) -> String {
    let text = page.text();
    let form = text.split("<form ").find(|form| form.contains(&format!("action=\"{action}\"")));
    let form = form.unwrap_or_else(|| panic!("no form goes to {action}:\n{text}"));
    let value = form.split_once("name=\"dialogue\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no dialogue in {form}")).0.to_owned()
}
