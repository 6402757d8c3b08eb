//! The resource owner's account (UI-10): which apps have access, where somebody is signed in, and the
//! end of either.

use super::answer::{Stop, to};
use super::dialogue::{Dialogue, DialogueError, Purpose};
use super::{Browser, SignedIn, Visit, audit};
use crate::issue::Access;
use crate::oauth::params::Params;
use crate::page::{Account, AccountApp, AccountSession, Form, Page};
use crate::people::session::Session;
use crate::telemetry::rfc3339;
use bytes::Bytes;
use http::{Response, StatusCode};

/// What can have been done, as the page's address and the page itself say it.
const DONE: [(&str, &str); 2] = [("apps", "No app has access any more."), ("session", "That sign-in has ended.")];

impl Browser {
    /// `GET /oauth2/account`
    pub(super) async fn account(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        match self.signed_in(visit).await? {
            Some(signed_in) => self.account_page(&signed_in, visit).await,
            None => self.sign_in_page(&Purpose::Account, visit).await,
        }
    }

    async fn account_page(&self, signed_in: &SignedIn, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let session = &signed_in.session;
        let apps = self.issuer.access_of(&session.subject, visit.now).await?;
        let mut sessions = self.people.sessions.of(&session.subject, visit.now).await?;
        sessions.sort_by_key(|other| (other.id != session.id, std::cmp::Reverse(other.seen)));
        let form = |action, dialogue: &Dialogue| -> Result<Form, Stop> {
            Ok(Form { action, dialogue: self.seal(dialogue, Some(session), visit)? })
        };
        let page = Account {
            account: signed_in.account(),
            apps: apps.into_iter().map(|app| self.account_app(app)).collect(),
            sessions: sessions.into_iter().map(|other| account_session(other, session)).collect(),
            take_back: form("/account", &Dialogue::TakeBack)?,
            end_session: form("/account", &Dialogue::EndSession)?,
            sign_out: form("/logout", &Dialogue::Leave(None))?,
            notice: self.notice(session, visit),
        };
        let there = self.end_session_there(session, visit).await;
        Ok(self.page(&Page::Account(page), StatusCode::OK, there.as_deref()))
    }

    fn account_app(&self, access: Access) -> AccountApp {
        AccountApp {
            client_id: access.client_id,
            name: access.client_name,
            permissions: self.permissions(&access.scope),
            since: rfc3339(access.since),
            until: access.until.map(rfc3339),
        }
    }

    /// `POST /oauth2/account`
    pub(super) async fn change_account(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let request = visit.request;
        let form = Visit::form(request)?;
        let Some(signed_in) = self.signed_in(visit).await? else { return Err(Stop::Forged) };
        let done = match self.open(&form, Some(&signed_in.session), visit) {
            Ok(Dialogue::TakeBack) => self.take_back(&form, &signed_in, visit).await?,
            Ok(Dialogue::EndSession) => self.end_session(&form, &signed_in, visit).await?,
            // The page lay open for too long: it is shown anew.
            Err(DialogueError::Expired(_)) => return self.account_page(&signed_in, visit).await,
            Ok(_) | Err(DialogueError::Forged) => {
                audit::forged("account", "dialogue", visit.address);
                return Err(Stop::Forged);
            }
        };
        to(&format!("{}/account?done={done}", self.base), visit)
    }

    async fn take_back(&self, form: &Params<'_>, signed_in: &SignedIn, visit: &Visit<'_>) -> Result<String, Stop> {
        let subject = &signed_in.session.subject;
        let client_id = form.get("client_id");
        let access = self.issuer.access_of(subject, visit.now).await?;
        let of =
            |id: &str| access.iter().find(|access| access.client_id == id).map(|access| access.client_name.clone());
        let name = client_id.and_then(of);
        if client_id.is_some() && name.is_none() {
            // It has been taken back meanwhile.
            return Ok("app".to_owned());
        }
        self.issuer.take_back(subject, client_id, visit.now).await?;
        audit::taken_back(subject, client_id);
        let Some(name) = name else { return Ok("apps".to_owned()) };
        // Sealed, so that no link makes the page say what is not so.
        Ok(format!("app&app={}", self.seal(&Dialogue::TakenBack { name }, Some(&signed_in.session), visit)?))
    }

    /// What has just been done, as the redirect after it says.
    fn notice(&self, session: &Session, visit: &Visit<'_>) -> Option<String> {
        let params = Params::parse(visit.request.uri().query()?.as_bytes(), &[]).ok()?;
        let done = params.get("done")?;
        if done != "app" {
            return DONE.iter().find(|(word, _)| *word == done).map(|(_, text)| (*text).to_owned());
        }
        let keys = self.people.store.tag_keys().ok()?;
        let sealed = params.get("app").unwrap_or_default();
        Some(match Dialogue::open(sealed, &keys, visit.binding(Some(session)), visit.now) {
            Ok(Dialogue::TakenBack { name }) => format!("{name} has no access any more."),
            _ => "The app has no access any more.".to_owned(),
        })
    }

    async fn end_session(&self, form: &Params<'_>, signed_in: &SignedIn, visit: &Visit<'_>) -> Result<String, Stop> {
        let subject = &signed_in.session.subject;
        let id = form.get("session").ok_or(Stop::Malformed)?;
        if self.people.sessions.of(subject, visit.now).await?.iter().any(|session| session.id == id) {
            self.people.sessions.end(subject, id).await?;
            audit::signed_out(subject, id);
        }
        Ok("session".to_owned())
    }
}

fn account_session(session: Session, current: &Session) -> AccountSession {
    AccountSession {
        current: session.id == current.id,
        id: session.id,
        device: session.device,
        since: rfc3339(session.since),
        seen: rfc3339(session.seen),
    }
}
