//! What comes out, and what must hold of it.

use std::collections::BTreeMap;

use presentity::engine::Timestamp;
use presentity::event::{Decision, Output as AgentOutput, ServerEvent, SubscriptionKey};
use presentity::pidf::Presence;
use presentity::sdf::{Failure, Notification, Operation, Output};
use presentity::sip::Response;

use super::course::{Course, FORGOTTEN};
use super::rules::{NOBODY, PRESENTITIES, WATCHERS, place_of};
use crate::common;

/// The notes of tuples, which views have marked.
pub fn notes(body: &[u8]) -> Vec<String> {
    if body.is_empty() {
        return Vec::new();
    }
    let document = Presence::read(&bytes::Bytes::copy_from_slice(body)).expect("a document");
    let notes = document.tuples.iter().flat_map(|it| &it.notes);
    notes.map(|note| note.text.clone()).collect()
}

impl Course {
    /// Those that live, with what a request may change of them.
    pub fn subscriptions(&self) -> BTreeMap<SubscriptionKey, (Timestamp, Decision)> {
        let all = self.service.agent().subscriptions();
        all.filter(|it| it.expires_at > self.now)
            .map(|it| (it.key, (it.expires_at, it.decision.clone())))
            .collect()
    }

    pub fn drain(&mut self) {
        let mut rounds = 0;
        while let Some(output) = self.service.poll_output() {
            self.look_at(output);
            rounds += 1;
            assert!(rounds < 10_000, "no end of output");
        }
    }

    pub fn take(&mut self, most: usize) {
        for _ in 0..most {
            let Some(output) = self.service.poll_output() else {
                return;
            };
            self.look_at(output);
        }
    }

    pub fn check_bounds(&self) {
        let limits = &self.config.server.limits;
        let held = self.service.agent().occupancy();
        assert!(held.subscriptions <= limits.subscriptions, "{held:?}");
        assert!(
            held.resources <= 2 && held.watchers <= WATCHERS.len() + 1,
            "{held:?}"
        );
        assert!(held.jobs <= limits.jobs && held.flows <= 3, "{held:?}");
        assert!(
            held.open_notifies <= limits.subscriptions + 1_000,
            "{held:?}"
        );
        assert!(self.service.waiting() <= self.checks.intake.verifications);
        let remembered = self.service.agent().bodies().remembered();
        // A subscription that is known may be in both ages.
        assert!(
            remembered <= 2 * self.checks.checks.remembered,
            "{remembered}"
        );
    }

    pub fn look_at(&mut self, output: Output) {
        match output {
            Output::Respond {
                transaction,
                result,
            } => {
                let asked = self.asked.remove(&transaction.0);
                let asked = asked.expect("an answer to a request, and the only one");
                let granted = match result {
                    Ok(granted) => granted,
                    Err(failure) => {
                        self.tally.refused += 1;
                        let may_end = matches!(failure, Failure::Rejected(_));
                        assert!(may_end || !asked.has_changed, "{failure}: {asked:?}");
                        return;
                    }
                };
                let is_known = self.is_bound || asked.is_known;
                let order = if asked.is_signed {
                    self.step
                } else {
                    asked.order
                };
                self.accept(asked.document, asked.is_signed, is_known, order);
                let document = &self.documents[asked.document];
                let expected = match (document.token, document.duration) {
                    (None, _) => &[Operation::Fetch][..],
                    (Some(_), 0) => &[Operation::Cancel],
                    _ => &[Operation::Subscribe, Operation::Extend],
                };
                assert!(expected.contains(&granted.operation), "{granted:?}");
                assert!(granted.duration <= document.duration);
                if granted.operation == Operation::Fetch {
                    let who = if is_known {
                        WATCHERS[document.watcher].0
                    } else {
                        NOBODY
                    };
                    self.fetches
                        .push_back((who.to_owned(), document.presentity));
                }
            }
            Output::Notify(notification) => self.look_at_notification(&notification),
            Output::Ended(ended) => {
                assert!(self.ended.contains(&ended.key), "{ended:?}");
                assert!(place_of(&PRESENTITIES, &ended.presentity).is_some());
            }
            Output::Verify(it) => self.verifications.push((it.key, false)),
            Output::Agent(AgentOutput::Respond(it) | AgentOutput::Challenge(it)) => {
                self.look_at_response(&it);
            }
            Output::Agent(AgentOutput::Send(request)) => {
                self.sends.push(request.transaction());
                let to = common::field(&request, "To").expect("To").to_owned();
                for note in notes(request.body()) {
                    let (view, _) = note.split_once('|').expect("a view");
                    let (who, _) = view.split_once('/').expect("a view of somebody");
                    assert!(to.contains(who), "{note} for {to}");
                }
            }
            Output::Agent(AgentOutput::Verify(it)) => {
                self.sip_verifications.push((it.key, false));
            }
            Output::Agent(AgentOutput::Event(event)) => self.look_at_event(&event),
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn look_at_event(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } if subject.direct.is_some() => {
                // Its first notification may have been taken already.
                assert!(!self.ended.contains(&subject.key));
                self.known.entry(subject.key).or_default();
            }
            ServerEvent::SubscriptionEnded { subject, .. } if subject.direct.is_some() => {
                self.tally.ended += 1;
                self.known.remove(&subject.key);
                assert!(self.ended.insert(subject.key), "it ended twice");
                let agent = self.service.agent();
                assert!(agent.subscription(subject.key).is_none());
            }
            _ => {}
        }
    }

    fn look_at_response(&mut self, response: &Response) {
        let carried = self.carried.remove(&response.transaction().0);
        let carried = carried.expect("a response to a request, and the only one");
        if response.status() >= 300 {
            let may_end = matches!(response.status(), 403 | 603);
            assert!(
                may_end || !carried.has_changed,
                "{}: {carried:?}",
                response.status()
            );
            return;
        }
        self.tally.carried += 1;
        if let Some(document) = carried.document {
            let order = if carried.is_signed {
                self.step
            } else {
                carried.order
            };
            self.accept(document, carried.is_signed, true, order);
        }
        if carried.cseq == 1
            && let Some(tag) = response.to_tag()
        {
            self.dialogs
                .push((carried.message, tag.to_owned(), carried.cseq));
        }
    }

    fn look_at_notification(&mut self, it: &Notification) {
        self.tally.notified += 1;
        let presentity = PRESENTITIES
            .iter()
            .position(|(_, uri)| *uri == &**it.presentity());
        let presentity = presentity.expect("a presentity");
        let found = notes(it.body());
        let (Some(key), Some(transaction)) = (it.key(), it.transaction()) else {
            let (who, asked) = self.fetches.pop_front().expect("a fetch");
            assert_eq!(asked, presentity);
            assert_eq!((it.token(), it.duration()), (None, None));
            for note in found {
                assert!(note.starts_with(&format!("{who}/")), "{note} for {who}");
            }
            return;
        };
        assert!(!self.ended.contains(&key), "after the end: {it:?}");
        let info = self.service.agent().subscription(key);
        let info = info.expect("a notification of what lives");
        let who = info.watcher.unwrap_or(NOBODY);
        let caller = WATCHERS.iter().position(|(_, uri)| *uri == it.watcher());
        let caller = caller.expect("a watcher");
        assert!(who == NOBODY || who == WATCHERS[caller].0, "{it:?}");
        // It shows what is decided for this watcher, and the state that is.
        let expected = match info.decision {
            Decision::Allow(view) => {
                let view = view.name().expect("a view");
                assert!(view.starts_with(&format!("{who}/")), "{view} for {who}");
                self.states[presentity].map(|state| format!("{view}|{state}"))
            }
            Decision::Reject(_) => panic!("refused, and notified"),
            _ => None,
        };
        assert_eq!(it.is_pending(), *info.decision == Decision::Pending);
        assert_eq!(found, expected.as_slice(), "{:?}", info.decision);
        let left = info.expires_at.saturating_since(self.now).as_secs();
        assert!(u64::from(it.duration().expect("seconds")) >= left, "{it:?}");
        let now = self.told;
        let known = self.known.entry(key).or_default();
        if let Some((_, since)) = known.open {
            assert!(now.saturating_since(since) >= FORGOTTEN, "two are open");
        }
        known.open = Some((transaction, now));
        known.sent = found.into_iter().next();
        known.has_it = false;
        self.reports.push(transaction);
    }
}
