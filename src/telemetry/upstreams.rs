//! Metrics of upstreams and their servers, as they stand at the moment of the scrape.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// One upstream.
#[derive(Clone, Debug)]
pub struct UpstreamNumbers {
    /// Its name in the configuration.
    pub name: String,
    /// Requests under way.
    pub under_way: usize,
    /// Requests that wait for one of these to end.
    pub waiting: usize,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that were not, because too many were.
    pub retries_refused: u64,
    /// How often a server was ejected.
    pub ejections: u64,
    /// Each of its servers.
    pub servers: Vec<ServerNumbers>,
}

/// One server, or one address of a server's name.
#[derive(Clone, Debug)]
pub struct ServerNumbers {
    /// As configured.
    pub server: String,
    /// Which of the addresses of its name; `None`: it has no name.
    pub address: Option<String>,
    /// What its health checks say; without checks it is healthy.
    pub healthy: bool,
    /// It gets no requests for a while, because it failed some.
    pub ejected: bool,
}

/// Writes the metrics of `upstreams`.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, upstreams: &[UpstreamNumbers]) -> fmt::Result {
    let help = "1 while the checks of a server say that it works, or where there are none";
    servers(encoder, ("upstream_healthy", help), upstreams, |server| server.healthy)?;
    let help = "1 while a server gets no requests because it failed some";
    servers(encoder, ("upstream_ejected", help), upstreams, |server| server.ejected)?;
    let help = "Requests under way to an upstream";
    gauges(encoder, ("upstream_requests", help), upstreams, |upstream| upstream.under_way)?;
    let help = "Requests that wait because too many are under way";
    gauges(encoder, ("upstream_pending", help), upstreams, |upstream| upstream.waiting)?;
    let help = "Requests that were sent again";
    counters(encoder, ("upstream_retries", help), upstreams, |upstream| upstream.retries)?;
    let help = "Requests that were not sent again, because too many were";
    counters(encoder, ("upstream_retries_refused", help), upstreams, |upstream| upstream.retries_refused)?;
    let help = "How often a server was ejected";
    counters(encoder, ("upstream_ejections", help), upstreams, |upstream| upstream.ejections)
}

fn servers(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    upstreams: &[UpstreamNumbers],
    holds: impl Fn(&ServerNumbers) -> bool,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for upstream in upstreams {
        for server in &upstream.servers {
            let mut labels = vec![("upstream", upstream.name.as_str()), ("server", server.server.as_str())];
            labels.extend(server.address.as_deref().map(|address| ("address", address)));
            ConstGauge::new(i64::from(holds(server))).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    upstreams: &[UpstreamNumbers],
    of: impl Fn(&UpstreamNumbers) -> usize,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for upstream in upstreams {
        let value = i64::try_from(of(upstream)).unwrap_or(i64::MAX);
        ConstGauge::new(value).encode(family.encode_family(&[("upstream", upstream.name.as_str())])?)?;
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    upstreams: &[UpstreamNumbers],
    of: impl Fn(&UpstreamNumbers) -> u64,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for upstream in upstreams {
        ConstCounter::new(of(upstream)).encode(family.encode_family(&[("upstream", upstream.name.as_str())])?)?;
    }
    Ok(())
}
