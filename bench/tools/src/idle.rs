//! Connections that have been answered once and then idle, with and without TLS, of HTTP/1.1 and of HTTP/2.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Until an answer is given up, so that a run ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that are opened at once.
const ABREAST: usize = 32;

type Failure = Box<dyn Error + Send + Sync>;

/// The version of HTTP that is spoken.
#[derive(Clone, Copy)]
pub enum Dialect {
    Http1,
    Http2,
}

/// What each connection asks.
pub struct Question {
    pub dialect: Dialect,
    pub path: String,
    pub token: String,
}

/// Where the gateway is, and whom to trust if it speaks TLS.
pub struct Server {
    port: u16,
    tls: Option<RootCertStore>,
}

impl Server {
    /// # Errors
    /// When `ca` is no file of certificates.
    pub fn new(port: u16, ca: Option<&str>) -> Result<Self, Failure> {
        let read = |file| -> Result<RootCertStore, Failure> {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(file)?)?;
            Ok(roots)
        };
        Ok(Self { port, tls: ca.map(read).transpose()? })
    }

    async fn connect(&self, dialect: Dialect) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await?;
        stream.set_nodelay(true)?;
        let Some(roots) = &self.tls else { return Ok(Connection(Box::new(stream))) };
        // A configuration for each, so that no session is resumed.
        let mut tls = ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        tls.alpn_protocols = match dialect {
            Dialect::Http1 => vec![b"http/1.1".to_vec()],
            Dialect::Http2 => vec![b"h2".to_vec()],
        };
        let name = ServerName::try_from("localhost")?;
        Ok(Connection(Box::new(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?)))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

struct Connection(Box<dyn Stream>);

/// Opens so many connections, says how many, waits for the end of standard input, and says how many of a hundred answer.
///
/// # Errors
/// When one of them is not opened or not answered.
pub async fn hold(server: Arc<Server>, question: Arc<Question>, count: usize) -> Result<(), Failure> {
    let (mut held, mut opening) = (Vec::with_capacity(count), tokio::task::JoinSet::new());
    for _ in 0..count {
        if opening.len() == ABREAST
            && let Some(opened) = opening.join_next().await
        {
            held.push(opened??);
        }
        opening.spawn_local(opened(Arc::clone(&server), Arc::clone(&question)));
    }
    while let Some(opened) = opening.join_next().await {
        held.push(opened??);
    }
    println!("{}", held.len());
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    let mut again = 0;
    for connection in held.iter_mut().step_by((count / 100).max(1)) {
        again += usize::from(connection.ask(&question, false).await.is_ok());
    }
    println!("{again}");
    Ok(())
}

async fn opened(server: Arc<Server>, question: Arc<Question>) -> Result<Connection, Failure> {
    let mut connection = server.connect(question.dialect).await?;
    connection.ask(&question, true).await?;
    Ok(connection)
}

impl Connection {
    async fn ask(&mut self, question: &Question, first: bool) -> Result<(), Failure> {
        let answered = async {
            match question.dialect {
                Dialect::Http1 => self.http1(question).await,
                Dialect::Http2 => self.http2(question, first).await,
            }
        };
        tokio::time::timeout(PATIENCE, answered).await?
    }

    async fn http1(&mut self, Question { path, token, .. }: &Question) -> Result<(), Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench.local\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            self.more(&mut answer).await?;
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                if !head.starts_with("HTTP/1.1 200") {
                    return Err(head.into());
                }
                if body.len() >= crate::length_of(head).ok_or("no length")? {
                    return Ok(());
                }
            }
        }
    }

    /// RFC 9113: the preface and the settings, a request on a stream, and what comes until that stream ends.
    async fn http2(&mut self, question: &Question, first: bool) -> Result<(), Failure> {
        let stream: u32 = if first { 1 } else { 3 };
        let mut sent = if first {
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat()
        } else {
            Vec::new()
        };
        sent.extend(frame(1, 5, stream, &fields(question)));
        self.0.write_all(&sent).await?;
        let mut came = Vec::new();
        loop {
            let Some((kind, flags, of, payload)) = take_frame(&mut came) else {
                self.more(&mut came).await?;
                continue;
            };
            match kind {
                // Settings of the server are acknowledged.
                4 if flags & 1 == 0 => self.0.write_all(&frame(4, 1, 0, &[])).await?,
                // `:status: 200` is 0x88 (RFC 7541, appendix A).
                1 if of == stream && payload.first() != Some(&0x88) => return Err("not 200".into()),
                3 | 7 => return Err("the stream or the connection was ended".into()),
                _ => {}
            }
            if of == stream && kind < 2 && flags & 1 == 1 {
                return Ok(());
            }
        }
    }

    async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Failure> {
        if self.0.read_buf(into).await? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(())
    }
}

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The first frame that is whole: kind, flags, stream, payload.
fn take_frame(came: &mut Vec<u8>) -> Option<(u8, u8, u32, Vec<u8>)> {
    let [a, b, c, kind, flags, s1, s2, s3, s4] = *came.first_chunk::<9>()?;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let payload = came.get(9..9 + length)?.to_vec();
    came.drain(..9 + length);
    Some((kind, flags, u32::from_be_bytes([s1, s2, s3, s4]), payload))
}

/// The fields of the request, none of them in the dynamic table (RFC 7541, section 6.2.2).
fn fields(question: &Question) -> Vec<u8> {
    let authorization = format!("Bearer {}", question.token);
    let mut block = vec![0x82, 0x86];
    // `:path` and `:authority` are names 4 and 1 of the static table, `authorization` is 23.
    for (name, value) in [(&[4][..], question.path.as_str()), (&[1], "bench.local"), (&[15, 8], &authorization)] {
        block.extend(name);
        block.push(u8::try_from(value.len().min(126)).unwrap_or_default());
        block.extend(value.bytes().take(126));
    }
    block
}
