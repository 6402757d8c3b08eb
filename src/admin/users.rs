//! Users: those of the configuration can be looked at, those of the store come and go.

use super::answer::{Refusal, json};
use super::request::{body, decoded};
use super::{AUDIT, Admin, nothing_here};
use crate::clock::Timestamp;
use crate::oauth::scope::{Scope, ScopeTable};
use crate::people::directory::NewUser;
use crate::people::users::is_of_provider;
use crate::secret::Secret;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json as value;

/// The longest password, in octets.
const LONGEST: usize = 4096;

/// A user to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    password: Password,
    /// Space-separated; none: everything.
    scopes: Option<String>,
}

/// Another password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    password: Password,
}

/// A password that is shown nowhere.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Password(Secret);

impl TryFrom<String> for Password {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let password = Secret::new(text);
        match password.reveal().len() {
            0 => Err("the password is empty"),
            length if length > LONGEST => Err("a password has 4096 octets at most"),
            _ => Ok(Self(password)),
        }
    }
}

/// A user as it is shown: never the hash.
#[derive(Serialize)]
struct Shown {
    name: String,
    scopes: Option<String>,
    origin: &'static str,
    disabled: bool,
    /// Whether a user of the configuration has the name, so that this one may not sign in.
    hidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<u64>,
}

impl Admin {
    pub(super) async fn of_users(
        &self,
        request: &Request<Bytes>,
        rest: &[&str],
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        match (request.method(), rest) {
            (&Method::GET, []) => self.list_users(now).await,
            (&Method::POST, []) => self.add_user(body(request.body())?, now).await,
            (&Method::DELETE, [name]) => {
                let name = decoded(name)?;
                self.directory.remove(&name, now).await?;
                Ok(done("removed", &name))
            }
            (&Method::POST, [name, "password"]) => {
                let (name, change): (_, Change) = (decoded(name)?, body(request.body())?);
                self.directory.set_password(&name, change.password.0, now).await?;
                Ok(done("changed", &name))
            }
            (&Method::POST, [name, "disable"]) => {
                let name = decoded(name)?;
                self.directory.disable(&name, now).await?;
                Ok(done("disabled", &name))
            }
            (&Method::POST, [name, "enable"]) => {
                let name = decoded(name)?;
                self.directory.enable(&name, now).await?;
                Ok(done("enabled", &name))
            }
            (_, []) => Err(Refusal::Method("GET, POST")),
            (_, [_]) => Err(Refusal::Method("DELETE")),
            (_, [_, "password" | "disable" | "enable"]) => Err(Refusal::Method("POST")),
            _ => Err(nothing_here()),
        }
    }

    async fn list_users(&self, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let configured = self.directory.configured();
        let known = configured.iter().map(|user| Shown {
            name: user.name.clone(),
            scopes: user.scopes.as_ref().map(ToString::to_string),
            origin: "configuration",
            disabled: false,
            hidden: false,
            created_at: None,
        });
        let stored = self.directory.stored(now).await?.into_iter().map(|user| Shown {
            hidden: configured.has(&user.name),
            origin: if is_of_provider(&user.name) { "provider" } else { "store" },
            name: user.name,
            scopes: user.scopes,
            disabled: user.disabled,
            created_at: Some(Timestamp::from_millis(user.created_at).as_secs()),
        });
        let mut users: Vec<Shown> = known.chain(stored).collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(json(StatusCode::OK, &value!({ "users": users })))
    }

    async fn add_user(&self, wanted: Wanted, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let scopes = wanted.scopes.map(|text| scopes(&text, self.issuer.scopes())).transpose();
        let new = NewUser {
            name: wanted.name.clone(),
            password: wanted.password.0,
            scopes: scopes.map_err(Refusal::Invalid)?,
        };
        self.directory.add(new, now).await?;
        tracing::info!(target: AUDIT, user = wanted.name, by = "operator", "user added");
        Ok(json(StatusCode::CREATED, &value!({ "name": wanted.name })))
    }
}

fn scopes(text: &str, table: &ScopeTable) -> Result<Scope, String> {
    let scopes: Scope = text.parse().map_err(|error| format!("{text}: {error}"))?;
    if let Some(unknown) = scopes.iter().find(|token| !table.may_be_configured(token)) {
        return Err(format!("the scope {} does not exist", unknown.as_str()));
    }
    Ok(scopes)
}

fn done(deed: &'static str, name: &str) -> Response<Bytes> {
    tracing::info!(target: AUDIT, user = name, by = "operator", "user {deed}");
    json(StatusCode::OK, &value!({ deed: name }))
}
