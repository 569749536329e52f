//! HTTP on loopback: POST requests, taken and made, one to a connection.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Host, Url};

/// Octets of a body that is taken; of a larger one as many again are read as it takes for the refusal
/// to arrive.
pub(crate) const MAX_BODY: usize = 65_536;
const MAX_DISCARDED: usize = 16 * MAX_BODY;
/// Connections that are open at once; more wait until they are accepted.
const MAX_CONNECTIONS: usize = 64;
/// Requests that wait to be looked at.
const MAX_WAITING: usize = 64;
const MAX_URL: usize = 2_048;
/// How long a request and its answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// For people.
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            text: text.into(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.insert(name, value.into());
        self
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) source: IpAddr,
    pub(crate) answer: oneshot::Sender<Reply>,
}

/// The one field of that name, if its value is text; nothing if there are several.
pub(crate) fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok(),
        _ => None,
    }
}

pub(crate) type Inbox = mpsc::Receiver<Posted>;

/// Takes requests until the inbox is dropped.
pub(crate) async fn listen(at: SocketAddr) -> io::Result<(SocketAddr, Inbox)> {
    let listener = TcpListener::bind(at).await?;
    let bound = listener.local_addr()?;
    let (sender, inbox) = mpsc::channel(MAX_WAITING);
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            () = gone.closed() => {}
            () = accept(listener, sender) => {}
        }
    });
    Ok((bound, inbox))
}

async fn accept(listener: TcpListener, sender: mpsc::Sender<Posted>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let sender = sender.clone();
                async move { Ok::<_, Infallible>(response(take(request, peer.ip(), &sender).await)) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            let connection = http
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            let _ = timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

async fn take(request: Request<Incoming>, source: IpAddr, sender: &mpsc::Sender<Posted>) -> Reply {
    if request.method() != Method::POST {
        let reply = Reply::new(StatusCode::METHOD_NOT_ALLOWED, "only POST is served");
        return reply.with(ALLOW, HeaderValue::from_static("POST"));
    }
    if request.uri().path() != "/" {
        return Reply::new(StatusCode::NOT_FOUND, "only / is served");
    }
    let (head, body) = request.into_parts();
    let body = match content(body).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (answer, answered) = oneshot::channel();
    let posted = Posted {
        headers: head.headers,
        body,
        source,
        answer,
    };
    let sent = sender.send(posted).await;
    match answered.await {
        Ok(reply) if sent.is_ok() => reply,
        _ => Reply::new(StatusCode::SERVICE_UNAVAILABLE, "nobody answers"),
    }
}

async fn content(mut body: Incoming) -> Result<Bytes, Reply> {
    let too_large = || Reply::new(StatusCode::PAYLOAD_TOO_LARGE, "too large");
    if body.size_hint().lower() > MAX_DISCARDED as u64 {
        return Err(too_large());
    }
    let (mut content, mut length) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Reply::new(StatusCode::BAD_REQUEST, "the body is broken"));
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length > MAX_DISCARDED {
            break;
        }
        if length <= MAX_BODY {
            content.extend_from_slice(data);
        }
    }
    if length > MAX_BODY {
        return Err(too_large());
    }
    Ok(content.freeze())
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut text = reply.text;
    text.push('\n');
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// A place on this machine that takes POST requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    authority: HeaderValue,
    target: hyper::Uri,
}

impl Endpoint {
    /// Of an http URL whose host is a loopback address or localhost.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > MAX_URL {
            return Err("the URL is too long");
        }
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        if url.scheme() != "http" {
            return Err("not an http URL");
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain("localhost")) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => return Err("not a URL of this machine"),
        };
        if !ip.is_loopback() {
            return Err("not a URL of this machine");
        }
        let query = url
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let address = SocketAddr::new(ip, url.port().unwrap_or(80));
        Ok(Self {
            address,
            authority: HeaderValue::try_from(address.to_string()).map_err(|_| "not a URL")?,
            target: format!("{}{query}", url.path())
                .parse()
                .map_err(|_| "not a URL")?,
        })
    }

    /// Where [`listen`] takes requests.
    pub(crate) fn at(address: SocketAddr) -> Result<Self, &'static str> {
        Self::parse(&format!("http://{address}/"))
    }

    /// Posts this, and gives the answer; or says why there is none.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Reply, String> {
        let exchange = timeout(PATIENCE, self.exchange(headers, body));
        exchange
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn exchange(&self, headers: HeaderMap, body: Bytes) -> Result<Reply, String> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| error.to_string())?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(|error| error.to_string())?;
        // Ends with this exchange, whatever the other side does.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.authority.clone());
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let text = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes())
                .trim_end()
                .to_owned(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err("the answer is too long".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        };
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            text,
        })
    }
}
