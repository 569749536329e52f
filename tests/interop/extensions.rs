//! Partial notification and publication (RFC 5263, RFC 5264), filters (RFC 4660), rates (RFC 6446) and
//! conditions (RFC 5839): the examples with each other, SIPp as a watcher that looks at the wire, and the
//! examples at peers that know nothing of all that.

use crate::kamailio::PresenceServer;
use crate::publish::{ANNA, Publisher, SOON};
use crate::server::{PASSWORD, Server};
use crate::sipp::{ONCE, Run};
use crate::tap::{Tap, body, field};
use crate::watch::Watcher;
use crate::{Folder, Transport, asked_for, baresip};
use presentity::filter::{Filter, FilterSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// So long that what changes beside it is less than all.
const NOTE: &str = "at the desk by the window on the third floor, where the sun comes in before nine; \
    whoever comes by is asked to knock, since the door sticks, and to bring a cup, since there are none; \
    the kettle is always on, and the biscuits are in the drawer below the map of the harbour";

const DIFF: &str = "application/pidf-diff+xml";

/// Everybody is allowed to watch and to publish, for ten seconds if they like.
fn server() -> Server {
    let first = ["--no-auth", "--policy", "allow", "--notify-interval", "1"];
    Server::start(&[&first[..], &["--min-expires", "10"]].concat())
}

/// Bjarne watches anna by way of this port.
fn watcher(port: u16, arguments: &[&str]) -> Watcher {
    let proxy = format!("127.0.0.1:{port}");
    let first = [ANNA, "--proxy", &proxy, "--from", "sip:bjarne@example.org"];
    Watcher::start(&[&first[..], arguments].concat())
}

/// Anna publishes straight to the server.
fn publisher(server: &Server, arguments: &[&str]) -> Publisher {
    let first = ["open", "--note", NOTE, "--watch-stdin"];
    let arguments = [&first[..], arguments].concat();
    Publisher::start(server.port, Transport::Udp, &arguments)
}

fn file(folder: &Folder, name: &str) -> PathBuf {
    folder.path().join(name)
}

#[test]
fn changes_come_in_place_of_documents() {
    if !asked_for("extensions") {
        return;
    }
    let mut server = server();
    let mut publisher = publisher(&server, &["--partial", "--verbose"]);
    publisher.hears("sending ", SOON);
    publisher.hears("published", SOON);
    let tap = Tap::before(server.port);
    let mut partial = watcher(tap.port, &["--partial"]);
    partial.hears(&[ANNA, "[active] open: added", NOTE], SOON);
    let mut whole = watcher(server.port, &[]);
    whole.hears(&[ANNA, "[active] open: added", NOTE], SOON);
    publisher.process.tell("activity meal");
    publisher.hears("changed", SOON);
    for watcher in [&mut partial, &mut whole] {
        watcher.hears(&[ANNA, "open: added person"], SOON);
    }
    publisher.process.tell("activity");
    publisher.hears("changed", SOON);
    for watcher in [&mut partial, &mut whole] {
        watcher.hears(&[ANNA, "removed person"], SOON);
    }
    let sent = publisher.process.output();
    let sizes: Vec<usize> = sent
        .lines()
        .filter_map(|line| line.strip_prefix("sending ")?.strip_suffix(DIFF))
        .map(|octets| octets.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(sizes.len(), 3, "{sent}");
    assert!(sizes[1] < sizes[0] && sizes[2] < sizes[0], "{sizes:?}");

    let asked = &tap.passed("SUBSCRIBE ")[0];
    assert!(field(asked, "Accept").contains(DIFF), "{asked}");
    let told = tap.wait_for(3, "NOTIFY ", SOON);
    for (number, notify) in told.iter().enumerate() {
        assert_eq!(field(notify, "Content-Type"), DIFF, "{notify}");
        let version = format!(" version=\"{}\"", number + 1);
        assert!(body(notify).contains(&version), "{notify}");
        let is_full = body(notify).contains("pidf-full");
        assert_eq!(is_full, number == 0, "{notify}");
        assert!(number == 0 || body(notify).len() < body(&told[0]).len());
    }
    publisher.end();
    for mut watcher in [partial, whole] {
        watcher.hears(&[ANNA, "[active] unknown: removed"], SOON);
        watcher.end(ANNA);
    }
    server.wait_until_gone(&["bjarne"]);
}

#[test]
fn a_filter_keeps_back_what_was_not_asked_for() {
    if !asked_for("extensions") {
        return;
    }
    let folder = Folder::new("extensions-filter");
    let basic = "/pidf:presence/pidf:tuple/pidf:status/pidf:basic";
    let filter = FilterSet::of_presence().with(Filter::new("screen").include(basic));
    let path = file(&folder, "screen.xml");
    fs::write(&path, filter.write().unwrap()).unwrap();
    let mut server = server();
    let mut publisher = publisher(&server, &[]);
    publisher.hears("published", SOON);
    let tap = Tap::before(server.port);
    let mut narrow = watcher(tap.port, &["--filter", path.to_str().unwrap(), "--json"]);
    narrow.hears(&["\"basic\":\"open\"", "\"notes\":[]"], SOON);
    let mut all = watcher(server.port, &[]);
    all.hears(&["open: added", NOTE], SOON);
    publisher.process.tell("open somewhere else");
    all.hears(&["open: changed", "somewhere else"], SOON);
    publisher.process.tell("closed gone");
    all.hears(&["closed: changed", "gone"], SOON);
    narrow.hears(&["\"basic\":\"closed\"", "\"notes\":[]"], SOON);
    let told = tap.passed("NOTIFY ");
    assert_eq!(told.len(), 2, "{told:#?}");
    for notify in &told {
        assert_eq!(field(notify, "Content-Type"), "application/pidf+xml");
        let hidden = ["<note", "timestamp", "contact"];
        assert!(!hidden.iter().any(|it| body(notify).contains(it)));
    }
    publisher.end();
    for mut watcher in [narrow, all] {
        watcher.stop();
    }
    // One that is none is not sent, and one that the server refuses is told.
    fs::write(&path, "<filter-set>").unwrap();
    let mut wrong = watcher(server.port, &["--filter", path.to_str().unwrap()]);
    assert_eq!(wrong.process.wait_for_end(SOON).code(), Some(2));
    let foreign = filter.for_package("dialog");
    fs::write(&path, foreign.write().unwrap()).unwrap();
    let mut wrong = watcher(server.port, &["--filter", path.to_str().unwrap()]);
    wrong.hears(&["[refused] failed: SUBSCRIBE answered 488"], SOON);
    assert_eq!(wrong.process.wait_for_end(SOON).code(), Some(1));
    server.wait_until_gone(&["bjarne"]);
}

#[test]
fn a_rate_is_kept() {
    if !asked_for("extensions") {
        return;
    }
    let mut server = server();
    let mut publisher = publisher(&server, &[]);
    publisher.hears("published", SOON);
    let tap = Tap::before(server.port);
    let mut slow = watcher(tap.port, &["--max-rate", "0.125"]);
    slow.hears(&[ANNA, "[active]", "told at most once in 8s"], SOON);
    slow.hears(&["open: added", NOTE], SOON);
    // The time begins with what it was told first.
    let mut all = watcher(server.port, &[]);
    all.hears(&["open: added"], SOON);
    publisher.process.tell("closed for a moment");
    all.hears(&["closed: changed", "for a moment"], SOON);
    publisher.process.tell("open once more");
    all.hears(&["open: changed", "once more"], SOON);
    assert_eq!(tap.passed("NOTIFY ").len(), 1);
    let in_time = Duration::from_secs(14);
    slow.hears(&["[active] open: changed", "once more"], in_time);
    assert!(!slow.process.output().contains("for a moment"));
    let told = tap.passed("NOTIFY ");
    assert_eq!(told.len(), 2, "{told:#?}");
    for notify in &told {
        let state = field(notify, "Subscription-State");
        assert!(state.contains(";max-rate=0.125"), "{state}");
    }
    publisher.end();
    for mut watcher in [slow, all] {
        watcher.stop();
    }
    server.wait_until_gone(&["bjarne"]);
}

#[test]
fn what_is_known_is_not_sent_again() {
    if !asked_for("extensions") {
        return;
    }
    let folder = Folder::new("extensions-resume");
    let kept = file(&folder, "kept");
    let mut server = server();
    let mut publisher = publisher(&server, &[]);
    publisher.hears("published", SOON);
    let resume = ["--resume", kept.to_str().unwrap()];
    let mut first = watcher(server.port, &resume);
    first.hears(&["[active] open: added", NOTE], SOON);
    first.end(ANNA);

    let tap = Tap::before(server.port);
    let mut second = watcher(tap.port, &[&resume[..], &["--expires", "12"]].concat());
    second.hears(&[ANNA, "resumed"], SOON);
    second.hears(&[ANNA, "[active] confirmed"], SOON);
    let asked = &tap.passed("SUBSCRIBE ")[0];
    let tag = field(asked, "Suppress-If-Match");
    assert!(!tag.is_empty(), "{asked}");
    let told = tap.passed("NOTIFY ");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((field(&told[0], "SIP-ETag"), body(&told[0])), (tag, ""));
    // Nor does a refresh bring it.
    let spared = tap.wait_for(1, "SIP/2.0 204 ", Duration::from_secs(14));
    assert!(field(&spared[0], "CSeq").ends_with(" SUBSCRIBE"));
    assert_eq!(tap.passed("NOTIFY ").len(), 1);
    second.end(ANNA);

    publisher.process.tell("closed at lunch");
    publisher.hears("changed", SOON);
    let mut third = watcher(server.port, &resume);
    third.hears(&[ANNA, "resumed"], SOON);
    third.hears(&["[active] closed: changed", "at lunch"], SOON);
    third.end(ANNA);
    publisher.end();
    server.wait_until_gone(&["bjarne"]);
}

/// A watcher that others wrote, and nobody taught what to expect.
fn sipp_looks_at_the_wire(transport: Transport) {
    if !(asked_for("extensions") && asked_for("sipp")) {
        return;
    }
    let folder = Folder::new(&format!("extensions-sipp-{}", transport.name()));
    let mut server = server();
    let set = |server: &mut Server, basic: &str| {
        server.tell(&format!("set sip:tomas@example.com {basic} {NOTE}"));
    };
    set(&mut server, "open");
    let run = Run {
        scenario: "extensions",
        transport,
        ..ONCE
    };
    let run = run.start(server.port, &folder);
    server.wait_for(0, &["ingrid@example.org", "tomas@example.com", "started"]);
    set(&mut server, "closed");
    run.finish();
    server.wait_until_gone(&["ingrid"]);
}

#[test]
fn sipp_looks_at_the_wire_over_udp() {
    sipp_looks_at_the_wire(Transport::Udp);
}

#[test]
fn sipp_looks_at_the_wire_over_tcp() {
    sipp_looks_at_the_wire(Transport::Tcp);
}

/// It goes on as if nothing had been asked for.
#[test]
fn kamailio_knows_nothing_of_it() {
    if !(asked_for("extensions") && asked_for("kamailio-presence")) {
        return;
    }
    let folder = Folder::new("extensions-kamailio");
    let kept = file(&folder, "kept");
    let kamailio = PresenceServer::start(&folder, "MD5");
    let credentials = format!("bjarne:{PASSWORD}");
    let proxy = format!("127.0.0.1:{};transport=tcp", kamailio.port());
    let first = [ANNA, "--proxy", &proxy, "--auth", &credentials];
    let others = ["--partial", "--max-rate", "0.5", "--expires", "20"];
    let resume = ["--resume", kept.to_str().unwrap()];
    let arguments = [&first[..], &others, &resume].concat();
    let mut watcher = Watcher::start(&arguments);
    watcher.hears(&[ANNA, "[active]"], SOON);
    let mut publisher = Publisher::of_anna(kamailio.port(), Transport::Udp, "30");
    publisher.hears("published", SOON);
    watcher.hears(&["[active] open: added", "\"at the desk\""], SOON);
    publisher.process.tell("closed at lunch");
    watcher.hears(&["closed: changed", "\"at lunch\""], SOON);
    watcher.end(ANNA);
    // It names its states by no entity-tags: there is nothing to go on from.
    let mut again = Watcher::start(&arguments);
    again.hears(&["[active] closed: added", "\"at lunch\""], SOON);
    assert!(!again.process.output().contains("resumed"));
    again.end(ANNA);
    publisher.end();
}

#[test]
fn baresip_knows_nothing_of_it() {
    if !(asked_for("extensions") && asked_for("baresip")) {
        return;
    }
    let folder = Folder::new("extensions-baresip");
    let (anna, port) = baresip::Client::alone(&folder, "anna");
    let uri = format!("sip:anna@127.0.0.1:{port}");
    let first = [&uri, "--from", "sip:bjarne@127.0.0.1", "--partial"];
    let mut watcher = Watcher::start(&[&first[..], &["--max-rate", "0.5"]].concat());
    watcher.hears(&[&uri, "[active] unknown: added"], SOON);
    anna.command("presence_online");
    watcher.hears(&[&uri, "[active] open"], SOON);
    anna.command("presence_offline");
    watcher.hears(&[&uri, "[active] closed"], SOON);
    watcher.end(&uri);
}
