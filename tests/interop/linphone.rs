//! Linphone's console client: SHA-256, whole documents as refreshes, and a hasty leave.

use crate::process::Process;
use crate::server::{PASSWORD, Server};
use crate::{Folder, asked_for, free_port};
use std::fs;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(15);

/// Starts a client of the domain example.org that publishes, and watches `contact`.
pub(crate) fn start(server: &Server, folder: &Folder, user: &str, contact: &str) -> Process {
    let home = folder.path().join(user);
    for folder in [".local/share/linphone", ".config/linphone"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    let config = home.join("linphonerc");
    fs::write(
        &config,
        format!(
            "[sip]\n\
             sip_port={port}\n\
             sip_udp_port={port}\n\
             sip_tcp_port=-1\n\
             sip_tls_port=-1\n\
             bind_address=127.0.0.1\n\
             use_ipv6=0\n\
             guess_hostname=0\n\
             register_only_when_network_is_up=0\n\
             default_proxy=0\n\
             contact=\"{user}\" <sip:{user}@example.org>\n\
             [net]\n\
             firewall_policy=0\n\
             [proxy_0]\n\
             reg_proxy=<sip:127.0.0.1:{server};transport=udp>\n\
             reg_route=<sip:127.0.0.1:{server};transport=udp>\n\
             reg_identity=sip:{user}@example.org\n\
             reg_expires=60\n\
             reg_sendregister=1\n\
             publish=1\n\
             publish_expires=10\n\
             [auth_info_0]\n\
             username={user}\n\
             passwd={PASSWORD}\n\
             realm=example.org\n\
             [friend_0]\n\
             url=<sip:{contact}@example.org>\n\
             pol=accept\n\
             subscribe=1\n",
            port = free_port(0),
            server = server.port,
        ),
    )
    .unwrap();
    // It replaces files that it is given, so that none of the system's may be named to it.
    let factory = home.join("factory");
    fs::write(&factory, "").unwrap();
    let mut command = Command::new("linphonec");
    command.env("HOME", &home).current_dir(&home);
    command.arg("-c").arg(&config).arg("-b").arg(&factory);
    command.args(["-l", "linphone.log"]);
    Process::start("linphonec (Debian: linphone-cli)", &mut command)
}

pub(crate) fn wait_until_friend_is(client: &Process, from: usize, friend: &str, status: &str) {
    let friend = format!("sip:{friend}@example.org");
    let what = format!("{friend} is {status}");
    client.wait_for(from, SOON, &what, |line| {
        line.contains(&friend) && line.contains(&format!("is {status}"))
    });
}

pub(crate) fn leave(mut client: Process) {
    client.tell("quit");
    client.wait_for_end(SOON);
}

#[test]
fn two_clients_watch_each_other() {
    if !asked_for("linphone") {
        return;
    }
    let folder = Folder::new("linphone");
    let mut server = Server::with_passwords(&folder, &["anna", "bjarne"], "sha-256,md5");
    let anna = start(&server, &folder, "anna", "bjarne");
    wait_until_friend_is(&anna, 0, "bjarne", "Offline");
    let before = anna.said();
    let bjarne = start(&server, &folder, "bjarne", "anna");
    wait_until_friend_is(&anna, before, "bjarne", "Online");
    wait_until_friend_is(&bjarne, 0, "anna", "Online");

    // It refreshes with the whole document: its watcher is not told again, and nothing is lost.
    let before = anna.said();
    std::thread::sleep(Duration::from_secs(12));
    let told = anna.output();
    let again: Vec<&str> = told.lines().skip(before).collect();
    assert!(
        again
            .iter()
            .all(|line| !line.contains("bjarne@example.org")),
        "told again: {again:#?}"
    );
    server.subscription("anna@example.org", "bjarne@example.org");
    server.subscription("bjarne@example.org", "anna@example.org");

    leave(bjarne);
    wait_until_friend_is(&anna, before, "bjarne", "Offline");
    leave(anna);
    server.wait_until_gone(&["anna@", "bjarne@"]);
}
