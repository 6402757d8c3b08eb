//! Signing out at the provider too (`OpenID` Connect RP-Initiated Logout 1.0).

use super::Provider;
use crate::clock::Timestamp;
use crate::oauth::token::Origin;
use crate::people::users::Subject;
use openidconnect::{ClientId, LogoutRequest, PostLogoutRedirectUrl};

impl Provider {
    /// Where the browser of `subject` ends its session at the provider, as a URL. `None`: it has none there,
    /// or nobody is signed out there, or the provider does not say where that is done.
    pub async fn end_session(&self, subject: &Subject, now: Timestamp) -> Option<String> {
        let back = self.settings.signed_out_uri.as_ref().filter(|_| subject.origin == Origin::Provider)?;
        let metadata = self.metadata(now).await.ok()?;
        let endpoint = metadata.additional_metadata().end_session_endpoint.clone();
        let Some(endpoint) = endpoint.filter(|endpoint| self.is_permitted(endpoint.url().as_str())) else {
            let issuer = &self.settings.issuer;
            tracing::warn!(issuer, "the identity provider does not say where to sign out, or not by https");
            return None;
        };
        // No ID token is kept for a hint: the provider knows the browser, and may ask.
        let request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.settings.client_id.clone()))
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back.clone()).ok()?);
        Some(request.http_get_url().into())
    }
}
