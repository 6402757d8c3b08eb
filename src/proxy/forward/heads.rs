//! The heads of a response up to the final one, and what the interim ones mean on the way.

use super::ForwardError;
use super::attempt::{Failed, Stage};
use super::gate::Gate;
use super::request::Outgoing;
use super::response::interim;
use crate::http1::exchange::CONTINUE;
use crate::http1::head::{Response, ResponseHead};
use crate::http1::stream::{Reader, Writer};
use crate::http2::is_unprocessed;
use std::io;
use tokio::time::timeout_at;

/// Interim responses that are taken before the final one.
const MOST_INTERIM: usize = 16;
/// What is read of a response at a time.
const READ: usize = 8 * 1024;

/// Reads response heads up to the final one.
pub(super) struct Heads<'h, 'u, 'c> {
    pub(super) reader: &'h mut Reader<'u>,
    pub(super) bytes: &'h mut Vec<u8>,
    pub(super) head: &'h mut ResponseHead,
    /// What is being answered.
    pub(super) outgoing: &'h Outgoing<'h>,
    /// All of the request has been sent.
    pub(super) whole: bool,
    /// Where interim responses go; nowhere for HTTP/1.0.
    pub(super) client: Option<&'h mut Writer<'c>>,
    pub(super) scratch: &'h mut Vec<u8>,
    /// What the request's body waits at, and whether the client was told that it may come.
    pub(super) gate: Option<&'h Gate>,
    pub(super) continued: &'h mut bool,
}

impl Heads<'_, '_, '_> {
    /// The length of the final head, which then is at the start of the buffer.
    pub(super) async fn next(&mut self) -> Result<usize, Failed> {
        self.bytes.clear();
        let mut interims = 0;
        loop {
            while let Some(length) = self.parsed()? {
                let response = Response::new(self.head, self.bytes);
                if response.status() >= 200
                    || self.outgoing.offer.as_ref().is_some_and(|offer| offer.is_accepted(&response))
                {
                    if let Some(gate) = self.gate {
                        gate.close();
                    }
                    return Ok(length);
                }
                interims += 1;
                if interims > MOST_INTERIM {
                    return Err(invalid("too many interim responses"));
                }
                self.interim().await?;
                self.bytes.drain(..length);
            }
            self.bytes.reserve(READ);
            let mut stage = self.stage(interims);
            let why = match self.read().await {
                Ok(Some(0)) => "it ended the connection before the response's head".to_owned(),
                Ok(Some(_)) => continue,
                Ok(None) => {
                    self.let_pass().await?;
                    continue;
                }
                Err(error) => {
                    if self.whole && is_unprocessed(&error) {
                        stage = Stage::Unsent;
                    }
                    format!("reading the response: {error}")
                }
            };
            return Err(Failed { error: ForwardError::BadGateway(why), stage, resent: false });
        }
    }

    /// What it means when nothing more comes.
    fn stage(&self, interims: usize) -> Stage {
        match self.gate {
            _ if interims > 0 || !self.bytes.is_empty() => Stage::Final,
            Some(gate) if gate.is_held() => Stage::Unsent,
            _ => Stage::Unanswered,
        }
    }

    /// Reads on; `None`: the request's body has waited long enough.
    async fn read(&mut self) -> io::Result<Option<usize>> {
        let read = self.reader.read(self.bytes);
        match self.gate.filter(|gate| gate.is_held()) {
            None => read.await.map(Some),
            Some(gate) => Box::pin(timeout_at(gate.until, read)).await.ok().transpose(),
        }
    }

    /// Lets the body come, and tells the client so where it still waits for that.
    async fn let_pass(&mut self) -> Result<(), Failed> {
        if let (true, Some(client)) = (self.gate.is_some_and(Gate::open), &mut self.client) {
            *self.continued = true;
            client.write_all(CONTINUE).await.map_err(|_| ForwardError::ClientGone)?;
        }
        Ok(())
    }

    fn parsed(&mut self) -> Result<Option<usize>, Failed> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        self.head.parse(self.bytes, self.outgoing.request.method()).map_err(|error| invalid(error.0))
    }

    /// H-1xx: 102 and 103 go on to the client, and the one 100 that it waits for; nobody asked for this
    /// 101 (SMUG-22).
    async fn interim(&mut self) -> Result<(), Failed> {
        let response = Response::new(self.head, self.bytes);
        match (response.status(), &mut self.client) {
            (101, _) => Err(invalid("a protocol switch that nobody asked for")),
            (100, _) => self.let_pass().await,
            (_, None) => Ok(()),
            (_, Some(client)) => {
                interim(&response, self.outgoing.plan, self.scratch);
                client.write_all(self.scratch).await.map_err(|_| ForwardError::ClientGone.into())
            }
        }
    }
}

/// The upstream's failure.
pub(super) fn invalid(why: &str) -> Failed {
    ForwardError::BadGateway(format!("the response is not valid: {why}")).into()
}
