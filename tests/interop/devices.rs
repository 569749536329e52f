//! Registered devices at the example server: as a source of presence, as those who answer for themselves,
//! and as those whom the server asks.

use crate::fetch::{fetch, receive, status};
use crate::kamailio::Proxy;
use crate::phone::{AGENT, Phone};
use crate::publish::{ANNA, Publisher, SOON};
use crate::server::Server;
use crate::watch::Watcher;
use crate::{Folder, Hop, Transport, asked_for, baresip, free_port, linphone};
use std::net::UdpSocket;
use std::time::Duration;

/// Until a device that answers nothing is given up.
const PATIENCE: Duration = Duration::from_secs(14);

fn server(options: &[&str]) -> Server {
    let first = ["--no-auth", "--domain", "example.org"];
    let pace = ["--notify-interval", "1", "--min-expires", "10"];
    let from = ["--presence-from-registrations"];
    Server::start(&[&first[..], &pace, &from, options].concat())
}

fn bjarne(server: &Server, transport: Transport) -> Watcher {
    let proxy = format!("127.0.0.1:{};transport={}", server.port, transport.name());
    Watcher::start(&[ANNA, "--proxy", &proxy, "--from", "sip:bjarne@example.org"])
}

#[test]
fn registrations_are_presence_while_they_last() {
    if !asked_for("devices") {
        return;
    }
    let server = server(&["--show-contacts", "--compose", "device"]);
    let mut bjarne = bjarne(&server, Transport::Udp);
    bjarne.hears(&["[active] unknown"], SOON);
    let mut first = Phone::of("anna");
    first.register(server.port, ";q=0.7", 3600);
    bjarne.hears(&["[active] open: added"], SOON);
    let document = fetch(server.port, "bjarne", "anna").body;
    assert!(document.contains(&first.contact()), "{document}");
    let mut second = Phone::of("anna");
    second.register(server.port, "", 3);
    bjarne.hears(&["[active] open: added"], SOON);
    // The second runs out by itself, the first is taken back.
    bjarne.hears(&["[active] open: removed"], SOON);
    first.register(server.port, "", 0);
    bjarne.hears(&["[active] unknown: removed"], SOON);
    bjarne.end(ANNA);
}

#[test]
fn contacts_are_not_shown_unless_they_are_to_be() {
    if !asked_for("devices") {
        return;
    }
    let server = server(&[]);
    let mut phone = Phone::of("anna");
    phone.register(server.port, "", 3600);
    let document = fetch(server.port, "bjarne", "anna").body;
    assert!(document.contains(">open<"), "{document}");
    assert!(!document.contains("127.0.0.1"), "{document}");
}

fn a_watcher_is_served_by_the_device(transport: Transport) {
    let mut server = server(&["--migrate", "declared"]);
    let mut phone = Phone::of("anna");
    phone.register(server.port, AGENT, 3600);
    let mut bjarne = bjarne(&server, transport);
    let (asked, peer) = phone.is_asked();
    assert_eq!(peer, server.port);
    let line = format!("SUBSCRIBE {} SIP/2.0", phone.contact());
    assert_eq!(asked.text.lines().next(), Some(line.as_str()));
    assert_eq!(asked.field("Max-Forwards"), "69");
    assert_eq!(asked.fields("Via").len(), 2, "{}", asked.text);
    // It led to the server, which takes it off.
    assert_eq!(asked.fields("Route"), [""; 0]);
    assert_eq!(asked.fields("Record-Route"), [""; 0]);
    phone.accepts(&asked, "told by the phone", peer);
    bjarne.hears(&["[active] open", "\"told by the phone\""], SOON);
    assert!(server.list()[0].contains("no subscription"));
}

#[test]
fn a_watcher_is_served_by_the_device_by_udp() {
    if asked_for("devices") {
        a_watcher_is_served_by_the_device(Transport::Udp);
    }
}

#[test]
fn a_watcher_is_served_by_the_device_by_tcp() {
    if asked_for("devices") {
        a_watcher_is_served_by_the_device(Transport::Tcp);
    }
}

#[test]
fn watchers_go_to_a_device_that_comes_and_stay_when_it_is_none() {
    if !asked_for("devices") {
        return;
    }
    let mut server = server(&["--migrate", "any"]);
    let mut bjarne = bjarne(&server, Transport::Udp);
    bjarne.hears(&["[active] unknown"], SOON);
    let mut phone = Phone::of("anna");
    phone.register(server.port, "", 3600);
    bjarne.hears(&["ended by the notifier: deactivated; again at once"], SOON);
    let (asked, peer) = phone.is_asked();
    phone.refuses(&asked, "489 Bad Event", peer);
    bjarne.hears(&["[active]"], SOON);
    server.subscription("bjarne@example.org", "anna@example.org");
    // That is remembered.
    let document = fetch(server.port, "bjarne", "anna").body;
    assert!(document.contains(">open<"), "{document}");
    assert!(phone.is_left_alone());
}

#[test]
fn a_device_that_answers_nothing_is_left_alone() {
    if !asked_for("devices") {
        return;
    }
    let mut server = server(&["--migrate", "any"]);
    let mut phone = Phone::of("anna");
    phone.register(server.port, "", 3600);
    let mut bjarne = bjarne(&server, Transport::Tcp);
    bjarne.hears(&["[active] open"], PATIENCE);
    server.subscription("bjarne@example.org", "anna@example.org");
}

#[test]
fn a_request_that_may_go_no_further_does_not() {
    if !asked_for("devices") {
        return;
    }
    let server = server(&["--migrate", "any"]);
    let mut phone = Phone::of("anna");
    phone.register(server.port, "", 3600);
    let port = free_port(0);
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    for (number, fields, expected) in [
        (1, "Max-Forwards: 0\r\n", 483),
        (2, "Max-Forwards: many\r\n", 400),
        (3, "Max-Forwards: 9\r\nProxy-Require: moon\r\n", 420),
    ] {
        let request = format!(
            "SUBSCRIBE {ANNA} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKfar{port}x{number}\r\n\
             From: <sip:bjarne@example.org>;tag=f{port}\r\nTo: <{ANNA}>\r\n\
             Call-ID: far-{port}-{number}\r\nCSeq: 1 SUBSCRIBE\r\n{fields}\
             Contact: <sip:bjarne@127.0.0.1:{port}>\r\nEvent: presence\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let server = ("127.0.0.1", server.port);
        socket.send_to(request.as_bytes(), server).unwrap();
        let response = receive(&socket, |text| text.starts_with("SIP/2.0 "));
        assert_eq!(status(&response), expected, "{response}");
    }
    assert!(phone.is_left_alone());
}

#[test]
fn the_server_composes_what_devices_tell_it() {
    if !asked_for("devices") {
        return;
    }
    let server = server(&["--follow-agents"]);
    let mut bjarne = bjarne(&server, Transport::Udp);
    bjarne.hears(&["[active] unknown"], SOON);
    let mut phone = Phone::of("anna");
    phone.register(server.port, AGENT, 3600);
    let (asked, peer) = phone.is_asked();
    assert!(asked.field("From").contains("sip:presence@example.org"));
    phone.accepts(&asked, "told by the phone", peer);
    bjarne.hears(&["\"told by the phone\""], SOON);
    let mut publisher = Publisher::start(server.port, Transport::Udp, &["open", "--note", "both"]);
    publisher.hears("published", SOON);
    bjarne.hears(&["[active] open", "\"both\""], SOON);
    let document = fetch(server.port, "bjarne", "anna").body;
    assert!(document.contains("told by the phone") && document.contains("both"));
    bjarne.end(ANNA);
}

/// All that the server can, at once; these users see everybody.
const EVERYTHING: [&str; 4] = ["--compose", "device", "--show-contacts", "--watch-rules"];

/// Rules of the two users, who let each other in.
fn with_everything(folder: &Folder) -> Server {
    let rules = folder.path().join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    for user in ["anna", "bjarne"] {
        let rule = presentity::rules::Rule::new("colleagues").for_domain("example.org");
        let rules_of_user = presentity::rules::Ruleset::new();
        let rules_of_user = rules_of_user.with_rule(rule.allow().with_everything());
        let file = rules.join(format!("{user}@example.org.xml"));
        std::fs::write(file, rules_of_user.write().unwrap()).unwrap();
    }
    let rules = rules.to_str().unwrap();
    server(&[&EVERYTHING[..], &["--policy", "block", "--rules", rules]].concat())
}

#[test]
fn two_baresip_clients_with_everything() {
    if !(asked_for("devices") && asked_for("baresip")) {
        return;
    }
    let folder = Folder::new("devices-baresip");
    let mut server = with_everything(&folder);
    let hop = server.hop(Transport::Udp);
    two_baresip_clients(&mut server, hop, &folder);
}

fn two_baresip_clients(server: &mut Server, hop: Hop, folder: &Folder) {
    let anna = baresip::Client::start(hop, folder, "anna", "bjarne");
    let bjarne = baresip::Client::start(hop, folder, "bjarne", "anna");
    bjarne.wait_until_contact_is("Online");
    anna.wait_until_contact_is("Online");
    server.subscription("anna@example.org", "bjarne@example.org");
    // It publishes and registers: two sources, of which none is left when it goes.
    bjarne.leave();
    anna.wait_until_contact_is("Offline");
    anna.leave();
    server.wait_until_gone(&["anna@", "bjarne@"]);
}

#[test]
fn two_baresip_clients_behind_a_proxy_with_everything() {
    if !(asked_for("devices") && asked_for("baresip") && asked_for("kamailio")) {
        return;
    }
    let folder = Folder::new("devices-kamailio");
    let mut server = with_everything(&folder);
    let proxy = Proxy::start(&server, &folder);
    let hop = proxy.hop(Transport::Tcp);
    two_baresip_clients(&mut server, hop, &folder);
    assert!(proxy.has_got_notify_by(Transport::Udp) || proxy.has_got_notify_by(Transport::Tcp));
}

#[test]
fn two_linphone_clients_with_everything() {
    if !(asked_for("devices") && asked_for("linphone")) {
        return;
    }
    let folder = Folder::new("devices-linphone");
    let mut server = with_everything(&folder);
    let anna = linphone::start(&server, &folder, "anna", "bjarne");
    linphone::wait_until_friend_is(&anna, 0, "bjarne", "Offline");
    let before = anna.said();
    let bjarne = linphone::start(&server, &folder, "bjarne", "anna");
    linphone::wait_until_friend_is(&anna, before, "bjarne", "Online");
    linphone::wait_until_friend_is(&bjarne, 0, "anna", "Online");
    server.subscription("anna@example.org", "bjarne@example.org");
    let before = anna.said();
    linphone::leave(bjarne);
    linphone::wait_until_friend_is(&anna, before, "bjarne", "Offline");
    linphone::leave(anna);
    server.wait_until_gone(&["anna@", "bjarne@"]);
}
