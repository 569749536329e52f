//! A retriever and a service of certificates called in any order, with notifiers, web servers and
//! readers that say anything: nothing panics, nothing is used beyond its time or for somebody else, no
//! resource is asked by two subscriptions, what comes out is bounded, and nothing is left behind.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::certs::{
    Anybody, CertificateServer, CertificateServerConfig, DocumentIntegrity, FetchFailure, FetchKey,
    FetchResponse, FollowKey, InspectionKey, Retriever, RetrieverConfig, RetrieverOutput,
    ServiceDuration,
};
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Failure, Identity, Output, OwnSubscriptionPhase, RequestContext,
};
use presentity::mime::{CertificateError, CertificateInfo, Chain};
use presentity::pidf::certs::CertificateSource;
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};
use time::OffsetDateTime;

const MIRA: &str = "sip:mira@example.com";
const SOURCES: [&str; 12] = [
    MIRA,
    "sip:mira@EXAMPLE.com;transport=tcp",
    "sip:mira@example.com;gr=1",
    "sips:mira@example.com",
    "sip:certs@example.org",
    "sip:mira@127.0.0.1",
    "https://certs.example.com/mira",
    "http://certs.example.com/mira",
    "https://user@example.com/",
    "https://[::1]/",
    "https://example.org:444/",
    "nonsense",
];
const STATUS: [u16; 10] = [200, 200, 200, 202, 401, 404, 408, 423, 481, 503];
const STATES: [&str; 12] = [
    "active;expires=86400",
    "active;expires=600",
    "active;expires=0",
    "active",
    "pending;expires=60",
    "odd",
    "terminated",
    "terminated;reason=probation",
    "terminated;reason=probation;retry-after=1",
    "terminated;reason=deactivated",
    "terminated;reason=noresource",
    "terminated;reason=invariant",
];
const TYPES: [&str; 4] = [
    "application/pkix-cert",
    "application/pkix-cert",
    "application/pkix-cert;x=y",
    "text/plain",
];
const LOCATIONS: [&str; 8] = [
    "/again",
    "https://certs.example.com/mira",
    "http://example.com/",
    "//169.254.169.254/",
    "https://example.org/a",
    "data:,x",
    "",
    "?",
];

fn generator(seed: u64) -> impl FnMut(&mut [u8]) + Send + 'static {
    let mut state = seed;
    move |buffer: &mut [u8]| {
        for byte in buffer {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (state >> 33) as u8;
        }
    }
}

/// What a made-up certificate says: octets that decide its names, chain and validity.
fn read(octets: &Bytes, epoch: OffsetDateTime) -> Result<CertificateInfo, CertificateError> {
    let byte = |at: usize| octets.get(at).copied().unwrap_or_default();
    if byte(0) == 0xff {
        return Err(CertificateError::Unsupported);
    }
    let days = |byte: u8| time::Duration::days(i64::from(byte) - 64);
    let validity = epoch + days(byte(1) / 2)..=epoch + days(byte(2));
    let chain = match byte(3) % 2 {
        0 => Chain::Trusted,
        _ => Chain::Untrusted("x".to_owned()),
    };
    let names = [MIRA, "sip:certs@example.org", "sip:other@example.com", "?"];
    let mut info = CertificateInfo::new(octets.clone(), validity, chain)
        .with_names(names.into_iter().skip(usize::from(byte(0) % 4)).take(2));
    info.is_revoked = byte(3) == 5;
    Ok(info)
}

struct Names {
    call_id: String,
    from: String,
    to: String,
}

struct Scene {
    retriever: Retriever,
    server: CertificateServer<Anybody>,
    now: Timestamp,
    epoch: OffsetDateTime,
    /// When the time of day was said, and which.
    clock: Option<(Timestamp, OffsetDateTime)>,
    keys: Vec<FollowKey>,
    open: BTreeMap<ClientTransaction, OutgoingRequest>,
    wishes: Vec<ClientTransaction>,
    asked: Vec<Names>,
    fetches: Vec<FetchKey>,
    inspections: Vec<(InspectionKey, Bytes)>,
    unanswered: BTreeSet<ServerTransaction>,
    of_server: BTreeMap<ServerTransaction, OutgoingRequest>,
    transactions: u64,
    events: u64,
}

impl Scene {
    fn transaction(&mut self) -> ServerTransaction {
        self.transactions += 1;
        ServerTransaction(self.transactions)
    }

    fn poll(&mut self) {
        for _ in 0..5_000 {
            let Some(output) = self.retriever.poll_output() else {
                assert!(self.unanswered.is_empty());
                return;
            };
            match output {
                RetrieverOutput::Send(request) => {
                    let field = |name: &str| {
                        let found = request.fields().find(|(other, _)| *other == name);
                        found.expect("a field").1.to_owned()
                    };
                    self.asked.push(Names {
                        call_id: field("Call-ID"),
                        from: field("From"),
                        to: field("To"),
                    });
                    let transaction = request.transaction();
                    assert!(self.open.insert(transaction, request).is_none());
                }
                RetrieverOutput::Respond(response) => {
                    assert!(self.unanswered.remove(&response.transaction()));
                    if let Some(notify) = self.of_server.remove(&response.transaction()) {
                        let none = Bytes::new();
                        let answer = ResponseRef::new(response.status(), [], &none);
                        let transaction = notify.transaction();
                        (self.server).handle_response(self.now, transaction, &answer);
                    }
                }
                RetrieverOutput::NeedCredentials(need) => self.wishes.push(need.transaction()),
                RetrieverOutput::Fetch(fetch) => {
                    assert!(fetch.url.starts_with("http"), "{}", fetch.url);
                    assert!(!fetch.url.contains('@') && !fetch.url.contains("://["));
                    assert!(fetch.deadline >= self.now);
                    self.fetches.push(fetch.key);
                }
                RetrieverOutput::Inspect(inspection) => {
                    self.inspections
                        .push((inspection.key, inspection.certificate));
                }
                RetrieverOutput::Event(event) => {
                    self.events += 1;
                    drop(event.to_string());
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("it never ends");
    }

    /// What the service has to say goes to the retriever.
    fn serve(&mut self) {
        for _ in 0..2_000 {
            let Some(output) = self.server.poll_output() else {
                return;
            };
            if let Output::Send(notify) = output {
                let fields: Vec<(&str, &str)> = notify.fields().collect();
                let view = RequestRef::new("NOTIFY", notify.uri(), fields, notify.body());
                self.transactions += 1;
                let transaction = ServerTransaction(self.transactions);
                let sender = sender(2);
                let context = RequestContext::new(&sender, "sip:a@192.0.2.7");
                let taken = (self.retriever).handle_request(self.now, transaction, &view, &context);
                if taken.is_ok() {
                    self.unanswered.insert(transaction);
                    self.of_server.insert(transaction, notify.clone());
                }
                self.poll();
            }
        }
        panic!("it never ends");
    }

    fn notify(&mut self, mut next: impl FnMut() -> u8) {
        let Some(names) = pick(&self.asked, next()) else {
            return;
        };
        let from = format!("{};tag=n{}", names.to, next() % 2);
        let from = match names.to.contains(";tag=") {
            true => names.to.clone(),
            false => from,
        };
        let (to, call_id) = (names.from.clone(), names.call_id.clone());
        let cseq = format!("{} NOTIFY", next());
        let state = STATES[usize::from(next()) % STATES.len()];
        let body: Vec<u8> = (0..next() % 6).map(|_| next()).collect();
        let body = Bytes::from(body);
        let mut fields = vec![
            ("Call-ID", &*call_id),
            ("From", &*from),
            ("To", &*to),
            ("CSeq", &*cseq),
            ("Event", "certificate"),
            ("Contact", "<sip:service@192.0.2.1>"),
            ("Subscription-State", state),
            ("Content-Type", TYPES[usize::from(next()) % TYPES.len()]),
        ];
        match next() % 32 {
            field @ 0..=7 => drop(fields.remove(usize::from(field))),
            8 => fields[1].1 = "<sip:mallory@example.org>;tag=n0",
            9 => fields.push(("Content-Disposition", "?")),
            _ => {}
        }
        let request = RequestRef::new("NOTIFY", "sip:a@192.0.2.7", fields, &body);
        let sender = sender(next());
        let context = RequestContext::new(&sender, "sip:a@192.0.2.7");
        let transaction = self.transaction();
        let taken = (self.retriever).handle_request(self.now, transaction, &request, &context);
        if taken.is_ok() {
            self.unanswered.insert(transaction);
        }
    }

    /// What is true after every call.
    fn check(&self) {
        let now = self.now;
        for key in &self.keys {
            let Some(used) = self.retriever.certificate(now, *key) else {
                continue;
            };
            assert!(now <= used.until, "beyond its time");
            assert!(used.until.saturating_since(now) <= Duration::from_secs(86_400));
            assert_eq!(used.ground.name, "mira@example.com");
            assert!(
                used.info
                    .names
                    .iter()
                    .any(|name| name == MIRA || name.contains("certs"))
            );
            assert!(!used.info.is_revoked);
            let (since, utc) = self.clock.expect("a time of day");
            let utc = utc + now.saturating_since(since);
            assert!(used.info.not_before <= utc && utc <= used.info.not_after);
            assert!(self.retriever.verdict(now, *key).expect("one").is_usable());
        }
        assert_eq!(
            self.retriever.certificate_for(now, "sip:other@example.com"),
            None
        );
        let mut asked = BTreeSet::new();
        for subscription in self.retriever.subscriptions() {
            if subscription.phase == OwnSubscriptionPhase::Refused {
                continue;
            }
            let uri = subscription.resource.to_lowercase();
            let uri = uri.trim_end_matches(";transport=tcp").to_owned();
            assert!(asked.insert(uri), "two subscriptions to one resource");
        }
        let tables = self.retriever.occupancy();
        assert!(tables.sources <= 12 && tables.followed <= 16 && tables.jobs <= 6);
        // One for each source, and one for each who is followed and asks at a bounded pace.
        let most = tables.sources + tables.followed;
        assert!(tables.timers <= most && tables.outputs <= 64, "{tables:?}");
    }
}

fn sender(number: u8) -> Identity {
    let by = |uri, assurance| Identity::of(uri, assurance).expect("somebody");
    match number % 6 {
        0 => Identity::nobody(),
        1 => by("sip:example.org", Assurance::Transport),
        2 | 3 => by("sip:example.com", Assurance::Transport),
        4 => by(MIRA, Assurance::Signed),
        _ => by(MIRA, Assurance::Claimed),
    }
}

fn pick<T>(all: &[T], number: u8) -> Option<&T> {
    all.get(usize::from(number).checked_rem(all.len())?)
}

fuzz_target!(|data: &[u8]| {
    let mut config = RetrieverConfig::default();
    config.limits.followed = 16;
    config.limits.sources = 12;
    config.limits.fetches = 3;
    config.limits.inspections = 3;
    config.rules.https_of_domain = data.len() % 3 == 0;
    config.web.allow_bundles = data.len() % 5 == 0;
    let mut service = CertificateServerConfig::default();
    if data.len() % 2 == 0 {
        service.duration = ServiceDuration::Probation { retry_after: 90 };
    }
    let account = |host: &str| {
        let account = Account::new("sip:a@example.net").expect("a user");
        account.with_contact(host).expect("a contact")
    };
    let accounts = [account("sips:a@192.0.2.7"), account("sip:a@192.0.2.8")];
    let mut scene = Scene {
        retriever: Retriever::new(config, &accounts[0], generator(1)),
        server: CertificateServer::new(service, Anybody, generator(2)),
        now: Timestamp::ZERO,
        epoch: OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
        clock: None,
        keys: Vec::new(),
        open: BTreeMap::new(),
        wishes: Vec::new(),
        asked: Vec::new(),
        fetches: Vec::new(),
        inspections: Vec::new(),
        unanswered: BTreeSet::new(),
        of_server: BTreeMap::new(),
        transactions: 0,
        events: 0,
    };
    let mut calls = 0_u64;
    let mut bytes = data.iter().copied();
    while let Some(call) = bytes.next() {
        calls += 1;
        let mut next = || bytes.next().unwrap_or(0);
        let now = scene.now;
        match call % 20 {
            0 => {
                let followed = scene.retriever.follow_address(now, MIRA);
                scene.keys.extend(followed);
            }
            1 | 2 => {
                let count = next() % 4;
                let sources: Vec<CertificateSource> = (0..count)
                    .filter_map(|_| pick(&SOURCES, next()))
                    .map(|source| match source.starts_with("sip") {
                        true => CertificateSource::Subscribe {
                            uri: (*source).to_owned(),
                        },
                        false => CertificateSource::Fetch {
                            url: (*source).to_owned(),
                        },
                    })
                    .collect();
                let integrity = match next() % 3 {
                    0 => DocumentIntegrity::SignedByDomain,
                    _ => DocumentIntegrity::Unprotected,
                };
                match pick(&scene.keys, next()).copied() {
                    Some(key) if call % 20 == 2 => {
                        let _ = (scene.retriever).update_sources(now, key, &sources, integrity);
                    }
                    _ => {
                        let followed =
                            (scene.retriever).follow_sources(now, &[MIRA], &sources, integrity);
                        scene.keys.extend(followed);
                    }
                }
            }
            3 => {
                if let Some(key) = pick(&scene.keys, next()).copied() {
                    let _ = scene.retriever.end(now, key);
                    assert!(!scene.retriever.end(now, key));
                }
            }
            4 => {
                if let Some(key) = pick(&scene.keys, next()).copied() {
                    match next() % 2 {
                        0 => drop(scene.retriever.report_unusable(now, key)),
                        _ => drop(scene.retriever.refresh(now, key)),
                    }
                }
            }
            5 => {
                let account = pick(&accounts, next()).expect("one of two");
                scene.retriever.set_account(now, account);
            }
            6 => {
                let utc = scene.epoch + time::Duration::days(i64::from(next()) - 64);
                scene.retriever.set_wall_clock(now, utc);
                scene.clock = Some((now, utc));
            }
            7 | 8 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()).copied() {
                    let status = *pick(&STATUS, next()).expect("a status");
                    let fields = [
                        ("To", "<sip:mira@example.com>;tag=n0"),
                        ("Expires", "3600"),
                        ("Min-Expires", "90000"),
                        ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\""),
                    ];
                    let fields = fields.into_iter().take(usize::from(next() % 5));
                    let none = Bytes::new();
                    let response = ResponseRef::new(status, fields, &none);
                    (scene.retriever).handle_response(now, transaction, &response);
                    scene.open.remove(&transaction);
                }
            }
            9 => {
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(transaction) = pick(&open, next()).copied() {
                    let failure = match next() % 2 {
                        0 => Failure::Timeout,
                        _ => Failure::Transport,
                    };
                    scene.retriever.handle_failure(now, transaction, failure);
                    scene.open.remove(&transaction);
                }
            }
            10 => {
                if let Some(transaction) = scene.wishes.pop() {
                    match next() % 2 {
                        0 => drop(scene.retriever.decline_credentials(now, transaction)),
                        _ => drop(scene.retriever.provide_credentials(
                            now,
                            transaction,
                            "Digest x",
                        )),
                    }
                }
            }
            11..=13 => scene.notify(next),
            14 => {
                if let Some(key) = pick(&scene.fetches, next()).copied() {
                    let response = match next() % 8 {
                        0 => FetchResponse::new(302, "")
                            .with_location(*pick(&LOCATIONS, next()).expect("a place")),
                        1 => FetchResponse::new(404, "x"),
                        2 => FetchResponse::new(u16::from(next()), "x"),
                        3 => FetchResponse::new(200, "x").with_content_type("text/html"),
                        4 => FetchResponse::new(200, "x")
                            .with_content_type("application/pkcs7-mime;smime-type=certs-only"),
                        _ => {
                            let body: Vec<u8> = (0..5).map(|_| next()).collect();
                            FetchResponse::new(200, body).with_content_type("application/pkix-cert")
                        }
                    };
                    let _ = match next() % 8 {
                        0 => (scene.retriever).fail_fetch(now, key, FetchFailure::Timeout),
                        _ => (scene.retriever).complete_fetch(now, key, response),
                    };
                }
            }
            15 => {
                if let Some((key, octets)) = pick(&scene.inspections, next()) {
                    let mut result = read(octets, scene.epoch);
                    if next() == 9 {
                        result = result.map(|mut info| {
                            info.der = Bytes::from_static(b"other");
                            info
                        });
                    }
                    let _ = (scene.retriever).complete_inspection(now, *key, result);
                }
            }
            16 => {
                // The service answers what was asked.
                let body: Vec<u8> = (0..4).map(|_| next()).collect();
                let certificate = (next() % 4 != 0).then(|| Bytes::from(body));
                let _ = scene.server.set_certificate(now, MIRA, certificate);
                let open: Vec<ClientTransaction> = scene.open.keys().copied().collect();
                if let Some(request) = pick(&open, next()).and_then(|it| scene.open.get(it)) {
                    let fields: Vec<(&str, &str)> = request.fields().collect();
                    let view = RequestRef::new("SUBSCRIBE", request.uri(), fields, request.body());
                    let nobody = Identity::nobody();
                    let context = RequestContext::new(&nobody, "sip:service@192.0.2.1");
                    scene.transactions += 1;
                    let transaction = ServerTransaction(scene.transactions);
                    let _ = (scene.server).handle_request(now, transaction, &view, &context);
                }
                scene.poll();
                scene.serve();
            }
            17 => {
                let _ = scene.server.poll_timeout();
                scene.server.handle_timeout(now);
                scene.poll();
                scene.serve();
            }
            18 => {
                let (one, other) = (u64::from(next()), u64::from(next()));
                scene.now = now + Duration::from_secs(one * other);
                scene.check();
                scene.retriever.handle_timeout(scene.now);
            }
            _ => {
                let deadline = scene.retriever.poll_timeout().unwrap_or(now);
                scene.now = now.max(deadline);
                scene.check();
                scene.retriever.handle_timeout(scene.now);
            }
        }
        scene.poll();
        scene.check();
    }
    // A call tells each who is followed of a few things for each of his sources.
    assert!(scene.events <= 16 * 16 * (calls + 16));
    // Ended, all is over soon, whatever it waits for.
    scene.retriever.end_all(scene.now);
    for _ in 0..6 {
        scene.poll();
        scene.now = scene.now + Duration::from_secs(65);
        scene.retriever.handle_timeout(scene.now);
    }
    scene.poll();
    assert_eq!(scene.retriever.occupancy(), Default::default());
    assert_eq!(scene.retriever.poll_timeout(), None);
});
