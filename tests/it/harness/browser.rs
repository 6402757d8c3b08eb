//! A browser without a screen: keeps cookies, reads the forms of a page, and sends them as a person would.

use super::{Credentials, Gateway, Request, Response};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// One person's browser.
pub(crate) struct Browser<'g> {
    gateway: &'g Gateway,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// A form of a page: what would be sent if nothing were changed.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl<'g> Browser<'g> {
    pub(crate) fn new(gateway: &'g Gateway) -> Self {
        Self { gateway, cookies: RefCell::default() }
    }

    /// A request with the cookies of this browser.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        let request = self.gateway.request(method, target);
        let cookies = self.cookies.borrow();
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { request } else { request.field("Cookie", &pairs.join("; ")) }
    }

    /// Sends a request and keeps the cookies of the answer.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        let response = request.send();
        for line in response.values("set-cookie") {
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&self.request("GET", target))
    }

    /// Sends a form with some fields set anew.
    #[track_caller]
    pub(crate) fn submit(&self, form: &Form, changes: &[(&str, &str)]) -> Response {
        self.send(&self.submission(form, changes))
    }

    /// The request that sends a form.
    pub(crate) fn submission(&self, form: &Form, changes: &[(&str, &str)]) -> Request {
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.request("POST", &form.action).form(&fields)
    }

    /// Signs in on the sign-in page that `response` is.
    #[track_caller]
    pub(crate) fn sign_in(&self, response: &Response, (name, password): Credentials) -> Response {
        let form = Form::to(response.expect(200), "/oauth2/login");
        self.submit(&form, &[("username", name), ("password", password)])
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }
}

impl Form {
    /// The first form of a page that goes to `action`.
    #[track_caller]
    pub(crate) fn to(page: &Response, action: &str) -> Self {
        Self::all(page, action).into_iter().next().unwrap_or_else(|| panic!("no form to {action} in\n{}", page.text()))
    }

    /// Every form of a page that goes to `action`.
    pub(crate) fn all(page: &Response, action: &str) -> Vec<Self> {
        let text = page.text();
        let forms = text.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap());
        forms.map(Self::read).filter(|form| form.action == action).collect()
    }

    fn read(html: &str) -> Self {
        let action = attribute(html, "action").expect("an action");
        let inputs = html.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap());
        let sent = |input: &&str| attribute(input, "type").as_deref() != Some("checkbox") || input.contains("checked");
        let pair = |input: &str| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()));
        Self { action, fields: inputs.filter(sent).filter_map(pair).collect() }
    }

    /// The value of a field.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        &found.unwrap_or_else(|| panic!("no field {name} in {self:?}")).1
    }

    /// Every value of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The value of an attribute in the first tag of `html`.
fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let value = [("&#38;", "&"), ("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&amp;", "&")]
        .iter()
        .fold(value.to_owned(), |value, (entity, character)| value.replace(entity, character));
    Some(value)
}
