//! Who an ID token speaks of, and whether that one may sign in.

use super::{Attempt, Claims};
use crate::clock::Timestamp;
use crate::people::users::Subject;
use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest value of a claim, in octets: what `OpenID` Connect Core section 2 says of `sub`.
const LONGEST: usize = 255;
/// How far the clock of a provider may be off.
const SKEW: Duration = Duration::from_secs(60);

/// Who has signed in at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The issuer and the claim's value.
    pub subject: Subject,
    /// What pages call it.
    pub shown: String,
    /// When the provider saw the password, or what it asks for in its place.
    pub authenticated: Timestamp,
}

/// The claims that the standard has no name for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ExtraClaims(Map<String, Value>);

impl AdditionalClaims for ExtraClaims {}

/// Who may sign in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'r> {
    pub(super) subject_claim: &'r str,
    pub(super) allowed_domains: &'r [String],
    pub(super) allowed_subjects: &'r [String],
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RuleError {
    #[error("the ID token does not have the claim of `subject_claim`, as a text of 255 octets at most")]
    Missing,
    #[error("its address is not verified (`email_verified`)")]
    Unverified,
    #[error("its address is of none of the `allowed_domains`")]
    Domain,
    #[error("it is none of the `allowed_subjects`")]
    Subject,
}

impl Rules<'_> {
    /// The value of the claim, and what pages show.
    pub(super) fn read(self, claims: &Claims) -> Result<(String, String), RuleError> {
        let email = claims.email().map(|email| email.as_str());
        let verified = email.filter(|_| claims.email_verified() == Some(true));
        let value = self.value(claims).filter(|value| is_good(value)).ok_or(RuleError::Missing)?;
        if self.subject_claim == "email" && verified.is_none() {
            return Err(RuleError::Unverified);
        }
        if !self.allowed_domains.is_empty() {
            self.check_domain(verified.ok_or(RuleError::Unverified)?)?;
        }
        if !self.allows_subject(&value) {
            return Err(RuleError::Subject);
        }
        let username = claims.preferred_username().map(|name| name.as_str());
        let shown = verified.or(username).or(email).filter(|shown| is_good(shown)).unwrap_or(&value).to_owned();
        Ok((value, shown))
    }

    /// Whether somebody of this value may (still) sign in, as far as the value tells: not the domain, where it is
    /// no address.
    pub(super) fn allows_name(self, value: &str) -> bool {
        let tells_domain = self.subject_claim == "email" && !self.allowed_domains.is_empty();
        self.allows_subject(value) && (!tells_domain || self.check_domain(value).is_ok())
    }

    /// Whether the list, where there is one, has this value.
    fn allows_subject(self, value: &str) -> bool {
        let is_same = |allowed: &String| match self.subject_claim {
            "email" => allowed.eq_ignore_ascii_case(value),
            _ => allowed == value,
        };
        self.allowed_subjects.is_empty() || self.allowed_subjects.iter().any(is_same)
    }

    fn check_domain(self, address: &str) -> Result<(), RuleError> {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).ok_or(RuleError::Domain)?;
        let is_allowed = self.allowed_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain));
        is_allowed.then_some(()).ok_or(RuleError::Domain)
    }

    fn value(self, claims: &Claims) -> Option<String> {
        match self.subject_claim {
            "sub" => Some(claims.subject().as_str().to_owned()),
            // One spelling: an address with other letters in capitals is the same one. Not so beyond ASCII, where
            // letters of different mailboxes become one.
            "email" => claims.email().map(|email| email.to_ascii_lowercase()),
            "preferred_username" => claims.preferred_username().map(|name| name.to_string()),
            other => claims.additional_claims().0.get(other)?.as_str().map(str::to_owned),
        }
    }
}

fn is_good(value: &str) -> bool {
    !value.is_empty() && value.len() <= LONGEST && value.trim() == value && !value.contains(char::is_control)
}

/// When the provider authenticated somebody; `None`: not as recently as was asked for.
pub(super) fn authenticated(auth_time: Option<Timestamp>, attempt: &Attempt, now: Timestamp) -> Option<Timestamp> {
    let Some(at) = auth_time else {
        // OpenID Connect Core section 2: where `max_age` was sent, `auth_time` is required.
        return attempt.ask.max_age.is_none().then_some(now);
    };
    let is_recent = attempt.ask.max_age.is_none_or(|secs| now <= at.plus(Duration::from_secs(secs)).plus(SKEW));
    let is_new = !attempt.ask.login || attempt.begun <= at.plus(SKEW);
    (is_recent && is_new).then(|| at.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::provider::Ask;
    use crate::secret::Secret;

    fn attempt(login: bool, max_age: Option<u64>) -> Attempt {
        let ask = Ask { login, max_age, ..Ask::default() };
        let secret = || Secret::new("x");
        let begun = Timestamp::from_secs(1000);
        Attempt { state: String::new(), nonce: secret(), verifier: secret(), begun, ask }
    }

    #[test]
    fn the_provider_has_to_say_that_a_sign_in_is_as_recent_as_was_asked_for() {
        let at = Timestamp::from_secs;
        let said = |auth_time: Option<u64>, attempt| authenticated(auth_time.map(at), &attempt, at(1010));
        assert_eq!(said(None, attempt(false, None)), Some(at(1010)));
        assert_eq!(said(None, attempt(false, Some(3600))), None);
        assert_eq!(said(Some(1005), attempt(true, Some(0))), Some(at(1005)));
        assert_eq!(said(Some(900), attempt(false, Some(0))), None);
        assert_eq!(said(Some(900), attempt(true, None)), None);
        assert_eq!(said(Some(10), attempt(false, None)), Some(at(10)));
        assert_eq!(said(Some(5000), attempt(false, None)), Some(at(1010)), "a clock that is ahead");
    }

    fn claims(more: Value) -> Claims {
        let mut all = serde_json::json!({"iss": "https://op.example", "aud": "gate", "sub": "24", "exp": 9, "iat": 1});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn rules<'r>(subject_claim: &'r str, domains: &'r [String], subjects: &'r [String]) -> Rules<'r> {
        Rules { subject_claim, allowed_domains: domains, allowed_subjects: subjects }
    }

    #[test]
    fn an_address_says_who_it_is_only_where_it_is_verified() {
        let verified = claims(serde_json::json!({"email": "Ann@Example.com", "email_verified": true}));
        let unverified = claims(serde_json::json!({"email": "ann@example.com", "email_verified": false}));
        let silent = claims(serde_json::json!({"email": "ann@example.com"}));
        let by_email = rules("email", &[], &[]);
        assert_eq!(by_email.read(&verified).unwrap().0, "ann@example.com");
        assert!(rules("email", &[], &["Ann@Example.com".to_owned()]).read(&verified).is_ok());
        assert_eq!(by_email.read(&unverified), Err(RuleError::Unverified));
        assert_eq!(by_email.read(&silent), Err(RuleError::Unverified));
        let domains = ["example.COM".to_owned()];
        assert_eq!(rules("sub", &domains, &[]).read(&verified).unwrap(), ("24".into(), "Ann@Example.com".into()));
        assert_eq!(rules("sub", &domains, &[]).read(&silent), Err(RuleError::Unverified));
        let elsewhere = claims(serde_json::json!({"email": "a@example.com.evil.example", "email_verified": true}));
        assert_eq!(rules("sub", &domains, &[]).read(&elsewhere), Err(RuleError::Domain));
    }

    /// A domain that is taken off the list ends what its people have, as a name that is taken off it does.
    #[test]
    fn a_name_that_is_an_address_says_its_domain() {
        let domains = ["example.com".to_owned()];
        assert!(rules("email", &domains, &[]).allows_name("ann@example.com"));
        assert!(!rules("email", &domains, &[]).allows_name("ann@example.org"));
        assert!(rules("sub", &domains, &[]).allows_name("24"), "of these the name does not tell");
        assert!(!rules("sub", &domains, &["25".to_owned()]).allows_name("24"));
    }

    /// U+212A looks like `K`, and is `k` in lower case: another mailbox all the same.
    #[test]
    fn an_address_that_looks_like_another_is_not_that_one() {
        let kate = claims(serde_json::json!({"email": "\u{212a}ate@example.com", "email_verified": true}));
        assert_ne!(rules("email", &[], &[]).read(&kate).unwrap().0, "kate@example.com");
        let subjects = ["kate@example.com".to_owned()];
        assert_eq!(rules("email", &[], &subjects).read(&kate), Err(RuleError::Subject));
    }

    #[test]
    fn any_claim_with_a_text_can_say_who_it_is() {
        let entra = claims(serde_json::json!({"oid": "0aa1", "level": 7, "evil": "a\nb"}));
        assert_eq!(rules("oid", &[], &[]).read(&entra).unwrap().0, "0aa1");
        for claim in ["level", "evil", "absent", "email"] {
            assert_eq!(rules(claim, &[], &[]).read(&entra), Err(RuleError::Missing), "{claim}");
        }
        assert_eq!(rules("sub", &[], &["25".to_owned()]).read(&entra), Err(RuleError::Subject));
        assert!(rules("sub", &[], &["24".to_owned()]).read(&entra).is_ok());
    }
}
