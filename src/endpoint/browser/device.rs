//! A device that asks for access (RFC 8628 section 3.3): whoever has signed in enters the code that it
//! shows, compares, and allows or refuses. A link with the code fills it in, and does nothing else: each
//! step is a form of ours (R8628-3.3b).

use super::answer::{Stop, retry_after};
use super::consent::{Decision, decision};
use super::dialogue::{Dialogue, DialogueError, Purpose};
use super::{Browser, SignedIn, Visit, audit};
use crate::issue::{DeviceError, DeviceRequest};
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::oauth::user_code::UserCode;
use crate::page::{Consent, DeviceCode, Form, Page};
use bytes::Bytes;
use http::{Response, StatusCode};

/// What is filled in again is no longer than this.
const TYPED_LENGTH: usize = 64;

const UNKNOWN: &str =
    "No device waits with this code. Compare it with what your device shows; it may also have expired.";
const THROTTLED: &str = "There were too many wrong codes. Wait until your device shows a new one, then try again.";
const NOTHING: &str = "This device asks for what you cannot allow. Ask whoever runs this service.";
const EXPIRED: &str = "This page has been open for a while. Please enter the code again.";

/// The form for the code, as it is shown.
struct Entry<'e> {
    status: StatusCode,
    typed: &'e str,
    problem: Option<&'static str>,
}

impl<'e> Entry<'e> {
    const fn first(typed: &'e str) -> Self {
        Self { status: StatusCode::OK, typed, problem: None }
    }
}

impl Browser {
    /// `GET /oauth2/device`
    pub(super) async fn device(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        self.devices_are_served()?;
        let query = visit.request.uri().query().unwrap_or_default();
        let params = Params::parse(query.as_bytes(), &[]).unwrap_or_default();
        let typed = bounded(params.get("user_code").unwrap_or_default());
        match self.signed_in(visit).await? {
            Some(signed_in) => self.code_page(&Entry::first(&typed), &signed_in, visit),
            None => self.sign_in_page(&Purpose::Device { user_code: typed }, visit).await,
        }
    }

    /// Somebody has signed in to connect a device.
    pub(super) fn device_after_sign_in(
        &self,
        user_code: &str,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        self.devices_are_served()?;
        self.code_page(&Entry::first(user_code), signed_in, visit)
    }

    /// `POST /oauth2/device`: the code, and then the answer.
    pub(super) async fn answer_device(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        self.devices_are_served()?;
        let request = visit.request;
        let form = Visit::form(request)?;
        let Some(signed_in) = self.signed_in(visit).await? else {
            audit::forged("device", "session", visit.address);
            return Err(Stop::Forged);
        };
        match self.open(&form, Some(&signed_in.session), visit) {
            Ok(Dialogue::DeviceCode) => self.enter(&form, &signed_in, visit).await,
            Ok(Dialogue::DeviceConsent { id, offered }) => {
                let decision = decision(&form, &offered)?;
                self.decide_device(&id, decision, &signed_in, visit).await
            }
            // The page lay open for too long: what it asks for may be gone.
            Err(DialogueError::Expired(dialogue))
                if matches!(*dialogue, Dialogue::DeviceCode | Dialogue::DeviceConsent { .. }) =>
            {
                self.code_again(EXPIRED, "", &signed_in, visit)
            }
            Ok(_) | Err(_) => {
                audit::forged("device", "dialogue", visit.address);
                Err(Stop::Forged)
            }
        }
    }

    fn devices_are_served(&self) -> Result<(), Stop> {
        if self.issuer.settings().device.is_some() { Ok(()) } else { Err(Stop::Missing) }
    }

    /// A code was entered.
    async fn enter(&self, form: &Params<'_>, signed_in: &SignedIn, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let typed = form.get("user_code").unwrap_or_default();
        let who = (&*signed_in.user, visit.address);
        let found = self.issuer.device_request(typed, who, visit.now).await.and_then(|request| {
            let scope = self.issuer.device_question(&request, &signed_in.user)?;
            Ok((request, scope))
        });
        match found {
            Ok((request, scope)) => self.device_consent_page(&request, &scope, signed_in, visit),
            Err(error) => self.device_failed(error, typed, signed_in, visit),
        }
    }

    /// R8628-3.3a: who asks and for what, and the code, to be compared.
    fn device_consent_page(
        &self,
        request: &DeviceRequest,
        scope: &Scope,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let user_code = request.user_code.to_string();
        let session = Some(&signed_in.session);
        let consent = Dialogue::DeviceConsent { id: request.id.clone(), offered: scope.to_string() };
        let leave = Dialogue::Leave(Some(Purpose::Device { user_code: user_code.clone() }));
        let page = Consent {
            form: Form { action: "/device", dialogue: self.seal(&consent, session, visit)? },
            app: super::app(&request.client, None),
            account: signed_in.account(),
            permissions: self.permissions(scope),
            user_code: Some(user_code),
            switch_account: Form { action: "/logout", dialogue: self.seal(&leave, session, visit)? },
        };
        Ok(self.page(&Page::Consent(page), StatusCode::OK, None))
    }

    async fn decide_device(
        &self,
        id: &str,
        decision: Decision,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let (user, now) = (&*signed_in.user, visit.now);
        let (decided, said) = match decision {
            Decision::Allow(chosen) => {
                let owner = (user, signed_in.session.since);
                let text = "It goes on by itself in a few seconds. You can close this page.";
                (self.issuer.device_allow(id, owner, &chosen, now).await, ("Your device is connected", text))
            }
            Decision::Deny => {
                let text = "It gets no access to your account. You can close this page.";
                (self.issuer.device_deny(id, user, now).await, ("You refused the device", text))
            }
        };
        match decided {
            Ok(()) => Ok(self.message(StatusCode::OK, said, visit)),
            Err(error) => self.device_failed(error, "", signed_in, visit),
        }
    }

    fn device_failed(
        &self,
        error: DeviceError,
        typed: &str,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        match error {
            DeviceError::Unknown => self.code_again(UNKNOWN, typed, signed_in, visit),
            DeviceError::NothingToGrant => self.code_again(NOTHING, typed, signed_in, visit),
            DeviceError::Throttled(wait) => {
                let entry = Entry { status: StatusCode::TOO_MANY_REQUESTS, typed: "", problem: Some(THROTTLED) };
                Ok(retry_after(self.code_page(&entry, signed_in, visit)?, wait))
            }
            DeviceError::Unavailable(error) => Err(error.into()),
        }
    }

    fn code_again(
        &self,
        problem: &'static str,
        typed: &str,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        self.code_page(&Entry { status: StatusCode::OK, typed, problem: Some(problem) }, signed_in, visit)
    }

    /// The form for the code.
    fn code_page(&self, entry: &Entry<'_>, signed_in: &SignedIn, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let dialogue = self.seal(&Dialogue::DeviceCode, Some(&signed_in.session), visit)?;
        let page = DeviceCode {
            form: Form { action: "/device", dialogue },
            user_code: shown(entry.typed),
            account: signed_in.account(),
            problem: entry.problem,
        };
        Ok(self.page(&Page::DeviceCode(page), entry.status, None))
    }
}

fn bounded(typed: &str) -> String {
    typed.chars().take(TYPED_LENGTH).collect()
}

/// A code as devices show it; what is none, as it was typed.
fn shown(typed: &str) -> String {
    UserCode::read(typed).map_or_else(|| bounded(typed), |code| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R8628-3.3b
    #[test]
    fn a_code_is_shown_as_the_device_shows_it() {
        assert_eq!(shown("wdjbmjht"), "WDJB-MJHT");
        assert_eq!(shown("hello"), "hello");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), TYPED_LENGTH);
    }
}
