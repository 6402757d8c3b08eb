//! The request's body before anything is sent: how long it may be, what of it is already there, and whether
//! the upstream is asked for the rest.

use super::attempt::{Job, Rest};
use super::progress::count;
use super::{Body, ForwardError, edits, inbound};
use crate::http1::body::{BodyLength, BodyReader, CHUNK_END, chunk_head};

/// As much of a body as is already there goes out together with the head.
const EARLY: usize = 64 * 1024;

/// Whether the upstream is to be asked for the body: not where the client was told to send it, nor where the
/// operator wants no such field.
pub(super) fn asks(job: &Job<'_>, continued: bool) -> bool {
    let edits = &job.outgoing.plan.action.request_headers;
    job.outgoing.request.expects_continue() && !continued && !edits::covers(edits, b"expect")
}

/// The framing of content that is all there.
pub(super) fn whole(content: &[u8]) -> BodyLength {
    match u64::try_from(content.len()) {
        Ok(0) => BodyLength::None,
        Ok(length) => BodyLength::Length(length),
        Err(_) => BodyLength::Length(u64::MAX),
    }
}

/// LIM-413: by the announced length, before anything is sent.
pub(super) fn check_length(job: &Job<'_>) -> Result<(), ForwardError> {
    match (job.outgoing.framing, job.outgoing.plan.action.body_limit) {
        (BodyLength::Length(length), Some(limit)) if length > limit => Err(ForwardError::BodyTooLarge),
        _ => Ok(()),
    }
}

/// Takes what is already there of the body, framed, into `early`; gives what is still to come.
pub(super) fn take_early(
    job: &Job<'_>,
    body: &mut BodyReader<'_>,
    early: &mut Vec<u8>,
) -> Result<Option<Rest>, ForwardError> {
    early.clear();
    let chunked = job.outgoing.framing == BodyLength::Chunked;
    let received = &job.outgoing.plan.progress.received;
    let mut allowance = job.outgoing.plan.action.body_limit;
    match job.outgoing.plan.body {
        Body::Whole(content) => {
            early.extend_from_slice(content);
            count(received, content.len());
            return Ok(None);
        }
        Body::Started(start) => {
            take(start, chunked, &mut allowance, early)?;
            count(received, start.len());
        }
        Body::Stream => {}
    }
    while early.len() < EARLY {
        let Some(piece) = body.next_ready().map_err(inbound::refused)? else { break };
        take(piece, chunked, &mut allowance, early)?;
        count(received, piece.len());
    }
    if !body.is_complete() {
        return Ok(Some(Rest { allowance }));
    }
    if chunked {
        job.outgoing.last_chunk(body, early);
    }
    Ok(None)
}

fn take(piece: &[u8], chunked: bool, allowance: &mut Option<u64>, early: &mut Vec<u8>) -> Result<(), ForwardError> {
    if let Some(allowance) = allowance {
        let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        *allowance = allowance.checked_sub(size).ok_or(ForwardError::BodyTooLarge)?;
    }
    if chunked && !piece.is_empty() {
        chunk_head(early, piece.len());
        early.extend_from_slice(piece);
        early.extend_from_slice(CHUNK_END);
    } else {
        early.extend_from_slice(piece);
    }
    Ok(())
}
