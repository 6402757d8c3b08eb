//! A client that sends exactly the octets it is told to and reads responses strictly.

use super::shown;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    cut: bool,
    unread: Vec<u8>,
    sent: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|error| panic!("port {port}: {error}"));
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, tls: None, cut: false, unread: Vec::new(), sent: Vec::new() }
    }

    /// One over TLS, to a gateway whose certificate is for `name`; the handshake has succeeded as far as the client sees.
    pub(crate) fn secured(port: u16, config: &Arc<rustls::ClientConfig>, name: &str) -> std::io::Result<Self> {
        let mut connection = Self::open(port);
        connection.stream.set_read_timeout(Some(PATIENCE))?;
        let name = name.to_owned().try_into().expect("a name");
        let mut tls = rustls::ClientConnection::new(Arc::clone(config), name).expect("a configuration that works");
        while tls.is_handshaking() {
            tls.complete_io(&mut connection.stream)?;
        }
        connection.tls = Some(Box::new(tls));
        Ok(connection)
    }

    /// What was agreed on.
    pub(crate) fn tls(&self) -> &rustls::ClientConnection {
        self.tls.as_ref().expect("a connection over TLS")
    }

    /// Whether the stream over TLS ended without `close_notify`.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut
    }

    /// Whether something comes before the connection ends.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.fill()
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.tls {
            None => self.stream.write_all(bytes),
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.stream);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Sends octets. The other side may have closed already: what it answered is what counts.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let _ = self.write_all(bytes);
        if self.sent.len() < 4096 {
            self.sent.extend_from_slice(&bytes[..bytes.len().min(4096)]);
        }
        self
    }

    /// Whether octets could be sent.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write_all(bytes)
    }

    /// Says that no more will be sent.
    pub(crate) fn finish(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// The response to a request that was not HEAD; a missing or broken one fails the test.
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The response to a request with `method`.
    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        let response = self.try_response(method);
        let response = response.unwrap_or_else(|| panic!("closed without a response to\n{}", shown(&self.sent)));
        assert!(response.complete, "the response was cut off: {response:?}");
        response
    }

    /// The response, whole or cut off; `None` when the connection ends before its first octet.
    pub(crate) fn try_response(&mut self, method: &str) -> Option<Response> {
        let mut interim = Vec::new();
        loop {
            let head = self.head()?;
            let mut response = Response::read_head(&head);
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                continue;
            }
            response.interim = interim;
            self.read_body(&mut response, method);
            return Some(response);
        }
    }

    /// Whether the other side closed without a further octet.
    pub(crate) fn is_closed(&mut self) -> bool {
        let rest = self.rest();
        assert!(rest.is_empty(), "octets before the end: {}", shown(&rest));
        true
    }

    /// Everything until the other side closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.unread)
    }

    /// Reads at least `count` octets of what comes, or to the end.
    pub(crate) fn read_some(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count && self.fill() {}
        let end = count.min(self.unread.len());
        self.unread.drain(..end).collect()
    }

    fn head(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                return Some(self.unread.drain(..end + 4).collect());
            }
            if !self.fill() {
                assert!(self.unread.is_empty(), "half a head: {}", shown(&self.unread));
                return None;
            }
        }
    }

    fn read_body(&mut self, response: &mut Response, method: &str) {
        if method == "HEAD" || matches!(response.status, 101 | 204 | 304) {
            response.complete = true;
        } else if response.has("transfer-encoding") {
            assert!(!response.has("content-length"), "two framings: {response:?}");
            assert_eq!(response.field("transfer-encoding"), "chunked");
            response.complete = self.read_chunks(&mut response.body).is_some();
        } else if response.has("content-length") {
            let length: usize = response.field("content-length").parse().expect("Content-Length");
            response.body = self.read_some(length);
            response.complete = response.body.len() == length;
        } else {
            response.body = self.rest();
            response.complete = true;
        }
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("chunk size {line:?}"));
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Some(());
            }
            let chunk = self.read_some(size);
            body.extend_from_slice(&chunk);
            if chunk.len() < size {
                return None;
            }
            assert_eq!(self.line()?, "", "what follows a chunk");
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Some(String::from_utf8(line[..end].to_vec()).expect("ASCII"));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads what is there; `false` at the end of the stream.
    fn fill(&mut self) -> bool {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 16384];
        let start = Instant::now();
        let read = match &mut self.tls {
            None => self.stream.read(&mut buffer),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut buffer),
        };
        match read {
            Ok(0) => false,
            Err(error) if self.tls.is_some() && error.kind() == ErrorKind::UnexpectedEof => {
                self.cut = true;
                false
            }
            Err(error) if self.tls.is_some() && error.kind() == ErrorKind::InvalidData => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => {
                panic!("{error} after {:?}; sent\n{}\ngot\n{}", start.elapsed(), shown(&self.sent), shown(&self.unread))
            }
        }
    }
}

/// A response as it arrived.
#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Status codes of the 1xx responses before it.
    pub(crate) interim: Vec<u16>,
    /// It ended as its framing says.
    pub(crate) complete: bool,
    head: String,
}

impl Response {
    fn read_head(head: &[u8]) -> Self {
        let text: String = head.iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.strip_suffix("\r\n\r\n").expect("a whole head").split("\r\n");
        let status_line = lines.next().unwrap();
        let rest = status_line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("status line {status_line:?}"));
        let status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{status_line:?}"));
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("field line {line:?}"));
            assert!(!name.is_empty() && !name.contains([' ', '\t', '\n', '\r']), "field name {name:?}");
            (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned())
        });
        let fields = fields.collect();
        Self { status, fields, body: Vec::new(), interim: Vec::new(), complete: false, head: text.clone() }
    }

    /// Fails the test unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "\n{self:?}");
        self
    }

    /// Fails the test unless this is an OAuth error with this status and code.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> &Self {
        self.expect(status);
        assert_eq!(self.json()["error"], code, "\n{self:?}");
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// The only value of a field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "{name} in\n{self:?}");
        values[0]
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.field("content-type").starts_with("application/json"), "\n{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}\n{self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body of text")
    }

    /// The only challenge, read strictly.
    #[track_caller]
    pub(crate) fn challenge(&self) -> Challenge {
        Challenge::read(self.field("www-authenticate"))
    }

    /// The pair of tokens of a token endpoint's answer.
    #[track_caller]
    pub(crate) fn tokens(&self) -> Tokens {
        self.expect(200);
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token"), scope: text("scope") }
    }

    /// The head and the body, for searches.
    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.head.replace('\r', ""), shown(&self.body))
    }
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
}

/// A `WWW-Authenticate` value: a scheme and its quoted parameters, each at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    pub(crate) params: BTreeMap<String, String>,
}

impl Challenge {
    #[track_caller]
    fn read(value: &str) -> Self {
        let (scheme, mut rest) = value.split_once(' ').unwrap_or_else(|| panic!("challenge {value:?}"));
        let mut params = BTreeMap::new();
        loop {
            let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("challenge {value:?} at {rest:?}"));
            let (text, after) = after.split_once('"').unwrap_or_else(|| panic!("challenge {value:?} at {rest:?}"));
            assert!(!text.contains('\\') && text.is_ascii(), "characters in {value:?}");
            assert!(params.insert(name.to_owned(), text.to_owned()).is_none(), "twice {name:?} in {value:?}");
            if after.is_empty() {
                return Self { scheme: scheme.to_owned(), params };
            }
            rest = after.strip_prefix(", ").unwrap_or_else(|| panic!("challenge {value:?} at {after:?}"));
        }
    }

    /// A parameter, or nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }
}

/// A request in the making.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    port: u16,
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(port: u16, method: &str, target: &str) -> Self {
        Self {
            port,
            method: method.to_owned(),
            target: target.to_owned(),
            host: format!("127.0.0.1:{port}"),
            fields: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn fields(mut self, fields: &[(&str, &str)]) -> Self {
        self.fields.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("Authorization", &format!("Bearer {token}"))
    }

    /// RFC 6749 section 2.3.1 for identifiers and secrets that need no form-encoding, RFC 7617 for people.
    pub(crate) fn basic(self, (id, secret): (&str, &str)) -> Self {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        self.field("Authorization", &format!("Basic {pair}"))
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value))).collect();
        self.field("Content-Type", "application/x-www-form-urlencoded").body(pairs.join("&"))
    }

    /// The octets.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if let Some(body) = &self.body {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(body);
        } else {
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    /// Sends it on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self) -> Response {
        self.send_on(&mut Connection::open(self.port))
    }

    #[track_caller]
    pub(crate) fn send_on(&self, connection: &mut Connection) -> Response {
        connection.send(self.bytes()).response_to(&self.method)
    }
}

/// RFC 6749 appendix B.
pub(crate) fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Where `needle` begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
