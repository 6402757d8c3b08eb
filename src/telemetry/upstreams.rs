//! Metrics of upstreams and their servers, as they stand at the moment of the scrape.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
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

/// The name of a metric, and what it says.
type Named<'n> = (&'n str, &'n str);
/// The names and values of labels.
type Labels<'l> = Vec<(&'static str, &'l str)>;

/// Writes the metrics of `upstreams`.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, upstreams: &[UpstreamNumbers]) -> fmt::Result {
    let help = "1 while the checks of a server say that it works, or where there are none";
    family(encoder, ("upstream_healthy", help), of_servers(upstreams, |server| server.healthy))?;
    let help = "1 while a server gets no requests because it failed some";
    family(encoder, ("upstream_ejected", help), of_servers(upstreams, |server| server.ejected))?;
    let help = "Requests under way to an upstream";
    family(encoder, ("upstream_requests", help), of_each(upstreams, |upstream| gauge(upstream.under_way)))?;
    let help = "Requests that wait because too many are under way";
    family(encoder, ("upstream_pending", help), of_each(upstreams, |upstream| gauge(upstream.waiting)))?;
    let help = "Requests that were sent again";
    family(encoder, ("upstream_retries", help), of_each(upstreams, |upstream| ConstCounter::new(upstream.retries)))?;
    let help = "Requests that were not sent again, because too many were";
    let refused = of_each(upstreams, |upstream| ConstCounter::new(upstream.retries_refused));
    family(encoder, ("upstream_retries_refused", help), refused)?;
    let help = "How often a server was ejected";
    family(encoder, ("upstream_ejections", help), of_each(upstreams, |upstream| ConstCounter::new(upstream.ejections)))
}

fn family<'l, M: EncodeMetric + TypedMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Named<'_>,
    rows: impl Iterator<Item = (Labels<'l>, M)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, M::TYPE)?;
    for (labels, metric) in rows {
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn of_each<M>(
    upstreams: &[UpstreamNumbers],
    metric: impl Fn(&UpstreamNumbers) -> M,
) -> impl Iterator<Item = (Labels<'_>, M)> {
    upstreams.iter().map(move |upstream| (vec![("upstream", upstream.name.as_str())], metric(upstream)))
}

fn of_servers(
    upstreams: &[UpstreamNumbers],
    holds: fn(&ServerNumbers) -> bool,
) -> impl Iterator<Item = (Labels<'_>, ConstGauge<i64>)> {
    let servers = upstreams.iter().flat_map(|upstream| upstream.servers.iter().map(move |server| (upstream, server)));
    servers.map(move |(upstream, server)| {
        let mut labels = vec![("upstream", upstream.name.as_str()), ("server", server.server.as_str())];
        labels.extend(server.address.as_deref().map(|address| ("address", address)));
        (labels, ConstGauge::new(i64::from(holds(server))))
    })
}

fn gauge(value: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
