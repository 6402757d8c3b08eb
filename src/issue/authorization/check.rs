//! What an authorization request has to say (RFC 6749 section 4.1.1 and its extensions), once it is
//! known whose it is and where the answer goes.

use super::AuthorizationRequest;
use super::parameters::Parameters;
use crate::issue::refusal::IssueError;
use crate::issue::{Issuer, scope_decision};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::params::ParamsError;
use crate::oauth::{pkce, redirect};

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::issue) struct Fault {
    /// An error code of RFC 6749 section 4.1.2.1 or of an extension.
    pub(in crate::issue) error: &'static str,
    /// In words; nothing of the request is in them (R6749-5.2f).
    pub(in crate::issue) description: &'static str,
}

impl Fault {
    /// R9126-5
    pub(in crate::issue) const NOT_PUSHED: Self = invalid("authorization requests have to be pushed (RFC 9126)");
}

const fn invalid(description: &'static str) -> Fault {
    Fault { error: "invalid_request", description }
}

impl From<ParamsError> for Fault {
    fn from(error: ParamsError) -> Self {
        invalid(match error {
            ParamsError::Malformed => "a parameter is not valid application/x-www-form-urlencoded UTF-8",
            ParamsError::Repeated => "a parameter is repeated",
        })
    }
}

/// Scopes and resources are checked by what the token endpoint checks them with; what fails otherwise is
/// ours (R6749-4.1.2.1d).
impl From<IssueError> for Fault {
    fn from(error: IssueError) -> Self {
        if let IssueError::InvalidScope(description) = error {
            Self { error: "invalid_scope", description }
        } else if let IssueError::InvalidTarget(description) = error {
            Self { error: "invalid_target", description }
        } else if let IssueError::Overloaded | IssueError::Store(_) = error {
            Self { error: "temporarily_unavailable", description: "try again later" }
        } else {
            Self { error: "server_error", description: "the request cannot be answered" }
        }
    }
}

/// Where the answer to a request goes, and whether the request says so: a URI of the client's, or the only
/// one it has (R6749-3.1.2c to R6749-3.1.2e).
///
/// # Errors
/// When there is none: then nobody is told but the person in front of the browser.
pub(in crate::issue) fn redirect_uri(
    client: &Client,
    parameters: &Parameters<'_>,
) -> Result<(String, bool), &'static str> {
    let sent = parameters.get("redirect_uri").map_err(|_| "redirect_uri is repeated or cannot be read")?;
    match (sent, &*client.redirect_uris) {
        (Some(uri), registered) if registered.iter().any(|known| redirect::matches(known, uri)) => {
            Ok((uri.to_owned(), true))
        }
        (Some(_), _) => Err("the redirect URI is not one that is registered for this app"),
        (None, [only]) => Ok((only.clone(), false)),
        (None, _) => Err("redirect_uri is missing"),
    }
}

impl Issuer {
    /// Checks everything but the client and its redirect URI.
    ///
    /// # Errors
    /// What the client is told.
    pub(in crate::issue) fn check_authorization(
        &self,
        client: &Client,
        parameters: &Parameters<'_>,
        (redirect_uri, redirect_uri_sent): (String, bool),
    ) -> Result<AuthorizationRequest, Fault> {
        parameters.check()?;
        check_form(client, parameters)?;
        let scope = parameters.get("scope")?;
        // Nobody has signed in yet: what a user may not grant is left out later.
        let most = scope_decision::grant(&self.scopes, scope, client, None)?;
        let resources = self.known_resources(parameters.resources()?.into_iter())?;
        self.meaningful_scope(&most, &resources)?;
        let max_age = parameters.get("max_age")?.map(str::parse).transpose();
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Ok(AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri,
            redirect_uri_sent,
            scope: owned(scope),
            state: owned(parameters.get("state")?),
            code_challenge: owned(challenge(client, parameters)?),
            resources,
            prompt: prompt(parameters)?,
            login_hint: owned(parameters.get("login_hint")?),
            max_age: max_age.map_err(|_| invalid("max_age is not a number of seconds"))?,
            pushed: None,
        })
    }
}

/// What kind of request it is, and whether the client may make it.
fn check_form(client: &Client, parameters: &Parameters<'_>) -> Result<(), Fault> {
    // R9101-5
    if parameters.get("request")?.is_some() {
        let description = "request objects are not taken here";
        return Err(Fault { error: "request_not_supported", description });
    }
    if parameters.get("request_uri")?.is_some() {
        let description = "this request_uri is not taken here";
        return Err(Fault { error: "request_uri_not_supported", description });
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        let description = "the client may not use the authorization code grant";
        return Err(Fault { error: "unauthorized_client", description });
    }
    match parameters.get("response_type")? {
        Some("code") => {}
        Some(_) => {
            let description = "the only response type here is code";
            return Err(Fault { error: "unsupported_response_type", description });
        }
        None => return Err(invalid("response_type is missing")),
    }
    match parameters.get("response_mode")? {
        Some("query") | None => Ok(()),
        Some(_) => Err(invalid("the only response mode here is query")),
    }
}

/// R7636-4.2 to R7636-4.4.1
fn challenge<'p>(client: &Client, parameters: &'p Parameters<'_>) -> Result<Option<&'p str>, Fault> {
    match (parameters.get("code_challenge")?, parameters.get("code_challenge_method")?) {
        (Some(challenge), Some(pkce::METHOD)) if pkce::is_challenge(challenge) => Ok(Some(challenge)),
        (Some(_), Some(pkce::METHOD)) => Err(invalid("code_challenge is not 43 characters of base64url")),
        (Some(_), _) => Err(invalid("the only code_challenge_method here is S256")),
        (None, Some(_)) => Err(invalid("code_challenge is missing")),
        (None, None) if client.needs_challenge() => Err(invalid("code_challenge is missing (RFC 7636)")),
        (None, None) => Ok(None),
    }
}

/// The prompts that mean something here; `none` stands alone.
fn prompt(parameters: &Parameters<'_>) -> Result<Option<String>, Fault> {
    const KNOWN: [&str; 4] = ["none", "login", "consent", "select_account"];
    let Some(text) = parameters.get("prompt")? else { return Ok(None) };
    let words: Vec<&str> = text.split(' ').filter(|word| KNOWN.contains(word)).collect();
    if words.contains(&"none") && text != "none" {
        return Err(invalid("prompt=none stands alone"));
    }
    Ok(Some(words.join(" ")).filter(|words| !words.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6749-4.1.2.1d, R6749-5.2f
    #[test]
    fn what_fails_on_our_side_is_told_to_the_client_in_plain_characters() {
        for (error, expected) in [
            (IssueError::Overloaded, "temporarily_unavailable"),
            (crate::store::StoreError::Unavailable("secret".to_owned()).into(), "temporarily_unavailable"),
            (IssueError::InvalidClient, "server_error"),
            (IssueError::InvalidScope("the scope is malformed"), "invalid_scope"),
            (IssueError::InvalidTarget("there is no such resource here"), "invalid_target"),
        ] {
            let fault = Fault::from(error);
            assert_eq!(fault.error, expected);
            let plain = |octet: u8| matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
            assert!(fault.description.bytes().all(plain) && !fault.description.contains("secret"), "{fault:?}");
        }
    }
}
