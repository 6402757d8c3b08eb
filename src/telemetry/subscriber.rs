//! The subscriber of every event that is not a request: the same filter, the same formats, the same
//! output. Events of the audit target are counted as well, whatever the filter says.

use super::counters::Counters;
use super::line::Style;
use super::log::Buffer;
use super::stamp::rfc3339;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterFn, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

/// The target of what is worth keeping of issuing and revoking.
const AUDIT: &str = "tollgate::audit";

/// Makes this the subscriber of the process, unless there is one.
pub(super) fn install(filter: Targets, style: Style, lines: Arc<Buffer>, counters: Arc<Counters>) {
    let tally = Tally(counters).with_filter(FilterFn::new(|metadata| metadata.target() == AUDIT));
    let format = tracing_subscriber::fmt::layer().with_timer(Clock).with_writer(Lines(lines));
    let format: Box<dyn Layer<Registry> + Send + Sync> = match style {
        Style::Json => Box::new(format.json().flatten_event(true).with_current_span(false).with_span_list(false)),
        Style::Pretty { colours } => Box::new(format.with_ansi(colours)),
    };
    let subscriber = Registry::default().with(format.with_filter(filter)).with(tally);
    // A second one in a process (in tests alone) writes where the first one does.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&rfc3339(crate::clock::now()))
    }
}

/// Appends to the log's buffer. The formatter hands over whole lines, in one call each.
struct Lines(Arc<Buffer>);

impl<'w> MakeWriter<'w> for Lines {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(|pending, _| pending.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts audit events, so that who issues need not know who counts.
struct Tally(Arc<Counters>);

impl<S: Subscriber> Layer<S> for Tally {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        match seen.message.as_str() {
            "token issued" => self.0.tokens_issued(&seen.by),
            "request refused" => self.0.issuing_refused(&seen.endpoint),
            "request failed" => self.0.issuing_failed.increment(),
            "signed in" => self.0.sign_in(&seen.way, "succeeded"),
            "sign-in refused" => self.0.sign_in(&seen.way, "refused"),
            "forged form refused" => self.0.form_refused(&seen.reason),
            "wrong secret" => self.0.wrong_secrets.increment(),
            "token revoked" | "tokens revoked" => self.0.revocations.increment(),
            "refresh token reused, its grant has ended" => self.0.refresh_reuses.increment(),
            _ => {}
        }
    }
}

/// The fields that are counted by.
#[derive(Default)]
struct Seen {
    message: String,
    by: String,
    endpoint: String,
    reason: String,
    way: String,
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "by" => value.clone_into(&mut self.by),
            "reason" => value.clone_into(&mut self.reason),
            "way" => value.clone_into(&mut self.way),
            "endpoint" => value.clone_into(&mut self.endpoint),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
