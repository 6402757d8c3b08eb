//! A client of the running gateway's API: blocking HTTP/1.1, one connection for each request.

use super::super::output::Failure;
use crate::http1::head::{Response, ResponseHead};
use crate::http1::stream::Listen;
use crate::secret::Secret;
use http::{Method, StatusCode};
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the gateway may take: revoking a great many tokens takes time.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer.
const LONGEST: u64 = 64 * 1024 * 1024;

/// The running gateway.
pub(in crate::cli) struct Remote {
    listen: Listen,
    token: Option<Secret>,
    /// The first connection, made to see whether somebody is there.
    ready: Option<Box<dyn Connection>>,
}

/// Why there is no gateway to talk to.
#[derive(Debug)]
pub(super) enum RemoteError {
    /// None runs.
    NobodyThere,
    /// One may run, but cannot be reached.
    Failed(String),
}

trait Connection: Read + Write {}
impl Connection for TcpStream {}
impl Connection for UnixStream {}

impl Remote {
    pub(super) fn connect(listen: &Listen, token: Option<Secret>) -> Result<Self, RemoteError> {
        let ready = open(listen).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => RemoteError::NobodyThere,
            _ => RemoteError::Failed(error.to_string()),
        })?;
        let token = match listen {
            Listen::Unix(_) => None,
            Listen::Tcp(_) if token.is_none() => {
                let why = "give a token with the scope tollgate:admin in TOLLGATE_ADMIN_TOKEN or by --admin-token";
                return Err(RemoteError::Failed(why.to_owned()));
            }
            Listen::Tcp(_) => token,
        };
        Ok(Self { listen: listen.clone(), token, ready: Some(ready) })
    }

    pub(super) fn call(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let failed = |error: io::Error| Failure::Because(format!("the gateway does not answer: {error}"));
        let mut connection = match self.ready.take() {
            Some(connection) => connection,
            None => open(&self.listen).map_err(failed)?,
        };
        let request = request(method, path, body, self.token.as_ref());
        connection.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Zeroizing::new(Vec::new());
        connection.take(LONGEST).read_to_end(&mut answer).map_err(failed)?;
        read(&answer).map_err(|why| Failure::Because(format!("the gateway's answer cannot be read: {why}")))
    }
}

fn open(listen: &Listen) -> io::Result<Box<dyn Connection>> {
    match listen {
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), CONNECT)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
    }
}

/// A listener on every address is reached on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => [127, 0, 0, 1].into(),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn request(method: &Method, path: &str, body: Option<&Value>, token: Option<&Secret>) -> Zeroizing<String> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let authorization = token.map(|token| format!("Authorization: Bearer {}\r\n", token.reveal())).unwrap_or_default();
    let length = body.len();
    Zeroizing::new(format!(
        "{method} {path} HTTP/1.1\r\nHost: tollgate\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// The status and the JSON of an answer whose length is said.
fn read(answer: &[u8]) -> Result<(StatusCode, Value), String> {
    let mut head = ResponseHead::default();
    let length = head.parse(answer, "GET").map_err(|error| error.to_string())?.ok_or("it ends early")?;
    let response = Response::new(&head, &answer[..length]);
    let status = StatusCode::from_u16(response.status()).map_err(|error| error.to_string())?;
    let content = &answer[length..];
    let announced = response.announced_length().ok_or("it has no length")?;
    if content.len() as u64 != announced {
        return Err("it ends early".to_owned());
    }
    // What is no JSON is no answer of ours: the status says enough.
    Ok((status, serde_json::from_slice(content).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// Answers one request with `answer`, and gives what was asked.
    fn asked(answer: &'static str, body: Option<&Value>) -> (Result<(StatusCode, Value), Failure>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let gateway = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut octet = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut octet).unwrap();
                request.push(octet[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let mut remote = Remote::connect(&Listen::Unix(path), None).map_err(|_| "nobody").unwrap();
        let answer = remote.call(&Method::GET, "/tokens", body);
        (answer, gateway.join().unwrap())
    }

    #[test]
    fn an_answer_is_a_status_and_json() {
        let (answer, request) = asked("HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"a\": 17}", None);
        let (status, value) = answer.map_err(|_| "failed").unwrap();
        assert_eq!((status.as_u16(), value["a"].as_u64()), (201, Some(17)));
        assert!(request.starts_with("GET /tokens HTTP/1.1\r\n") && !request.contains("Authorization"), "{request}");
    }

    #[test]
    fn an_answer_that_ends_early_is_none() {
        for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "nonsense\r\n\r\n"] {
            assert!(asked(answer, None).0.is_err(), "{answer}");
        }
    }

    #[test]
    fn where_nobody_listens_nobody_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let gone = Listen::Unix(folder.path().join("gone.sock"));
        assert!(matches!(Remote::connect(&gone, None), Err(RemoteError::NobodyThere)));
        let stale = folder.path().join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        assert!(matches!(Remote::connect(&Listen::Unix(stale), None), Err(RemoteError::NobodyThere)));
    }

    #[test]
    fn a_token_is_sent_over_tcp_and_demanded_before_anything_is_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = Listen::Tcp(listener.local_addr().unwrap());
        assert!(matches!(Remote::connect(&listen, None), Err(RemoteError::Failed(_))));
        let request = request(&Method::POST, "/tokens", Some(&Value::Null), Some(&Secret::new("tga_x")));
        assert!(request.contains("Authorization: Bearer tga_x\r\nContent-Length: 4\r\n\r\nnull"));
    }
}
