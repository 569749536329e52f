//! What becomes of NOTIFYs.

use core::time::Duration;

use bytes::Bytes;
use presentity::engine::ClientTransaction;
use presentity::event::EndReason;
use presentity::sip::ResponseRef;

use super::course::Course;
use super::model::{Phase, Retry};
use super::operations::Outcome;

impl Course {
    /// Subscriptions whose NOTIFY waits for an outcome.
    pub(super) fn open_notifies(&self) -> Vec<usize> {
        (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].open.is_some())
            .collect()
    }

    /// Hands an outcome in; tells whether the agent knew the transaction.
    pub(super) fn report(&mut self, transaction: ClientTransaction, outcome: Outcome) -> bool {
        let now = self.time();
        if self.trace {
            println!("  {transaction:?} at {now:?}: {outcome:?}");
        }
        let strays = self.agent.counters().stray_outcomes();
        let body = Bytes::new();
        let mut respond = |status, fields: &[(&str, &str)]| {
            let response = ResponseRef::new(status, fields.iter().copied(), &body);
            self.agent.handle_response(now, transaction, &response);
        };
        match outcome {
            Outcome::Status(status) => respond(status, &[]),
            Outcome::RetryAfter(status, seconds) => {
                respond(status, &[("Retry-After", &seconds.to_string())]);
            }
            Outcome::Challenge(401) => {
                respond(
                    401,
                    &[("WWW-Authenticate", "Digest realm=\"w\", nonce=\"1\"")],
                );
            }
            Outcome::Challenge(status) => respond(
                status,
                &[("Proxy-Authenticate", "Digest realm=\"p\", nonce=\"2\"")],
            ),
            Outcome::Failure(failure) => self.agent.handle_failure(now, transaction, failure),
        }
        self.agent.counters().stray_outcomes() == strays
    }

    pub(super) fn answer(&mut self, place: usize, outcome: Outcome) {
        let Some(open) = &self.subscriptions[place].open else {
            return;
        };
        let (transaction, challenged) = (open.transaction, open.challenged.is_some());
        let provisional = matches!(outcome, Outcome::Status(100));
        let known = self.report(transaction, outcome);
        let forgotten_after = self.setting.config.server.forgotten_after;
        let clock = self.clock;
        let subscription = &mut self.subscriptions[place];
        if provisional {
            return;
        }
        if !known {
            if !challenged {
                assert!(
                    subscription.may_be_forgotten(clock, forgotten_after),
                    "an outcome was not heard at step {}: {subscription:?}",
                    self.step
                );
                subscription.fail(EndReason::NotifyForgotten);
                self.closed.push(transaction);
            }
            // Whoever was asked for credentials gives them or does nothing.
            return;
        }
        assert!(
            !challenged,
            "an outcome was heard twice at step {}",
            self.step
        );
        let open = subscription.open.take().expect("open");
        let status = match outcome {
            Outcome::Failure(failure) => {
                self.closed.push(transaction);
                let reason = match failure {
                    presentity::event::Failure::Timeout => EndReason::NotifyTimeout,
                    _ => EndReason::NotifyUnsent,
                };
                subscription.fail(reason);
                return;
            }
            Outcome::Status(status)
            | Outcome::RetryAfter(status, _)
            | Outcome::Challenge(status) => status,
        };
        match status {
            200..=299 => subscription.parts.are_taken(),
            401 | 407 => subscription.parts.are_not_taken(),
            _ => subscription.parts.is_unsure(),
        }
        if matches!(outcome, Outcome::Challenge(_)) && open.attempts < 2 {
            subscription.open = Some(super::model::Open {
                challenged: Some(match status {
                    401 => "Authorization",
                    _ => "Proxy-Authorization",
                }),
                attempts: open.attempts + 1,
                ..open
            });
            return;
        }
        self.closed.push(transaction);
        if let Phase::Last(_) = subscription.phase {
            subscription.phase = Phase::Gone;
            return;
        }
        match status {
            200..=299 => {
                subscription.taken = Some(open.body);
                subscription.unsure = false;
            }
            408 => subscription.fail(EndReason::NotifyTimeout),
            404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604 => {
                subscription.drop_silently(EndReason::NotifyRejected(status));
            }
            _ => {
                subscription.unsure = true;
                if let Outcome::RetryAfter(_, seconds) = outcome
                    && subscription.is_live()
                {
                    let interval = self.setting.config.server.notify_interval;
                    let hold = Duration::from_secs(seconds.min(3600).into());
                    let hold = hold.max(interval).max(Duration::from_secs(1));
                    subscription.owed = true;
                    subscription.held_until = Some(clock + hold);
                }
            }
        }
    }

    pub(super) fn credentials(&mut self, pick: usize, clean: bool, stray: bool) {
        let now = self.now;
        if stray {
            let known = &self.closed;
            if let Some(transaction) = known.get(pick % known.len().max(1)).copied() {
                self.clock = self.clock.max(now);
                let taken = self.agent.provide_credentials(now, transaction, "Digest x");
                assert!(!taken, "credentials for nothing at step {}", self.step);
            }
            return;
        }
        let challenged = self.challenged_notifies();
        if let Some(place) = challenged.get(pick % challenged.len().max(1)) {
            self.provide(*place, clean);
        }
    }

    /// Subscriptions whose NOTIFY waits for credentials.
    fn challenged_notifies(&self) -> Vec<usize> {
        (0..self.subscriptions.len())
            .filter(|place| {
                let open = &self.subscriptions[*place].open;
                open.as_ref().is_some_and(|open| open.challenged.is_some())
            })
            .collect()
    }

    pub(super) fn decline_credentials(&mut self, pick: usize) {
        let challenged = self.challenged_notifies();
        let Some(place) = challenged.get(pick % challenged.len().max(1)).copied() else {
            return;
        };
        let now = self.time();
        let one = &self.subscriptions[place];
        let transaction = one.open.as_ref().expect("open").transaction;
        let declined = self.agent.decline_credentials(now, transaction);
        let forgotten_after = self.setting.config.server.forgotten_after;
        assert!(declined || one.may_be_forgotten(self.clock, forgotten_after));
        self.challenge_forgotten(place);
    }

    pub(super) fn provide(&mut self, place: usize, clean: bool) {
        let now = self.time();
        let subscription = &mut self.subscriptions[place];
        let open = subscription.open.as_ref().expect("open");
        let transaction = open.transaction;
        let field = open.challenged.expect("challenged");
        let value = format!(
            "Digest username=\"agent\", cnonce=\"{}\"",
            self.closed.len()
        );
        let text = if clean {
            value.clone()
        } else {
            format!("{value}\r\nX: 1")
        };
        let taken = self.agent.provide_credentials(now, transaction, &text);
        let forgotten_after = self.setting.config.server.forgotten_after;
        if taken {
            assert!(clean, "a line break went through at step {}", self.step);
            let open = subscription.open.take().expect("open");
            let mut credentials = open.credentials;
            credentials.retain(|(other, _)| *other != field);
            credentials.push((field, value));
            subscription.retry = Some(Retry {
                credentials,
                attempts: open.attempts,
            });
            self.closed.push(transaction);
            return;
        }
        if clean {
            assert!(
                subscription.may_be_forgotten(self.clock, forgotten_after),
                "credentials were not taken at step {}: {subscription:?}",
                self.step
            );
            self.challenge_forgotten(place);
        }
    }

    /// The credentials never came.
    pub(super) fn challenge_forgotten(&mut self, place: usize) {
        let subscription = &mut self.subscriptions[place];
        if let Some(open) = subscription.open.take() {
            self.closed.push(open.transaction);
        }
        subscription.unsure = true;
        if let Phase::Last(_) = subscription.phase {
            subscription.phase = Phase::Gone;
        }
    }
}
