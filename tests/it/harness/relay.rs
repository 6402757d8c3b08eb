//! The way between a gateway and its Redis: a relay that can stop passing on without closing anything, which is what a
//! dropped packet looks like to both sides, lose connections that only one side still believes in, and lead elsewhere.

use super::free_port;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// A listener on a port of its own that passes on what it gets, both ways.
pub(crate) struct Relay {
    port: u16,
    way: Arc<Way>,
    listening: Option<std::thread::JoinHandle<()>>,
}

struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target: u16,
    /// Nothing passes.
    held: bool,
    /// The connections before this one are dead, and nobody is told.
    alive_from: usize,
    ended: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    /// One that leads to `target`.
    pub(crate) fn to(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let state = State { target, held: false, alive_from: 0, ended: false, streams: Vec::new() };
        let way = Arc::new(Way { state: Mutex::new(state), changed: Condvar::new() });
        let listening = std::thread::spawn({
            let way = Arc::clone(&way);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if way.state().ended {
                        return;
                    }
                    way.pass(stream);
                }
            }
        });
        Self { port, way, listening: Some(listening) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// From now on nothing passes, either way, and nothing is closed: what is sent waits.
    pub(crate) fn hold(&self) {
        self.way.change(|state| state.held = true);
    }

    /// What waited passes, and what comes from now on.
    pub(crate) fn release(&self) {
        self.way.change(|state| state.held = false);
    }

    /// The connections that there are pass nothing any more, ever, and neither side hears of it: a router forgot them.
    pub(crate) fn forget(&self) {
        self.way.change(|state| state.alive_from = state.streams.len());
    }

    /// Closes the connections that there are.
    pub(crate) fn cut(&self) {
        self.way.change(|state| state.streams.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both))));
    }

    /// Connections that come from now on lead to `target`.
    pub(crate) fn lead_to(&self, target: u16) {
        self.way.change(|state| state.target = target);
    }
}

impl Way {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn pass(self: &Arc<Self>, near: TcpStream) {
        let target = self.state().target;
        // Nobody listens there: what comes is closed, as a machine without that service closes it.
        let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { return };
        let mut state = self.state();
        for (from, to) in [(&near, &far), (&far, &near)] {
            from.set_nodelay(true).unwrap();
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (way, number) = (Arc::clone(self), state.streams.len());
            std::thread::spawn(move || way.pump(number, from, to));
        }
        state.streams.extend([near, far]);
    }

    fn pump(&self, number: usize, mut from: TcpStream, mut to: TcpStream) {
        let mut octets = [0; 16 * 1024];
        loop {
            let count = from.read(&mut octets).unwrap_or(0);
            let state = self
                .changed
                .wait_while(self.state(), |state| !state.ended && (state.held || number < state.alive_from));
            drop(state);
            if count == 0 || to.write_all(&octets[..count]).is_err() {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.way.change(|state| state.ended = true);
        self.cut();
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        drop(self.listening.take().map(std::thread::JoinHandle::join));
    }
}
