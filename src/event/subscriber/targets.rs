//! Where the requests for a pres URI go (RFC 3861 section 3, RFC 5509), and redirections.

use super::output::{Resolve, SrvRecord};
use super::subscription::{Phase, Way};
use super::{OwnSubscriptionKey, SubscribeFailure, Subscriber, SubscriberOutput};
use crate::engine::slab::Key;
use crate::engine::{Entropy, Timestamp};
use crate::event::account::redirections;
use crate::event::dialog::may_be_target;
use crate::sip::{ResponseRef, Tag, Uri};

/// Places that are tried, of those that a name leads to.
const MOST_WAYS: usize = 16;
/// Records of a name that are looked at.
const MOST_RECORDS: usize = 64;
/// Places that are tried in a row, of those that redirections name.
const MOST_REDIRECTED: u8 = 8;

impl Subscriber {
    /// The SRV records of the name that was to be resolved, in any order; none where the name has
    /// none, so that the domain itself is asked. They hold for one attempt: the host is asked again
    /// for the next, and knows how long an answer of the DNS lasts (RFC 3856 section 5). False when
    /// nobody waits for them any more.
    pub fn provide_targets(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        records: &[SrvRecord],
    ) -> bool {
        self.advance(now);
        let Some(domain) = self.resolving(key.0).map(|uri| domain_of(uri).to_owned()) else {
            return false;
        };
        let ways = match records {
            [] => vec![format!("sip:{domain}")],
            _ => in_order(records, &mut *self.entropy),
        };
        let ways = ways.into_iter().filter(|uri| may_be_target(uri));
        let ways = ways.take(MOST_WAYS).map(|uri| Way::Hop(uri.into()));
        if let Some(subscription) = self.subscriptions.get_mut(key.0) {
            subscription.ways.clear();
            subscription.ways.rest.extend(ways);
            if subscription.ways.advance() {
                self.queue(key.0);
            } else {
                self.fail(key.0, SubscribeFailure::Unresolved, None);
            }
        }
        true
    }

    /// The name could not be resolved for now. False when nobody waits for it any more.
    pub fn decline_targets(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.advance(now);
        let waits = self.resolving(key.0).is_some();
        if waits {
            self.fail(key.0, SubscribeFailure::Unresolved, None);
        }
        waits
    }

    fn resolving(&self, key: Key) -> Option<&str> {
        let subscription = self.subscriptions.get(key)?;
        (subscription.phase == Phase::Resolving).then_some(&*subscription.resource)
    }

    /// Whether the host has to say first where the requests go.
    pub(super) fn needs_resolving(&self, key: Key) -> bool {
        self.subscriptions.get(key).is_some_and(|subscription| {
            subscription.account.first_route().is_none()
                && matches!(Uri::parse(&subscription.resource), Ok(Uri::Pres(_)))
        })
    }

    /// Asks the host where the requests go.
    pub(super) fn resolve(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.phase = Phase::Resolving;
        let srv_name = format!("_pres._sip.{}", domain_of(&subscription.resource));
        self.set_alarm(key, Some(self.now + self.config.timer_n));
        self.lanes.output(SubscriberOutput::Resolve(Resolve {
            key: OwnSubscriptionKey(key),
            srv_name,
        }));
    }

    /// 3xx: whether there are other targets to try, best first (RFC 3261 section 8.1.3.4).
    pub(super) fn redirect(&mut self, key: Key, response: &ResponseRef<'_>) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return false;
        };
        let from = subscription.request_uri();
        let targets = redirections(response, &subscription.resource, from);
        let left = MOST_REDIRECTED.saturating_sub(subscription.in_a_row.redirected);
        let ways = targets.into_iter().take(left.into());
        subscription.ways.rest = ways.map(|uri| Way::Target(uri.into())).collect();
        self.advance_way(key)
    }

    /// Goes on to the next place to ask; false when there is none.
    pub(super) fn advance_way(&mut self, key: Key) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return false;
        };
        let redirected = &mut subscription.in_a_row.redirected;
        let there_is = subscription.ways.advance();
        if let Some(Way::Target(_)) = subscription.ways.current {
            *redirected = redirected.saturating_add(1);
            return there_is && *redirected <= MOST_REDIRECTED;
        }
        there_is
    }
}

fn domain_of(resource: &str) -> &str {
    match Uri::parse(resource) {
        Ok(Uri::Pres(uri)) => uri.domain(),
        _ => "",
    }
}

/// URIs of the targets in the order of RFC 2782: by priority, and by lot among equals, each with a
/// chance by its weight.
fn in_order(records: &[SrvRecord], entropy: &mut dyn Entropy) -> Vec<String> {
    let mut left: Vec<&SrvRecord> = records.iter().take(MOST_RECORDS).collect();
    // Those without weight come first among equals, so that they are found when the lot is 0.
    left.sort_by_key(|record| (record.priority, record.weight > 0));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let priority = first.priority;
        let equals = left.iter().take_while(|it| it.priority == priority);
        let total: u64 = equals.clone().map(|it| u64::from(it.weight)).sum();
        let lot = Tag::random_bits(entropy) % (total + 1);
        let mut sum = 0;
        let place = equals
            .map(|it| {
                sum += u64::from(it.weight);
                sum
            })
            .position(|sum| sum >= lot)
            .unwrap_or(0);
        let record = left.remove(place);
        let host = record.target.trim_end_matches('.');
        match record.port {
            0 => ordered.push(format!("sip:{host}")),
            port => ordered.push(format!("sip:{host}:{port}")),
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            port: 5060,
            target: target.to_owned(),
        }
    }

    // SUB-02
    #[test]
    fn lower_priorities_come_first_and_weights_share_the_rest() {
        let records = [
            record(20, 0, "spare.example.com."),
            record(10, 0, "rare.example.com"),
            record(10, 30, "often.example.com"),
            record(10, 10, "seldom.example.com"),
        ];
        let mut state = 1_u64;
        let mut entropy = |bytes: &mut [u8]| {
            for byte in bytes {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 33) as u8;
            }
        };
        let mut first = [0_u32; 3];
        for _ in 0..4_000 {
            let order = in_order(&records, &mut entropy);
            assert_eq!(order.len(), 4);
            assert_eq!(order[3], "sip:spare.example.com:5060");
            let names = ["sip:rare.", "sip:often.", "sip:seldom."];
            first[names
                .iter()
                .position(|it| order[0].starts_with(it))
                .unwrap()] += 1;
        }
        // One lot of 41, thirty, ten.
        assert!(first[0] > 30 && first[0] < 200, "{first:?}");
        assert!(first[1] > 2_700 && first[1] < 3_150, "{first:?}");
        assert!(first[2] > 800 && first[2] < 1_150, "{first:?}");
    }

    #[test]
    fn what_has_no_port_or_no_weight_has_its_place() {
        let order =
            |records: &[SrvRecord]| in_order(records, &mut |bytes: &mut [u8]| bytes.fill(0));
        let mut one = record(1, 0, "one.example.com");
        one.port = 0;
        assert_eq!(order(&[one]), ["sip:one.example.com"]);
        assert_eq!(order(&[]), [""; 0]);
        let many: Vec<_> = (0..1_000).map(|_| record(1, 0, "x.example.com")).collect();
        assert_eq!(order(&many).len(), MOST_RECORDS);
    }
}
