//! Requests: documents, what carries them, and verdicts on who has signed.

use std::net::IpAddr;

use bytes::Bytes;
use presentity::engine::{FlowId, ServerTransaction};
use presentity::event::{Assurance, Identity, RequestContext as SipContext, Verdict};
use presentity::mime::{Chain, Part, Signature, Signed, Signer, VerifyError};
use presentity::sdf::{Freshness, MEDIA_TYPE, Output, Request, RequestContext, Token};

use super::course::Course;
use super::rules::{NOBODY, PRESENTITIES, WATCHERS};
use crate::common::{Message, seeded};

/// A subscription request, to be sent as often as somebody likes.
#[derive(Debug, Clone)]
pub struct Document {
    pub octets: Bytes,
    pub watcher: usize,
    pub presentity: usize,
    pub token: Option<&'static str>,
    pub duration: u32,
    pub at: i128,
}

/// A request that came outside SIP.
#[derive(Debug)]
pub struct Asked {
    pub document: usize,
    pub is_signed: bool,
    /// Whether the host knows who has sent it.
    pub is_known: bool,
    pub order: u64,
    /// Whether subscriptions were others after the call.
    pub has_changed: bool,
}

/// A SUBSCRIBE.
#[derive(Debug)]
pub struct Carried {
    pub message: Message,
    pub document: Option<usize>,
    pub is_signed: bool,
    pub order: u64,
    pub has_changed: bool,
    pub cseq: u32,
}

const TOKENS: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];
const DURATIONS: [u32; 8] = [600, 60, 61, 3_600, 0, 30, u32::MAX, 90];
/// None is empty: that would be no document.
const RAW: [&str; 5] = [
    " ",
    "<Subscribe/>",
    "<Subscribe><From>pres:nora@example.org</From></Subscribe>",
    "\u{0}",
    "<Subscribe><From>x</From><To>y</To><DateTime>2026-02-02T03:00:00Z</DateTime><Duration>0</Duration></Subscribe>",
];

fn identity(watcher: usize, byte: u8) -> (Identity, Option<usize>) {
    let who = match byte % 8 {
        0..=5 => watcher,
        6 => return (Identity::nobody(), None),
        _ => (watcher + 1) % WATCHERS.len(),
    };
    let identity = Identity::of(WATCHERS[who].1, Assurance::Transport);
    (identity.expect("a user"), Some(who))
}

impl Course {
    /// A new document; its place among all.
    pub fn compose(&mut self, a: u8, b: u8, c: u8) -> usize {
        let watcher = usize::from(a) % WATCHERS.len();
        let presentity = usize::from(a / 3 % 2);
        let token = TOKENS[usize::from(a / 6 % 4)];
        let wished = if b & 64 == 0 { b % 2 } else { b % 8 };
        let duration = DURATIONS[usize::from(wished)];
        let seconds = match c % 16 {
            0 => 300,
            1 => 301,
            2 => -299,
            3 => -301,
            4 => -1,
            5 => i64::from(c),
            _ => 0,
        };
        let millis = if c & 128 == 0 { self.step } else { 0 };
        let at = self.wall
            + time::Duration::seconds(seconds)
            + time::Duration::milliseconds(i64::try_from(millis).expect("few"));
        let (from, to) = (WATCHERS[watcher].1, PRESENTITIES[presentity].1);
        let request = match token.map(|token| Token::new(token).expect("a token")) {
            None => Request::fetch(from, to, at),
            Some(token) if duration == 0 => Request::cancel(from, to, at, &token),
            Some(token) => Request::subscribe(from, to, at, &token, duration),
        };
        let (octets, duration) = match request {
            Ok(request) => (request.octets().clone(), request.duration()),
            // The calendar may have ended.
            Err(_) => (Bytes::from_static(b" "), duration),
        };
        let octets = match b / 8 % 8 {
            7 if b & 64 != 0 => Bytes::from_static(RAW[usize::from(c) % RAW.len()].as_bytes()),
            6 if b & 64 != 0 => octets.slice(..(octets.len() * usize::from(c) / 256).max(1)),
            _ => octets,
        };
        self.documents.push(Document {
            octets,
            watcher,
            presentity,
            token,
            duration,
            at: at.unix_timestamp_nanos(),
        });
        self.documents.len() - 1
    }

    fn wrap(&self, document: &Document, is_signed: bool) -> (String, Bytes) {
        if !is_signed {
            return (MEDIA_TYPE.to_owned(), document.octets.clone());
        }
        let part = Part::new(MEDIA_TYPE, &document.octets).expect("a part");
        let signature = Signature::new("application/pkcs7-signature", "sha-256", &b"sig"[..]);
        let signature = signature.expect("a signature");
        let written = Signed::write(part.octets(), &signature, &mut seeded(self.step));
        (written.content_type, written.body)
    }

    /// A document comes by another way than SIP.
    pub fn ask(&mut self, place: usize, d: u8, e: u8) {
        let document = self.documents[place].clone();
        let is_signed = d % 4 == 3;
        let (mut kind, body) = self.wrap(&document, is_signed);
        if d == 252 {
            kind = "text/plain".to_owned();
        }
        let (identity, who) = identity(document.watcher, e);
        let mut context = RequestContext::new(&identity);
        match d / 4 % 8 {
            6 => context = context.with_addressed(PRESENTITIES[document.presentity].1),
            7 => context = context.with_addressed(PRESENTITIES[0].1),
            _ => {}
        }
        if e & 64 != 0 {
            context = context.with_flow(FlowId(u64::from(e / 8 % 3)));
        }
        if e & 128 != 0 {
            context = context.with_source(IpAddr::from([192, 0, 2, e / 8 % 3]));
        }
        self.transactions += 1;
        let transaction = self.transactions;
        let (before, now) = (self.subscriptions(), self.said());
        let handled = self.service.handle_request(
            now,
            ServerTransaction(transaction),
            &kind,
            &body,
            &context,
        );
        let has_changed = self.subscriptions() != before;
        if handled.is_err() {
            assert!(!has_changed, "a refused request has changed something");
            return;
        }
        let asked = Asked {
            document: place,
            is_signed,
            is_known: who.is_some(),
            order: self.step,
            has_changed,
        };
        self.asked.insert(transaction, asked);
    }

    /// A SUBSCRIBE of a new call, with a document in it or not.
    pub fn subscribe(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8) {
        let place = match d / 64 {
            0 => None,
            1 if !self.documents.is_empty() => {
                Some(self.documents.len() - 1 - usize::from(d) % self.documents.len().min(8))
            }
            _ => Some(self.compose(a, b, c)),
        };
        let (watcher, presentity) = match place {
            Some(place) => (
                self.documents[place].watcher,
                self.documents[place].presentity,
            ),
            None => (usize::from(a) % WATCHERS.len(), usize::from(a / 3 % 2)),
        };
        let (identity, who) = identity(watcher, e);
        // Who is told by the document, else by the host.
        let name = match (place, who) {
            (Some(_), _) => WATCHERS[watcher].0,
            (None, Some(who)) => WATCHERS[who].0,
            (None, None) => NOBODY,
        };
        let call = format!("call-{}", self.step);
        let (from, to) = (format!("sip:{name}"), PRESENTITIES[presentity].0);
        let to = format!("sip:{to}");
        let expires = DURATIONS[usize::from(b % 8)];
        let message = Message::subscribe(&from, &to, &call).with("Expires", &expires.to_string());
        self.send(message, place, d % 4 == 3, &identity, 1);
    }

    /// The next request in a dialog.
    pub fn refresh(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8) {
        if self.dialogs.is_empty() {
            return;
        }
        let at = usize::from(a) % self.dialogs.len();
        let (first, tag, cseq) = &mut self.dialogs[at];
        *cseq += 1;
        let cseq = *cseq;
        let expires = DURATIONS[usize::from(b % 8)].to_string();
        let user = first.field("From").to_owned();
        let mut message = first.clone().in_dialog(tag, cseq).with("Expires", &expires);
        message = message.without("Content-Type");
        message.body = Bytes::new();
        let found = WATCHERS.iter().position(|(name, _)| user.contains(name));
        let place = (d & 64 != 0).then(|| self.compose(c, b, e));
        let (identity, _) = match found {
            Some(watcher) => identity(watcher, e),
            None => (Identity::nobody(), None),
        };
        self.send(message, place, d % 4 == 3, &identity, cseq);
    }

    fn send(
        &mut self,
        mut message: Message,
        place: Option<usize>,
        is_signed: bool,
        identity: &Identity,
        cseq: u32,
    ) {
        if let Some(place) = place {
            let document = self.documents[place].clone();
            let (kind, body) = self.wrap(&document, is_signed);
            message = message
                .with("Content-Type", &kind)
                .with("Expires", &document.duration.to_string());
            message.body = body;
        }
        self.transactions += 1;
        let transaction = self.transactions;
        let context = SipContext::new(identity, "sip:agent.example.com");
        let (before, now) = (self.subscriptions(), self.said());
        let handled = self.service.agent_mut().handle_request(
            now,
            ServerTransaction(transaction),
            &message.view(),
            &context,
        );
        let has_changed = self.subscriptions() != before;
        if handled.is_err() {
            assert!(!has_changed, "a refused SUBSCRIBE has changed something");
            return;
        }
        let carried = Carried {
            message,
            document: place,
            is_signed: is_signed && place.is_some(),
            order: self.step,
            has_changed,
            cseq,
        };
        self.carried.insert(transaction, carried);
    }

    /// A verdict: on one that waits, or on one that does not any more.
    pub fn complete(&mut self, a: u8, b: u8, c: u8) {
        // What comes out from here on is that of the verdict.
        self.drain();
        let is_none = match a & 1 {
            0 => self.verifications.is_empty(),
            _ => self.sip_verifications.is_empty(),
        };
        if is_none {
            return;
        }
        let watcher = usize::from(c) % WATCHERS.len();
        let name = WATCHERS[watcher].1;
        let verdict: Verdict = match b % 8 {
            0 => Err(VerifyError::Wrong),
            1 => Ok(Vec::new()),
            2 => Ok(vec![Signer::new(
                [name],
                Chain::Untrusted("old".to_owned()),
            )]),
            3 => Ok(vec![Signer::new(["mailto:x@example.org"], Chain::Trusted)]),
            _ => Ok(vec![
                Signer::new(["pres:x@example.org"], Chain::Trusted),
                Signer::new(WATCHERS.map(|(_, name)| name), Chain::Trusted),
            ]),
        };
        self.is_bound = b % 8 > 3;
        let now = self.said();
        if a & 1 == 0 {
            let len = self.verifications.len();
            let back = usize::from(a / 2) % len.clamp(1, 4);
            let Some((key, is_told)) = self.verifications.iter_mut().rev().nth(back) else {
                return;
            };
            let taken = self.service.complete_verification(now, *key, &verdict);
            assert!(!(taken && *is_told), "a verdict was taken twice");
            *is_told = true;
            if taken {
                let output = self.service.poll_output().expect("an answer");
                assert!(matches!(output, Output::Respond { .. }), "{output:?}");
                self.look_at(output);
            }
        } else {
            let len = self.sip_verifications.len();
            let back = usize::from(a / 2) % len.clamp(1, 4);
            let Some((key, is_told)) = self.sip_verifications.iter_mut().rev().nth(back) else {
                return;
            };
            let agent = self.service.agent_mut();
            let taken = agent.complete_verification(now, *key, &verdict);
            assert!(!(taken && *is_told), "a verdict was taken twice");
            *is_told = true;
            self.drain();
        }
        self.is_bound = false;
        self.tally.verified += 1;
    }

    /// A document was accepted, from somebody who is known or not.
    pub fn accept(&mut self, place: usize, is_signed: bool, is_known: bool, order: u64) {
        self.tally.accepted += 1;
        if !is_signed && self.checks.checks.freshness == Freshness::Signed {
            return;
        }
        let document = &self.documents[place];
        // A fetch is told by its octets, all others by what they are about.
        let name = match document.token {
            Some(token) => format!("{} {} {token}", document.watcher, document.presentity),
            None => format!("{:?}", document.octets),
        };
        let all = self.accepted.entry((name, is_known)).or_default();
        all.push((order, document.at));
    }
}
