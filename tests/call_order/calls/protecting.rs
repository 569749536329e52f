//! Documents that are signed or encrypted: what the host is asked to do, what it makes of it, and who
//! gets that.

use bytes::Bytes;
use presentity::engine::{FlowId, Timestamp};
use presentity::event::{
    Decision, EndReason, OpeningKey, ProtectError, Protection, ProtectionJob, ProtectionKey,
    ProtectionKind,
};
use presentity::mime::{EncryptError, Enveloped, SignError, Written};
use presentity::sip::OutgoingRequest;

use super::course::{Course, TICK};
use super::model::{Credentials, Open, PRESENTITIES, Phase, Shown, Subscription, watcher_name};
use super::operations::{Making, Within};
use super::sealed::Sealed;
use crate::common::{field, state_of};

/// Something that takes the host long.
#[derive(Debug)]
pub struct Chore {
    pub work: Work,
    pub deadline: Timestamp,
    /// The deadline may have ended it.
    pub may_be_over: bool,
    pub over: bool,
    /// As far as it is known.
    pub went_well: bool,
}

#[derive(Debug)]
pub enum Work {
    Protect {
        job: ProtectionJob,
        /// What is told, without any protection.
        plain: Bytes,
        /// Whose NOTIFY waits to be signed.
        message: Option<usize>,
        /// It is signed already.
        is_signed: bool,
    },
    Open {
        transaction: u64,
        since: Timestamp,
        key: Option<OpeningKey>,
        request: Sealed,
    },
}

/// A body that the host has made.
#[derive(Debug, Clone)]
pub struct Made {
    pub content_type: String,
    plain: Bytes,
    resource: String,
    /// Who alone can read it.
    watcher: Option<String>,
    is_signed: bool,
    /// The chore, if it is a whole NOTIFY that is signed.
    message: Option<usize>,
    /// When it was made, its watcher was to see the same as when that began.
    may_be_told: bool,
}

/// What a NOTIFY has in front.
#[derive(Debug)]
pub struct Head {
    pub cseq: u32,
    pub contact: String,
    pub flow: Option<FlowId>,
    pub old_type: bool,
    pub is_partial: bool,
    pub is_protected: bool,
    pub credentials: Credentials,
}

/// A NOTIFY that leaves when it is signed.
#[derive(Debug)]
pub struct Signing {
    pub since: Timestamp,
    chore: usize,
    head: Head,
    state: String,
    plain: Bytes,
    decision: Decision,
    attempts: u8,
    credentials: Credentials,
}

impl Chore {
    fn is_protection(&self) -> bool {
        matches!(self.work, Work::Protect { .. })
    }
}

impl Course {
    // ---- what is asked --------------------------------------------------------------------

    pub(super) fn asked_to_protect(&mut self, job: &ProtectionJob) {
        let step = self.step;
        let under_way = self.chores.iter().filter(|it| it.is_protection());
        let under_way = under_way.filter(|it| !it.over && !it.may_be_over).count();
        let limits = &self.setting.config.server.limits;
        assert!(under_way < limits.jobs, "too many jobs at step {step}");
        assert_eq!(
            job.deadline,
            self.clock + self.setting.config.server.job_deadline
        );
        let content_type = job.content.content_type().expect("a type").to_owned();
        let body = job.content.body().clone();
        if content_type == "message/sip" {
            assert_eq!(job.kind, ProtectionKind::Sign);
            self.asked_to_sign_message(job, &body);
            return;
        }
        let watcher = match &job.kind {
            ProtectionKind::Sign => None,
            ProtectionKind::Encrypt { watcher } => Some(&**watcher),
            other => panic!("unknown: {other:?}"),
        };
        let made = self.made.get(&body);
        if let Some(made) = made {
            assert!(watcher.is_some() && made.watcher.is_none() && made.message.is_none());
            assert!(made.is_signed && *made.resource == *job.resource);
            assert_eq!(made.content_type, content_type);
        }
        let (plain, is_signed) = match made {
            Some(made) => (made.plain.clone(), true),
            None => (body, false),
        };
        let (entity, shown) = Shown::read_any(&plain);
        let is_for = |one: &&Subscription| {
            let is_wanted = match (watcher, is_signed) {
                (None, _) => matches!(
                    one.protection,
                    Protection::Signed | Protection::SignedAndEncrypted
                ),
                (Some(_), false) => one.protection == Protection::Encrypted,
                (Some(_), true) => one.protection == Protection::SignedAndEncrypted,
            };
            let is_theirs = watcher.is_none() || watcher == watcher_name(one.watcher);
            is_wanted
                && is_theirs
                && *PRESENTITIES[one.presentity] == *job.resource
                && one.entity == entity
        };
        let mut wanted = self.subscriptions.iter().filter(is_for);
        // What was signed may be of a moment ago.
        let is_due = wanted.any(|one| is_signed || self.shown(one) == shown);
        assert!(is_due, "{shown:?} is for nobody, step {step}: {job:?}");
        self.chores.push(Chore {
            work: Work::Protect {
                job: job.clone(),
                plain,
                message: None,
                is_signed,
            },
            deadline: job.deadline,
            may_be_over: false,
            over: false,
            went_well: true,
        });
    }

    fn asked_to_sign_message(&mut self, job: &ProtectionJob, message: &Bytes) {
        let text = core::str::from_utf8(message).expect("text");
        let (header, body) = text.split_once("\r\n\r\n").expect("a message");
        let mut lines = header.lines();
        let first = lines.next().expect("a first line").to_owned();
        let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
        let value = |name: &str| {
            let mut fields = fields.iter();
            let found = fields.find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let place = self.place_of(&value);
        let one = &self.subscriptions[place];
        assert_eq!(one.protection, Protection::SignedMessage);
        assert_eq!(*PRESENTITIES[one.presentity], *job.resource);
        self.give_up_open(place);
        let head = self.next_head(place);
        assert_eq!(first, format!("NOTIFY {} SIP/2.0", head.contact));
        assert_eq!(value("CSeq"), Some(format!("{} NOTIFY", head.cseq)));
        let plain = Bytes::copy_from_slice(body.as_bytes());
        let state = value("Subscription-State").expect("a state");
        let (attempts, credentials) = self.leaves(place, &state, &plain);
        let chore = self.chores.len();
        let signing = Signing {
            since: self.clock,
            chore,
            head,
            state,
            plain: plain.clone(),
            decision: self.subscriptions[place].decision.clone(),
            attempts,
            credentials,
        };
        self.subscriptions[place].signing = Some(signing);
        self.chores.push(Chore {
            work: Work::Protect {
                job: job.clone(),
                plain,
                message: Some(place),
                is_signed: false,
            },
            deadline: job.deadline,
            may_be_over: false,
            over: false,
            went_well: true,
        });
    }

    // ---- what comes of it -----------------------------------------------------------------

    pub(super) fn complete_protection(&mut self, pick: usize, making: Making) {
        let known = (0..self.chores.len()).rev();
        let known: Vec<usize> = known
            .filter(|place| self.chores[*place].is_protection())
            .collect();
        // Mostly the latest.
        let Some(place) = known.get(pick % known.len().clamp(1, 6)) else {
            return;
        };
        self.protect(*place, making);
    }

    pub(super) fn protect(&mut self, place: usize, making: Making) {
        let now = self.time();
        let chore = &self.chores[place];
        let Work::Protect {
            job,
            plain,
            message,
            is_signed,
        } = &chore.work
        else {
            return;
        };
        let key = job.key;
        let watcher = match &job.kind {
            ProtectionKind::Encrypt { watcher } => Some(watcher.to_string()),
            _ => None,
        };
        let mut written = Enveloped::write(format!("made {place} at {}", self.made.len()));
        if watcher.is_none() {
            written.content_type = "multipart/signed;protocol=\"a/b\";boundary=c".into();
        }
        let made = Made {
            content_type: written.content_type.clone(),
            plain: plain.clone(),
            resource: job.resource.to_string(),
            is_signed: *is_signed || watcher.is_none(),
            message: message.map(|_| place),
            may_be_told: message.is_none_or(|at| self.may_be_told(at)),
            watcher,
        };
        let result = spoilt(written.clone(), making, made.watcher.is_some());
        let before = self.agent.occupancy().jobs;
        let wanted = self.agent.complete_protection(now, key, result);
        let ended = before - self.agent.occupancy().jobs;
        let chore = &mut self.chores[place];
        if ended == 0 {
            assert!(!wanted);
            assert!(chore.over || chore.may_be_over, "it is lost: {chore:?}");
            return;
        }
        assert!(ended == 1 && !chore.over, "it ended twice: {chore:?}");
        chore.over = true;
        if making == Making::Right {
            self.made.insert(written.body, made);
        } else {
            self.went_wrong(place);
        }
    }

    /// Whether what a subscription waits for to be signed is still for it.
    fn may_be_told(&self, place: usize) -> bool {
        let one = &self.subscriptions[place];
        let same = |signing: &Signing| signing.decision == one.decision;
        let is_refused =
            matches!(&one.phase, Phase::Ending(word) if word.told == "reason=rejected");
        one.signing.as_ref().is_some_and(same) && !is_refused
    }

    /// Whoever should have got it gets nothing.
    fn went_wrong(&mut self, place: usize) {
        let chore = &mut self.chores[place];
        chore.went_well = false;
        let Work::Protect { job, message, .. } = &chore.work else {
            return;
        };
        let watcher = match &job.kind {
            ProtectionKind::Encrypt { watcher } => Some(&**watcher),
            _ => None,
        };
        for (at, one) in self.subscriptions.iter_mut().enumerate() {
            let is_of_it = match (message, watcher) {
                (Some(place), _) => at == *place,
                (None, None) => one.protection.is_signed(),
                (None, watcher) => {
                    one.protection.is_encrypted() && watcher == watcher_name(one.watcher)
                }
            };
            one.denied |= is_of_it && *PRESENTITIES[one.presentity] == *job.resource;
        }
    }

    /// A NOTIFY that was signed leaves, if it is one of those.
    pub(super) fn is_signed_now(&mut self, place: usize, request: &OutgoingRequest) -> bool {
        let step = self.step;
        let cseq = field(request, "CSeq").unwrap_or_default().to_owned();
        let is_it = |it: &Signing| cseq == format!("{} NOTIFY", it.head.cseq);
        let forgotten_after = self.setting.config.server.forgotten_after;
        let one = &mut self.subscriptions[place];
        if one.phase == Phase::Gone
            && let Some(signing) = one.signing.take()
        {
            one.late.push(signing);
        }
        if let Some(late) = one.late.iter().position(is_it) {
            let signing = one.late.remove(late);
            assert!(signing.since + forgotten_after <= self.clock, "step {step}");
            self.closed.push(request.transaction());
            return true;
        }
        let Some(signing) = one.signing.take_if(|it| is_it(it)) else {
            return false;
        };
        assert_eq!(state_of(request), signing.state, "step {step}");
        self.check_head(place, &signing.head, request);
        let one = &mut self.subscriptions[place];
        let mut body = Bytes::new();
        if request.body().is_empty() {
            // It is to see something else, and is owed that.
            assert!(one.denied || one.owed, "step {step}: {one:#?}");
            one.denied = true;
        } else {
            let made = self.made.get(request.body()).expect("it was signed");
            assert_eq!(made.message, Some(signing.chore), "step {step}");
            assert_eq!(made.plain, signing.plain);
            assert!(
                made.may_be_told || signing.plain.is_empty(),
                "it tells what is not for this watcher any more, step {step}: {one:#?}"
            );
            body = signing.plain;
            one.denied = false;
        }
        one.open = Some(Open {
            transaction: request.transaction(),
            since: signing.since,
            attempts: signing.attempts,
            credentials: signing.credentials,
            challenged: None,
            body,
        });
        true
    }

    /// What the body of a NOTIFY tells whoever may read it; it must be protected as it should be.
    pub(super) fn plain_body(&self, place: usize, request: &OutgoingRequest) -> Bytes {
        let one = &self.subscriptions[place];
        let body = request.body();
        let made = self.made.get(body);
        if one.protection == Protection::None {
            assert!(made.is_none(), "protected at step {}", self.step);
            return body.clone();
        }
        if body.is_empty() {
            return Bytes::new();
        }
        let made = made.unwrap_or_else(|| panic!("in clear at step {}: {one:#?}", self.step));
        assert_eq!(made.resource, PRESENTITIES[one.presentity]);
        assert_eq!(made.message, None);
        let is_encrypted = one.protection.is_encrypted();
        let reader = watcher_name(one.watcher).filter(|_| is_encrypted);
        assert_eq!(made.watcher.as_deref(), reader, "step {}", self.step);
        assert_eq!(made.is_signed, one.protection.is_signed());
        made.plain.clone()
    }

    // ---- both kinds of chores -------------------------------------------------------------

    /// Whether documents are being protected, or may be.
    pub(super) fn is_protecting(&self) -> bool {
        self.chores.iter().any(|it| it.is_protection() && !it.over)
    }

    /// Time has passed: how many may have ended by that.
    pub(super) fn chores_due(&mut self) -> usize {
        let clock = self.clock;
        let mut due = Vec::new();
        for (place, chore) in self.chores.iter_mut().enumerate() {
            // It may end now or a tick later, with those who came to wait for it meanwhile.
            if !chore.over && chore.deadline <= clock {
                chore.may_be_over = true;
                due.push(place);
            }
        }
        for place in due {
            self.went_wrong(place);
        }
        let ends = self.chores.iter().filter(|it| it.may_be_over && !it.over);
        ends.count()
    }

    /// All that was due is done: how many there may still be.
    pub(super) fn chores_left(&mut self) -> usize {
        let clock = self.clock;
        for chore in self.chores.iter_mut().filter(|it| it.is_protection()) {
            chore.over |= chore.may_be_over && chore.deadline + TICK <= clock;
        }
        let is_over = |it: &&Chore| it.over || it.may_be_over && it.deadline + TICK <= clock;
        self.chores.iter().filter(|it| !is_over(it)).count()
    }

    /// NOTIFYs that were given up before anybody had signed them: nothing leaves when that is over.
    pub(super) fn give_up_unsigned(&mut self) {
        let forgotten_after = self.setting.config.server.forgotten_after;
        for one in &mut self.subscriptions {
            let signing = one.signing.as_ref();
            if signing.is_some_and(|it| self.chores[it.chore].over) {
                assert!(
                    one.may_be_forgotten(self.clock, forgotten_after),
                    "what was signed does not leave, step {}: {one:#?}",
                    self.step
                );
                one.fail(EndReason::NotifyForgotten);
            }
        }
    }

    /// Does what there is to do, unless the host is idle; tells whether there was anything.
    pub(super) fn do_chores(&mut self) -> bool {
        let mut busy = false;
        for place in 0..self.chores.len() {
            let chore = &self.chores[place];
            if chore.over || chore.may_be_over || self.setting.idle_host {
                continue;
            }
            busy = true;
            if chore.is_protection() {
                self.protect(place, Making::Right);
            } else {
                self.open(place, Within::Right);
            }
        }
        busy
    }

    /// The host does nothing of it until all is over: nobody waits for ever.
    pub(super) fn wait_in_vain(&mut self) {
        let rounds = 4 * self.subscriptions.len() + 20;
        for _ in 0..rounds {
            let wait = self.setting.config.server.job_deadline + 2 * TICK;
            self.pass(wait, Some(super::operations::Outcome::Status(200)));
            self.compare();
            if self.chores.iter().all(|it| it.over || it.may_be_over) && !self.is_protecting() {
                self.setting.idle_host = false;
                return;
            }
        }
        panic!("it is tried for ever");
    }

    /// Results that come too late or twice.
    pub(super) fn disturb_chores(&mut self) {
        let clock = self.clock;
        for chore in self.chores.iter().rev().filter(|it| it.over).take(4) {
            match &chore.work {
                Work::Protect { job, .. } => {
                    let key: ProtectionKey = job.key;
                    let written = Enveloped::write(&b"late"[..]);
                    assert!(!self.agent.complete_protection(clock, key, Ok(written)));
                    let error = ProtectError::Timeout;
                    assert!(!self.agent.complete_protection(clock, key, Err(error)));
                }
                Work::Open { key, .. } => {
                    let error = presentity::mime::OpenError::Unsupported;
                    let key = key.expect("it was told");
                    assert!(!self.agent.complete_opening(clock, key, Err(error)));
                }
            }
        }
    }
}

fn spoilt(written: Written, making: Making, encrypts: bool) -> Result<Written, ProtectError> {
    let mut written = written;
    match making {
        Making::Right => {}
        Making::Fails if encrypts => return Err(EncryptError::NoCertificate.into()),
        Making::Fails => return Err(SignError::NoKey.into()),
        Making::NoType => written.content_type = "none".into(),
        Making::BrokenType => written.content_type.push_str("\r\nX: 1"),
        Making::Empty => written.body = Bytes::new(),
    }
    Ok(written)
}
