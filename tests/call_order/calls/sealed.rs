//! Requests with bodies that the host opens before they are answered.

use core::time::Duration;

use bytes::Bytes;
use presentity::engine::FlowId;
use presentity::event::{Opening, PublishKind};
use presentity::mime::{DecryptError, MimeError, OpenError, Opened, VerifyError};

use super::course::{Course, Effect};
use super::model::{DEFERRED, ExpectedOf, PRESENTITIES, document};
use super::operations::{Accepts, Oddity, Wish, Within};
use super::protecting::{Chore, Work};
use super::requests;
use super::subscribing::Refresh;
use crate::common::Message;

/// A request that waits for its body.
#[derive(Debug, Clone)]
pub enum Sealed {
    Subscribe {
        message: Message,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        flow: Option<FlowId>,
        optional: bool,
    },
    Refresh {
        refresh: Refresh,
        optional: bool,
    },
    Publish {
        message: Message,
        presentity: usize,
        tag: Option<String>,
        wish: Wish,
        flow: Option<FlowId>,
    },
}

impl Sealed {
    fn message(&self) -> &Message {
        match self {
            Self::Subscribe { message, .. } | Self::Publish { message, .. } => message,
            Self::Refresh { refresh, .. } => &refresh.message,
        }
    }
}

/// How a request goes on when its body was opened so; nothing when as if it had none.
fn status_of(within: Within, optional: bool) -> Option<u16> {
    let status = match within {
        Within::Right | Within::Request => return None,
        Within::OtherRequest { encrypted: false } => 403,
        Within::OtherRequest { encrypted: true } => 493,
        Within::Text => 415,
        Within::Error(kind) => error(kind).status(),
    };
    (status != 415 || !optional).then_some(status)
}

fn error(kind: u8) -> OpenError {
    match kind {
        0 => OpenError::Decrypt(DecryptError::Undecipherable),
        1 => OpenError::Decrypt(DecryptError::Unreadable("odd".into())),
        2 => OpenError::Decrypt(DecryptError::Unsupported),
        3 => OpenError::Signature(VerifyError::Wrong),
        4 => OpenError::Signature(VerifyError::Unreadable("odd".into())),
        5 => OpenError::Signature(VerifyError::Protocol),
        6 => OpenError::Signature(VerifyError::NoCertificate),
        7 => OpenError::Mime(MimeError::NotSigned),
        8 => OpenError::Within(Box::new(OpenError::Unsupported)),
        9 => OpenError::Altered {
            name: "Call-ID".into(),
        },
        10 => OpenError::Unsupported,
        _ => OpenError::TooDeep,
    }
}

fn sealed(message: Message, optional: bool) -> Message {
    let message = message
        .with(
            "Content-Type",
            "application/pkcs7-mime;smime-type=enveloped-data",
        )
        .with_body("sealed");
    match optional {
        true => message.with("Content-Disposition", "attachment;handling=optional"),
        false => message,
    }
}

/// A request as it stands within a body, or another one.
fn message_of(message: &Message, is_other: bool, inner: &Opened) -> Opened {
    let mut text = format!("{} {} SIP/2.0\r\n", message.method, message.uri);
    for (name, value) in &message.fields {
        let end = match name.as_str() {
            "Content-Type" | "Content-Disposition" => continue,
            "Call-ID" | "i" if is_other => "x",
            _ => "",
        };
        text.push_str(&format!("{name}: {value}{end}\r\n"));
    }
    if !inner.content_type.is_empty() {
        text.push_str(&format!("Content-Type: {}\r\n", inner.content_type));
    }
    text.push_str("\r\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(&inner.body);
    Opened::new("message/sip", octets)
}

impl Course {
    pub(super) fn asked_to_open(&mut self, opening: &Opening) {
        let place = self.opening.pop_front().expect("something to be opened");
        assert!(opening.content_type.starts_with("application/pkcs7-mime"));
        assert_eq!(&opening.body[..], b"sealed");
        let chore = &mut self.chores[place];
        assert_eq!(opening.deadline, chore.deadline);
        match &mut chore.work {
            Work::Open { key, .. } => *key = Some(opening.key),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn subscribe_sealed(
        &mut self,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        flow: Option<u64>,
        accepts: Accepts,
        optional: bool,
    ) {
        let call = self.call_id();
        let message = requests::subscribe(watcher, &requests::entity(presentity, 0), &call);
        let message = requests::accepting(requests::with_wish(message, wish), accepts);
        let message = sealed(message, optional);
        let flow = requests::flow(flow);
        let request = Sealed::Subscribe {
            message,
            watcher,
            presentity,
            wish,
            flow,
            optional,
        };
        let fault = (wish == Wish::Seconds(5)).then_some(423);
        self.send_sealed(request, requests::user(watcher), flow, fault);
    }

    pub(super) fn refresh_sealed(
        &mut self,
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
        accepts: Accepts,
        optional: bool,
    ) {
        let refresh = self.next_refresh(pick, wish, flow, Oddity::None, accepts);
        let Some(mut refresh) = refresh else {
            return;
        };
        if !self.subscriptions[refresh.place].is_live() {
            return;
        }
        refresh.message = sealed(refresh.message, optional);
        let fault = (wish == Wish::Seconds(5)).then_some(423);
        let (user, flow) = (refresh.user, refresh.flow);
        let request = Sealed::Refresh { refresh, optional };
        self.send_sealed(request, user, flow, fault);
    }

    pub(super) fn publish_sealed(
        &mut self,
        presentity: usize,
        tag: Option<String>,
        wish: Wish,
        flow: Option<FlowId>,
    ) {
        let call = self.call_id();
        let message = requests::publish(presentity, &call, tag.as_deref(), Some("x"), wish);
        let owner = format!("sip:{}", PRESENTITIES[presentity]);
        let request = Sealed::Publish {
            message: sealed(message, false),
            presentity,
            tag,
            wish,
            flow,
        };
        self.send_sealed(request, Some(&owner), flow, None);
    }

    fn send_sealed(
        &mut self,
        request: Sealed,
        user: Option<&str>,
        flow: Option<FlowId>,
        fault: Option<u16>,
    ) {
        let server = &self.setting.config.server;
        if !server.opens_bodies {
            return;
        }
        let (limit, deadline) = (server.limits.jobs, server.job_deadline);
        let openings = self.chores.iter();
        let openings = openings.filter(|it| matches!(it.work, Work::Open { .. }) && !it.over);
        let (may_be, are): (Vec<_>, Vec<_>) = openings.partition(|it| it.may_be_over);
        let statuses = match fault {
            Some(status) => vec![status],
            None if are.len() >= limit => vec![503],
            None if are.len() + may_be.len() >= limit => vec![503, 504],
            None => vec![504],
        };
        let message = request.message().clone();
        let (transaction, effect) = self.hand_in(&message, user, flow, |_| statuses);
        if effect != Effect::Taken {
            return;
        }
        let place = self.chores.len();
        let expected = self.expected.get_mut(&transaction).expect("an expectation");
        expected.of = ExpectedOf::Opening(place);
        self.chores.push(Chore {
            work: Work::Open {
                transaction,
                since: self.clock,
                key: None,
                request,
            },
            deadline: self.clock + deadline.min(Duration::from_secs(30)),
            may_be_over: false,
            over: false,
            went_well: true,
        });
        self.opening.push_back(place);
    }

    pub(super) fn complete_opening(&mut self, pick: usize, within: Within) {
        let known = (0..self.chores.len()).rev();
        let is_known = |place: &usize| matches!(&self.chores[*place].work, Work::Open { key, .. } if key.is_some());
        let known: Vec<usize> = known.filter(is_known).collect();
        // Mostly the latest.
        if let Some(place) = known.get(pick % known.len().clamp(1, 4)) {
            self.open(*place, within);
        }
    }

    pub(super) fn open(&mut self, place: usize, within: Within) {
        let Work::Open { request, key, .. } = &self.chores[place].work else {
            return;
        };
        if key.is_none() {
            return;
        }
        match request.clone() {
            Sealed::Subscribe {
                message,
                watcher,
                presentity,
                wish,
                flow,
                optional,
            } => {
                let rule = self.agent.policy().rule(watcher, presentity);
                let arrived = self.hand_opened(place, within, None, |course| {
                    match status_of(within, optional) {
                        Some(status) => vec![status],
                        None => {
                            let accepts = requests::accepts(&message);
                            course.fresh_statuses(watcher, presentity, wish, rule, accepts, None)
                        }
                    }
                });
                if let Some((transaction, Effect::Taken)) = arrived {
                    self.begin(transaction, &message, watcher, presentity, wish, rule, flow);
                }
            }
            Sealed::Refresh { refresh, optional } => {
                let status = status_of(within, optional);
                self.run_refresh(refresh, Some((place, within, status)));
            }
            Sealed::Publish {
                presentity,
                tag,
                wish,
                flow,
                ..
            } => self.open_publish(place, within, presentity, tag, wish, flow),
        }
    }

    fn open_publish(
        &mut self,
        place: usize,
        within: Within,
        presentity: usize,
        tag: Option<String>,
        wish: Wish,
        flow: Option<FlowId>,
    ) {
        let mark = self.mark(presentity, false);
        let seconds = match wish {
            Wish::Absent => 3600,
            Wish::Seconds(seconds) => seconds,
        };
        let kind = match (&tag, seconds) {
            (None, _) => PublishKind::Initial,
            (Some(_), 0) => PublishKind::Remove,
            (Some(_), _) => PublishKind::Modify,
        };
        let body = document(presentity, mark).write();
        let body = body.expect("it can be written");
        let inner = Opened::new("application/pidf+xml", body);
        let arrived = self.hand_opened(place, within, Some(inner), |course| {
            let found = tag.as_deref();
            let found = found.map(|tag| course.publication(presentity, tag));
            let status = status_of(within, false);
            match status {
                Some(status) if within != Within::Text => vec![status],
                _ if found == Some(None) => vec![412],
                _ if 0 < seconds && seconds < 60 => vec![423],
                Some(status) if kind != PublishKind::Remove => vec![status],
                _ => course.publish_statuses(presentity, flow, found.flatten()),
            }
        });
        if let Some((transaction, Effect::Taken)) = arrived {
            let Work::Open { since, .. } = &self.chores[place].work else {
                return;
            };
            let latest = *since + Duration::from_secs(30);
            let mark = Some(mark).filter(|_| kind != PublishKind::Remove);
            self.publish_taken(transaction, presentity, flow, kind, tag, mark, seconds);
            if presentity == DEFERRED {
                let job = self.jobs.last_mut().expect("a job");
                job.deadline = job.deadline.min(latest);
            }
        }
    }

    /// Hands in what is within a body; nothing when it comes too late.
    pub(super) fn hand_opened(
        &mut self,
        place: usize,
        within: Within,
        inner: Option<Opened>,
        statuses: impl FnOnce(&Self) -> Vec<u16>,
    ) -> Option<(u64, Effect)> {
        let now = self.time();
        let Work::Open {
            transaction,
            key,
            request,
            ..
        } = &self.chores[place].work
        else {
            return None;
        };
        let (transaction, key) = (*transaction, key.expect("it was told"));
        let inner = inner.unwrap_or_else(|| Opened::new("", Bytes::new()));
        let outcome = match within {
            Within::Right => Ok(inner),
            Within::Request => Ok(message_of(request.message(), false, &inner)),
            Within::OtherRequest { encrypted } => {
                let mut opened = message_of(request.message(), true, &inner);
                opened.is_encrypted = encrypted;
                Ok(opened)
            }
            Within::Text => Ok(Opened::new("text/plain", "hello")),
            Within::Error(kind) => Err(error(kind)),
        };
        let statuses = statuses(self);
        let before = self.refusals();
        let heard = self.agent.complete_opening(now, key, outcome);
        let refused = self.refusals() > before;
        let chore = &mut self.chores[place];
        if !heard {
            assert!(chore.over || chore.may_be_over, "it is lost: {chore:?}");
            return None;
        }
        assert!(!chore.over, "it ended twice: {chore:?}");
        chore.over = true;
        let expected = self.expected.get_mut(&transaction).expect("unanswered");
        expected.statuses = statuses;
        expected.of = ExpectedOf::Other;
        Some(match refused {
            true => (transaction, Effect::Refused),
            false => (transaction, Effect::Taken),
        })
    }
}
