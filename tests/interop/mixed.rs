//! Clients of different makers that watch each other.

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
