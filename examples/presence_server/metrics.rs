//! What was counted, for whoever asks by HTTP, in the text format of OpenMetrics.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use presentity::event::{Counters, Occupancy};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::console::ServerCommand;
use crate::host::{Server, ServerAgent};

/// Connections that are served at once; more wait.
const MAX_CONNECTIONS: usize = 16;
/// Octets of a request.
const MAX_REQUEST: usize = 8192;
/// How long one may take, with its response.
const LIMIT: Duration = Duration::from_secs(5);
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted of one event package.
#[derive(Debug)]
struct Package {
    name: String,
    counters: Counters,
    occupancy: Occupancy,
}

/// Everything at one moment.
#[derive(Debug)]
struct Snapshot {
    packages: Vec<Package>,
    undecided: usize,
    given_up: u64,
    rules: usize,
    registered: usize,
}

impl Snapshot {
    fn of(agent: &ServerAgent, server: &Server) -> Self {
        let mut packages = vec![Package {
            name: "presence".to_owned(),
            counters: agent.counters().clone(),
            occupancy: agent.occupancy(),
        }];
        let info = agent.watcher_info();
        let names = info.into_iter().flat_map(|info| info.event_types());
        for (level, name) in (1..).zip(names) {
            let of_level = info.and_then(|it| it.counters(level).zip(it.occupancy(level)));
            packages.extend(of_level.map(|(counters, occupancy)| Package {
                name: name.to_owned(),
                counters: counters.clone(),
                occupancy,
            }));
        }
        Self {
            packages,
            undecided: info.map_or(0, |info| info.undecided(1).count()),
            given_up: info.map_or(0, |info| info.own_counters().given_up),
            rules: server.rules,
            registered: server.registrar.len(),
        }
    }

    /// As it is told; nothing when it could not be written.
    fn into_text(self) -> Option<String> {
        let mut registry = Registry::with_prefix("presentity");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry).ok()?;
        Some(text)
    }

    fn by_package(&self, value: impl Fn(&Package) -> u64) -> Vec<([(&str, &str); 1], u64)> {
        let packages = self.packages.iter();
        let values = packages.map(|it| ([("package", it.name.as_str())], value(it)));
        values.collect()
    }
}

/// Gauges of one name.
fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: Vec<(L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Counters of one name.
fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: Vec<(L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in values {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// `TooBrief` as `too_brief`.
fn in_snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        type Held = (&'static str, &'static str, fn(&Occupancy) -> usize);
        let held: [Held; 7] = [
            ("subscriptions", "Subscriptions that are there", |it| {
                it.subscriptions
            }),
            ("publications", "Publications that are there", |it| {
                it.publications
            }),
            ("resources", "Resources of which anything is held", |it| {
                it.resources
            }),
            ("watchers", "Watchers with a name", |it| it.watchers),
            ("open_notifies", "NOTIFYs whose outcome is awaited", |it| {
                it.open_notifies
            }),
            ("timers", "Deadlines", |it| it.timers),
            ("outputs", "Outputs that wait to be taken", |it| it.outputs),
        ];
        for (name, help, value) in held {
            let values = self.by_package(|it| count(value(&it.occupancy)));
            gauges(&mut encoder, name, help, values)?;
        }
        type Counted = (&'static str, &'static str, fn(&Counters) -> u64);
        let counted: [Counted; 6] = [
            ("subscriptions_started", "Subscriptions that began", |it| {
                it.subscriptions_started()
            }),
            ("subscriptions_ended", "Subscriptions that are over", |it| {
                it.subscriptions_ended()
            }),
            (
                "publications_taken",
                "PUBLISH requests answered 200",
                |it| it.publications_taken(),
            ),
            ("notifies_sent", "NOTIFYs that were sent", |it| {
                it.notifies_sent()
            }),
            ("notifies_failed", "NOTIFYs that got no 2xx", |it| {
                it.notifies_failed()
            }),
            (
                "backlogs",
                "Requests not taken as too much was to be sent",
                |it| it.backlogs(),
            ),
        ];
        for (name, help, value) in counted {
            let values = self.by_package(|it| value(&it.counters));
            counters(&mut encoder, name, help, values)?;
        }
        let mut refused = Vec::new();
        for package in &self.packages {
            for (reason, count) in package.counters.refusals() {
                let reason = in_snake_case(&reason.to_string());
                refused.push((
                    [("package", package.name.clone()), ("reason", reason)],
                    count,
                ));
            }
        }
        counters(
            &mut encoder,
            "refused",
            "Requests that were refused",
            refused,
        )?;
        let own: [(&str, &str, usize); 3] = [
            (
                "undecided",
                "Subscriptions that wait for a decision",
                self.undecided,
            ),
            ("rules", "Presentities whose rules are in force", self.rules),
            (
                "registered",
                "Addresses with registered contacts",
                self.registered,
            ),
        ];
        for (name, help, value) in own {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let help = "Subscriptions that waited for a decision too long";
        let given_up = encoder.encode_descriptor("given_up", help, None, MetricType::Counter)?;
        ConstCounter::new(self.given_up).encode(given_up)
    }
}

/// Listens; the address, which is another when the system was to choose the port.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers whoever asks, until the server is gone.
pub(crate) async fn serve(listener: TcpListener, commands: mpsc::Sender<ServerCommand>) {
    let turns = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let commands = commands.clone();
                tokio::spawn(async move {
                    // Who is slow has to ask again.
                    let _ = timeout(LIMIT, answer(stream, commands)).await;
                    drop(turn);
                });
            }
            // Out of file descriptors, most likely: it does not help to ask again at once.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(stream: TcpStream, commands: mpsc::Sender<ServerCommand>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let commands = commands.clone();
        async move { Ok::<_, Infallible>(response(&request, &commands).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    let connection = http
        .keep_alive(false)
        .max_buf_size(MAX_REQUEST)
        .serve_connection(TokioIo::new(stream), answer);
    // Whoever asks notices by himself that nothing comes.
    let _ = connection.await;
}

async fn response<B>(
    request: &Request<B>,
    commands: &mpsc::Sender<ServerCommand>,
) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return status(StatusCode::NOT_FOUND);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return with(status(StatusCode::METHOD_NOT_ALLOWED), ALLOW, "GET, HEAD");
    }
    match text(commands).await {
        Some(text) => with(Response::new(Full::from(text)), CONTENT_TYPE, OPENMETRICS),
        None => status(StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn text(commands: &mpsc::Sender<ServerCommand>) -> Option<String> {
    let (tell, told) = oneshot::channel();
    let ask: ServerCommand = Box::new(move |agent, server, _| {
        // Who has gone meanwhile does not need it.
        let _ = tell.send(Snapshot::of(agent, server));
    });
    commands.send(ask).await.ok()?;
    told.await.ok()?.into_text()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn with<B>(mut response: Response<B>, name: HeaderName, value: &'static str) -> Response<B> {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let package = |name: &str| Package {
            name: name.to_owned(),
            counters: Counters::default(),
            occupancy: Occupancy::default(),
        };
        Snapshot {
            packages: vec![package("presence"), package("presence.winfo")],
            undecided: 3,
            given_up: 4,
            rules: 5,
            registered: 6,
        }
    }

    #[test]
    fn each_family_is_described_once_and_the_end_is_marked() {
        let text = snapshot().into_text().unwrap();
        let mut described: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE presentity_"))
            .collect();
        let families = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), families);
        assert_eq!(families, 18);
        for line in [
            "presentity_subscriptions{package=\"presence\"} 0",
            "presentity_notifies_sent_total{package=\"presence.winfo\"} 0",
            "presentity_refused_total{package=\"presence\",reason=\"too_brief\"} 0",
            "presentity_undecided 3",
            "presentity_given_up_total 4",
            "presentity_rules 5",
            "presentity_registered 6",
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (commands, mut asked) = mpsc::channel::<ServerCommand>(1);
        for (method, path, expected) in [
            ("GET", "/", StatusCode::NOT_FOUND),
            ("GET", "/metrics/", StatusCode::NOT_FOUND),
            ("POST", "/metrics", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(())
                .unwrap();
            let response = response(&request, &commands).await;
            assert_eq!(response.status(), expected, "{method} {path}");
        }
        assert!(asked.try_recv().is_err());
        // The agent's task has ended.
        drop(asked);
        let request = Request::builder().uri("/metrics").body(()).unwrap();
        let response = response(&request, &commands).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
