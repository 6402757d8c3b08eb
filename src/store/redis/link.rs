//! One connection to one process: a socket, TLS where it is spoken, the login, and a task that reads
//! for as long as somebody holds the connection.

use super::address::{Login, Node};
use crate::tls::ClientTls;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, ProtocolVersion, RedisConnectionInfo, RedisError,
    RedisResult, Value, cmd, from_redis_value,
};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// How processes are entered.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) login: Login,
    pub(super) database: u32,
    /// Whether TLS is spoken.
    pub(super) secured: bool,
    /// Whether only a master will do.
    pub(super) masters_only: bool,
}

/// An open connection; its clones share it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    _reader: Arc<Reader>,
}

/// The task that reads. It ends with the last one who could be waiting, even where nothing comes.
struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Door {
    /// Connects. `settings` with a receiver of pushes needs `protocol` 3.
    pub(super) async fn enter(
        &self,
        node: &Node,
        tls: Option<&ClientTls>,
        protocol: ProtocolVersion,
        settings: AsyncConnectionConfig,
    ) -> RedisResult<Link> {
        let link = match node {
            Node::Unix(path) => self.greet(UnixStream::connect(path).await?, protocol, settings).await?,
            Node::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                if self.secured {
                    self.greet(secure(stream, host, tls).await?, protocol, settings).await?
                } else {
                    self.greet(stream, protocol, settings).await?
                }
            }
        };
        if self.masters_only {
            link.prove_master(protocol).await?;
        }
        Ok(link)
    }

    /// Says who we are.
    async fn greet<S>(&self, stream: S, protocol: ProtocolVersion, settings: AsyncConnectionConfig) -> RedisResult<Link>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut who = RedisConnectionInfo::default().set_db(self.database.into()).set_protocol(protocol);
        if let Some(user) = &self.login.user {
            who = who.set_username(user);
        }
        if let Some(password) = &self.login.password {
            who = who.set_password(password.reveal());
        }
        let (connection, reading) = MultiplexedConnection::new_with_config(&who, stream, settings).await?;
        Ok(Link { connection, _reader: Arc::new(Reader(tokio::spawn(reading))) })
    }
}

async fn secure(
    stream: TcpStream,
    host: &str,
    tls: Option<&ClientTls>,
) -> RedisResult<tokio_rustls::client::TlsStream<TcpStream>> {
    let tls = tls.ok_or_else(|| io::Error::other("nothing says how TLS is spoken"))?;
    let name = tls.name_of(host).ok_or_else(|| io::Error::other("its host is no name that a certificate has"))?;
    Ok(TlsConnector::from(tls.config()).connect(name, stream).await?)
}

impl Link {
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// Asks for what is being moved here, which only those hear who say that they know it.
    pub(super) async fn ask_in_transit<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut both = Pipeline::new();
        both.cmd("ASKING").add_command(command.clone());
        let answers = self.connection.clone().send_packed_commands(&both, 1, 1).await?;
        let answer = answers.into_iter().next().unwrap_or(Value::Nil).extract_error()?;
        Ok(from_redis_value(answer)?)
    }

    /// Sends several, and gives what became of each.
    pub(super) async fn ask_each(&self, commands: impl Iterator<Item = Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
        let mut row = Pipeline::new();
        for command in commands {
            row.add_command(command);
        }
        let count = row.len();
        let answers = self.connection.clone().send_packed_commands(&row, 0, count).await?;
        Ok(answers.into_iter().map(Value::extract_error).collect())
    }

    /// Whether the other end answers, and is a master: a replica may not know yet what its master does. `protocol` is
    /// what is spoken.
    pub(super) async fn prove_master(&self, protocol: ProtocolVersion) -> RedisResult<()> {
        let version = if matches!(protocol, ProtocolVersion::RESP2) { 2 } else { 3 };
        let said: HashMap<String, Value> = self.ask(cmd("HELLO").arg(version)).await?;
        let role: Option<String> = said.get("role").cloned().map(from_redis_value).transpose()?;
        if role.as_deref() == Some("master") {
            return Ok(());
        }
        Err(RedisError::from((ErrorKind::Server(redis::ServerErrorKind::ReadOnly), "it is a replica")))
    }
}

/// The settings of every connection. The limits of the library are off: the store's timeout is the one.
pub(super) fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}
