//! Mallory, who sits between a watcher and a service, passes on what they say, and changes what is told.

use bytes::Bytes;
use presentity::mime::smime::Credential;
use presentity::mime::{Part, Signed};
use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Header, Method, Request, Response};
use rsipstack::transaction::{Transaction, TransactionReceiver};

use crate::Outcome;
use crate::adapter::{Reply, message, send_response};
use crate::client::endpoint::Endpoint;
use crate::party::{route, sockets};
use crate::roles::sign;

/// What a NOTIFY says that may be changed.
pub(crate) struct Notice {
    /// Subscription-State.
    pub(crate) state: String,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

/// Somebody on the way: whatever comes from the watcher goes to the service, and what comes from the
/// service to the watcher.
pub(crate) struct Mallory {
    endpoint: Endpoint,
    requests: TransactionReceiver,
    contact: String,
    service: String,
    /// The Contacts of both, as they have told them.
    watcher_at: String,
    service_at: String,
}

impl Mallory {
    /// Sits down before a service. Watchers that are to meet him take the route.
    pub(crate) async fn before(service: &str) -> Outcome<Self> {
        let (endpoint, requests, contact) = sockets("mallory").await?;
        Ok(Self {
            endpoint,
            requests,
            contact,
            service: service.to_owned(),
            watcher_at: String::new(),
            service_at: String::new(),
        })
    }

    pub(crate) fn route(&self) -> String {
        route(&self.contact)
    }

    /// Does his work in the background.
    pub(crate) fn start<T>(mut self, mut tamper: T)
    where
        T: FnMut(&mut Notice) -> Outcome<()> + Send + 'static,
    {
        tokio::spawn(async move {
            while let Some(transaction) = self.requests.recv().await {
                self.pass_on(transaction, &mut tamper).await;
            }
        });
    }

    async fn pass_on<T>(&mut self, transaction: Transaction, tamper: &mut T)
    where
        T: FnMut(&mut Notice) -> Outcome<()>,
    {
        let mut request = transaction.original.clone();
        let is_notice = request.method == Method::Notify;
        let contact = self.replace_contact(request.headers.iter_mut());
        let next_hop = match (is_notice, contact) {
            (true, contact) => {
                self.service_at = contact.unwrap_or_default();
                if let Err(error) = change(&mut request, tamper) {
                    eprintln!("mallory: {error}");
                }
                request.uri = message::uri_as_is(&self.watcher_at);
                self.watcher_at.clone()
            }
            (false, contact) => {
                self.watcher_at = contact.unwrap_or_default();
                // What asks for a new dialog is for whom it was for.
                if is_in_dialog(&request) {
                    request.uri = message::uri_as_is(&self.service_at);
                } else {
                    request.uri = message::uri_as_is(&message::uri_text(&request.uri));
                }
                self.service.clone()
            }
        };
        let is_of_the_way = |header: &Header| {
            matches!(
                header,
                Header::Via(_) | Header::Route(_) | Header::RecordRoute(_)
            )
        };
        request.headers.retain(|header| !is_of_the_way(header));
        match self.endpoint.ask(request, next_hop).await {
            Ok(response) => self.answer(transaction, response),
            Err(_) => self.endpoint.reply(transaction, &Reply::new(408)),
        }
    }

    /// Puts himself in the place of whoever wants to be reached: who that was.
    fn replace_contact<'a>(&self, headers: impl Iterator<Item = &'a mut Header>) -> Option<String> {
        for header in headers {
            if let Header::Contact(contact) = header {
                let before = contact.value().trim_matches(['<', '>']).to_owned();
                contact.replace(format!("<{}>", self.contact));
                return Some(before);
            }
        }
        None
    }

    fn answer(&self, transaction: Transaction, mut response: Response) {
        self.replace_contact(response.headers.iter_mut());
        response
            .headers
            .retain(|header| !matches!(header, Header::Via(_)));
        let vias = transaction.original.headers.iter();
        let vias = vias.filter(|header| matches!(header, Header::Via(_)));
        response.headers.extend(vias.cloned().collect());
        send_response(transaction, None, response);
    }
}

fn is_in_dialog(request: &Request) -> bool {
    let to = request.headers.iter().find_map(|header| match header {
        Header::To(to) => Some(to.value()),
        _ => None,
    });
    to.is_some_and(|to| to.contains(";tag="))
}

fn change<T>(request: &mut Request, tamper: &mut T) -> Outcome<()>
where
    T: FnMut(&mut Notice) -> Outcome<()>,
{
    const CHANGED: [&str; 3] = ["Subscription-State", "Content-Type", "Content-Length"];
    let text = |name: &str| {
        let mut headers = request.headers.iter();
        let found = headers.find(|header| header.name().eq_ignore_ascii_case(name));
        found.map_or("", Header::value).to_owned()
    };
    let mut notice = Notice {
        state: text("Subscription-State"),
        content_type: text("Content-Type"),
        body: std::mem::take(&mut request.body).into(),
    };
    let changed = tamper(&mut notice);
    let is_changed = |header: &Header| {
        let mut names = CHANGED.iter();
        names.any(|name| header.name().eq_ignore_ascii_case(name))
    };
    request.headers.retain(|header| !is_changed(header));
    let length = notice.body.len().to_string();
    for (name, value) in CHANGED
        .into_iter()
        .zip([notice.state, notice.content_type, length])
    {
        if !value.is_empty() {
            request.headers.push(make_header(name, value));
        }
    }
    request.body = notice.body.to_vec();
    changed
}

impl Notice {
    /// Puts one text in the place of another, where it stands first. A signature beside it, which is no
    /// text, stays as it is.
    pub(crate) fn replace(&mut self, from: &str, to: &str) -> Outcome<()> {
        let mut windows = self.body.windows(from.len());
        let at = windows.position(|octets| octets == from.as_bytes());
        let at = at.ok_or_else(|| format!("{from} is not in there"))?;
        let (before, rest) = self.body.split_at(at);
        let after = rest.get(from.len()..).unwrap_or_default();
        self.body = [before, to.as_bytes(), after].concat().into();
        Ok(())
    }

    /// Takes the signature off, if there is one.
    pub(crate) fn strip(&mut self) -> Outcome<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        let part = Signed::read(&self.content_type, &self.body)?.part()?;
        self.content_type = part.content_type().unwrap_or_default().to_owned();
        self.body = part.body().clone();
        Ok(())
    }

    /// Signs it by this key.
    pub(crate) fn sign(&mut self, by: &Credential) -> Outcome<()> {
        let entity = Part::new(&self.content_type, &self.body)?;
        let written = sign(by, entity.octets())?;
        (self.content_type, self.body) = (written.content_type, written.body);
        Ok(())
    }
}
