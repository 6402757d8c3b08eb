//! `echo:`, the built-in upstream: answers with what an upstream would have seen. It reads the very
//! octets that would have been sent, so what it shows is what is forwarded.

use super::attempt::Job;
use super::response::Answer;
use super::{Buffers, ForwardError, Forwarded, inbound};
use crate::http1::Limits;
use crate::http1::exchange::{CollectError, Exchange, Outcome};
use crate::http1::head::{Request, RequestHead, Response};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// The longest body that is echoed: 413 beyond.
const MOST: usize = 1024 * 1024;

/// Answers the request of `job`, whose head is in `buffers`.
pub(super) async fn echo(
    job: &Job<'_>,
    exchange: &mut Exchange<'_>,
    buffers: &mut Buffers,
) -> Result<Forwarded, ForwardError> {
    let body = match job.outgoing.plan.body {
        Some(body) => body.to_vec(),
        None => collect(job, exchange).await?,
    };
    let content = json!({
        "method": request.method(),
        "target": target,
        "path": path,
        "query": query,
        "headers": headers,
        "body": body,
    });
    serde_json::to_vec(&content).map_err(|error| failed(error.to_string()))
}

/// Our own head may be longer than what a client may send.
fn generous() -> Limits {
    Limits { head_size: 1024 * 1024, head_fields: 1000, target_size: 512 * 1024, ..Limits::default() }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
