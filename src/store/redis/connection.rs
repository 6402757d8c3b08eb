//! One connection to Redis: made when it is first needed, on the runtime that needs it, made
//! anew after a failure, and never waited for longer than the store's timeout.

use crate::store::StoreError;
use crate::store::patience::Patience;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ServerErrorKind,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How to reach a Redis.
#[derive(Clone)]
pub(super) struct Server {
    client: Client,
    patience: Arc<Patience>,
}

/// A place for one connection. Its clones share it; [`Connection::another`] does not.
#[derive(Clone)]
pub(super) struct Connection {
    server: Server,
    place: Arc<Mutex<Place>>,
}

#[derive(Default)]
struct Place {
    open: Option<MultiplexedConnection>,
    /// Counts the connections, so that a failure discards its own one only.
    number: u64,
}

/// What may be done when the connection breaks before the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Ask again on a new connection: asking twice changes nothing.
    Once,
    /// Give up: it may have been done.
    Never,
}

/// A script, called by its digest; sent whole when Redis does not know it.
pub(super) struct Procedure {
    source: &'static str,
    digest: String,
}

impl Procedure {
    pub(super) fn new(source: &'static str) -> Self {
        Self { source, digest: Script::new(source).get_hash().to_owned() }
    }

    fn by_digest(&self, input: Input<'_>) -> Cmd {
        evaluation("EVALSHA", &self.digest, input)
    }

    fn whole(&self, input: Input<'_>) -> Cmd {
        evaluation("EVAL", self.source, input)
    }
}

/// What a script is called with. Those about tokens declare no keys: they derive them from what they
/// find.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) keys: &'a [&'a [u8]],
    pub(super) arguments: &'a [&'a [u8]],
}

/// An answer, and whether it was asked for twice.
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) again: bool,
}

/// How a command is sent, once or twice.
#[derive(Default)]
struct Tries {
    /// The connection of the last time.
    number: Option<u64>,
    /// Whether it may have been done before.
    again: bool,
}

fn evaluation(command: &str, script: &str, input: Input<'_>) -> Cmd {
    let mut evaluation = redis::cmd(command);
    evaluation.arg(script).arg(input.keys.len()).arg(input.keys).arg(input.arguments);
    evaluation
}

impl Server {
    pub(super) fn new(client: Client, patience: Arc<Patience>) -> Self {
        Self { client, patience }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// The settings of every connection. The limits of the library are off: [`bounded`] is the one.
    ///
    /// [`bounded`]: Self::bounded
    pub(super) fn settings() -> AsyncConnectionConfig {
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
    }

    /// `work`, for as long as one operation may take.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
        self.bounded_by(self.patience.operation(), work).await
    }

    async fn bounded_by<T>(
        &self,
        timeout: Duration,
        work: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(timeout, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(StoreError::Timeout(timeout)),
        }
    }

    /// A failure of Redis is never an answer about a token.
    pub(super) fn failed(&self, error: &RedisError) -> StoreError {
        let address = self.client.get_connection_info().addr();
        if matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse) {
            return StoreError::Corrupt(format!("an answer of Redis at {address}"));
        }
        StoreError::Unavailable(format!("Redis at {address}: {error}"))
    }
}

impl Connection {
    pub(super) fn new(server: Server) -> Self {
        Self { server, place: Arc::default() }
    }

    /// A place of its own, for another runtime.
    pub(super) fn another(&self) -> Self {
        Self::new(self.server.clone())
    }

    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    /// The connection itself, made now when there is none.
    pub(super) async fn opened(&self) -> Result<MultiplexedConnection, StoreError> {
        self.server.bounded(self.open()).await.map(|(open, _)| open)
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd, retry: Retry) -> Result<T, StoreError> {
        let mut tries = Tries::default();
        let answer = self.server.bounded(self.attempt(command, retry, &mut tries)).await;
        if matches!(answer, Err(StoreError::Timeout(_))) {
            // Nobody knows whether this connection will ever answer again.
            self.discard(tries.number);
        }
        answer
    }

    /// Calls a script, atomically.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        procedure: &Procedure,
        input: Input<'_>,
        retry: Retry,
    ) -> Result<Answer<T>, StoreError> {
        self.call_within(self.server.patience.operation(), procedure, input, retry).await
    }

    /// As [`call`](Self::call), waited for no longer than `patience`.
    pub(super) async fn call_within<T: FromRedisValue>(
        &self,
        patience: Duration,
        procedure: &Procedure,
        input: Input<'_>,
        retry: Retry,
    ) -> Result<Answer<T>, StoreError> {
        let mut tries = Tries::default();
        let called = async {
            match self.attempt(&procedure.by_digest(input), retry, &mut tries).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    self.attempt(&procedure.whole(input), retry, &mut tries).await
                }
                answer => answer,
            }
        };
        let answer = self.server.bounded_by(patience, called).await;
        if matches!(answer, Err(StoreError::Timeout(_))) {
            self.discard(tries.number);
        }
        answer.map(|value| Answer { value, again: tries.again })
    }

    async fn attempt<T: FromRedisValue>(&self, command: &Cmd, retry: Retry, tries: &mut Tries) -> RedisResult<T> {
        let mut again = retry == Retry::Once;
        loop {
            let (mut open, this) = self.open().await?;
            tries.number = Some(this);
            match command.query_async(&mut open).await {
                Err(error) if error.is_unrecoverable_error() || error.is_connection_dropped() => {
                    self.discard(Some(this));
                    if !std::mem::take(&mut again) {
                        return Err(error);
                    }
                    tries.again = true;
                }
                answer => return answer,
            }
        }
    }

    async fn open(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut place = self.place.lock().await;
        if let Some(open) = &place.open {
            return Ok((open.clone(), place.number));
        }
        let open = self.server.client.get_multiplexed_async_connection_with_config(&Server::settings()).await?;
        place.number += 1;
        place.open = Some(open.clone());
        Ok((open, place.number))
    }

    fn discard(&self, number: Option<u64>) {
        // Whoever holds the place is making a new connection: there is nothing to discard.
        let Ok(mut place) = self.place.try_lock() else { return };
        if number == Some(place.number) {
            place.open = None;
        }
    }
}
