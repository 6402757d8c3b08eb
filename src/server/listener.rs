//! Addresses that are listened on. TCP listeners of several workers share an address by
//! `SO_REUSEPORT`, so that the kernel spreads connections; those of a unix socket share the socket.

use crate::http1::stream::{Listen, Peer, Stream, Tls, bound_unsent};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// Everybody on the machine may connect to the public socket; the folder decides who sees it.
pub(super) const PUBLIC_MODE: u32 = 0o666;
/// The operator's socket.
pub(super) const PRIVATE_MODE: u32 = 0o600;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}{hint}")]
pub struct BindError {
    address: String,
    cause: io::Error,
    hint: &'static str,
}

/// A bound listener, not yet of any runtime.
#[derive(Debug)]
pub(super) enum Listener {
    /// The boolean: TLS is spoken.
    Tcp(std::net::TcpListener, bool),
    Unix(std::os::unix::net::UnixListener, Option<SocketFile>),
}

/// Removes the socket's file when the process that made it ends.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// `tls` is for TCP alone: a unix socket does not leave the machine.
    pub(super) fn bind(listen: &Listen, mode: u32, tls: bool) -> Result<Self, BindError> {
        match listen {
            Listen::Tcp(address) => alone(*address)
                .and_then(|()| tcp(*address))
                .map(|listener| Self::Tcp(listener, tls))
                .map_err(|cause| BindError::new(address.to_string(), cause)),
            Listen::Unix(path) => unix(path, mode)
                .map(|listener| Self::Unix(listener, Some(SocketFile(path.clone()))))
                .map_err(|cause| BindError::new(format!("unix:{}", path.display()), cause)),
        }
    }

    /// Another listener on the same address, for another worker.
    pub(super) fn sibling(&self) -> Result<Self, BindError> {
        match self {
            Self::Tcp(listener, tls) => {
                let sibling = listener.local_addr().and_then(tcp).map(|listener| Self::Tcp(listener, *tls));
                sibling.map_err(|cause| {
                    BindError::new(self.address().map(|address| address.to_string()).unwrap_or_default(), cause)
                })
            }
            Self::Unix(listener, _) => listener
                .try_clone()
                .map(|listener| Self::Unix(listener, None))
                .map_err(|cause| BindError::new("a unix socket".to_owned(), cause)),
        }
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Hands the listener over to the runtime of the calling thread.
    pub(super) fn into_accepting(self) -> io::Result<Accepting> {
        match self {
            Self::Tcp(listener, tls) => {
                let local_port = listener.local_addr()?.port();
                Ok(Accepting::Tcp { listener: TcpListener::from_std(listener)?, local_port, tls })
            }
            Self::Unix(listener, file) => {
                Ok(Accepting::Unix { listener: UnixListener::from_std(listener)?, _file: file })
            }
        }
    }
}

/// A listener of one runtime.
#[derive(Debug)]
pub(super) enum Accepting {
    Tcp { listener: TcpListener, local_port: u16, tls: bool },
    Unix { listener: UnixListener, _file: Option<SocketFile> },
}

impl Accepting {
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp { listener, local_port, tls } => {
                let (stream, remote) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                let tls = if *tls { Tls::Here } else { Tls::Unknown };
                Ok((Stream::Tcp(stream), Peer::Tcp { remote, local_port: *local_port, tls }))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl BindError {
    fn new(address: String, cause: io::Error) -> Self {
        let hints = [
            (io::ErrorKind::AddrInUse, "; another process listens there"),
            (io::ErrorKind::PermissionDenied, "; this user may not (ports below 1024 need CAP_NET_BIND_SERVICE)"),
            (io::ErrorKind::NotFound, "; its folder does not exist"),
        ];
        let hint = hints.iter().find(|(kind, _)| *kind == cause.kind()).map_or("", |(_, hint)| hint);
        Self { address, cause, hint }
    }
}

/// Whether nobody listens there: `SO_REUSEPORT` would share the port with another gateway of this user, and
/// each would get some of the connections.
fn alone(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    bound_unsent(&socket);
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The socket gets its mode before anybody can connect to it.
fn unix(path: &Path, mode: u32) -> io::Result<std::os::unix::net::UnixListener> {
    remove_stale(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket file on which nobody listens any more is removed; anything else is left alone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is not a socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_shared_among_siblings_and_with_nobody_else() {
        let first = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), PUBLIC_MODE, false).unwrap();
        let address = first.address().unwrap();
        assert_eq!(first.sibling().unwrap().address(), Some(address));
        let error = Listener::bind(&Listen::Tcp(address), PUBLIC_MODE, false).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("another process"), "{error}");
    }

    /// LIM-conn: what a slow reader has not taken does not fill the memory of the system.
    #[tokio::test]
    async fn little_waits_at_the_system_for_who_is_accepted() {
        let listener = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), PUBLIC_MODE, false).unwrap();
        let address = listener.address().unwrap();
        let accepting = listener.into_accepting().unwrap();
        let (_client, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), accepting.accept());
        let (Stream::Tcp(stream), _) = accepted.unwrap() else { panic!() };
        assert_eq!(socket2::SockRef::from(&stream).tcp_notsent_lowat().unwrap(), 128 * 1024);
    }

    #[test]
    fn a_socket_file_is_replaced_when_nobody_listens_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/a.sock");
        let listen = Listen::Unix(path.clone());
        let first = Listener::bind(&listen, PRIVATE_MODE, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Listener::bind(&listen, PRIVATE_MODE, false).is_err());
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists() && Listener::bind(&listen, PRIVATE_MODE, false).is_ok());
        fs::write(&path, "a file").unwrap();
        assert!(Listener::bind(&listen, PRIVATE_MODE, false).is_err());
    }
}
