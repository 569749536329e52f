//! TLS for those who connect: one certificate, handshakes that hold up nobody else, and then a
//! connection of the stack's like any other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::platform::CancellationToken;
use rsipstack::sip::Transport;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::SipAddr;
use rsipstack::transport::tls::TlsConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};

use super::transport::{has_room, limit_unread, next_connection};

/// Handshakes that may be under way at once; whoever comes then is turned away.
const MAX_HANDSHAKES: usize = 256;
/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// The certificate that the server shows, and the handshakes under way.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    handshakes: Arc<Semaphore>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the certificate in the first file, those of the authorities between it and
    /// the one that clients know below it, and its key in the second, all in PEM. Clients are asked for
    /// no certificate.
    ///
    /// What is wrong with the files is told with the name of the one at fault.
    pub(crate) fn from_files(chain: &Path, key: &Path) -> Result<Self, String> {
        let at = |file: &Path, problem: &dyn std::fmt::Display| {
            let file = file.display();
            format!("{file}: {problem}")
        };
        let certificates = CertificateDer::pem_file_iter(chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| at(chain, &error))?;
        if certificates.is_empty() {
            return Err(at(chain, &"there is no certificate in it"));
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            pem::Error::NoItemsFound => at(key, &"there is no private key in it"),
            error => at(key, &error),
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(certificates, secret)
            .map_err(|error| match error {
                Error::InconsistentKeys(_) => {
                    let key = key.display();
                    at(chain, &format_args!("it is not for the key in {key}"))
                }
                error => at(chain, &error),
            })?;
        Ok(Self {
            acceptor: Arc::new(config).into(),
            handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
        })
    }

    /// Takes connections until the token is cancelled.
    pub(crate) async fn accept(
        self,
        listener: TcpListener,
        local: SipAddr,
        endpoint: EndpointInnerRef,
        token: CancellationToken,
    ) {
        while let Some(stream) = next_connection(&listener, &token).await {
            if !has_room(&endpoint) {
                continue;
            }
            let Ok(permit) = self.handshakes.clone().try_acquire_owned() else {
                continue;
            };
            let (tls, local, endpoint) = (self.clone(), local.clone(), endpoint.clone());
            let token = token.child_token();
            tokio::spawn(async move {
                tokio::select! {
                    () = token.cancelled() => {}
                    _ = tls.add(stream, local, &endpoint, permit, token.clone()) => {}
                }
            });
        }
    }

    /// Hands a connection over to the stack after its handshake.
    async fn add(
        &self,
        stream: TcpStream,
        local: SipAddr,
        endpoint: &EndpointInnerRef,
        permit: OwnedSemaphorePermit,
        token: CancellationToken,
    ) -> Option<()> {
        let _ = limit_unread(&stream);
        let remote = SipAddr {
            r#type: Some(Transport::Tls),
            addr: stream.peer_addr().ok()?.into(),
        };
        let handshake = timeout(HANDSHAKE_LIMIT, self.acceptor.accept(stream)).await;
        drop(permit);
        let stream = handshake.ok()?.ok()?;
        // Others may have come meanwhile.
        if !has_room(endpoint) {
            return None;
        }
        let connection = TlsConnection::from_server_stream(stream, local, remote, Some(token));
        let connection = connection.await.ok()?;
        endpoint.transport_layer.add_connection(connection.into());
        Some(())
    }
}
