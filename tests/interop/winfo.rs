//! The example watcher as the window in which its user sees who watches and who asks to, and answers: at
//! the example server, and at the presence server of Kamailio.

use crate::kamailio::PresenceServer;
use crate::publish::{ANNA, SOON};
use crate::server::{PASSWORD, Server};
use crate::watch::Watcher;
use crate::{Folder, Transport, asked_for};
use presentity::rules::{CompiledRules, Query, Rule, Ruleset, SubHandling};
use std::fs;
use std::path::{Path, PathBuf};

const BJARNE: &str = "sip:bjarne@example.org";
const CLARA: &str = "sip:clara@example.org";
const USERS: &[&str] = &["anna", "bjarne", "clara"];

/// A watcher of this user, with their password.
fn watcher(port: u16, transport: Transport, user: &str, arguments: &[&str]) -> Watcher {
    let proxy = format!("127.0.0.1:{port};transport={}", transport.name());
    let credentials = format!("{user}:{PASSWORD}");
    Watcher::start(
        &[
            &[ANNA, "--proxy", &proxy, "--auth", &credentials],
            arguments,
        ]
        .concat(),
    )
}

/// The server, in which whoever nobody has said anything about has to wait.
fn server(folder: &Folder, options: &[&str]) -> Server {
    let accounts = folder.path().join("accounts");
    let lines = USERS.iter().map(|user| format!("{user}:{PASSWORD}\n"));
    fs::write(&accounts, lines.collect::<String>()).unwrap();
    let first = ["--accounts", accounts.to_str().unwrap()];
    let others = ["--domain", "example.org", "--policy", "confirm"];
    let pace = ["--notify-interval", "1", "--min-expires", "10"];
    Server::start(&[&first[..], &others, &pace, options].concat())
}

/// Waits for one JSON object with all these members.
fn hears(window: &mut Watcher, members: &[&str]) {
    let quoted: Vec<String> = members
        .iter()
        .map(|member| match member.split_once('=') {
            Some((name, value)) => format!("\"{name}\":\"{value}\""),
            None => (*member).to_owned(),
        })
        .collect();
    let words: Vec<&str> = quoted.iter().map(String::as_str).collect();
    window.hears(&words, SOON);
}

fn at_the_example_server(transport: Transport) {
    if !asked_for("winfo") {
        return;
    }
    let folder = Folder::new(&format!("winfo-{}", transport.name()));
    let mut server = server(&folder, &[]);
    let port = server.port;
    let mut for_programs = watcher(port, transport, "anna", &["--winfo", "--json"]);
    let mut window = watcher(port, transport, "anna", &["--winfo", "--expires", "20"]);
    hears(
        &mut for_programs,
        &["event=watchers", "\"watching\":0", "\"complete\":true"],
    );
    window.hears(&[ANNA, "[active] nobody watches"], SOON);

    let mut bjarne = watcher(port, transport, "bjarne", &[]);
    bjarne.hears(&[ANNA, "[pending]"], SOON);
    let asks = [
        "event=watcher",
        "what=added",
        "uri=sip:bjarne@example.org",
        "status=pending",
        "event=subscribe",
        "\"asks\":true",
    ];
    hears(&mut for_programs, &asks);
    hears(
        &mut for_programs,
        &["event=watchers", "\"watching\":0", "\"undecided\":1"],
    );
    window.hears(
        &["added", BJARNE, "pending (subscribe), until ", "; asks"],
        SOON,
    );

    server.tell("decide bjarne@example.org anna@example.org allow");
    bjarne.hears(&[ANNA, "[active]"], SOON);
    let let_in = [
        "what=changed",
        "uri=sip:bjarne@example.org",
        "status=active",
        "event=approved",
    ];
    hears(
        &mut for_programs,
        &[&let_in[..], &["before=pending", "\"asks\":false"]].concat(),
    );
    window.hears(&["changed", BJARNE, "active (approved)"], SOON);

    // Who asks once is told of all; others learn of themselves alone.
    let mut once = watcher(port, transport, "anna", &["--winfo", "--fetch"]);
    assert_eq!(once.process.wait_for_end(SOON).code(), Some(0));
    once.hears(&["added", BJARNE, "active"], SOON);
    once.hears(&["over: answered"], SOON);
    let mut clara = watcher(port, transport, "clara", &["--winfo", "--fetch"]);
    assert_eq!(clara.process.wait_for_end(SOON).code(), Some(0));
    clara.hears(&["nobody watches"], SOON);
    assert!(!clara.process.output().contains("bjarne"));

    bjarne.end(ANNA);
    let over = [
        "what=gone",
        "uri=sip:bjarne@example.org",
        "status=terminated",
        "event=timeout",
    ];
    hears(&mut for_programs, &over);
    window.hears(&["gone", BJARNE, "terminated (timeout)"], SOON);
    window.end(ANNA);
    for_programs.stop();
    hears(&mut for_programs, &["event=over", "reason=ended"]);
}

#[test]
fn who_watches_is_seen_by_udp() {
    at_the_example_server(Transport::Udp);
}

#[test]
fn who_watches_is_seen_by_tcp() {
    at_the_example_server(Transport::Tcp);
}

/// Rules of anna's, in a folder for the server.
fn document(folder: &Folder) -> PathBuf {
    let rules = folder.path().join("rules");
    fs::create_dir_all(&rules).unwrap();
    rules.join("anna@example.org.xml")
}

fn handling(document: &Path, watcher: &str) -> SubHandling {
    let rules = Ruleset::read(&fs::read(document).unwrap()).unwrap();
    CompiledRules::of(&rules)
        .evaluate(&Query::of(watcher))
        .handling
}

#[test]
fn answers_become_rules_that_the_server_goes_by() {
    if !asked_for("winfo") {
        return;
    }
    let folder = Folder::new("winfo-decide");
    let document = document(&folder);
    let (file, rules) = (document.to_str().unwrap(), document.parent().unwrap());
    let mut server = server(
        &folder,
        &["--rules", rules.to_str().unwrap(), "--watch-rules"],
    );
    let port = server.port;
    let decide = ["--winfo", "--decide", file];
    let mut window = watcher(port, Transport::Udp, "anna", &decide);
    window.hears(&["[active] nobody watches"], SOON);
    assert_eq!(
        handling(&document, "bjarne@example.org"),
        SubHandling::Confirm
    );
    server.wait_for(0, &["rules of 1 presentities, 1 changed"]);

    let mut bjarne = watcher(port, Transport::Udp, "bjarne", &[]);
    bjarne.hears(&["[pending]"], SOON);
    window.hears(
        &["May sip:bjarne@example.org watch sip:anna@example.org?"],
        SOON,
    );
    window.process.tell("allow");
    window.hears(&["allow sip:bjarne@example.org: written"], SOON);
    bjarne.hears(&["[active]"], SOON);
    window.hears(&["changed", BJARNE, "active (approved)"], SOON);
    window.process.tell("polite-block");
    window.hears(&["error: polite-block: nobody was asked about"], SOON);

    let mut clara = watcher(port, Transport::Tcp, "clara", &[]);
    clara.hears(&["[pending]"], SOON);
    window.hears(&["May sip:clara@example.org watch"], SOON);
    window.process.tell("polite-block");
    clara.hears(&["[active] closed"], SOON);
    window.hears(&["changed", CLARA, "active (approved)"], SOON);
    window.process.tell("list");
    window.hears(&["WHO", "STATUS", "SINCE"], SOON);
    window.hears(&[BJARNE, "active", "approved"], SOON);
    window.hears(&[CLARA, "active", "approved"], SOON);

    // Rules are told by a signal, too, and by what the user thinks better of.
    window.process.tell("block bjarne@example.org");
    window.hears(&["block sip:bjarne@example.org: written"], SOON);
    server.hang_up();
    bjarne.hears(&["ended by the notifier: rejected"], SOON);
    window.hears(&["gone", BJARNE, "terminated (rejected)"], SOON);
    assert_eq!(
        handling(&document, "bjarne@example.org"),
        SubHandling::Block
    );
    assert_eq!(
        handling(&document, "clara@example.org"),
        SubHandling::PoliteBlock
    );
    window.process.tell("quit");
    window.hears(&["[over] over: ended"], SOON);
    assert!(window.process.wait_for_end(SOON).success());
    clara.end(ANNA);
}

#[test]
fn a_program_answers_beside_rules_that_others_wrote() {
    if !asked_for("winfo") {
        return;
    }
    let folder = Folder::new("winfo-programs");
    let document = document(&folder);
    let (file, rules) = (document.to_str().unwrap(), document.parent().unwrap());
    let company = Rule::new("company")
        .for_one(CLARA)
        .allow()
        .with_everything();
    let others = Rule::new("everybody").handled(SubHandling::Confirm);
    let written = Ruleset::new().with_rule(company).with_rule(others);
    fs::write(&document, written.write().unwrap()).unwrap();
    let mut server = server(&folder, &["--rules", rules.to_str().unwrap()]);
    let port = server.port;
    let decide = ["--winfo", "--decide", file, "--json"];
    let mut window = watcher(port, Transport::Tcp, "anna", &decide);
    hears(&mut window, &["event=watchers", "\"watching\":0"]);
    let mut bjarne = watcher(port, Transport::Udp, "bjarne", &[]);
    hears(
        &mut window,
        &[
            "uri=sip:bjarne@example.org",
            "status=pending",
            "\"asks\":true",
        ],
    );
    // Who reads objects was asked nothing in words.
    window.process.tell("allow");
    hears(&mut window, &["event=error", "name somebody"]);
    window.process.tell("allow sip:bjarne@example.org");
    hears(
        &mut window,
        &["event=answered", "answer=allow", "in_force=allow"],
    );
    server.hang_up();
    bjarne.hears(&["[active]"], SOON);
    hears(
        &mut window,
        &[
            "uri=sip:bjarne@example.org",
            "status=active",
            "event=approved",
        ],
    );
    // The rule of somebody else outweighs this one, and the user is told so.
    window.process.tell("block sip:clara@example.org");
    hears(
        &mut window,
        &["event=answered", "answer=block", "in_force=allow"],
    );
    window.process.tell("permit sip:clara@example.org");
    hears(&mut window, &["event=error", "no command is"]);
    window.process.tell("list");
    hears(
        &mut window,
        &["event=list", "uri=sip:bjarne@example.org", "status=active"],
    );
    let rules = Ruleset::read(&fs::read(&document).unwrap()).unwrap();
    assert!(rules.rule("company").is_some() && rules.rule("everybody").is_some());

    fs::write(&document, "<ruleset").unwrap();
    window.process.tell("block sip:bjarne@example.org");
    hears(&mut window, &["event=error", "anna@example.org.xml: "]);
    assert_eq!(fs::read(&document).unwrap(), b"<ruleset");
    window.process.end_input();
    window.stop();
    let status = watcher(port, Transport::Udp, "anna", &decide)
        .process
        .wait_for_end(SOON);
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_server_without_watcher_information_says_so() {
    if !asked_for("winfo") {
        return;
    }
    let folder = Folder::new("winfo-none");
    let server = server(&folder, &["--no-winfo"]);
    let mut window = watcher(server.port, Transport::Udp, "anna", &["--winfo"]);
    assert_eq!(window.process.wait_for_end(SOON).code(), Some(1));
    window.hears(&["[refused] failed: SUBSCRIBE answered 489"], SOON);
    for wrong in [
        &[ANNA, BJARNE, "--winfo"][..],
        &[ANNA, "--decide", "rules.xml"],
        &[ANNA, "--winfo", "--fetch", "--decide", "rules.xml"],
        &[ANNA, "--winfo", "--trust", "ca.pem"],
    ] {
        let mut window = Watcher::start(wrong);
        let status = window.process.wait_for_end(SOON);
        assert_eq!(status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn who_watches_is_seen_at_kamailio() {
    if !(asked_for("winfo") && asked_for("kamailio-presence")) {
        return;
    }
    let folder = Folder::new("winfo-kamailio");
    let kamailio = PresenceServer::of_watchers(&folder, "MD5");
    let port = kamailio.port();
    let mut window = watcher(port, Transport::Udp, "anna", &["--winfo"]);
    window.hears(&["[active] nobody watches"], SOON);
    let mut bjarne = watcher(port, Transport::Udp, "bjarne", &["--expires", "60"]);
    bjarne.hears(&["[active]"], SOON);
    window.hears(&["added", BJARNE, "active (subscribe)"], SOON);
    let mut once = watcher(port, Transport::Tcp, "anna", &["--winfo", "--fetch"]);
    assert_eq!(once.process.wait_for_end(SOON).code(), Some(0));
    once.hears(&["added", BJARNE, "active (subscribe)"], SOON);
    bjarne.end(ANNA);
    // It tells everything each time, and leaves out what is over.
    window.hears(&["gone", BJARNE, "without a word"], SOON);
    window.hears(&["nobody watches"], SOON);
    window.end(ANNA);
}
