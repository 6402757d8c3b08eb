//! Signing in at an `OpenID` Connect provider: the authorization code flow of `OpenID` Connect Core
//! section 3.1, with PKCE (RFC 7636), `state` and `nonce`.
//!
//! What the provider says is believed for whom it concerns alone: its subjects have names of their own
//! (`https://accounts.example.com#248289761001`), which no local user can have.

mod claims;
mod discovery;
mod sign_out;

pub use claims::Account;

use super::https::{Https, HttpsError, chain};
use super::users::Subject;
use crate::clock::Timestamp;
use crate::oauth::token::Origin;
use crate::secret::Secret;
use claims::{ExtraClaims, Rules};
use discovery::{Discovery, Metadata};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenClaims, IdTokenFields,
    IssuerUrl, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// `[login]`, where it names an issuer.
pub struct Settings {
    /// Exactly as the provider says it.
    pub issuer: String,
    /// What the gateway is called there.
    pub client_id: String,
    /// With what it authenticates; `None`: it is a public client there.
    pub client_secret: Option<Secret>,
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// Where it sends the browser back to that has signed out there; `None`: the session there goes on.
    pub signed_out_uri: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Which claim says who it is.
    pub subject_claim: String,
    /// What the button says.
    pub name: String,
    /// The domains of verified addresses that may sign in; empty: no matter which.
    pub allowed_domains: Vec<String>,
    /// The values of the claim that may sign in; empty: no matter which.
    pub allowed_subjects: Vec<String>,
    /// Whether people with a password may sign in too.
    pub passwords: bool,
    /// How long the provider may take for an answer.
    pub timeout: Duration,
}

/// An `OpenID` Connect provider, one for all workers.
pub struct Provider {
    settings: Settings,
    issuer: IssuerUrl,
    redirect_uri: RedirectUrl,
    https: Https,
    discovery: Discovery,
}

/// What belongs to one sign-in, and to no other.
#[derive(Debug)]
pub struct Attempt {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back inside the ID token.
    pub nonce: Secret,
    /// RFC 7636.
    pub verifier: Secret,
    /// When it began.
    pub begun: Timestamp,
    /// How the provider is to ask.
    pub ask: Ask,
}

/// `OpenID` Connect Core section 3.1.2.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// `prompt=login`: for the password again.
    pub login: bool,
    /// `prompt=select_account`: which account.
    pub select_account: bool,
    /// How old the sign-in at the provider may be, in seconds.
    pub max_age: Option<u64>,
    /// Who it is likely to be.
    pub login_hint: Option<String>,
}

/// Why nobody has signed in. Details are for the log, which has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer, or not as agreed: 503.
    #[error("the identity provider cannot be used")]
    Unavailable,
    /// What it says cannot be believed.
    #[error("the answer of the identity provider is not good")]
    Refused,
    /// It says who it is, and that one may not sign in.
    #[error("this account may not sign in")]
    NotAllowed,
    /// The sign-in at the provider is too old, or it does not say how old.
    #[error("the sign-in at the identity provider is not recent")]
    NotRecent,
}

type Client = openidconnect::Client<
    ExtraClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<
        IdTokenFields<
            ExtraClaims,
            EmptyExtraTokenFields,
            CoreGenderClaim,
            CoreJweContentEncryptionAlgorithm,
            CoreJwsSigningAlgorithm,
        >,
        CoreTokenType,
    >,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Token = IdToken<ExtraClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// The claims of a token whose signature, issuer, audience, nonce and time are right.
type Claims = IdTokenClaims<ExtraClaims, CoreGenderClaim>;

/// The secret and the keys are not shown.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        f.debug_struct("Provider")
            .field("issuer", &settings.issuer)
            .field("client_id", &settings.client_id)
            .field("confidential", &settings.client_secret.is_some())
            .field("redirect_uri", &settings.redirect_uri)
            .field("signed_out_uri", &settings.signed_out_uri)
            .field("scopes", &settings.scopes)
            .field("subject_claim", &settings.subject_claim)
            .field("name", &settings.name)
            .field("allowed_domains", &settings.allowed_domains)
            .field("allowed_subjects", &settings.allowed_subjects)
            .field("passwords", &settings.passwords)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// The provider of `settings`; `roots` are the certification authorities that are believed, in PEM;
    /// `None`: the system's.
    ///
    /// # Errors
    /// When there are none, or the issuer is no URL.
    pub fn new(settings: Settings, roots: Option<&[u8]>) -> io::Result<Self> {
        let https = Https::new(settings.timeout, roots, settings.issuer.starts_with("https:"))?;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(io::Error::other)?;
        let redirect_uri = RedirectUrl::new(settings.redirect_uri.clone()).map_err(io::Error::other)?;
        Ok(Self { settings, issuer, redirect_uri, https, discovery: Discovery::default() })
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a subject of this name is one of this provider, who may (still) sign in as far as the name
    /// tells.
    pub fn has(&self, subject: &str) -> bool {
        let value = subject.strip_prefix(&*self.settings.issuer).and_then(|rest| rest.strip_prefix('#'));
        let value = if self.settings.subject_claim == "sub" {
            value
        } else {
            let claim = &*self.settings.subject_claim;
            value.and_then(|value| value.strip_prefix(claim)?.strip_prefix(':'))
        };
        value.is_some_and(|value| self.rules().allows_name(value))
    }

    /// Where the browser goes from the sign-in page: for the page's `form-action`. Without an answer of
    /// the provider it is the issuer.
    pub async fn destination(&self, now: Timestamp) -> String {
        match self.metadata(now).await {
            Ok(metadata) => metadata.authorization_endpoint().as_str().to_owned(),
            Err(_) => self.settings.issuer.clone(),
        }
    }

    /// The authentication request, as a URL.
    ///
    /// # Errors
    /// When the provider cannot be asked for its metadata.
    pub async fn authentication_request(&self, attempt: &Attempt, now: Timestamp) -> Result<String, ProviderError> {
        let metadata = self.metadata(now).await?;
        if !self.is_permitted(metadata.authorization_endpoint().url().as_str()) {
            return Err(self.unavailable("its authorization endpoint is not https"));
        }
        let client = self.client(&metadata);
        let (state, nonce) = (attempt.state.clone(), attempt.nonce.reveal().to_owned());
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let verifier = PkceCodeVerifier::new(attempt.verifier.reveal().to_owned());
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let mut request = client
            .authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce))
            .add_scopes(scopes)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let Ask { login, select_account, max_age, login_hint } = &attempt.ask;
        if *login {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        if *select_account {
            request = request.add_prompt(CoreAuthPrompt::SelectAccount);
        }
        if let Some(secs) = max_age {
            request = request.set_max_age(Duration::from_secs(*secs));
        }
        if let Some(hint) = login_hint {
            request = request.set_login_hint(LoginHint::new(hint.clone()));
        }
        Ok(request.url().0.into())
    }

    /// Redeems a code: who has signed in.
    ///
    /// # Errors
    /// When the provider does not answer, its answer is not good, or the account may not sign in here.
    pub async fn redeem(&self, code: &str, attempt: &Attempt, now: Timestamp) -> Result<Account, ProviderError> {
        let metadata = self.metadata(now).await?;
        let client = self.client(&metadata);
        let exchange = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| self.unavailable("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.reveal().to_owned()));
        if !metadata.token_endpoint().is_some_and(|endpoint| self.is_permitted(endpoint.url().as_str())) {
            return Err(self.unavailable("its token endpoint is not https"));
        }
        let response = exchange.request_async(&self.https).await.map_err(|error| self.not_redeemed(error))?;
        let token = response.id_token().ok_or_else(|| self.refused("there is no ID token"))?;
        let claims = match verified(&client, token, attempt) {
            // OpenID Connect Core section 10.1.1: its keys have been rotated.
            Err(ClaimsVerificationError::SignatureVerification(error)) if is_about_the_key(&error) => {
                let renewed = self.discovery.renewed(&metadata, &self.issuer, &self.https, now).await;
                let renewed = renewed.map_err(|error| self.unavailable(&error))?;
                verified(&self.client(&renewed), token, attempt).cloned()
            }
            other => other.cloned(),
        };
        let claims = claims.map_err(|error| self.refused(reason(&error)))?;
        self.account(&claims, attempt, now)
    }

    fn account(&self, claims: &Claims, attempt: &Attempt, now: Timestamp) -> Result<Account, ProviderError> {
        let auth_time = claims.auth_time().and_then(|time| u64::try_from(time.timestamp()).ok());
        let authenticated = claims::authenticated(auth_time.map(Timestamp::from_secs), attempt, now);
        let authenticated = authenticated.ok_or_else(|| {
            tracing::info!(issuer = self.settings.issuer, ?auth_time, "the sign-in at the provider is not recent");
            ProviderError::NotRecent
        })?;
        let (value, shown) = self.rules().read(claims).map_err(|error| {
            tracing::info!(issuer = self.settings.issuer, reason = %error, "an account may not sign in");
            ProviderError::NotAllowed
        })?;
        let claim = &*self.settings.subject_claim;
        let prefix = if claim == "sub" { String::new() } else { format!("{claim}:") };
        let subject = Subject { name: format!("{}#{prefix}{value}", self.settings.issuer), origin: Origin::Provider };
        Ok(Account { subject, shown, authenticated })
    }

    fn rules(&self) -> Rules<'_> {
        let Settings { subject_claim, allowed_domains, allowed_subjects, .. } = &self.settings;
        Rules { subject_claim, allowed_domains, allowed_subjects }
    }

    async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, ProviderError> {
        let found = self.discovery.metadata(&self.issuer, &self.https, now).await;
        found.map_err(|error| self.unavailable(&error))
    }

    /// Codes and secrets go over https, or stay on this machine as the issuer does.
    fn is_permitted(&self, endpoint: &str) -> bool {
        endpoint.starts_with("https:") || self.settings.issuer.starts_with("http:")
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.reveal().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let client = Client::from_provider_metadata(metadata.clone(), id, secret);
        let methods = metadata.token_endpoint_auth_methods_supported();
        let in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let client = if in_body { client.set_auth_type(AuthType::RequestBody) } else { client };
        client.set_redirect_uri(self.redirect_uri.clone())
    }

    fn not_redeemed(
        &self,
        error: RequestTokenError<HttpsError, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> ProviderError {
        match error {
            RequestTokenError::ServerResponse(error) => {
                self.refused(&format!("it refused the code: {}", error.error()))
            }
            RequestTokenError::Request(error) => self.unavailable(&chain(&error)),
            RequestTokenError::Parse(..) => self.unavailable("the answer of its token endpoint cannot be read"),
            RequestTokenError::Other(_) => self.unavailable("its token endpoint answered something else"),
        }
    }

    fn unavailable(&self, why: &str) -> ProviderError {
        tracing::error!(issuer = self.settings.issuer, why, "the identity provider cannot be used");
        ProviderError::Unavailable
    }

    fn refused(&self, why: &str) -> ProviderError {
        tracing::warn!(issuer = self.settings.issuer, why, "the answer of the identity provider is not good");
        ProviderError::Refused
    }
}

/// Checks signature, `iss`, `aud`, `exp` and `nonce`. Symmetric algorithms and none are not for ID tokens
/// that anybody could ask for.
fn verified<'t>(client: &Client, token: &'t Token, attempt: &Attempt) -> Result<&'t Claims, ClaimsVerificationError> {
    use CoreJwsSigningAlgorithm as Algorithm;
    let verifier = client.id_token_verifier().set_allowed_algs([
        Algorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::RsaSsaPkcs1V15Sha384,
        Algorithm::RsaSsaPkcs1V15Sha512,
        Algorithm::RsaSsaPssSha256,
        Algorithm::RsaSsaPssSha384,
        Algorithm::RsaSsaPssSha512,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::EdDsa,
    ]);
    token.claims(&verifier, &Nonce::new(attempt.nonce.reveal().to_owned()))
}

/// Whether other keys could make a signature good.
const fn is_about_the_key(error: &SignatureVerificationError) -> bool {
    matches!(error, SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_))
}

/// What was wrong, without what the token says.
const fn reason(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "its ID token has expired",
        ClaimsVerificationError::InvalidAudience(_) => "its ID token is for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "its ID token is of another issuer",
        ClaimsVerificationError::InvalidNonce(_) => "its ID token belongs to another sign-in",
        ClaimsVerificationError::SignatureVerification(_) => "its ID token is not signed with one of its keys",
        ClaimsVerificationError::InvalidSubject(_)
        | ClaimsVerificationError::Unsupported(_)
        | ClaimsVerificationError::Other(_)
        | _ => "its ID token is not good",
    }
}

/// The host of an issuer, for a button without a name.
pub fn host(issuer: &str) -> Cow<'_, str> {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    Cow::Borrowed(rest.split(['/', ':']).next().unwrap_or(rest))
}
