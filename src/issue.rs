//! The authorization server: who may have which token, and how it is taken back.

use crate::oauth::client::Client;
use crate::oauth::scope::ScopeTable;
use crate::people::users::Users;
use crate::store::Store;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// `[oauth]`, and what the rest of the file says about issuing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `public_url` as configured: the issuer identifier (R8414-2a).
    pub issuer: String,
    /// `[oauth] path`, `/oauth2`; below the path of the issuer.
    pub path: String,
    /// How long an access token lives.
    pub access_token_ttl: Duration,
    /// How long a grant lives as a whole.
    pub refresh_token_ttl: Duration,
    /// How long the immediate predecessor of a refresh token may be asked for again.
    pub refresh_reuse_grace: Duration,
    /// How many failures of one client or user from one address are taken, and in which time.
    pub failed_logins: FailedLogins,
}

/// `[limits] failed_logins`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedLogins {
    /// This many failures …
    pub max: u32,
    /// … in this time.
    pub per: Duration,
}

/// The authorization server of one configuration, for one worker.
pub struct Issuer {
    // Private to this module: settings, clients, users, scopes, store handle, throttle.
}

/// The counters of failed attempts: one for the process, so that a reload forgets nothing. Bounded.
#[derive(Debug)]
pub struct Throttle {
    // Private to this module.
}

impl Issuer {
    /// An authorization server over `store`.
    pub fn new(
        settings: Arc<Settings>,
        clients: Arc<Clients>,
        users: Arc<Users>,
        scopes: Arc<ScopeTable>,
        store: Store,
        throttle: Arc<Throttle>,
    ) -> Self {
        let _ = (settings, clients, users, scopes, store, throttle);
        todo!()
    }
}

/// The clients of the configuration, by identifier.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_id: HashMap<String, Arc<Client>>,
}

impl Clients {
    /// A directory of `clients`.
    pub fn new(clients: Vec<Client>) -> Self {
        Self { by_id: clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect() }
    }

    /// The client with this identifier.
    pub fn get(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }
}
