//! What the log keeps of people in a browser, under the target `tollgate::audit`. Names come from
//! records alone, never from a form: people type passwords into every field there is.

use crate::people::session::Session;
use crate::people::users::Subject;
use std::net::IpAddr;

const TARGET: &str = "tollgate::audit";

/// How somebody signs in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// With a password, here: of a user, or of the login service.
    Password,
    /// At the identity provider.
    Provider,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Provider => "provider",
        }
    }
}

/// Somebody signed in.
pub(super) fn signed_in(session: &Session, way: Way, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    let (subject, session, way) = (&*session.subject.name, short(&session.id), way.as_str());
    tracing::info!(target: TARGET, subject, session, way, address, "signed in");
}

/// A sign-in was refused.
pub(super) fn sign_in_refused(way: Way, reason: &'static str, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    tracing::info!(target: TARGET, way = way.as_str(), reason, address, "sign-in refused");
}

/// A sign-in has ended by the hand of its owner.
pub(super) fn signed_out(subject: &Subject, session: &str) {
    tracing::info!(target: TARGET, subject = subject.name, session = short(session), "signed out");
}

/// A client may do what it asked for, or a part of it.
pub(super) fn allowed(subject: &Subject, client: &str, scope: &str, asked: bool) {
    tracing::info!(target: TARGET, subject = subject.name, client, scope, asked, "consent given");
}

/// A client may not.
pub(super) fn denied(subject: &Subject, client: &str) {
    tracing::info!(target: TARGET, subject = subject.name, client, "consent refused");
}

/// Clients may no more; `None`: none of them.
pub(super) fn taken_back(subject: &Subject, client: Option<&str>) {
    tracing::info!(target: TARGET, subject = subject.name, client, "consent taken back");
}

/// A form came that no page of ours could have sent.
pub(super) fn forged(place: &'static str, reason: &'static str, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    tracing::warn!(target: TARGET, endpoint = place, reason, address, "forged form refused");
}

/// What a session is called in the log.
fn short(session: &str) -> &str {
    session.get(..16).unwrap_or(session)
}
