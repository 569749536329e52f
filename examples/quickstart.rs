//! Somebody watches somebody, in one process, over real sockets: the flow that RFC 3856 shows in its
//! section 8, with a PUBLISH for the change of state.
//!
//! ```text
//! cargo run --example quickstart
//! cargo run --example quickstart -- --extensions
//! ```
//!
//! With `--extensions` it is another flow, `quickstart/extensions.rs`: changes in place of documents
//! (RFC 5263, RFC 5264), a filter (RFC 4660), a rate (RFC 6446), and silence about what is known already
//! (RFC 5839).
//!
//! The server is this crate's agent on the SIP stack `rsipstack`, joined by `adapter/`. The watcher,
//! on TCP, and the publisher, on UDP, are scripted: they write and read messages as text. Every
//! message is printed as it passes, and at the end the ladder. The exit code is 0 only if all
//! messages came as they should.

#[path = "adapter/mod.rs"]
#[allow(dead_code, reason = "there is no console here and no authentication")]
mod adapter;
#[path = "quickstart/extensions.rs"]
mod extensions;
#[path = "quickstart/peer.rs"]
mod peer;

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{
    Assurance, Authorization, Decision, Identity, PublishDecision, PublishQuery, ServerEvent,
    SubscribeQuery, View,
};
use presentity::pidf::{Basic, Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{HeaderName, NameAddr, RequestRef};
use tokio::sync::oneshot;
use tokio::time::timeout;

use adapter::transport::Stack;
use adapter::{Adapter, Caller, Host, Reply};
use peer::{Ladder, Message, Peer};

/// All of it takes a fraction of a second.
const LIMIT: Duration = Duration::from_secs(20);

const WATCHER: &str = "sip:nora@example.com";
const PRESENTITY: &str = "sip:ivo@example.com";

/// Whoever has a name may watch; everybody publishes for themselves only.
struct OpenHouse;

impl Policy for OpenHouse {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.watcher() {
            Some(_) => Decision::Allow(View::full()).into(),
            None => Authorization::Challenge,
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.identity().includes(query.resource()) {
            PublishDecision::Allow
        } else {
            PublishDecision::Forbid
        }
    }
}

/// The rest of the server: next to nothing. The example `presence_server` has Digest, a registrar
/// and a console in its place.
struct Bare;

impl Host<OpenHouse> for Bare {
    fn identify(&mut self, request: &RequestRef<'_>) -> Caller {
        // From is no evidence. It does here, where nobody else can reach the sockets.
        let from = request
            .first(HeaderName::From)
            .and_then(|from| NameAddr::parse(from).ok());
        let identity = from.and_then(|from| Identity::of(from.uri(), Assurance::Claimed).ok());
        Caller {
            identity: identity.unwrap_or_default(),
            stale: false,
        }
    }

    fn challenge(&mut self, _: &Caller) -> Vec<String> {
        Vec::new()
    }

    fn answer(
        &mut self,
        _: Timestamp,
        _: &RequestRef<'_>,
        _: &Caller,
        agent: &mut Agent<OpenHouse>,
    ) -> Reply {
        Reply::new(405).with("Allow", agent.allow())
    }

    fn event(&mut self, event: &ServerEvent) {
        println!("--  server: {event}\n");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let flow = match arguments[..] {
        [] => Flow::Plain,
        ["--extensions"] => Flow::Extensions,
        _ => {
            eprintln!("Usage: quickstart [--extensions]");
            return ExitCode::from(2);
        }
    };
    let ladder = Rc::new(RefCell::new(Ladder::default()));
    let outcome = match timeout(LIMIT, run(flow, &ladder)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("it took too long".into()),
    };
    println!("{}", ladder.borrow());
    match outcome {
        Ok(()) => {
            println!("All as it should be.");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("FAILED: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What is shown.
#[derive(Clone, Copy)]
enum Flow {
    Plain,
    Extensions,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Runs the server, and beside it the script; when that has ended, ends the server.
async fn run(flow: Flow, ladder: &Rc<RefCell<Ladder>>) -> Outcome<()> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (stack, requests, bound) = Stack::start(&[any_port]).await?;
    let server = *bound.first().ok_or("no socket")?;
    let mut config = AgentConfig::default();
    config.domains = vec!["example.com".into()];
    if let Flow::Extensions = flow {
        config.server.notify_interval = extensions::PACE;
    }
    let agent = Agent::new(config, OpenHouse, adapter::entropy()?);
    let adapter = Adapter::new(agent, Bare, stack);
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = adapter.run(async { drop(stopped.await) }, requests);
    let script = async {
        let outcome = match flow {
            Flow::Plain => script(server, ladder).await,
            Flow::Extensions => extensions::script(server, ladder).await,
        };
        drop(stop);
        outcome
    };
    let ((), outcome) = tokio::join!(serve, script);
    outcome
}

async fn script(server: SocketAddr, ladder: &Rc<RefCell<Ladder>>) -> Outcome<()> {
    let mut nora = Peer::over_tcp("nora", WATCHER, server, ladder.clone()).await?;
    let mut ivo = Peer::over_udp("ivo", PRESENTITY, server, ladder.clone()).await?;

    println!("Nora begins to watch Ivo, of whom nothing is known yet.\n");
    let subscribe = [
        ("Event", "presence"),
        ("Accept", "application/pidf+xml"),
        ("Expires", "600"),
    ];
    nora.request("SUBSCRIBE", PRESENTITY, &subscribe, "")
        .await?;
    let ok = nora.response(200).await?;
    check(
        ok.field("Expires") == Some("600"),
        "the subscription is granted for 600 s",
    )?;
    nora.enter_dialog(&ok)?;
    let notify = nora.notify().await?;
    let state = notify.field("Subscription-State").unwrap_or_default();
    check(
        state.starts_with("active;expires="),
        "the subscription is active",
    )?;
    let presence = presence_in(&notify)?;
    check(presence.entity == PRESENTITY, "the document is about Ivo")?;
    check(
        presence.tuples.is_empty(),
        "and tells nothing, which is not the same as closed",
    )?;

    println!("Ivo publishes that he is there.\n");
    let tuple = Tuple::open("desk")
        .with_contact("sip:ivo@192.0.2.17")
        .with_note("at my desk");
    let document = Presence::new(PRESENTITY).with_tuple(tuple).write()?;
    let document = std::str::from_utf8(&document)?;
    let publish = [
        ("Event", "presence"),
        ("Expires", "600"),
        ("Content-Type", "application/pidf+xml"),
    ];
    ivo.request("PUBLISH", PRESENTITY, &publish, document)
        .await?;
    let ok = ivo.response(200).await?;
    let entity_tag = ok.field("SIP-ETag").unwrap_or_default().to_owned();
    check(!entity_tag.is_empty(), "the publication has an entity-tag")?;

    println!("Nora is told, on the connection that she opened.\n");
    let presence = presence_in(&nora.notify().await?)?;
    let tuple = presence.tuples.first().ok_or("the document has no tuple")?;
    check(
        tuple.status.basic() == Some(Basic::Open),
        "the status is open",
    )?;
    let notes: Vec<_> = tuple.notes.iter().map(|note| note.text.as_str()).collect();
    check(notes == ["at my desk"], "with Ivo's note")?;

    println!("Nora has seen enough; her last NOTIFY says so.\n");
    let unsubscribe = [("Event", "presence"), ("Expires", "0")];
    let contact = nora.remote_target.clone();
    nora.request("SUBSCRIBE", &contact, &unsubscribe, "")
        .await?;
    nora.response(200).await?;
    let state = nora.notify().await?;
    let state = state.field("Subscription-State").unwrap_or_default();
    check(state.starts_with("terminated"), "the subscription is over")?;

    println!("Ivo takes back what he published. Nobody watches, nobody is told.\n");
    let remove = [
        ("Event", "presence"),
        ("SIP-If-Match", &entity_tag),
        ("Expires", "0"),
    ];
    ivo.request("PUBLISH", PRESENTITY, &remove, "").await?;
    ivo.response(200).await?;
    Ok(())
}

fn presence_in(notify: &Message) -> Outcome<Presence> {
    let is_pidf = notify.field("Content-Type") == Some("application/pidf+xml");
    check(is_pidf, "a NOTIFY brings a presence document")?;
    Ok(Presence::read(&notify.body)?)
}

fn check(holds: bool, what: &str) -> Outcome<()> {
    if holds {
        Ok(())
    } else {
        Err(format!("expected: {what}").into())
    }
}
