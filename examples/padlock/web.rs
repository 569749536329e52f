//! Certificates by HTTP on loopback: the place where they are, and the fetch of one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use presentity::certs::{Fetch, FetchFailure, FetchResponse, PKIX_CERT};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Host, Url};

use crate::Outcome;

type Files = Arc<Mutex<HashMap<String, Bytes>>>;

/// A place for certificates.
pub(crate) struct Shelf {
    address: SocketAddr,
    files: Files,
}

impl Shelf {
    /// An empty one, on a port of the system's choice.
    pub(crate) async fn open() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let files = Files::default();
        tokio::spawn(serve(listener, Arc::clone(&files)));
        Ok(Self { address, files })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Puts a certificate there, in DER: its URL.
    pub(crate) fn put(&self, name: &str, certificate: Bytes) -> String {
        let path = format!("/{name}.cer");
        let url = format!("http://{}{path}", self.address);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path, certificate);
        url
    }
}

async fn serve(listener: TcpListener, files: Files) {
    while let Ok((stream, _)) = listener.accept().await {
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = response(&request, &files);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            let connection = http
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            // Whoever asks notices by himself that nothing comes.
            let _ = connection.await;
        });
    }
}

fn response(request: &Request<Incoming>, files: &Files) -> Response<Full<Bytes>> {
    let files = files.lock().unwrap_or_else(PoisonError::into_inner);
    let found = files.get(request.uri().path());
    let found = found.filter(|_| request.method() == Method::GET);
    let mut response = Response::new(Full::new(found.cloned().unwrap_or_default()));
    match found {
        Some(_) => {
            let is_certificate = HeaderValue::from_static(PKIX_CERT);
            response.headers_mut().insert(CONTENT_TYPE, is_certificate);
        }
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// Fetches what a retriever wants.
pub(crate) async fn fetch(fetch: &Fetch) -> Result<FetchResponse, FetchFailure> {
    let limit = std::time::Duration::from_secs(5);
    let fetched = timeout(limit, exchange(fetch)).await;
    fetched.unwrap_or(Err(FetchFailure::Timeout))
}

async fn exchange(fetch: &Fetch) -> Result<FetchResponse, FetchFailure> {
    let url = Url::parse(&fetch.url).map_err(|_| FetchFailure::Refused)?;
    // The rules of the retriever allow any address here, so that it is this side that sees to it that
    // nobody else's is asked.
    let address = match (url.scheme(), url.host(), url.port_or_known_default()) {
        ("http", Some(Host::Ipv4(ip)), Some(port)) if ip.is_loopback() => {
            SocketAddr::new(IpAddr::V4(ip), port)
        }
        _ => return Err(FetchFailure::Refused),
    };
    let unreachable = |_| FetchFailure::Unreachable;
    let stream = TcpStream::connect(address).await;
    let stream = TokioIo::new(stream.map_err(|_| FetchFailure::Unreachable)?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(unreachable)?;
    // Ends with this exchange, whatever the other side does.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(url.path())
        .header(HOST, address.to_string())
        .header(ACCEPT, fetch.accept)
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchFailure::Refused)?;
    let response = sender.send_request(request).await.map_err(unreachable)?;
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, fetch.max_len).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(FetchFailure::TooLarge),
        Err(_) => return Err(FetchFailure::Unreachable),
    };
    let mut fetched = FetchResponse::new(head.status.as_u16(), body);
    let field = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(content_type) = field(CONTENT_TYPE) {
        fetched = fetched.with_content_type(content_type);
    }
    if let Some(location) = field(LOCATION) {
        fetched = fetched.with_location(location);
    }
    Ok(fetched)
}
