//! A publisher's user agent (RFC 3903).

use bytes::Bytes;
use sipx_sip::Response;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::endpoint::{Endpoint, Incoming, field, number};
use crate::model::{difference, document, name, user, whole};
use crate::network::{Network, SECOND, Wake};
use crate::terms::{PIDF, PIDF_DIFF};

#[derive(Debug)]
pub struct Publisher {
    pub address: usize,
    pub endpoint: Endpoint,
    pub presentity: usize,
    pub wants: bool,
    /// Seconds that it asks for.
    pub expires: u32,
    pub renews: bool,
    tag: Option<String>,
    marks: u64,
    cseq: u32,
    request: Option<TransactionKey>,
    /// There is something new to tell when the request is answered.
    again: bool,
    /// The request tells something new.
    told_new: bool,
    /// Something new was not taken so far.
    untold: bool,
    plan: u64,
    /// What its credentials are for.
    nonce: Option<u32>,
    pub told_412: u64,
    /// It tells what has changed, where it can.
    pub partial: bool,
    /// The mark that the entity-tag stands for, and the one that is being told.
    held: u64,
    telling: u64,
    pub told_changes: u64,
}

impl Publisher {
    pub fn new(address: usize, presentity: usize) -> Self {
        Self {
            address,
            endpoint: Endpoint::new(address),
            presentity,
            wants: false,
            expires: 600,
            renews: true,
            tag: None,
            marks: 0,
            cseq: 0,
            request: None,
            again: false,
            told_new: false,
            untold: false,
            plan: 0,
            nonce: None,
            told_412: 0,
            partial: false,
            held: 0,
            telling: 0,
            told_changes: 0,
        }
    }

    /// It has something new to tell.
    pub fn publish(&mut self, network: &mut Network) {
        self.wants = true;
        self.send(network, true);
    }

    pub fn refresh(&mut self, network: &mut Network) {
        if self.wants {
            let untold = core::mem::take(&mut self.untold);
            self.send(network, untold || self.tag.is_none());
        }
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Asks for more time at this very moment, and not before.
    pub fn wait_for_edge(&mut self, network: &mut Network, at: u64) {
        if self.wants && self.request.is_none() && at > network.now {
            self.plan += 1;
            network.wake(at, self.address, Wake::Edge(self.plan));
        }
    }

    pub fn remove(&mut self, network: &mut Network) {
        self.wants = false;
        self.plan += 1;
        if self.request.is_none() && self.tag.is_some() {
            self.send(network, false);
        }
    }

    /// It lost its memory: what it published stays until it runs out.
    pub fn forget(&mut self) {
        self.tag = None;
        self.request = None;
    }

    fn send(&mut self, network: &mut Network, with_body: bool) {
        if self.request.is_some() {
            self.again |= with_body;
            return;
        }
        let Self {
            address,
            presentity,
            ..
        } = *self;
        self.told_new = with_body;
        self.cseq += 1;
        let expires = if self.wants { self.expires } else { 0 };
        let mut added = String::new();
        if let Some(tag) = &self.tag {
            added.push_str(&format!("SIP-If-Match: {tag}\r\n"));
        }
        let mut body = String::new();
        if with_body {
            self.marks += 1;
            self.telling = address as u64 * 1_000_000 + self.marks;
            body = match &self.tag {
                _ if !self.partial => document(presentity, self.telling),
                None => whole(presentity, self.telling),
                Some(_) => {
                    self.told_changes += 1;
                    difference(presentity, self.held, self.telling)
                }
            };
            let media_type = if self.partial { PIDF_DIFF } else { PIDF };
            added.push_str(&format!("Content-Type: {media_type}\r\n"));
        }
        if let Some(nonce) = self.nonce {
            added.push_str(&format!("Authorization: {nonce}\r\n"));
        }
        let (name, identity) = (name(presentity), user(address));
        let via = self.endpoint.via(self.endpoint.transport(network, 0));
        let (cseq, length) = (self.cseq, body.len());
        let text = format!(
            "PUBLISH sip:{name} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <{identity}>;tag=p{address}\r\n\
             To: <sip:{name}>\r\nCall-ID: publish-{address}\r\nCSeq: {cseq} PUBLISH\r\n\
             Event: presence\r\nExpires: {expires}\r\n{added}Content-Length: {length}\r\n\r\n{body}"
        );
        self.request = Some(self.endpoint.request(network, text.into_bytes()));
    }

    pub fn wake(&mut self, network: &mut Network, why: Wake) {
        match why {
            Wake::Refresh(plan) if plan == self.plan => self.refresh(network),
            Wake::Edge(plan) if plan == self.plan => {
                network.express = true;
                self.refresh(network);
                network.express = false;
            }
            Wake::Kick => {
                if self.wants {
                    self.refresh(network);
                } else {
                    self.remove(network);
                }
            }
            _ => {}
        }
    }

    pub fn message(&mut self, network: &mut Network, bytes: Bytes) {
        let incoming = self.endpoint.message(network, 0, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        let (key, response) = match incoming {
            None => return,
            Some(Incoming::Request(_, request)) => panic!("{request:?}"),
            Some(Incoming::Response(key, response)) => (key, Some(response)),
            Some(Incoming::Timeout(key) | Incoming::Failure(key)) => (key, None),
        };
        if self.request.as_ref() != Some(&key) {
            return;
        }
        self.request = None;
        match response {
            Some(response) => self.response(network, &response),
            // It may or may not have been taken.
            None => {
                self.untold |= self.told_new;
                self.refresh_at(network, network.now + 2 * SECOND);
            }
        }
    }

    fn response(&mut self, network: &mut Network, response: &Response) {
        match response.status.code() {
            200 if !self.wants && number(&response.headers, "Expires") == Some(0) => {
                self.tag = None;
            }
            200 => {
                let tag = field(&response.headers, "SIP-ETag");
                self.tag = Some(tag.expect("an entity-tag").to_owned());
                if self.told_new {
                    self.held = self.telling;
                }
                if !self.wants {
                    self.send(network, false);
                } else if self.again {
                    self.again = false;
                    self.send(network, true);
                } else if self.renews {
                    let expires = number(&response.headers, "Expires").expect("a number");
                    let whole = u64::from(expires) * SECOND;
                    let share = network.dice.between(50, 95);
                    self.refresh_at(network, network.now + whole / 100 * share);
                }
            }
            412 => {
                self.told_412 += 1;
                self.tag = None;
                if self.wants {
                    self.send(network, true);
                }
            }
            401 => {
                self.nonce = number(&response.headers, "WWW-Authenticate");
                assert!(self.nonce.is_some());
                // What it had to tell, it tells with the credentials.
                let again = core::mem::take(&mut self.again);
                if !self.wants && self.tag.is_none() {
                    return;
                }
                self.send(
                    network,
                    self.wants && (again || self.told_new || self.tag.is_none()),
                );
            }
            _ => {
                // What was not taken is still to be told.
                self.untold |= self.told_new;
                let seconds = number(&response.headers, "Retry-After").map_or(2, u64::from);
                self.refresh_at(network, network.now + seconds * SECOND);
            }
        }
    }

    fn refresh_at(&mut self, network: &mut Network, at: u64) {
        if self.wants {
            self.plan += 1;
            network.wake(at, self.address, Wake::Refresh(self.plan));
        }
    }
}
