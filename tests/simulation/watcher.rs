//! A watcher's user agent: it keeps its dialog as RFC 6665 asks, and has its moods.

use bytes::Bytes;
use presentity::pidf::partial::{Reconstruction, Taken};
use sipx_sip::transaction::{Timer, TransactionKey};
use sipx_sip::{Request, Response};

use crate::endpoint::{Endpoint, Incoming, answer, field, number, tag, uri};
use crate::model::{name, user};
use crate::network::{Network, SECOND, Wake};
use crate::terms::{Extensions, Filter, PIDF, PIDF_DIFF, Pace, Suppress, Terms};

/// Of those beyond, only some have a pace of their own.
const MANY: usize = 64;

/// How it deals with NOTIFYs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// It takes its time.
    Slow(u64),
    /// It is not there: nothing that is sent to it arrives.
    Dead,
    /// It answers this, with Retry-After.
    Refusing(u16, Option<u32>),
    /// It wants to know who notifies it, be it again and again.
    Asking(bool),
}

/// A subscription as its watcher knows it.
#[derive(Debug)]
struct Dialog {
    call_id: String,
    tag: String,
    remote_tag: Option<String>,
    target: String,
    cseq: u32,
    remote_cseq: Option<u32>,
    fetch: bool,
    /// Its end was asked for.
    leaving: bool,
    /// The newest document, and its entity-tag.
    document: Option<Bytes>,
    entity_tag: Option<String>,
    /// What partial documents come to.
    copy: Reconstruction,
    /// What it wants to be spared, as it said last.
    condition: Option<String>,
    /// Its last SUBSCRIBE said so.
    asked_condition: bool,
    /// The filter that is agreed on, and the one that was asked for last.
    filter: Filter,
    asked_filter: Filter,
    /// The wake-up that is still meant.
    plan: u64,
}

#[derive(Debug)]
pub struct Watcher {
    pub address: usize,
    pub endpoint: Endpoint,
    pub presentity: usize,
    entity: String,
    pub mood: Mood,
    /// It is to have a subscription.
    pub wants: bool,
    /// Seconds that it asks for.
    pub expires: u32,
    /// It asks for more time by itself.
    pub renews: bool,
    dialog: Option<Dialog>,
    fetches: Vec<Dialog>,
    /// The SUBSCRIBE in the dialog that is not answered yet.
    request: Option<TransactionKey>,
    /// By the Call-ID of the fetch.
    fetching: Vec<(TransactionKey, String)>,
    /// What its credentials are for.
    nonce: Option<u32>,
    slow: Vec<(u64, TransactionKey, Vec<u8>)>,
    calls: u64,
    plans: u64,
    pub fetched: u64,
    pub terms: Terms,
    /// What it has from an earlier dialog, and its entity-tag.
    kept: Option<(Option<Bytes>, String)>,
    /// What it asked for and got, or was spared.
    pub spared: u64,
    pub changes_taken: u64,
}

impl Watcher {
    /// Some name the presentity by its pres URI.
    pub fn new(address: usize, presentity: usize, by_pres: bool) -> Self {
        let scheme = if by_pres { "pres" } else { "sip" };
        Self {
            address,
            endpoint: Endpoint::new(address),
            presentity,
            entity: format!("{scheme}:{}", name(presentity)),
            mood: Mood::Honest,
            wants: false,
            expires: 600,
            renews: true,
            dialog: None,
            fetches: Vec::new(),
            request: None,
            fetching: Vec::new(),
            nonce: None,
            slow: Vec::new(),
            calls: 0,
            plans: 0,
            fetched: 0,
            terms: Terms::ORDINARY,
            kept: None,
            spared: 0,
            changes_taken: 0,
        }
    }

    /// From now on it watches another presentity.
    pub fn watch(&mut self, presentity: usize) {
        self.presentity = presentity;
        self.entity = format!("sip:{}", name(presentity));
    }

    /// The Call-ID of its dialog, and the agent's tag if it knows that.
    pub fn dialog(&self) -> Option<(&str, Option<&str>)> {
        let dialog = self.dialog.as_ref()?;
        Some((&dialog.call_id, dialog.remote_tag.as_deref()))
    }

    pub fn document(&self) -> Option<&Bytes> {
        self.dialog.as_ref()?.document.as_ref()
    }

    /// Whether a NOTIFY has told it anything in this dialog, or it brought something along.
    pub fn knows(&self) -> bool {
        self.dialog
            .as_ref()
            .is_some_and(|it| it.entity_tag.is_some())
    }

    /// It does not forget what it has, though it begins anew.
    pub fn keep(&mut self) {
        let dialog = self.dialog.as_ref();
        self.kept = dialog.and_then(|it| Some((it.document.clone(), it.entity_tag.clone()?)));
    }

    /// It asks for something else from now on.
    pub fn ask(&mut self, network: &mut Network, extensions: Extensions) {
        self.terms = Terms::thrown(&mut network.dice, extensions);
        if self.address > MANY && !self.address.is_multiple_of(32) {
            // Else what is told again would be most of what is told.
            self.terms.pace = Pace::NONE;
        }
        let terms = self.terms;
        network.say(|| format!("{} asks for {terms:?}", self.address));
    }

    pub fn entity(&self) -> &str {
        &self.entity
    }

    // ---- what it does ---------------------------------------------------------------------

    /// Subscribes, or asks for more time.
    pub fn subscribe(&mut self, network: &mut Network) {
        self.wants = true;
        if self.request.is_some() {
            return;
        }
        if self.dialog.as_ref().is_some_and(|it| it.leaving) {
            // It comes back under a new Call-ID.
            self.dialog = None;
        }
        if self.dialog.is_none() {
            let mut dialog = self.call(false);
            if let Some((document, tag)) = self.kept.take() {
                dialog.document = document;
                dialog.entity_tag = Some(tag);
            }
            self.dialog = Some(dialog);
        }
        self.send(network, self.expires);
    }

    pub fn unsubscribe(&mut self, network: &mut Network) {
        self.wants = false;
        let Some(dialog) = &mut self.dialog else {
            return;
        };
        if self.request.is_some() {
            return;
        }
        if dialog.remote_tag.is_none() {
            self.dialog = None;
            return;
        }
        dialog.leaving = true;
        self.send(network, 0);
        self.plan(network, network.now + 40 * SECOND, Wake::Forget);
    }

    pub fn fetch(&mut self, network: &mut Network) {
        let dialog = self.call(true);
        self.send_fetch(network, dialog);
    }

    fn send_fetch(&mut self, network: &mut Network, mut dialog: Dialog) {
        let text = self.text(network, &mut dialog, 0);
        dialog.cseq += 1;
        let call_id = dialog.call_id.clone();
        self.fetches.push(dialog);
        let key = self.endpoint.request(network, text);
        self.fetching.push((key, call_id));
    }

    /// It proves who it is, and asks again.
    fn repeat_fetch(&mut self, network: &mut Network, call_id: &str) {
        let place = self.fetches.iter().position(|it| it.call_id == call_id);
        if let Some(place) = place {
            let dialog = self.fetches.remove(place);
            self.send_fetch(network, dialog);
        }
    }

    /// It is gone, and whoever comes back in its place knows nothing of a dialog.
    pub fn vanish(&mut self) {
        self.dialog = None;
        self.fetches.clear();
        self.wants = false;
        self.request = None;
    }

    /// Asks for more time at this very moment, and not before.
    pub fn wait_for_edge(&mut self, network: &mut Network, at: u64) {
        if self.request.is_none() && at > network.now {
            self.plan(network, at, Wake::Edge);
        }
    }

    /// Lets no time pass before it knows how it stands.
    pub fn kick(&mut self, network: &mut Network) {
        if self.wants {
            self.subscribe(network);
        } else {
            self.unsubscribe(network);
        }
    }

    fn call(&mut self, fetch: bool) -> Dialog {
        self.calls += 1;
        self.plans += 1;
        let (address, call) = (self.address, self.calls);
        Dialog {
            call_id: format!("call-{address}-{call}"),
            tag: format!("tag-{address}-{call}"),
            remote_tag: None,
            target: self.entity.clone(),
            cseq: 0,
            remote_cseq: None,
            fetch,
            leaving: false,
            document: None,
            entity_tag: None,
            copy: Reconstruction::new(),
            condition: None,
            asked_condition: false,
            filter: Filter::None,
            asked_filter: Filter::None,
            plan: self.plans,
        }
    }

    fn text(&mut self, network: &mut Network, dialog: &mut Dialog, expires: u32) -> Vec<u8> {
        let (added, body) = self.ask_for(network, dialog);
        let (event, length) = (self.terms.pace.text, body.len());
        let Self {
            address, entity, ..
        } = self;
        let remote = dialog.remote_tag.iter().map(|tag| format!(";tag={tag}"));
        let remote: String = remote.collect();
        let (identity, cseq) = (user(*address), dialog.cseq + 1);
        let (target, tag, call_id) = (&dialog.target, &dialog.tag, &dialog.call_id);
        let via = self.endpoint.via(self.endpoint.transport(network, 0));
        let nonce = self.nonce.map(|it| format!("Authorization: {it}\r\n"));
        let nonce = nonce.unwrap_or_default();
        format!(
            "SUBSCRIBE {target} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <{identity}>;tag={tag}\r\n\
             To: <{entity}>{remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\n\
             Contact: <sip:user{address}@h{address}.example.net>\r\nEvent: presence{event}\r\n\
             Expires: {expires}\r\n{nonce}{added}Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// The fields of a SUBSCRIBE by which it asks for more than the ordinary, and the body.
    fn ask_for(&self, network: &mut Network, dialog: &mut Dialog) -> (String, String) {
        let terms = &self.terms;
        let mut added = format!("Accept: {PIDF}");
        if terms.partial {
            added.push_str(&format!(", {PIDF_DIFF}"));
        }
        added.push_str("\r\n");
        dialog.condition = match terms.suppress {
            Suppress::Nothing => None,
            Suppress::Held => dialog.entity_tag.clone(),
            Suppress::All => Some("*".to_owned()),
        };
        dialog.asked_condition = dialog.condition.is_some();
        if let Some(tag) = &dialog.condition {
            added.push_str(&format!("Suppress-If-Match: {tag}\r\n"));
        }
        dialog.asked_filter = terms.filter;
        let mut body = String::new();
        if terms.filter != dialog.filter || terms.filter != Filter::None && network.dice.chance(200)
        {
            body = terms.filter.body(network.dice.chance(500));
            added.push_str("Content-Type: application/simple-filter+xml\r\n");
        }
        (added, body)
    }

    fn send(&mut self, network: &mut Network, expires: u32) {
        let mut dialog = self.dialog.take().expect("a dialog");
        let text = self.text(network, &mut dialog, expires);
        dialog.cseq += 1;
        self.dialog = Some(dialog);
        self.request = Some(self.endpoint.request(network, text));
    }

    /// What the dialog is to do next, in place of what it was to do.
    fn plan(&mut self, network: &mut Network, at: u64, wake: fn(u64) -> Wake) {
        let Some(dialog) = &mut self.dialog else {
            return;
        };
        self.plans += 1;
        dialog.plan = self.plans;
        network.wake(at, self.address, wake(self.plans));
    }

    fn return_after(&mut self, network: &mut Network, seconds: u64) {
        self.dialog = None;
        if self.wants {
            let wait = seconds * SECOND + network.dice.roll(SECOND);
            self.plans += 1;
            network.wake(network.now + wait, self.address, Wake::Return(self.plans));
        }
    }

    // ---- what happens to it ---------------------------------------------------------------

    pub fn wake(&mut self, network: &mut Network, why: Wake) {
        let planned = self.dialog.as_ref().map(|dialog| dialog.plan);
        match why {
            Wake::Refresh(plan) if planned == Some(plan) && self.wants => self.subscribe(network),
            Wake::Edge(plan) if planned == Some(plan) => {
                network.express = true;
                self.subscribe(network);
                network.express = false;
            }
            Wake::Forget(plan) if planned == Some(plan) => self.return_after(network, 1),
            Wake::Return(_) if self.dialog.is_none() && self.wants => self.subscribe(network),
            Wake::Answer(number) => {
                if let Some(place) = self.slow.iter().position(|it| it.0 == number) {
                    let (_, key, text) = self.slow.remove(place);
                    self.endpoint.respond(network, &key, text);
                }
            }
            Wake::Kick => self.kick(network),
            Wake::Mend => {
                self.mood = Mood::Honest;
                self.renews = true;
                self.subscribe(network);
            }
            _ => {}
        }
    }

    pub fn message(&mut self, network: &mut Network, bytes: Bytes) {
        if self.mood == Mood::Dead {
            return;
        }
        let incoming = self.endpoint.message(network, 0, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        match incoming {
            None => {}
            Some(Incoming::Request(key, request)) => self.notify(network, key, &request),
            Some(Incoming::Response(key, response)) => self.response(network, &key, &response),
            Some(Incoming::Timeout(key) | Incoming::Failure(key)) => {
                self.fetching.retain(|(other, _)| *other != key);
                if self.request.as_ref() == Some(&key) {
                    self.request = None;
                    self.return_after(network, 1);
                }
            }
        }
    }

    fn response(&mut self, network: &mut Network, key: &TransactionKey, response: &Response) {
        let status = response.status.code();
        if status == 401 {
            self.nonce = number(&response.headers, "WWW-Authenticate");
            assert!(self.nonce.is_some());
        }
        if let Some(place) = self.fetching.iter().position(|(other, _)| other == key) {
            let (_, call_id) = self.fetching.remove(place);
            assert_ne!(status, 204);
            if status == 401 {
                self.repeat_fetch(network, &call_id);
            }
            return;
        }
        if self.request.as_ref() != Some(key) {
            return;
        }
        self.request = None;
        let Some(dialog) = &mut self.dialog else {
            return;
        };
        match status {
            204 if dialog.leaving => self.dialog = None,
            200 | 204 => {
                if status == 204 {
                    assert!(dialog.remote_tag.is_some() && dialog.asked_condition);
                    self.spared += 1;
                }
                dialog.filter = dialog.asked_filter;
                let remote_tag = tag(&response.headers, "To");
                if dialog.remote_tag.is_some() {
                    assert_eq!(dialog.remote_tag, remote_tag);
                }
                dialog.remote_tag = remote_tag;
                dialog.target = uri(&response.headers, "Contact").expect("a Contact");
                let expires = number(&response.headers, "Expires").expect("a number");
                if dialog.leaving {
                    return;
                }
                let whole = u64::from(expires) * SECOND;
                if self.wants && self.renews {
                    let share = network.dice.between(50, 95);
                    self.plan(network, network.now + whole / 100 * share, Wake::Refresh);
                } else {
                    self.plan(network, network.now + whole + 40 * SECOND, Wake::Forget);
                }
            }
            423 => {
                self.expires = number(&response.headers, "Min-Expires").expect("a number");
                if self.wants {
                    self.subscribe(network);
                }
            }
            403 => {
                self.wants = false;
                self.dialog = None;
            }
            401 => {
                let expires = if dialog.leaving { 0 } else { self.expires };
                self.send(network, expires);
            }
            _ => {
                let seconds = number(&response.headers, "Retry-After");
                self.return_after(network, seconds.map_or(1, u64::from));
            }
        }
    }

    fn notify(&mut self, network: &mut Network, key: TransactionKey, request: &Request) {
        let number_of_slow = self.plans + 1;
        let (status, added) = match self.mood {
            Mood::Refusing(status, retry_after) => {
                if status == 481 {
                    self.dialog = None;
                }
                let added = retry_after.map(|it| format!("Retry-After: {it}\r\n"));
                (status, added.unwrap_or_default())
            }
            Mood::Asking(again) if again || field(&request.headers, "Authorization").is_none() => {
                (401, "WWW-Authenticate: Digest watcher\r\n".to_owned())
            }
            _ => (self.judge(network, request), String::new()),
        };
        let text = answer(request, status, &added);
        if let Mood::Slow(wait) = self.mood {
            self.plans += 1;
            self.slow.push((number_of_slow, key, text));
            network.wake(
                network.now + wait,
                self.address,
                Wake::Answer(number_of_slow),
            );
        } else {
            self.endpoint.respond(network, &key, text);
        }
    }

    /// Takes what a NOTIFY tells; the status of the answer.
    fn judge(&mut self, network: &mut Network, request: &Request) -> u16 {
        let headers = &request.headers;
        let call_id = field(headers, "Call-ID").expect("one");
        let local_tag = tag(headers, "To");
        let remote_tag = tag(headers, "From");
        let dialogs = self.dialog.iter_mut().chain(&mut self.fetches);
        let found = dialogs.into_iter().find(|it| {
            it.call_id == call_id
                && Some(&it.tag) == local_tag.as_ref()
                && (it.remote_tag.is_none() || it.remote_tag == remote_tag)
        });
        let Some(dialog) = found else {
            return 481;
        };
        // A NOTIFY may come before the 2xx and makes the dialog too.
        dialog.remote_tag = remote_tag;
        if let Some(contact) = uri(headers, "Contact") {
            dialog.target = contact;
        }
        let cseq = number(headers, "CSeq").expect("a number");
        if dialog.remote_cseq.is_some_and(|last| cseq <= last) {
            return 500;
        }
        dialog.remote_cseq = Some(cseq);
        let state = field(headers, "Subscription-State").expect("one");
        if let Some(tag) = field(headers, "SIP-ETag") {
            self.changes_taken += u64::from(dialog.learn(request, tag));
        }
        if !state.starts_with("terminated") {
            return 200;
        }
        if dialog.fetch {
            self.fetched += 1;
            self.fetches.retain(|it| it.call_id != call_id);
            return 200;
        }
        let reason = state.split([';', '=']).nth(2).unwrap_or_default();
        match reason {
            "deactivated" | "timeout" => self.return_after(network, 0),
            "rejected" | "noresource" | "invariant" => {
                self.wants = false;
                self.dialog = None;
            }
            _ => self.return_after(network, 10),
        }
        self.request = None;
        200
    }
}

impl Dialog {
    /// Takes the document of a NOTIFY, or that there is none; whether it was one of changes.
    fn learn(&mut self, request: &Request, tag: &str) -> bool {
        let body = request.body();
        if body.is_empty() {
            match self.condition.as_deref() {
                Some("*") => return false,
                Some(known) if known == tag => {
                    // What it said may have been overtaken by what is on its way.
                    assert_eq!(self.entity_tag.as_deref(), Some(tag), "{self:#?}");
                    return false;
                }
                _ => {
                    self.document = None;
                    self.copy.type_changed();
                }
            }
        }
        let mut has_changes = false;
        match field(&request.headers, "Content-Type") {
            None => assert!(body.is_empty()),
            Some(PIDF) => {
                self.document = Some(body.clone());
                self.copy.type_changed();
            }
            Some(PIDF_DIFF) => {
                let taken = self.copy.take(body).expect("the next one");
                has_changes = taken == Taken::Changed;
                assert!(has_changes || taken == Taken::Full);
                self.document = Some(self.copy.presence_octets().expect("a document"));
            }
            Some(other) => panic!("{other}"),
        }
        self.entity_tag = Some(tag.to_owned());
        // What was to be spared is over with the first that is told.
        self.condition = self.condition.take().filter(|it| it == "*");
        has_changes
    }
}
