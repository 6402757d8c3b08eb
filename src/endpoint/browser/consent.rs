//! The answer to the consent page (UI-5, R6749-10.12).

use super::answer::Stop;
use super::dialogue::{Dialogue, DialogueError};
use super::{Browser, SignedIn, Visit, audit};
use crate::issue::AuthorizationRequest;
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use bytes::Bytes;
use http::Response;

/// What the resource owner says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// These scopes, and no others.
    Allow(Scope),
    /// Nothing.
    Deny,
}

impl Browser {
    /// `POST /oauth2/consent`
    pub(super) async fn consent(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let request = visit.request;
        let form = Visit::form(request)?;
        let Some(signed_in) = self.signed_in(visit).await? else {
            audit::forged("consent", "session", visit.address);
            return Err(Stop::Forged);
        };
        match self.open(&form, Some(&signed_in.session), visit) {
            Ok(Dialogue::Consent { request, offered }) => {
                let decision = decision(&form, &offered)?;
                self.decided(&request, decision, &signed_in, visit).await
            }
            // The page lay open for too long: the request begins anew.
            Err(DialogueError::Expired(dialogue)) => {
                let Dialogue::Consent { request, .. } = *dialogue else { return Err(Stop::Forged) };
                self.begin(request, visit).await
            }
            Ok(_) | Err(DialogueError::Forged) => {
                audit::forged("consent", "dialogue", visit.address);
                Err(Stop::Forged)
            }
        }
    }

    async fn decided(
        &self,
        request: &AuthorizationRequest,
        decision: Decision,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        match decision {
            Decision::Allow(chosen) => self.allowed(request, signed_in, (&chosen, true), visit).await,
            Decision::Deny => {
                audit::denied(&signed_in.session.subject, &request.client_id);
                match self.issuer.deny(request).await {
                    Ok(redirect) => self.to_client(&redirect, visit),
                    Err(error) => self.failed(request, error, visit).await,
                }
            }
        }
    }
}

/// Reads the answer. To allow nothing is to refuse; to allow what did not stand on the page is forged.
pub(super) fn decision(form: &Params<'_>, offered: &str) -> Result<Decision, Stop> {
    match form.get("decision") {
        Some("allow") => {}
        Some("deny") => return Ok(Decision::Deny),
        _ => return Err(Stop::Malformed),
    }
    let offered: Scope = offered.parse().unwrap_or_default();
    let chosen = form.get_all("scope").map(|token| token.parse().map_err(|_| Stop::Forged));
    let chosen: Scope = chosen.collect::<Result<_, _>>()?;
    if !chosen.iter().all(|token| offered.contains(token)) {
        return Err(Stop::Forged);
    }
    // In the order of the page, so that one choice is always one text.
    let chosen: Scope = offered.iter().filter(|token| chosen.contains(token)).cloned().collect();
    Ok(if chosen.is_empty() { Decision::Deny } else { Decision::Allow(chosen) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<Decision, Stop> {
        decision(&Params::parse(form.as_bytes(), &["scope"]).unwrap(), "read write")
    }

    /// UI-5
    #[test]
    fn only_what_stood_on_the_page_can_be_allowed() {
        assert_eq!(read("decision=allow&scope=read").unwrap(), Decision::Allow("read".parse().unwrap()));
        assert_eq!(
            read("decision=allow&scope=write&scope=read").unwrap(),
            Decision::Allow("read write".parse().unwrap())
        );
        assert_eq!(read("decision=allow").unwrap(), Decision::Deny);
        assert_eq!(read("decision=deny&scope=read").unwrap(), Decision::Deny);
    }

    /// UI-5
    #[test]
    fn what_no_page_of_ours_sends_is_refused() {
        assert!(matches!(read("decision=allow&scope=read&scope=admin"), Err(Stop::Forged)));
        assert!(matches!(read("decision=allow&scope=read+write"), Err(Stop::Forged)));
        assert!(matches!(read("decision=maybe&scope=read"), Err(Stop::Malformed)));
        assert!(matches!(read("scope=read"), Err(Stop::Malformed)));
    }
}
