//! The registry behind `/metrics`: everything is read at the moment of the scrape.

use super::Verdict;
use super::cells::{CLASSES, HistogramTotals, Ledger, Totals};
use super::counters::{
    BOUNDS, CAUSES, Counter, Counters, ENDPOINTS, FeedNumbers, GRANTS, Gauge, HANDSHAKES, OUTCOMES, WAYS,
};
use super::upstreams;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::{Arc, PoisonError};

/// Everything that is measured, under `tollgate_`.
pub(super) fn registry(counters: Arc<Counters>, ledger: Arc<Ledger>, dropped: Arc<Counter>) -> Registry {
    let mut registry = Registry::default();
    let started = ConstGauge::new(seconds(crate::clock::now().as_millis().saturating_mul(1000)));
    let help = "When the process started, seconds since the Unix epoch";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
    let ours = registry.sub_registry_with_prefix("tollgate");
    ours.register("build", "The version that is running", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    ours.register_collector(Box::new(Requests(ledger)));
    ours.register_collector(Box::new(Kept { counters, dropped }));
    registry
}

/// What recorders count.
#[derive(Debug)]
struct Requests(Arc<Ledger>);

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let totals = self.0.totals();
        requests(&mut encoder, &totals)?;
        octets(&mut encoder, "sent", "Octets of content sent to clients", &totals, |route| route.sent)?;
        let help = "Octets of content from clients that were passed on";
        octets(&mut encoder, "received", help, &totals, |route| route.received)?;
        let help = "From a request's head to the end of its response";
        histograms(&mut encoder, "request_duration", help, &totals, |route| &route.duration)?;
        let help = "From a forwarded request to the head of its response";
        histograms(&mut encoder, "upstream_latency", help, &totals, |route| &route.upstream)?;
        let help = "Requests that did not pass, by reason";
        let mut family = encoder.encode_descriptor("refusals", help, None, MetricType::Counter)?;
        for (reason, count) in &totals.reasons {
            ConstCounter::new(*count).encode(family.encode_family(&[("reason", *reason)])?)?;
        }
        Ok(())
    }
}

fn requests(encoder: &mut DescriptorEncoder<'_>, totals: &Totals) -> fmt::Result {
    let help = "Requests by route, verdict and class of status";
    let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
    for (name, route) in &totals.routes {
        for (verdict, classes) in Verdict::ALL.into_iter().zip(&route.requests) {
            for (class, count) in CLASSES.iter().zip(classes).filter(|(_, count)| **count > 0) {
                let labels = [("route", name.as_str()), ("verdict", verdict.as_str()), ("status", class)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

fn octets(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    totals: &Totals,
    of: impl Fn(&super::cells::RouteTotals) -> u64,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Counter)?;
    for (name, route) in &totals.routes {
        ConstCounter::new(of(route)).encode(family.encode_family(&[("route", name.as_str())])?)?;
    }
    Ok(())
}

fn histograms(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    totals: &Totals,
    of: impl Fn(&super::cells::RouteTotals) -> &HistogramTotals,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for (name, route) in &totals.routes {
        let histogram = of(route);
        if histogram.buckets.iter().any(|count| *count > 0) {
            let labels = [("route", name.as_str())];
            let mut metric = family.encode_family(&labels)?;
            histogram_into(&mut metric, histogram.buckets, histogram.micros)?;
        }
    }
    Ok(())
}

fn histogram_into(
    metric: &mut prometheus_client::encoding::MetricEncoder<'_>,
    counts: [u64; BOUNDS.len() + 1],
    micros: u64,
) -> fmt::Result {
    let bounds = BOUNDS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    metric.encode_histogram::<[(&str, &str); 0]>(seconds(micros), counts.iter().sum(), &buckets, None)
}

/// What others keep up to date.
#[derive(Debug)]
struct Kept {
    counters: Arc<Counters>,
    dropped: Arc<Counter>,
}

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let kept = &*self.counters;
        for (name, help, gauge) in gauges(kept) {
            let unit = name.ends_with("_bytes").then_some(Unit::Bytes);
            let name = name.trim_end_matches("_bytes");
            let metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            ConstGauge::new(gauge.get()).encode(metric)?;
        }
        let plain = counters(kept, &self.dropped);
        for (name, help, counter) in plain {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(counter.get()).encode(metric)?;
        }
        let help = "Access tokens issued, by grant";
        labelled(&mut encoder, ("tokens_issued", help, "grant"), &GRANTS, &kept.issued)?;
        let help = "Connections that ended before TLS was agreed on, by cause";
        labelled(&mut encoder, ("tls_handshakes_failed", help, "cause"), &HANDSHAKES, &kept.handshakes)?;
        let help = "Requests for tokens, introspection or revocation that were refused";
        labelled(&mut encoder, ("issuing_refused", help, "endpoint"), &ENDPOINTS, &kept.refused)?;
        let help = "Forms of pages that were refused, by cause";
        labelled(&mut encoder, ("forms_refused", help, "cause"), &CAUSES, &kept.forged_forms)?;
        sign_ins(&mut encoder, kept)?;
        feed(&mut encoder, *kept.feed.lock().unwrap_or_else(PoisonError::into_inner))?;
        upstreams::encode(&mut encoder, &kept.upstreams.lock().unwrap_or_else(PoisonError::into_inner))?;
        let results = ["failed", "succeeded"].iter().zip([&kept.reloads_failed, &kept.reloads_succeeded]);
        let help = "Configurations that were read after the first";
        let mut family = encoder.encode_descriptor("reloads", help, None, MetricType::Counter)?;
        for (result, counter) in results {
            ConstCounter::new(counter.get()).encode(family.encode_family(&[("result", *result)])?)?;
        }
        let help = "How long the store's answers about tokens were waited for";
        let unit = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor("store_lookup", help, unit, MetricType::Histogram)?;
        let (counts, micros) = kept.store_lookups.read();
        histogram_into(&mut metric, counts, micros)
    }
}

fn gauges(kept: &Counters) -> [(&'static str, &'static str, &Gauge); 4] {
    [
        ("connections", "Client connections that are open", &kept.connections),
        ("cache_entries", "Entries of the token cache", &kept.cache_entries),
        ("cache_bytes", "Size of the token cache", &kept.cache_bytes),
        ("store_up", "1 while the store answers", &kept.store_up),
    ]
}

fn counters<'c>(kept: &'c Counters, dropped: &'c Counter) -> [(&'static str, &'static str, &'c Counter); 11] {
    [
        ("connections_accepted", "Client connections that were accepted", &kept.connections_accepted),
        ("cache_hits", "Tokens that were found in the cache", &kept.cache_hits),
        ("cache_misses", "Tokens that the store had to be asked about", &kept.cache_misses),
        ("tokens_forged", "Tokens refused without asking the store", &kept.tokens_forged),
        ("store_failures", "Tokens that the store gave no answer about", &kept.store_failures),
        (
            "limits_counted_alone",
            "Requests under a shared limit that this node counted alone",
            &kept.limits_counted_alone,
        ),
        ("issuing_failed", "Requests for tokens that could not be answered", &kept.issuing_failed),
        ("wrong_secrets", "Wrong secrets of clients and users that exist", &kept.wrong_secrets),
        ("revocations", "Requests that took tokens or grants back", &kept.revocations),
        ("refresh_reuses", "Old refresh tokens that came back", &kept.refresh_reuses),
        ("log_lines_dropped", "Log lines that the output was too slow for", dropped),
    ]
}

fn feed(encoder: &mut DescriptorEncoder<'_>, numbers: FeedNumbers) -> fmt::Result {
    for (name, help, count) in [
        ("cache_coalesced", "Tokens that another lookup of the same token answered", numbers.shared),
        ("cache_invalidations", "Entries of the cache whose tokens ended, or may have", numbers.invalidated),
    ] {
        ConstCounter::new(count).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
    }
    let Some(age) = numbers.age else { return Ok(()) };
    let help = "Since the store last proved that it tells what ends";
    let metric = encoder.encode_descriptor("store_feed_age", help, Some(&Unit::Seconds), MetricType::Gauge)?;
    ConstGauge::new(age.as_secs_f64()).encode(metric)
}

fn sign_ins(encoder: &mut DescriptorEncoder<'_>, kept: &Counters) -> fmt::Result {
    let help = "Sign-ins of people in a browser, by way and outcome";
    let mut family = encoder.encode_descriptor("sign_ins", help, None, MetricType::Counter)?;
    for (way, outcomes) in WAYS.iter().zip(&kept.sign_ins) {
        for (outcome, counter) in OUTCOMES.iter().zip(outcomes) {
            let labels = [("way", *way), ("outcome", *outcome)];
            ConstCounter::new(counter.get()).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn labelled(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, label): (&str, &str, &str),
    values: &[&str],
    counters: &[Counter],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, counter) in values.iter().zip(counters) {
        ConstCounter::new(counter.get()).encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a sum of microseconds is exact for 285 years")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
