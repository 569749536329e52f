//! Calls in any order, with answers that are late, wrong, repeated or missing: nothing panics, nothing
//! is used beyond its time, no resource is asked by two subscriptions, and nothing is left in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use presentity::certs::{
    DocumentIntegrity, FetchFailure, FetchKey, FetchResponse, FollowKey, InspectionKey,
    RetrieverConfig,
};
use presentity::engine::Timestamp;
use presentity::event::{Assurance, Identity, OwnSubscriptionPhase};
use presentity::mime::{CertificateError, ReadCertificate};
use presentity::sip::OutgoingRequest;
use proptest::prelude::*;
use time::OffsetDateTime;

use super::scene::{MIRA, Reader, Scene, Service, certificate, document, own_domain, today};

const SOURCES: [&str; 9] = [
    "",
    "sip:mira@example.com;gr=1",
    "sips:mira@example.com",
    "sip:certs@example.org",
    "sip:mira@EXAMPLE.com;transport=tcp",
    "https://certs.example.com/mira",
    "http://example.org/x",
    "https://127.0.0.1/",
    "sip:other@example.com",
];
const BODIES: [&str; 8] = [
    MIRA,
    "second;sip:mira@example.com",
    "trusted;sip:mira@example.com",
    "days=1;sip:mira@example.com",
    "from=1;sip:mira@example.com",
    "trusted;sip:certs@example.org",
    "revoked;sip:mira@example.com",
    "days=-3;trusted;sip:mira@example.com",
];
const STATES: [&str; 9] = [
    "active;expires=86400",
    "active;expires=60",
    "active",
    "pending",
    "terminated;reason=probation",
    "terminated;reason=probation;retry-after=1",
    "terminated;reason=deactivated",
    "terminated;reason=rejected",
    "terminated;reason=invariant",
];
const STATUS: [u16; 8] = [200, 200, 200, 202, 401, 404, 481, 503];

struct Course {
    scene: Scene,
    keys: Vec<FollowKey>,
    sent: Vec<OutgoingRequest>,
    services: Vec<Service>,
    fetches: Vec<FetchKey>,
    inspections: Vec<(InspectionKey, Bytes)>,
    /// When it was said what time of day it is, and what.
    clock: Option<(Timestamp, OffsetDateTime)>,
}

fn pick<T>(items: &[T], at: u8) -> Option<&T> {
    items.get(usize::from(at) % items.len().max(1))
}

impl Course {
    fn new(with_clock: bool) -> Self {
        let mut config = RetrieverConfig::default();
        config.limits.fetches = 2;
        config.limits.inspections = 2;
        config.limits.sources = 6;
        config.limits.followed = 5;
        config.rules.https_of_domain = true;
        let mut scene = match with_clock {
            true => Scene::with(config),
            false => Scene::without_clock(config),
        };
        scene.reads = false;
        let clock = with_clock.then(|| (scene.now, today()));
        Self {
            clock,
            scene,
            keys: Vec::new(),
            sent: Vec::new(),
            services: Vec::new(),
            fetches: Vec::new(),
            inspections: Vec::new(),
        }
    }

    fn sender(at: u8) -> Identity {
        match at % 4 {
            0 => Identity::nobody(),
            1 => Identity::of("sip:example.org", Assurance::Transport).unwrap(),
            _ => own_domain(),
        }
    }

    fn step(&mut self, [what, a, b, c]: [u8; 4]) {
        let now = self.scene.now;
        let retriever = &mut self.scene.retriever;
        let wanted = [a, b].map(|at| *pick(&SOURCES, at).unwrap());
        let wanted = &wanted[..usize::from(c % 3)];
        let integrity = match c % 5 {
            0 => DocumentIntegrity::SignedByDomain,
            _ => DocumentIntegrity::Unprotected,
        };
        let key = pick(&self.keys, a).copied();
        match what % 16 {
            0 => self.keys.extend(retriever.follow_address(now, MIRA)),
            1 => {
                let followed = retriever.follow(now, &[MIRA], &document(wanted), integrity);
                self.keys.extend(followed);
            }
            2 => {
                key.map(|key| retriever.update(now, key, &document(wanted), integrity));
            }
            3 => {
                key.map(|key| retriever.end(now, key));
            }
            4 => {
                key.map(|key| retriever.report_unusable(now, key));
            }
            5 => {
                key.map(|key| retriever.refresh(now, key));
            }
            6 | 7 => {
                if let Some(request) = pick(&self.sent, a).cloned() {
                    let to = format!("<{}>;tag=service", Service::of(&request).uri);
                    let status = *pick(&STATUS, b).unwrap();
                    let fields = [("To", &*to), ("Expires", "3600"), ("Retry-After", "2")];
                    self.scene.answer(&request, status, &fields);
                    self.services.push(Service::of(&request));
                }
            }
            8..=10 => {
                let at = usize::from(a) % self.services.len().max(1);
                if let Some(service) = self.services.get_mut(at) {
                    let state = *pick(&STATES, b).unwrap();
                    let body = certificate(pick(&BODIES, c).unwrap());
                    let body = (c % 5 != 0).then_some(&body);
                    service.notify(&mut self.scene, state, body, &Self::sender(a ^ c));
                }
            }
            11 => {
                if let Some(key) = pick(&self.fetches, a) {
                    let response = match b % 6 {
                        0 => FetchResponse::new(302, "").with_location("/other"),
                        1 => FetchResponse::new(404, ""),
                        2 => {
                            retriever.fail_fetch(now, *key, FetchFailure::Timeout);
                            return;
                        }
                        _ => FetchResponse::new(200, certificate(pick(&BODIES, c).unwrap()))
                            .with_content_type("application/pkix-cert"),
                    };
                    retriever.complete_fetch(now, *key, response);
                }
            }
            12 => {
                if let Some((key, octets)) = pick(&self.inspections, a) {
                    let result = match b % 8 {
                        0 => Err(CertificateError::Unsupported),
                        _ => Reader.read_certificate(octets, &[]),
                    };
                    retriever.complete_inspection(now, *key, result);
                }
            }
            13 => {
                let days = i64::from(b % 5) - 1;
                let utc = today() + time::Duration::days(days);
                retriever.set_wall_clock(now, utc);
                self.clock = Some((now, utc));
            }
            14 => {
                let seconds = [0.1, 5.0, 61.0, 4_000.0, 90_000.0][usize::from(b % 5)];
                // Sometimes all at once, without the deadlines between.
                match c % 3 {
                    0 => self.scene.now = now + Duration::from_secs_f64(seconds),
                    _ => self.scene.pass(seconds),
                }
            }
            _ => retriever.handle_timeout(now),
        }
    }

    fn look(&mut self) {
        self.scene.run();
        self.sent.extend(self.scene.sent.drain(..));
        let fetches = self.scene.fetches.drain(..);
        self.fetches.extend(fetches.map(|fetch| fetch.key));
        let inspections = self.scene.inspections.drain(..);
        self.inspections
            .extend(inspections.map(|it| (it.key, it.certificate)));
        self.scene.events.clear();
        let retriever = &self.scene.retriever;
        let now = self.scene.now;
        for key in &self.keys {
            let Some(used) = retriever.certificate(now, *key) else {
                continue;
            };
            assert!(now <= used.until, "used beyond its time");
            assert_eq!(used.ground.name, "mira@example.com");
            assert!(!used.info.is_revoked);
            let (since, utc) = self.clock.expect("a time of day");
            let utc = utc + now.saturating_since(since);
            let validity = used.info.not_before..=used.info.not_after;
            assert!(validity.contains(&utc), "used beyond its validity");
        }
        let mut asked = BTreeSet::new();
        for subscription in retriever.subscriptions() {
            if subscription.phase != OwnSubscriptionPhase::Refused {
                let uri = subscription.resource.to_ascii_lowercase();
                let uri = uri.trim_end_matches(";transport=tcp").to_owned();
                assert!(asked.insert(uri), "two subscriptions to one resource");
            }
        }
        let tables = retriever.occupancy();
        assert!(tables.followed <= 5 && tables.sources <= 6 && tables.jobs <= 4);
        assert!(tables.timers <= tables.sources + tables.followed);
        assert!(tables.outputs <= 2 * (tables.sources + 16));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order(with_clock: bool, steps in prop::collection::vec(any::<[u8; 4]>(), 1..150)) {
        let mut course = Course::new(with_clock);
        for step in steps {
            course.step(step);
            course.look();
        }
        course.scene.close();
    }
}
