//! What the parts of the benchmark have in common: a client that costs little and hides nothing.

pub mod body;
pub mod idle;
pub mod slow;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Until an answer is given up, so that a run ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// A keep-alive connection to a gateway on loopback. Reads block: a blocked read wakes sooner than a runtime.
pub struct Client(TcpStream);

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    /// # Errors
    /// When nobody listens there.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Asks for `path` with an access token.
    ///
    /// # Errors
    /// When no whole answer with a length comes.
    pub fn get(&mut self, path: &str, token: &str) -> io::Result<Answer> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: bench.local\r\nAuthorization: Bearer {token}\r\n\r\n"))
    }

    /// Posts a form as the client whose Basic credentials `authorization` has.
    ///
    /// # Errors
    /// When no whole answer with a length comes.
    pub fn post(&mut self, path: &str, authorization: &str, form: &str) -> io::Result<Answer> {
        let length = form.len();
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: bench.local\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        ))
    }

    fn ask(&mut self, request: &str) -> io::Result<Answer> {
        self.0.write_all(request.as_bytes())?;
        let mut answer = Vec::with_capacity(1024);
        let mut chunk = [0; 4096];
        loop {
            let length = self.0.read(&mut chunk)?;
            answer.extend_from_slice(&chunk[..length]);
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= length_of(head).ok_or_else(|| io::Error::other(format!("no length: {head}")))?
            {
                let status = head.get(9..12).and_then(|status| status.parse().ok());
                let status = status.ok_or_else(|| io::Error::other(format!("no status: {head}")))?;
                return Ok(Answer { status, body: body.to_owned() });
            }
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The length that a head promises.
pub(crate) fn length_of(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.trim().parse().ok()
}
