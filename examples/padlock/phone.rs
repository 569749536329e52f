//! Bob's phone: it takes messages, and reads those that are encrypted for him (RFC 3428; RFC 3261 section
//! 23).

use std::sync::Arc;

use bytes::Bytes;
use presentity::mime::smime::Credential;
use presentity::mime::{OpenError, Opener, is_protected};
use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Header, Headers, Method, Request, Version};
use rsipstack::transaction::Transaction;
use tokio::sync::mpsc;

use crate::Outcome;
use crate::adapter::{self, Reply, message};
use crate::party::sockets;

/// A message that came, and what the phone made of it.
pub(crate) struct Received {
    pub(crate) text: Result<String, OpenError>,
    pub(crate) status: u16,
}

/// A phone that takes messages in the background.
pub(crate) struct Phone {
    pub(crate) contact: String,
    received: mpsc::UnboundedReceiver<Received>,
}

impl Phone {
    pub(crate) async fn start(key: Credential) -> Outcome<Self> {
        let (endpoint, mut requests, contact) = sockets("bob").await?;
        let (sender, received) = mpsc::unbounded_channel();
        let key = Arc::new(key);
        tokio::spawn(async move {
            while let Some(transaction) = requests.recv().await {
                if transaction.original.method != Method::Message {
                    endpoint.reply(transaction, &Reply::new(405).with("Allow", "MESSAGE"));
                    continue;
                }
                let (transaction, text) = read(transaction, &key);
                let status = match &text {
                    Ok(_) => 200,
                    Err(error) => error.status(),
                };
                endpoint.reply(transaction, &Reply::new(status));
                // Nobody is interested any more only when all is over.
                let _ = sender.send(Received { text, status });
            }
        });
        Ok(Self { contact, received })
    }

    /// The next message, whoever can read it.
    pub(crate) async fn received(&mut self) -> Outcome<Received> {
        Ok(self.received.recv().await.ok_or("the phone is off")?)
    }
}

fn read(
    mut transaction: Transaction,
    key: &Credential,
) -> (Transaction, Result<String, OpenError>) {
    let body = Bytes::from(std::mem::take(&mut transaction.original.body));
    let content_type = content_type(&transaction.original.headers);
    // This one is never told in the clear what it should be told in secret.
    let opened = match is_protected(&content_type) {
        true => Opener::new().with_decrypt(key).open(&content_type, &body),
        false => Err(OpenError::Unsupported),
    };
    let text = opened.map(|opened| String::from_utf8_lossy(&opened.body).into_owned());
    (transaction, text)
}

fn content_type(headers: &Headers) -> String {
    let found = headers.iter().find_map(|header| match header {
        Header::ContentType(value) => Some(value.value()),
        _ => None,
    });
    found.unwrap_or_default().to_owned()
}

/// A MESSAGE from somebody to a Contact.
pub(crate) fn message_to(
    contact: &str,
    (from, to): (&str, &str),
    content_type: &str,
    body: &Bytes,
) -> Outcome<Request> {
    let mut random = [0; 16];
    let mut entropy = adapter::entropy()?;
    entropy(&mut random);
    let name = u128::from_ne_bytes(random);
    let fields = [
        ("Max-Forwards", "70".to_owned()),
        ("From", format!("<{from}>;tag={:x}", name >> 64)),
        ("To", format!("<{to}>")),
        ("Call-ID", format!("{name:x}@127.0.0.1")),
        ("CSeq", "1 MESSAGE".to_owned()),
        ("Content-Type", content_type.to_owned()),
        ("Content-Length", body.len().to_string()),
    ];
    let headers: Vec<Header> = fields
        .into_iter()
        .map(|(name, value)| make_header(name, value))
        .collect();
    Ok(Request {
        method: Method::Message,
        uri: message::uri_as_is(contact),
        version: Version::V2,
        headers: headers.into(),
        body: body.to_vec(),
    })
}
