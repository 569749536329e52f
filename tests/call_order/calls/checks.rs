//! What comes out of the agent, held against the model.

use std::collections::BTreeSet;

use bytes::Bytes;
use presentity::event::{
    Decision, EndReason, Job, NeedCredentials, NotifyResult, Output, Protection, PublicationKey,
    ServerEvent, Subject, SubscriptionKey,
};
use presentity::presence::{BlockedDocument, LastingState, PendingDocument, UnknownDocument};
use presentity::sip::{OutgoingRequest, Response};

use super::course::{Course, TICK};
use super::model::{
    Credentials, ExpectedOf, Open, PRESENTITIES, Phase, Shown, Subscription, WATCHERS, watcher_name,
};
use super::parts::PARTIAL;
use super::protecting::Head;
use super::requests::AGENT;
use crate::common::{field, response_field, state_of};

impl Course {
    /// Takes one output; false when there is none.
    pub(super) fn poll(&mut self) -> bool {
        let Some(output) = self.agent.poll_output() else {
            self.drained = true;
            return false;
        };
        self.print(&output);
        self.transcript.push(output.clone());
        match output {
            Output::Respond(response) => {
                assert_ne!(response.status(), 401, "a challenge in disguise");
                self.responded(&response);
            }
            Output::Challenge(response) => {
                assert_eq!(response.status(), 401);
                self.responded(&response);
            }
            Output::Send(request) => self.notified(&request),
            Output::Event(event) => self.happened(event),
            Output::NeedCredentials(need) => self.challenged(&need),
            Output::Job(job) => self.deferred(&job),
            Output::Protect(job) => self.asked_to_protect(&job),
            Output::Open(opening) => self.asked_to_open(&opening),
            other => panic!("unknown: {other:?}"),
        }
        true
    }

    pub(super) fn drain(&mut self) {
        let mut taken = 0;
        while self.poll() {
            taken += 1;
            assert!(taken < 10_000, "polling does not end at step {}", self.step);
        }
        assert!(self.agent.poll_output().is_none());
        self.give_up_unsigned();
        self.check_nothing_is_owed();
    }

    /// With room in the window, whatever can leave has left.
    fn check_nothing_is_owed(&self) {
        if self.setting.config.server.window < 100 {
            return;
        }
        for subscription in &self.subscriptions {
            let can_leave = match subscription.phase {
                Phase::Live => {
                    self.clock < subscription.expires_at && subscription.held_until.is_none()
                }
                Phase::Ending(_) => true,
                Phase::Last(_) => subscription.retry.is_some(),
                Phase::Gone => false,
            };
            if subscription.protection != Protection::None && self.is_protecting() {
                // Whoever waits for that, or for room, has its turn when it is over.
                continue;
            }
            let due = subscription.owed || subscription.retry.is_some();
            assert!(
                !due || !can_leave || subscription.open.is_some() || subscription.signing.is_some(),
                "a NOTIFY is owed at step {}: {subscription:#?}",
                self.step
            );
        }
    }

    // ---- responses ------------------------------------------------------------------------

    fn responded(&mut self, response: &Response) {
        let transaction = response.transaction().0;
        let expected = self
            .expected
            .remove(&transaction)
            .unwrap_or_else(|| panic!("a second response: {response:?}"));
        let status = response.status();
        assert!(
            expected.statuses.contains(&status),
            "{expected:?} but {response:?}, step {}",
            self.step
        );
        let value = |name| response_field(response, name);
        match status {
            405 => assert_eq!(value("Allow"), Some("SUBSCRIBE, PUBLISH")),
            415 => assert!(value("Accept").is_some()),
            420 => assert!(value("Unsupported").is_some()),
            423 => assert_eq!(value("Min-Expires"), Some("60")),
            489 => assert_eq!(value("Allow-Events"), Some("presence")),
            503 => assert!(value("Retry-After").is_some()),
            _ => {}
        }
        match expected.of {
            ExpectedOf::Subscription {
                place,
                new,
                granted,
            } if status < 300 => {
                assert_eq!(value("Expires"), Some(granted.to_string().as_str()));
                assert_eq!(value("Contact"), Some(format!("<{AGENT}>").as_str()));
                assert_eq!(value("Allow-Events"), Some("presence"));
                assert_eq!(response.to_tag().is_some(), new);
                if new {
                    self.subscriptions[place].local_tag = response.to_tag().map(str::to_owned);
                }
            }
            ExpectedOf::Publication { place, granted } if status == 200 => {
                assert_eq!(value("Expires"), Some(granted.to_string().as_str()));
                let tag = value("SIP-ETag").expect("an entity-tag").to_owned();
                for publication in &self.publications {
                    assert!(!publication.old_tags.contains(&tag), "a tag is used again");
                    assert_ne!(publication.tag.as_ref(), Some(&tag), "a tag is used again");
                }
                if let Some(place) = place {
                    self.publications[place].tag = Some(tag);
                }
            }
            ExpectedOf::Job(place) => {
                // By its deadline: completed ones expect something else.
                assert!(self.jobs[place].may_be_over);
                self.jobs[place].over = true;
            }
            ExpectedOf::Opening(place) => {
                assert!(self.chores[place].may_be_over);
                self.chores[place].over = true;
            }
            _ => {}
        }
    }

    // ---- NOTIFY ---------------------------------------------------------------------------

    fn notified(&mut self, request: &OutgoingRequest) {
        let place = self.place_of(&|name| field(request, name).map(str::to_owned));
        if self.is_signed_now(place, request) {
            return;
        }
        assert_ne!(
            self.subscriptions[place].protection,
            Protection::SignedMessage,
            "a NOTIFY that nobody has signed, step {}: {request:?}",
            self.step
        );
        self.give_up_open(place);
        let head = self.next_head(place);
        self.check_head(place, &head, request);
        let mut plain = self.plain_body(place, request);
        if field(request, "Content-Type") == Some(PARTIAL) {
            plain = self.subscriptions[place].parts.put_together(&plain);
        } else if !plain.is_empty() {
            self.subscriptions[place].parts.type_changed();
        }
        let (attempts, credentials) = self.leaves(place, state_of(request), &plain);
        let clock = self.clock;
        let one = &mut self.subscriptions[place];
        if !plain.is_empty() {
            one.denied = false;
        }
        one.open = Some(Open {
            transaction: request.transaction(),
            since: clock,
            attempts,
            credentials,
            challenged: None,
            body: plain,
        });
    }

    /// Whose NOTIFY it is, by the values of its header.
    pub(super) fn place_of(&self, value: &dyn Fn(&str) -> Option<String>) -> usize {
        let step = self.step;
        let value = |name| value(name).unwrap_or_default();
        let tag_of = |name| {
            let value = value(name);
            let tag = value.split_once(";tag=").map(|(_, tag)| tag.to_owned());
            tag.expect("a tag")
        };
        let (call_id, local, remote) = (value("Call-ID"), tag_of("From"), tag_of("To"));
        let place = self
            .subscriptions
            .iter()
            .position(|one| one.call_id == call_id && one.local_tag.as_ref() == Some(&local))
            .unwrap_or_else(|| panic!("a NOTIFY in front of its response, step {step}: {call_id}"));
        assert_eq!(remote, format!("tag-{call_id}"));
        place
    }

    /// Another NOTIFY leaves: an open one has been given up.
    pub(super) fn give_up_open(&mut self, place: usize) {
        let step = self.step;
        let forgotten_after = self.setting.config.server.forgotten_after;
        let one = &self.subscriptions[place];
        if let Some(open) = &one.open {
            assert!(
                one.may_be_forgotten(self.clock, forgotten_after),
                "two NOTIFYs are open at step {step}: {one:#?}"
            );
            if open.challenged.is_some() {
                self.challenge_forgotten(place);
            } else {
                assert!(
                    one.spoken,
                    "an unanswered one is the end, step {step}: {one:#?}"
                );
                self.closed.push(open.transaction);
                self.subscriptions[place].fail(EndReason::NotifyForgotten);
            }
        } else if one.signing.is_some() {
            assert!(one.may_be_forgotten(self.clock, forgotten_after) && one.spoken);
            self.subscriptions[place].fail(EndReason::NotifyForgotten);
        }
    }

    /// A NOTIFY is made, with this state and, before any protection, this body.
    pub(super) fn leaves(&mut self, place: usize, state: &str, body: &Bytes) -> (u8, Credentials) {
        let step = self.step;
        let one = &self.subscriptions[place];
        match &one.phase {
            Phase::Live => {
                self.check_live(one, state, body);
                // What waits for its document leaves when that is there.
                if !one.owed && one.retry.is_none() && !one.awaits_documents() {
                    self.leaves_by_itself(place, body);
                }
            }
            Phase::Ending(word) | Phase::Last(word) => {
                assert!(
                    matches!(one.phase, Phase::Ending(_)) || one.retry.is_some(),
                    "a NOTIFY behind the last one, step {step}: {one:#?}"
                );
                assert_eq!(state, format!("terminated;{}", word.told));
                if matches!(one.phase, Phase::Last(_)) && word.with_state {
                    // The document of then, whatever became of the state.
                    assert_eq!(Some(body), one.taken.as_ref(), "step {step}");
                } else if word.with_state {
                    self.check_shown(one, body);
                } else {
                    assert!(body.is_empty(), "step {step}");
                }
            }
            Phase::Gone => panic!("a NOTIFY after the end, step {step}: {one:#?}"),
        }
        let one = &mut self.subscriptions[place];
        if let Phase::Ending(word) = &one.phase {
            one.phase = Phase::Last(word.clone());
            // What a repetition has to be like.
            one.taken = Some(body.clone());
        }
        let retry = one.retry.take();
        one.owed = false;
        one.spoken = false;
        one.held_until = None;
        one.sent = Some(self.clock);
        retry.map_or_else(Default::default, |retry| {
            (retry.attempts, retry.credentials)
        })
    }

    /// For a change of the presentity's state, or because the watcher wants to be told the same again.
    fn leaves_by_itself(&mut self, place: usize, body: &Bytes) {
        let (clock, step) = (self.clock, self.step);
        let interval = self.setting.config.server.notify_interval;
        let one = &mut self.subscriptions[place];
        let since = one.sent.map(|sent| clock.saturating_since(sent));
        if !one.unsure && !one.denied && one.taken.as_ref() == Some(body) {
            let longest = one.intervals.longest;
            assert!(
                longest.is_some() && since >= longest,
                "the watcher has this already, step {step}: {one:#?}"
            );
            return;
        }
        if let Some(last) = one.change_sent {
            assert!(
                last + interval <= clock,
                "too soon at step {step}: {last:?} {clock:?}"
            );
        }
        let shortest = one.intervals.shortest;
        assert!(
            since.is_none() || since >= shortest,
            "too soon for it at step {step}: {one:#?}"
        );
        one.change_sent = Some(clock);
    }

    /// What the next NOTIFY of a subscription has to have in front.
    pub(super) fn next_head(&mut self, place: usize) -> Head {
        let one = &mut self.subscriptions[place];
        one.cseq += 1;
        Head {
            cseq: one.cseq,
            contact: one.contact.clone(),
            flow: one.flow,
            old_type: one.old_type,
            is_partial: one.tells_parts(),
            is_protected: one.protection != Protection::None,
            credentials: (one.retry.iter())
                .flat_map(|retry| retry.credentials.clone())
                .collect(),
        }
    }

    pub(super) fn check_head(&self, place: usize, head: &Head, request: &OutgoingRequest) {
        let step = self.step;
        let one = &self.subscriptions[place];
        let value = |name| field(request, name);
        assert_eq!(
            value("CSeq"),
            Some(format!("{} NOTIFY", head.cseq).as_str()),
            "step {step}"
        );
        assert_eq!(request.method(), "NOTIFY");
        assert_eq!(request.uri(), head.contact, "step {step}");
        assert_eq!(
            request.next_hop(),
            one.route.as_ref().unwrap_or(&head.contact)
        );
        assert_eq!(request.flow(), head.flow, "step {step}");
        let from = value("From").expect("a From");
        assert!(from.starts_with(&format!("<{}>;tag=", one.named)), "{from}");
        let to = value("To").expect("a To");
        assert!(
            to.starts_with(&format!("<{}>;tag=", WATCHERS[one.watcher])),
            "{to}"
        );
        let event = match one.event_id {
            Some(id) => format!("presence;id={id}"),
            None => "presence".into(),
        };
        assert_eq!(value("Event"), Some(event.as_str()));
        assert_eq!(value("Contact"), Some(format!("<{AGENT}>").as_str()));
        assert_eq!(value("Max-Forwards"), Some("70"));
        let length = request.body().len();
        assert_eq!(value("Content-Length"), Some(length.to_string().as_str()));
        let media_type = match (length, head.old_type) {
            (0, _) => None,
            (1.., _) if head.is_protected => {
                let made = self.made.get(request.body()).expect("it was protected");
                Some(&*made.content_type)
            }
            _ if head.is_partial => Some(PARTIAL),
            (_, false) => Some("application/pidf+xml"),
            (_, true) => Some("application/cpim-pidf+xml"),
        };
        assert_eq!(value("Content-Type"), media_type);
        for name in ["Authorization", "Proxy-Authorization"] {
            let mut given = head.credentials.iter();
            let expected = given.find(|(field, _)| *field == name);
            let expected = expected.map(|(_, value)| value.as_str());
            assert_eq!(value(name), expected, "credentials at step {step}");
        }
    }

    fn check_live(&self, one: &Subscription, state: &str, body: &Bytes) {
        let step = self.step;
        assert!(
            self.clock < one.expires_at,
            "alive behind its deadline at step {step}: {:?} {one:#?}",
            self.clock
        );
        let name = match one.decision {
            Decision::Pending => "pending",
            _ => "active",
        };
        let left = one.expires_at.saturating_since(self.clock).as_secs();
        let rates = one.intervals.told();
        let due = format!("{name};expires={left}{rates}");
        assert_eq!(state, due, "step {step}");
        if let Some(until) = one.held_until {
            assert!(until <= self.clock, "no patience at step {step}: {one:#?}");
        }
        self.check_shown(one, body);
    }

    /// What a watcher gets is what it is to see: now, or when the document was made.
    fn check_shown(&self, one: &Subscription, body: &Bytes) {
        let (step, is) = (self.step, Shown::read(body, &one.entity));
        let due = self.shown(one);
        if !one.awaits_documents() {
            assert_eq!(is, due, "step {step}");
            return;
        }
        let is_of_then = match &one.decision {
            _ if body.is_empty() => one.denied,
            Decision::Allow(view) => is.is_within(view),
            _ => false,
        };
        assert!(
            is_of_then || is == due,
            "{is:?}, not {due:?}, step {step}: {one:#?}"
        );
    }

    /// What a watcher is to see now.
    pub(super) fn shown(&self, one: &Subscription) -> Shown {
        let view = match &one.decision {
            Decision::Allow(view) => view,
            Decision::PoliteBlock if self.setting.config.blocked == BlockedDocument::Unknown => {
                return match self.setting.config.unknown {
                    UnknownDocument::Nothing => Shown::Nothing,
                    _ => Shown::Notes(BTreeSet::new()),
                };
            }
            Decision::PoliteBlock => return Shown::Offline,
            _ => {
                return match self.setting.config.pending {
                    PendingDocument::Nothing => Shown::Nothing,
                    PendingDocument::Offline => Shown::Offline,
                    _ => Shown::Waiting,
                };
            }
        };
        let published: Vec<u32> = self
            .publications
            .iter()
            .filter(|it| it.alive && it.presentity == one.presentity)
            .map(|it| it.mark)
            .collect();
        let lasting = self.lasting[one.presentity];
        if published.is_empty()
            && lasting.is_none()
            && self.setting.config.unknown == UnknownDocument::Nothing
        {
            return Shown::Nothing;
        }
        let with_lasting =
            published.is_empty() || self.setting.config.lasting == LastingState::Always;
        let lasting = lasting.filter(|_| with_lasting);
        Shown::notes(published.into_iter().chain(lasting), view)
    }

    // ---- events and wishes ----------------------------------------------------------------

    fn by_key(&self, key: SubscriptionKey) -> usize {
        let known = |one: &Subscription| one.key == Some(key);
        let place = self.subscriptions.iter().position(known);
        place.unwrap_or_else(|| panic!("an event of nobody's, step {}", self.step))
    }

    fn check_subject(&self, place: usize, subject: &Subject) {
        let one = &self.subscriptions[place];
        assert_eq!(subject.watcher.as_deref(), watcher_name(one.watcher));
        assert_eq!(&*subject.resource, PRESENTITIES[one.presentity]);
    }

    fn happened(&mut self, event: ServerEvent) {
        let step = self.step;
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => {
                let place = self.starting.pop_front().expect("a start");
                self.check_subject(place, &subject);
                let one = &mut self.subscriptions[place];
                assert!(one.key.is_none_or(|key| key == subject.key), "step {step}");
                assert!(one.local_tag.is_some(), "an event in front of the response");
                assert!(!one.started);
                one.started = true;
                one.key = Some(subject.key);
            }
            ServerEvent::SubscriptionChanged { subject, decision } => {
                let (place, expected) = self.changes.pop_front().expect("a change");
                assert_eq!(place, self.by_key(subject.key));
                assert_eq!(decision, expected, "step {step}");
                self.check_subject(place, &subject);
            }
            ServerEvent::SubscriptionEnded { subject, reason } => {
                let place = self.by_key(subject.key);
                self.check_subject(place, &subject);
                let one = &mut self.subscriptions[place];
                assert!(one.started, "step {step}");
                assert!(!one.ended, "it ended twice, step {step}: {one:#?}");
                assert!(one.end_reasons.contains(&reason), "{reason:?} {one:#?}");
                one.ended = true;
            }
            ServerEvent::Published { resource, kind, .. } => {
                let (presentity, expected) = self.published.pop_front().expect("a publication");
                assert_eq!(&*resource, PRESENTITIES[presentity]);
                assert_eq!(kind, expected);
            }
            ServerEvent::PublicationExpired { key, resource } => {
                let known = self.publications.iter().find(|it| it.key == key);
                let known = known.expect("a publication");
                assert_eq!(&*resource, PRESENTITIES[known.presentity]);
                assert!(!known.alive && known.expires_at <= self.clock);
            }
            ServerEvent::PublicationReplaced { key, resource } => {
                let known = self.publications.iter().find(|it| it.key == key);
                let known = known.expect("a publication");
                assert_eq!(&*resource, PRESENTITIES[known.presentity]);
                assert!(known.replaced, "step {step}");
            }
            ServerEvent::ProtectionFailed { resource, .. } => {
                let known = |name: &&str| **name == *resource;
                let presentity = PRESENTITIES.iter().position(known);
                assert!(presentity.is_some() && self.chores.iter().any(|it| !it.went_well));
            }
            ServerEvent::NotifyRefused { subject, status } => {
                let place = self.by_key(subject.key);
                self.check_subject(place, &subject);
                assert!(status >= 300);
            }
            other => panic!("unknown: {other:?}"),
        }
    }

    fn challenged(&mut self, need: &NeedCredentials) {
        let transaction = need.transaction();
        let asked = |one: &Subscription| {
            one.open
                .as_ref()
                .is_some_and(|open| open.transaction == transaction && open.challenged.is_some())
        };
        // By now it may be over again.
        let known = self.closed.contains(&transaction) || self.subscriptions.iter().any(asked);
        assert!(known, "a challenge out of nothing, step {}", self.step);
        assert_eq!(need.method(), "NOTIFY");
        assert_eq!(need.challenges().count(), 1);
    }

    fn deferred(&mut self, job: &Job) {
        let place = self.deferring.pop_front().expect("a job");
        let known = &mut self.jobs[place];
        assert_eq!(job.kind, known.kind);
        assert_eq!(&*job.resource, PRESENTITIES[known.presentity]);
        assert_eq!(job.deadline, known.deadline);
        assert_eq!(job.body.is_empty(), known.mark.is_none());
        known.key = Some(job.key);
    }

    // ---- the tables -----------------------------------------------------------------------

    /// What ran out or was forgotten has gone, and nothing else.
    pub(super) fn compare_after_timeout(&mut self) {
        let clock = self.clock;
        let done = self.agent.poll_timeout().is_none_or(|due| due > clock);
        let forgotten_after = self.setting.config.server.forgotten_after;
        let keys: BTreeSet<SubscriptionKey> =
            self.agent.subscriptions().map(|info| info.key).collect();
        for one in self.subscriptions.iter_mut().filter(|one| one.is_live()) {
            if one.key.is_some_and(|key| keys.contains(&key)) {
                assert!(
                    !done || clock < one.expires_at + TICK,
                    "it did not run out at step {}: {one:#?}",
                    self.step
                );
                continue;
            }
            let expired = one.expires_at <= clock;
            let unreported = one.may_be_forgotten(clock, forgotten_after)
                && !one.spoken
                && (one.signing.is_some()
                    || (one.open.as_ref()).is_some_and(|open| open.challenged.is_none()));
            assert!(
                expired || unreported,
                "it is lost, step {}: {one:#?}",
                self.step
            );
            if expired {
                one.end("reason=timeout".into(), false, EndReason::Expired);
                if unreported {
                    one.end_reasons.push(EndReason::NotifyForgotten);
                }
            } else {
                one.drop_silently(EndReason::NotifyForgotten);
            }
        }
        let keys: BTreeSet<PublicationKey> =
            self.agent.publications().map(|info| info.key).collect();
        for one in self.publications.iter_mut().filter(|one| one.alive) {
            if keys.contains(&one.key) {
                assert!(!done || clock < one.expires_at + TICK, "it did not run out");
            } else {
                assert!(one.expires_at <= clock, "it is lost: {one:?}");
                one.alive = false;
                self.changed_at[one.presentity] = clock;
            }
        }
        if done {
            let waiting = self
                .jobs
                .iter()
                .filter(|job| !(job.over || job.may_be_over && job.deadline + TICK <= clock));
            let waiting = waiting.count() + self.chores_left();
            assert!(self.agent.occupancy().jobs <= waiting);
        }
    }

    /// The agent's lists and the model's are the same.
    pub(super) fn compare(&self) {
        let step = self.step;
        let mut live = 0;
        for info in self.agent.subscriptions() {
            let one = &self.subscriptions[self.by_key(info.key)];
            assert!(one.is_live(), "it should have ended, step {step}: {one:#?}");
            assert_eq!(info.watcher, watcher_name(one.watcher));
            assert_eq!(info.resource, PRESENTITIES[one.presentity]);
            assert_eq!(info.entity, one.entity);
            assert_eq!(*info.decision, one.decision, "step {step}");
            assert_eq!(info.expires_at, one.expires_at, "step {step}");
            assert_eq!(info.flow, one.flow, "step {step}");
            if info.last_result == NotifyResult::None {
                assert_eq!(one.cseq, self.setting.config.server.initial_cseq);
            }
            live += 1;
        }
        let known = self
            .subscriptions
            .iter()
            .filter(|one| one.is_live())
            .count();
        assert_eq!(live, known, "live subscriptions at step {step}");
        let mut published = 0;
        for info in self.agent.publications() {
            let known = self.publications.iter().find(|it| it.key == info.key);
            let known = known.expect("a known publication");
            assert!(known.alive, "step {step}");
            assert_eq!(info.expires_at, known.expires_at);
            assert_eq!(info.resource, PRESENTITIES[known.presentity]);
            published += 1;
        }
        let known = self.publications.iter().filter(|it| it.alive).count();
        assert_eq!(published, known, "publications at step {step}");
        let occupancy = self.agent.occupancy();
        let forgotten_after = self.setting.config.server.forgotten_after;
        let open = self
            .subscriptions
            .iter()
            .filter(|one| one.open.is_some() || one.signing.is_some())
            .filter(|one| !one.may_be_forgotten(self.clock, forgotten_after));
        let most = self
            .subscriptions
            .iter()
            .filter(|one| one.open.is_some() || one.signing.is_some() || one.retry.is_some());
        let range = open.count()..=most.count();
        assert!(range.contains(&occupancy.open_notifies), "step {step}");
        let window = self.setting.config.server.window + self.setting.config.server.slow_window;
        assert!(occupancy.open_notifies <= window, "step {step}");
    }
}
