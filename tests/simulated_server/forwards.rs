//! The host as the proxy that carries a SUBSCRIBE to whoever is to answer it.

use std::collections::HashMap;

use presentity::event::{Forward, Forwarded};
use sipx_sip::transaction::TransactionKey;
use sipx_sip::{Request, Response};

use crate::device::contact_of;
use crate::endpoint::{answer, fields};
use crate::network::Network;
use crate::node::at;
use crate::server::Server;

/// Requests that are on their way to somebody else.
#[derive(Debug, Default)]
pub struct Forwards {
    open: HashMap<TransactionKey, (u64, Forward)>,
    pub forwarded: u64,
    pub sent_back: u64,
}

impl Forwards {
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// The address of a host, by a URI of it.
fn address_of(target: &str) -> usize {
    let (_, host) = target.split_once("@h").expect("a host");
    let number = host.split('.').next().expect("a number");
    number.parse().expect("a number")
}

fn copied(request: &Request, target: &str, via: &str) -> Vec<u8> {
    let mut text = format!("SUBSCRIBE {target} SIP/2.0\r\n{via}");
    for (name, value) in fields(&request.headers).filter(|(name, _)| *name != "Via") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), request.body()].concat()
}

fn passed_on(request: &Request, response: &Response) -> Vec<u8> {
    let mut text = format!("SIP/2.0 {} Said\r\n", response.status.code());
    for (name, value) in fields(&request.headers).filter(|(name, _)| *name == "Via") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in fields(&response.headers).filter(|(name, _)| *name != "Via") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

impl Server {
    pub fn forward(&mut self, network: &mut Network, forward: &Forward) {
        self.forwards.forwarded += 1;
        let number = forward.transaction.0;
        let (_, request) = &self.pending[&number];
        let transport = self
            .endpoint
            .transport(network, address_of(&forward.target));
        let via = self.endpoint.via(transport);
        let text = copied(request, &forward.target, &via);
        let key = self.endpoint.request(network, text);
        self.forwards.open.insert(key, (number, forward.clone()));
    }

    /// What became of one.
    pub fn forwarded(
        &mut self,
        network: &mut Network,
        key: &TransactionKey,
        response: Option<&Response>,
    ) {
        let Some((number, forward)) = self.forwards.open.remove(key) else {
            return;
        };
        let status = response.map(|response| response.status.code());
        let place = self.presentity(&forward.resource);
        let desk = &mut self.desks[place];
        if matches!(status, Some(405 | 489)) {
            let contacts = desk.contacts.iter().map(|it| it.device);
            let refused = contacts
                .filter(|device| *contact_of(*device) == *forward.target)
                .collect::<Vec<_>>();
            desk.refused.extend(refused);
        }
        let next =
            self.agent
                .report_forwarded(at(network), &forward.resource, &forward.target, status);
        match next.expect("a presentity") {
            Forwarded::ServeHere => {
                self.forwards.sent_back += 1;
                self.hand_in(network, number);
            }
            _ => {
                let (key, request) = self.pending.remove(&number).expect("it waits");
                let text = match response {
                    Some(response) => passed_on(&request, response),
                    None => answer(&request, 408, ""),
                };
                self.endpoint.respond(network, &key, text);
            }
        }
    }
}
