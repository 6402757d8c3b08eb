//! Changes to the clients of the store. Each is one atomic step: it is made from one version of the
//! client and refused when another one is there.

use super::{Backend, ClientRecord, Filter, Store, StoreError};
use crate::oauth::client::RegistrationId;

/// How often a change is made anew because another one came first.
const TRIES: u32 = 32;

impl Store {
    /// How many clients there are, those that are being removed included.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn client_count(&self) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.client_count(),
            Backend::Redis(redis) => redis.client_count().await,
        }
    }

    /// Changes a client. `change` may be called several times, each time with the client as it is by
    /// then; where it says `false` nothing is written. Gives the client as it is afterwards; `None`
    /// when there is none.
    ///
    /// # Errors
    /// When the change is not known to be durable.
    pub async fn change_client(
        &self,
        id: &str,
        mut change: impl FnMut(&mut ClientRecord) -> bool,
    ) -> Result<Option<ClientRecord>, StoreError> {
        for _ in 0..TRIES {
            let Some(was) = self.client(id).await? else { return Ok(None) };
            let mut client = was.clone();
            if !change(&mut client) {
                return Ok(Some(was));
            }
            client.version = was.version.wrapping_add(1);
            if self.replace_client(&was, client.clone()).await? {
                return Ok(Some(client));
            }
        }
        Err(StoreError::Unavailable("too many change one client at the same time".to_owned()))
    }

    /// Disables a client and ends every token it has; `None` when there is none. From then on it has
    /// the registration `next`: a token that is being issued to it meanwhile is of an earlier one, and
    /// so is not stored.
    ///
    /// # Errors
    /// When it is not known to be done. Doing it again ends what is left.
    pub async fn disable_client(&self, id: &str, next: RegistrationId) -> Result<Option<ClientRecord>, StoreError> {
        let disable = |client: &mut ClientRecord| {
            client.disabled = true;
            client.registration = next;
            true
        };
        let disabled = self.change_client(id, disable).await?;
        if disabled.is_some() {
            self.revoke_where(&Filter { client_id: Some(id.to_owned()), subject: None }).await?;
        }
        Ok(disabled)
    }

    pub(super) async fn replace_client(&self, was: &ClientRecord, client: ClientRecord) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.replace_client((was.registration, was.version), client).await,
            Backend::Redis(redis) => redis.replace_client(was, &client).await,
        }
    }
}
