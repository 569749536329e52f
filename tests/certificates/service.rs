//! The service that gives out certificates (RFC 6072 sections 6.3 to 6.11).

use bytes::Bytes;
use presentity::certs::{
    Anybody, CertificatePolicy, CertificateServer, CertificateServerConfig, ServiceDuration,
};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Authorization, Decision, Identity, Output, Rejection, RequestContext, SubscribeQuery, View,
};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use super::scene::{MIRA, field, seeded};

/// What comes of a SUBSCRIBE.
#[derive(Debug, Default)]
struct Came {
    responses: Vec<Response>,
    notifies: Vec<OutgoingRequest>,
}

struct Host<P: CertificatePolicy> {
    server: CertificateServer<P>,
    now: Timestamp,
    calls: u64,
}

impl<P: CertificatePolicy> Host<P> {
    fn new(config: CertificateServerConfig, policy: P) -> Self {
        Self {
            server: CertificateServer::new(config, policy, seeded(3)),
            now: Timestamp::from_secs(10),
            calls: 0,
        }
    }

    fn drain(&mut self) -> Came {
        let mut came = Came::default();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Respond(response) | Output::Challenge(response) => {
                    came.responses.push(response);
                }
                Output::Send(request) => {
                    let body = Bytes::new();
                    let answer = ResponseRef::new(200, [], &body);
                    let transaction = request.transaction();
                    self.server.handle_response(self.now, transaction, &answer);
                    came.notifies.push(request);
                }
                _ => {}
            }
        }
        came
    }

    fn subscribe(&mut self, fields: &[(&str, &str)]) -> Came {
        self.take_in(fields);
        self.drain()
    }

    /// A SUBSCRIBE, without looking at what comes of it.
    fn take_in(&mut self, fields: &[(&str, &str)]) {
        self.calls += 1;
        let call = self.calls.to_string();
        let cseq = "1 SUBSCRIBE";
        let mut all = vec![
            ("From", "<sip:ana@example.net>;tag=a"),
            ("To", "\"Mira\" <sip:mira@example.com>"),
            ("Call-ID", &*call),
            ("CSeq", cseq),
            ("Contact", "<sip:ana@192.0.2.7>"),
            ("Event", "certificate"),
        ];
        for (name, value) in fields {
            all.retain(|(other, _)| other != name);
            all.push((name, value));
        }
        let body = Bytes::new();
        let request = RequestRef::new("SUBSCRIBE", MIRA, all, &body);
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, "sip:service@192.0.2.99");
        let transaction = ServerTransaction(self.calls);
        (self.server)
            .handle_request(self.now, transaction, &request, &context)
            .unwrap();
    }

    fn set(&mut self, certificate: Option<&str>) -> Came {
        let certificate = certificate.map(|it| Bytes::copy_from_slice(it.as_bytes()));
        assert!(self.server.set_certificate(self.now, MIRA, certificate));
        self.drain()
    }

    fn pass(&mut self, seconds: u64) -> Came {
        let end = self.now + std::time::Duration::from_secs(seconds);
        let mut all = Came::default();
        while let Some(next) = self.server.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.server.handle_timeout(self.now);
            all.notifies.append(&mut self.drain().notifies);
        }
        self.now = end;
        all
    }
}

fn host() -> Host<Anybody> {
    Host::new(CertificateServerConfig::default(), Anybody)
}

fn response_field<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut fields = response.fields();
    fields
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

// CERT-22, CERT-23, CERT-24, CERT-25, CERT-28, CERT-30, CERT-31
#[test]
fn who_asks_gets_the_certificate_at_once() {
    for accept in [None, Some("application/pkix-cert"), Some("*/*")] {
        let mut host = host();
        host.set(Some("hers"));
        let accept = accept.map(|accept| ("Accept", accept));
        let came = host.subscribe(&Vec::from_iter(accept));
        let [response] = &came.responses[..] else {
            panic!("{came:?}");
        };
        // Nobody is asked who he is.
        assert_eq!(response.status(), 200);
        assert_eq!(response_field(response, "Expires"), Some("86400"));
        let [notify] = &came.notifies[..] else {
            panic!("{came:?}");
        };
        assert_eq!(notify.body(), "hers");
        assert_eq!(field(notify, "Content-Type"), Some("application/pkix-cert"));
        assert_eq!(field(notify, "Content-Disposition"), Some("signal"));
        assert_eq!(field(notify, "Event"), Some("certificate"));
        let from = field(notify, "From").unwrap();
        assert!(from.starts_with("<sip:mira@example.com>;tag="), "{from}");
    }
}

// CERT-24, CERT-29, CERT-30
#[test]
fn who_has_none_is_told_of_by_an_empty_notify() {
    let mut host = host();
    let came = host.subscribe(&[]);
    assert_eq!(came.responses[0].status(), 200);
    assert!(came.notifies[0].body().is_empty());
    assert_eq!(field(&came.notifies[0], "Content-Type"), None);
    assert_eq!(
        field(&came.notifies[0], "Content-Disposition"),
        Some("signal")
    );
    // An empty one is none.
    assert!(
        host.server
            .set_certificate(host.now, MIRA, Some(Bytes::new()))
    );
    assert!(host.drain().notifies.is_empty());
}

// CERT-23, CERT-25
#[test]
fn who_takes_no_certificate_gets_406() {
    let mut host = host();
    let came = host.subscribe(&[("Accept", "application/pidf+xml")]);
    assert_eq!(came.responses[0].status(), 406);
    assert!(came.notifies.is_empty());
}

// CERT-26
#[test]
fn the_size_of_a_notify_is_known_before_it_is_sent() {
    let mut host = host();
    host.set(Some(&"x".repeat(1_500)));
    let came = host.subscribe(&[]);
    let notify = &came.notifies[0];
    let via = "Via: SIP/2.0/TLS 192.0.2.99;branch=z9hG4bK1\r\n";
    let mut octets = Vec::new();
    notify.write_to(via, &mut octets);
    assert_eq!(octets.len(), notify.encoded_len(via.len()));
    assert!(notify.encoded_len(via.len()) > 1_500);
}

// CERT-22, CERT-28
#[test]
fn durations_range_from_nothing_to_a_week_and_are_limited_by_a_setting() {
    let granted = |host: &mut Host<Anybody>, asked| {
        let came = host.subscribe(&[("Expires", asked)]);
        response_field(&came.responses[0], "Expires").map(str::to_owned)
    };
    let mut host = host();
    for (asked, expected) in [
        ("0", "0"),
        ("60", "60"),
        ("604800", "604800"),
        ("9999999", "604800"),
    ] {
        assert_eq!(granted(&mut host, asked).as_deref(), Some(expected));
    }
    let mut config = CertificateServerConfig::default();
    config.server.max_expires = 7_200;
    let mut host = Host::new(config, Anybody);
    assert_eq!(granted(&mut host, "86400").as_deref(), Some("7200"));
    // Whatever the certificate's own time is.
    host.set(Some("hers"));
    let came = host.subscribe(&[("Expires", "0")]);
    assert_eq!(came.notifies[0].body(), "hers");
}

// CERT-39
#[test]
fn changes_are_told_once_a_minute_at_most() {
    let mut host = host();
    host.subscribe(&[]);
    let mut told = Vec::new();
    for second in 0..300 {
        let mut came = host.set(Some(&format!("number {second}")));
        came.notifies.append(&mut host.pass(1).notifies);
        told.extend(came.notifies.iter().map(|_| second));
    }
    assert!((4..=6).contains(&told.len()), "{told:?}");
    assert!(
        told.windows(2).all(|pair| pair[1] - pair[0] >= 59),
        "{told:?}"
    );
    // The last one is told in the end.
    let mut last = host.set(Some("the last"));
    last.notifies.append(&mut host.pass(60).notifies);
    assert_eq!(last.notifies.last().unwrap().body(), "the last");
}

// CERT-40
#[test]
fn it_is_a_state_agent_without_lists_and_publication() {
    let mut host = host();
    assert_eq!(host.server.server().allow(), "SUBSCRIBE");
    // Who asks for a list gets the one certificate.
    let came = host.subscribe(&[("Supported", "eventlist")]);
    assert_eq!(came.responses[0].status(), 200);
    assert!(field(&came.notifies[0], "Require").is_none());
    let came = host.subscribe(&[("Require", "eventlist")]);
    assert_eq!(came.responses[0].status(), 420);
    let came = host.subscribe(&[("Event", "credential")]);
    assert_eq!(came.responses[0].status(), 489);
}

// CERT-28
#[test]
fn a_policy_may_choose_who_gets_them() {
    #[derive(Debug)]
    struct Known;
    impl CertificatePolicy for Known {
        fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
            match query.watcher() {
                None => Authorization::Challenge,
                Some("ana@example.net") => Decision::Allow(View::full()).into(),
                Some(_) => Decision::Reject(Rejection::Forbidden).into(),
            }
        }
    }
    let mut host = Host::new(CertificateServerConfig::default(), Known);
    assert_eq!(host.subscribe(&[]).responses[0].status(), 401);
}

// CERT-28
#[test]
fn users_of_other_domains_are_not_found() {
    let mut config = CertificateServerConfig::default();
    config.domains = vec!["Example.org".into()];
    let mut host = Host::new(config, Anybody);
    assert_eq!(host.subscribe(&[]).responses[0].status(), 404);
    assert!(!host.server.set_certificate(host.now, MIRA, None));
    assert!(!host.server.set_certificate(host.now, "tel:+1555", None));
    assert!(!host.server.set_certificate(host.now, "?", None));
    let own = "sip:a@example.org:5070";
    assert!(host.server.set_certificate(host.now, own, None));
}

#[test]
fn what_is_said_of_nobody_here_tells_the_time() {
    let mut host = host();
    host.take_in(&[("Expires", "600")]);
    host.now = host.now + std::time::Duration::from_secs(100);
    assert!(!host.server.set_certificate(host.now, "?", None));
    let came = host.drain();
    assert_eq!(
        field(&came.notifies[0], "Subscription-State"),
        Some("active;expires=500")
    );
}

// CERT-43
#[test]
fn it_may_end_each_subscription_with_its_certificate() {
    let mut config = CertificateServerConfig::default();
    config.duration = ServiceDuration::Probation { retry_after: 900 };
    let mut host = Host::new(config, Anybody);
    host.set(Some("hers"));
    let came = host.subscribe(&[]);
    let [first, last] = &came.notifies[..] else {
        panic!("{came:?}");
    };
    assert_eq!(first.body(), "hers");
    assert!(
        field(first, "Subscription-State")
            .unwrap()
            .starts_with("active")
    );
    assert_eq!(
        field(last, "Subscription-State"),
        Some("terminated;reason=probation;retry-after=900")
    );
    assert_eq!(host.server.server().occupancy().subscriptions, 0);
}

#[test]
fn a_disposition_of_the_hosts_own_stays_alone() {
    let mut config = CertificateServerConfig::default();
    config.server.notify_fields = vec![("X-One".into(), "1".into())];
    let mut host = Host::new(config, Anybody);
    let came = host.subscribe(&[]);
    let fields = came.notifies[0].fields();
    let dispositions = fields.filter(|(name, _)| *name == "Content-Disposition");
    assert_eq!(dispositions.count(), 1);
    assert_eq!(field(&came.notifies[0], "X-One"), Some("1"));
}
