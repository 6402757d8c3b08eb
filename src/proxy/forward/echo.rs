//! `echo:`, the built-in upstream: answers with what an upstream would have seen. It reads the very
//! octets that would have been sent, so what it shows is what is forwarded.

use super::attempt::Job;
use super::progress::count;
use super::response::Answer;
use super::{Body, Buffers, ForwardError, Forwarded, inbound};
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
        Body::Whole(content) => content.to_vec(),
        Body::Started(start) => collect(job, start, exchange).await?,
        Body::Stream => collect(job, &[], exchange).await?,
    };
    let progress = job.outgoing.plan.progress;
    count(&progress.received, body.len());
    let content = describe(&buffers.head, &body)?;
    buffers.response.clear();
    buffers.response.extend_from_slice(
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", content.len())
            .as_bytes(),
    );
    let method = job.outgoing.request.method();
    buffers
        .response_head
        .parse(&buffers.response, method)
        .map_err(|error| ForwardError::BadGateway(error.to_string()))?;
    let response = Response::new(&buffers.response_head, &buffers.response);
    let persist = exchange.may_persist();
    let answer = Answer { plan: job.outgoing.plan, request: job.outgoing.request, identified: job.identified, persist };
    let passing = answer.write(&response, &mut buffers.answer);
    let content = if method == "HEAD" { &[] } else { content.as_slice() };
    let waited = Instant::now().duration_since(job.start);
    let outcome = match exchange.write([&buffers.answer, content]).await {
        Ok(()) if passing.persist => Outcome::Complete,
        Ok(()) => Outcome::Close,
        Err(_) => Outcome::Abort,
    };
    count(&progress.sent, content.len());
    Ok(Forwarded { status: 200, outcome, waited, ended: Instant::now(), revoked: false })
}

async fn collect(job: &Job<'_>, start: &[u8], exchange: &mut Exchange<'_>) -> Result<Vec<u8>, ForwardError> {
    let limit = job.outgoing.plan.action.body_limit.and_then(|limit| usize::try_from(limit).ok());
    let left = limit.unwrap_or(MOST).min(MOST).checked_sub(start.len()).ok_or(ForwardError::BodyTooLarge)?;
    let rest = exchange.collect(left).await.map_err(|error| match error {
        CollectError::Body(error) => inbound::refused(error),
        CollectError::Stalled => ForwardError::BodyStalled,
        CollectError::TooLarge => ForwardError::BodyTooLarge,
    })?;
    Ok([start, &rest].concat())
}

/// The request as JSON: each field name with the values of its lines, in order.
fn describe(head: &[u8], body: &[u8]) -> Result<Vec<u8>, ForwardError> {
    let failed = |why: String| ForwardError::BadGateway(why);
    let mut parsed = RequestHead::default();
    parsed.parse(head, &generous()).map_err(|error| failed(error.to_string()))?;
    let request = Request::new(&parsed, head);
    let target = text(request.target());
    let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
    let mut headers = Map::new();
    for field in request.fields() {
        let values = headers.entry(text(field.name).to_ascii_lowercase()).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(Value::String(text(field.value)));
        }
    }
    let body = if body.is_empty() { Value::Null } else { Value::String(text(body)) };
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
