//! What it costs to look at the watchers of a resource, and to tell one change of them.
#![allow(missing_docs, reason = "a benchmark")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark may fail loudly"
)]

use core::time::Duration;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Identity, Output, Package, Profile, PublishedBody,
    RenderRequest, RequestContext, Server, ServerConfig, SubscribeQuery, SubscriptionKey,
    Unreadable, Unserved, View,
};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef, Uri};
use presentity::winfo::{
    RecommendedInfoPolicy, WatcherInfoConfig, WatcherInfoServer, WatcherInfoServerOutput,
};

/// A package of which everybody sees the same nothing.
struct Plain(Profile);

impl Package for Plain {
    type State = ();
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.0
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        uri.address_of_record().ok_or(Unserved::NotHere)
    }

    fn authorize_subscription(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new(""))
    }

    fn render(&mut self, _: &RenderRequest<'_>, (): &mut (), _: &[(u64, &())]) -> Option<Bytes> {
        None
    }
}

/// Longer than any run, in seconds.
const LONG: u32 = 1_000_000_000;

struct Scene {
    parent: Server<Plain>,
    info: WatcherInfoServer<RecommendedInfoPolicy>,
    now: Timestamp,
    calls: u64,
}

fn entropy(mut state: u64) -> impl FnMut(&mut [u8]) + Send + 'static {
    move |buffer| {
        for byte in buffer {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    }
}

impl Scene {
    fn with_watchers(count: u64) -> Self {
        let mut config = WatcherInfoConfig::default();
        config.server.role = 1;
        config.server.max_expires = LONG;
        let package = Plain(Profile::new("plain", &["text/plain"]));
        let mut scene = Self {
            parent: Server::new(package, ServerConfig::default(), entropy(3)),
            info: WatcherInfoServer::new("plain", RecommendedInfoPolicy, config, entropy(5)),
            now: Timestamp::from_secs(1_000),
            calls: 0,
        };
        for number in 0..count {
            let watcher = format!("sip:w{number}@example.com");
            scene.subscribe(&watcher, "plain", 3600);
            while let Some(notify) = scene.take() {
                scene.answer(&notify);
            }
        }
        scene
    }

    fn subscribe(&mut self, from: &str, event: &str, seconds: u32) {
        self.calls += 1;
        let (call, uri) = (format!("c{}", self.calls), "sip:vera@example.com");
        let (from_field, seconds) = (format!("<{from}>;tag={call}"), seconds.to_string());
        let fields = [
            ("From", from_field.as_str()),
            ("To", "<sip:vera@example.com>"),
            ("Call-ID", &call),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", "<sip:phone@192.0.2.7>"),
            ("Event", event),
            ("Expires", &seconds),
        ];
        let body = Bytes::new();
        let request = RequestRef::new("SUBSCRIBE", uri, fields, &body);
        let identity = Identity::of(from, Assurance::Digest).unwrap();
        let context = RequestContext::new(&identity, "sip:server.example.com");
        let (now, transaction) = (self.now, ServerTransaction(self.calls));
        let taken = match event {
            "plain" => self
                .parent
                .handle_request(now, transaction, &request, &context),
            _ => self
                .info
                .handle_request(now, transaction, &request, &context),
        };
        taken.unwrap();
    }

    /// The next NOTIFY.
    fn take(&mut self) -> Option<OutgoingRequest> {
        loop {
            let output = match self.parent.poll_output() {
                Some(output) => {
                    if let Output::Event(event) = &output {
                        self.info.observe(self.now, event);
                    }
                    output
                }
                None => match self.info.poll_output(&self.parent)? {
                    WatcherInfoServerOutput::Serve { output, .. } => output,
                    other => panic!("{other:?}"),
                },
            };
            if let Output::Send(notify) = output {
                return Some(notify);
            }
        }
    }

    fn answer(&mut self, notify: &OutgoingRequest) {
        let body = Bytes::new();
        let ok = ResponseRef::new(200, [], &body);
        let transaction = notify.transaction();
        match self.info.owns_transaction(transaction) {
            true => self.info.handle_response(self.now, transaction, &ok),
            false => self.parent.handle_response(self.now, transaction, &ok),
        }
    }

    /// Everything out and answered, at once and then at the pace of changes; the octets of documents.
    fn settle(&mut self) -> usize {
        let mut octets = 0;
        loop {
            let mut is_quiet = true;
            while let Some(notify) = self.take() {
                is_quiet = false;
                octets += notify.body().len();
                self.answer(&notify);
            }
            if is_quiet {
                return octets;
            }
            self.now = self.now + Duration::from_secs(6);
            self.info.handle_timeout(self.now);
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("watcher_info_server");
    group.sample_size(10);
    for watchers in [10, 100_000] {
        let mut scene = Scene::with_watchers(watchers);
        group.bench_function(BenchmarkId::new("fetch", watchers), |bencher| {
            bencher.iter(|| {
                scene.subscribe("sip:vera@example.com", "plain.winfo", 0);
                let notify = scene.take().unwrap();
                scene.answer(&notify);
                black_box(notify)
            });
        });
    }
    for watchers in [10, 100_000] {
        let mut scene = Scene::with_watchers(watchers);
        scene.subscribe("sip:vera@example.com", "plain.winfo", LONG);
        scene.settle();
        let key: SubscriptionKey = scene.parent.subscriptions().next().unwrap().key;
        let mut is_allowed = true;
        group.bench_function(BenchmarkId::new("change", watchers), |bencher| {
            bencher.iter(|| {
                is_allowed = !is_allowed;
                let decision = match is_allowed {
                    true => Decision::Allow(View::full()),
                    false => Decision::Pending,
                };
                scene.parent.decide(scene.now, key, decision).unwrap();
                scene.settle()
            });
        });
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
