//! The clients of the store. A change is one atomic step: it is made from one version of the client and
//! refused when another one is there. A removal is several, and what a broken one left is finished by the next.

use super::record::Added;
use super::{Backend, ClientRecord, Filter, Store, StoreError};
use crate::oauth::client::RegistrationId;

/// How often a change is made anew because another one came first.
const TRIES: u32 = 32;

impl Store {
    /// Stores a client; `false` when the identifier is taken. A removal that was cut short is
    /// finished first, so that no token of the former client is there when its identifier is used
    /// again.
    ///
    /// # Errors
    /// When it is not known to be durable.
    pub async fn add_client(&self, client: ClientRecord) -> Result<bool, StoreError> {
        let mut added = self.try_to_add(&client).await?;
        if added == Added::Leaving {
            self.finish_removal(&client.id).await?;
            added = self.try_to_add(&client).await?;
        }
        Ok(added == Added::Done)
    }

    async fn try_to_add(&self, client: &ClientRecord) -> Result<Added, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.add_client(client.clone()).await,
            Backend::Redis(redis) => redis.add_client(client).await,
        }
    }

    /// A client by its identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.client(id),
            Backend::Redis(redis) => redis.client(id).await,
        }
    }

    /// Every client, by identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.clients(),
            Backend::Redis(redis) => redis.clients().await,
        }
    }

    /// Removes a client and ends every token it has; `false` when there was none.
    ///
    /// # Errors
    /// When it is not known to be done. Doing it again ends what is left.
    pub async fn remove_client(&self, id: &str) -> Result<bool, StoreError> {
        let existed = self.retire_client(id).await?;
        if existed {
            self.finish_removal(id).await?;
        }
        Ok(existed)
    }

    /// From here on the client is unknown and gets no new tokens; what is left in its place keeps the
    /// identifier until the old ones have ended.
    pub(super) async fn retire_client(&self, id: &str) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.retire_client(id).await,
            Backend::Redis(redis) => redis.retire_client(id).await,
        }
    }

    async fn finish_removal(&self, id: &str) -> Result<(), StoreError> {
        self.revoke_where(&Filter { client_id: Some(id.to_owned()), subject: None }).await?;
        match &self.backend {
            Backend::Embedded(embedded) => embedded.forget_client(id).await,
            Backend::Redis(redis) => redis.forget_client(id).await,
        }
    }

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
