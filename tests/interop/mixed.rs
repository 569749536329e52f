//! Clients of different makers that watch each other.

use crate::kamailio::Proxy;
use crate::server::Server;
use crate::{Folder, Transport, asked_for, baresip, linphone, pjsua2};

const ANNA: &str = "anna@example.org";
const BJARNE: &str = "bjarne@example.org";

#[test]
fn pjsua2_and_baresip_watch_each_other() {
    if !(asked_for("pjsua2") && asked_for("baresip")) {
        return;
    }
    let folder = Folder::new("pjsua2-baresip");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "md5");
    let hop = server.hop(Transport::Udp);
    let mut anna = pjsua2::Client::start(hop, &folder, ANNA, &[BJARNE]);
    anna.publish("online at the loom");
    let bjarne = baresip::Client::start(hop, &folder, "bjarne", "anna");
    bjarne.wait_until_contact_is("Online");
    anna.wait_until_contact_is(0, BJARNE, "online");

    let before = anna.said();
    bjarne.command("presence_offline");
    anna.wait_until_contact_is(before, BJARNE, "offline");
    anna.publish("offline");
    bjarne.wait_until_contact_is("Offline");
    anna.publish("busy again");
    bjarne.wait_until_contact_is("Busy");

    bjarne.leave();
    anna.leave(&server, true);
    server.wait_until_gone(&[ANNA, BJARNE]);
}

#[test]
fn pjsua2_and_linphone_watch_each_other() {
    if !(asked_for("pjsua2") && asked_for("linphone")) {
        return;
    }
    let folder = Folder::new("pjsua2-linphone");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let hop = server.hop(Transport::Udp);
    let mut anna = pjsua2::Client::start(hop, &folder, ANNA, &[BJARNE]);
    anna.publish("online at the loom");
    let bjarne = linphone::start(&server, &folder, "bjarne", "anna");
    linphone::wait_until_friend_is(&bjarne, 0, "anna", "Online");
    anna.wait_until_contact_is(0, BJARNE, "online");

    let before = bjarne.said();
    anna.publish("busy mending nets");
    linphone::wait_until_friend_is(&bjarne, before, "anna", "Busy");
    let before = bjarne.said();
    anna.publish("offline");
    linphone::wait_until_friend_is(&bjarne, before, "anna", "Offline");

    let before = anna.said();
    linphone::leave(bjarne);
    anna.wait_until_contact_is(before, BJARNE, "unknown");
    anna.leave(&server, true);
    server.wait_until_gone(&[ANNA, BJARNE]);
}

/// Above 1300 octets a NOTIFY to a watcher on UDP goes by TCP where that is heard (RFC 3261 section
/// 18.1.1), as baresip and the proxy do, and in fragments where it is not.
#[test]
fn a_large_document_reaches_every_client() {
    const TOMAS: &str = "tomas@example.org";
    if !(asked_for("pjsua2") && asked_for("baresip") && asked_for("kamailio")) {
        return;
    }
    let folder = Folder::new("large");
    let mut server = Server::open_to_all();
    let proxy = Proxy::start(&server, &folder);
    let watch = |hop, user| pjsua2::Client::start(hop, &folder, user, &[TOMAS]);
    let watchers = [
        watch(server.hop(Transport::Udp), "udp@example.org"),
        watch(server.hop(Transport::Tcp), "tcp@example.org"),
        watch(proxy.hop(Transport::Udp), "proxied-udp@example.org"),
        watch(proxy.hop(Transport::Tcp), "proxied-tcp@example.org"),
    ];
    let bjarne = baresip::Client::start(server.hop(Transport::Udp), &folder, "bjarne", "tomas");
    for watcher in &watchers {
        watcher.wait_until_contact_is(0, TOMAS, "unknown");
    }
    server.wait_for(0, &["bjarne@", TOMAS, "started: active"]);

    assert!(!proxy.has_got_notify_by(Transport::Tcp));
    let note = "gone fishing ".repeat(130) + "until dusk";
    server.tell(&format!("set sip:{TOMAS} open {note}"));
    for watcher in &watchers {
        watcher.wait_until_contact_is(0, TOMAS, &format!("online {note}"));
    }
    bjarne.wait_until_contact_is("Online");
    assert!(proxy.has_got_notify_by(Transport::Tcp));

    bjarne.leave();
    for watcher in watchers {
        watcher.leave(&server, false);
    }
    server.wait_until_gone(&["@example.org to"]);
}
