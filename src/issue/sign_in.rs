//! Signing in: a name and a password, whichever endpoint they come to, under one limit on guessing.

use super::refusal::IssueError;
use super::throttle::Guessed;
use super::{Issuer, audit};
use crate::clock::Timestamp;
use crate::people::users::{LoginError, ResourceOwner};
use std::net::IpAddr;

impl Issuer {
    /// Checks a name and a password; `None` when they are wrong.
    ///
    /// # Errors
    /// When it is not known whether they are right, or there were too many failures before.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<ResourceOwner>, IssueError> {
        let attempts = self.throttle.attempts(Guessed::Owner(name), address, now, self.settings.failed_logins);
        attempts.check().map_err(IssueError::Throttled)?;
        let outcome = self.directory.authenticate(name, password, now).await;
        attempts.check().map_err(IssueError::Throttled)?;
        match outcome {
            Ok(owner) => Ok(Some(owner)),
            Err(LoginError::Refused) => {
                attempts.failed();
                if let Some((user, _)) = self.directory.named(name, now).await? {
                    audit::wrong_secret("user", &user.name, address);
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
