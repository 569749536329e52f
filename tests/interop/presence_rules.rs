//! Presence rules in files, which change while the example server runs, seen by the example watcher.

use crate::fetch::{fetch, fetch_what};
use crate::publish::{ANNA, Publisher, SOON};
use crate::server::Server;
use crate::watch::Watcher;
use crate::{Folder, Transport, asked_for};
use presentity::rules::{Provided, Rule, Ruleset, SubHandling};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Rules of anna's, in a folder for the server.
struct Rules(PathBuf);

impl Rules {
    fn new(folder: &Folder, rules: &[(&str, SubHandling)]) -> Self {
        let place = folder.path().join("rules");
        fs::create_dir_all(&place).unwrap();
        let rules_of_anna = Self(place);
        rules_of_anna.set(rules);
        rules_of_anna
    }

    fn file(&self) -> PathBuf {
        self.0.join("anna@example.org.xml")
    }

    /// What each of these users gets; whoever is let in sees everything.
    fn set(&self, rules: &[(&str, SubHandling)]) {
        let rule = |(user, handling): &(&str, SubHandling)| {
            let uri = format!("sip:{user}@example.org");
            let rule = Rule::new(user.to_owned()).for_one(&uri).handled(*handling);
            rule.with_everything()
        };
        self.put(rules.iter().map(rule));
    }

    fn put(&self, rules: impl Iterator<Item = Rule>) {
        let document = rules.fold(Ruleset::new(), Ruleset::with_rule);
        // Nobody may see half a file.
        let written = self.0.join("written");
        fs::write(&written, document.write().unwrap()).unwrap();
        fs::rename(&written, self.file()).unwrap();
    }

    fn server(&self, options: &[&str]) -> Server {
        let rules = self.0.to_str().unwrap();
        let first = ["--no-auth", "--domain", "example.org", "--policy", "block"];
        let pace = ["--notify-interval", "1", "--min-expires", "10"];
        Server::start(&[&first[..], &pace, &["--rules", rules], options].concat())
    }
}

fn watcher(server: &Server, user: &str) -> Watcher {
    let proxy = format!("127.0.0.1:{}", server.port);
    let from = format!("sip:{user}@example.org");
    Watcher::start(&[ANNA, "--proxy", &proxy, "--from", &from])
}

fn publisher(server: &Server) -> Publisher {
    let what = ["open", "--note", "at the desk", "--watch-stdin"];
    let mut publisher = Publisher::start(server.port, Transport::Udp, &what);
    publisher.hears("published", SOON);
    publisher
}

#[test]
fn everybody_gets_what_the_rules_say_and_what_they_say_after_a_change() {
    if !asked_for("rules") {
        return;
    }
    use SubHandling::{Allow, Block, Confirm, PoliteBlock};
    let folder = Folder::new("rules");
    let rules = Rules::new(
        &folder,
        &[
            ("bjarne", Allow),
            ("carl", Confirm),
            ("dora", PoliteBlock),
            ("erik", Block),
            ("frida", Allow),
        ],
    );
    let mut server = rules.server(&[]);
    server.wait_for(0, &["rules of 1 presentities, 1 changed"]);
    let mut publisher = publisher(&server);
    let mut bjarne = watcher(&server, "bjarne");
    let mut carl = watcher(&server, "carl");
    let mut dora = watcher(&server, "dora");
    let mut erik = watcher(&server, "erik");
    let mut frida = watcher(&server, "frida");
    bjarne.hears(&["[active] open", "\"at the desk\""], SOON);
    carl.hears(&["[pending]"], SOON);
    dora.hears(&["[active] closed"], SOON);
    erik.hears(&["[refused] failed: SUBSCRIBE answered 403"], SOON);
    frida.hears(&["[active] open", "\"at the desk\""], SOON);
    for (watcher, state) in [
        ("bjarne", "active"),
        ("carl", "pending"),
        ("dora", "politely blocked"),
    ] {
        let line = format!("{watcher}@example.org watches anna@example.org: {state}");
        server.wait_until_it_answers("winfo", &[&line], SOON);
    }
    let waits = ["carl@example.org waits for the word of anna@example.org"];
    server.wait_until_it_answers("winfo", &waits, SOON);
    // The presentity learns who watches it, and a watcher about itself alone.
    let package = ("presence.winfo", "application/watcherinfo+xml");
    let all = fetch_what(package, server.port, "anna", "anna").body;
    for watcher in ["bjarne", "carl", "dora", "frida"] {
        let name = format!("sip:{watcher}@example.org");
        assert!(all.contains(&name), "{name} is not in {all}");
    }
    let own = fetch_what(package, server.port, "carl", "anna").body;
    assert!(own.contains("carl") && !own.contains("bjarne"), "{own}");

    let frida_knew = frida.process.said();
    rules.set(&[
        ("bjarne", Block),
        ("carl", Allow),
        ("dora", Allow),
        ("erik", Allow),
        ("frida", Allow),
    ]);
    server.hang_up();
    server.wait_for(0, &["rules of 1 presentities, 1 changed"]);
    carl.hears(&["[active] open", "\"at the desk\""], SOON);
    bjarne.hears(&["ended by the notifier: rejected"], SOON);
    dora.hears(&["[active] open", "\"at the desk\""], SOON);
    let mut erik = watcher(&server, "erik");
    erik.hears(&["[active] open", "\"at the desk\""], SOON);
    // For whom nothing changed nothing is sent.
    std::thread::sleep(Duration::from_millis(1_500));
    let told = frida.process.output();
    assert_eq!(frida.process.said(), frida_knew, "{told}");

    publisher.process.tell("closed at lunch");
    for mut watcher in [carl, dora, erik, frida] {
        watcher.hears(&["[active] closed", "\"at lunch\""], SOON);
        watcher.end(ANNA);
    }
}

#[test]
fn a_bad_file_leaves_what_was_in_force_and_one_that_is_gone_the_policy() {
    if !asked_for("rules") {
        return;
    }
    let folder = Folder::new("rules-bad");
    let rules = Rules::new(&folder, &[("bjarne", SubHandling::Allow)]);
    let mut server = rules.server(&[]);
    let _publisher = publisher(&server);
    let mut bjarne = watcher(&server, "bjarne");
    bjarne.hears(&["[active] open", "\"at the desk\""], SOON);
    let good = fs::read(rules.file()).unwrap();
    fs::write(rules.file(), &good[..good.len() - 9]).unwrap();
    let before = server.said();
    server.tell("rules");
    server.wait_for(
        before,
        &["anna@example.org.xml: line ", "what was in force stays"],
    );
    server.wait_for(before, &["rules of 1 presentities, 0 changed"]);
    assert!(fetch(server.port, "bjarne", "anna").body.contains(">open<"));
    server.subscription("bjarne@example.org", "anna@example.org");

    fs::remove_file(rules.file()).unwrap();
    server.tell("rules");
    server.wait_for(before, &["rules of 0 presentities, 1 changed"]);
    bjarne.hears(&["ended by the notifier: rejected"], SOON);
}

#[test]
fn a_watched_folder_needs_no_word() {
    if !asked_for("rules") {
        return;
    }
    let folder = Folder::new("rules-watched");
    let rules = Rules::new(&folder, &[("bjarne", SubHandling::Confirm)]);
    let mut server = rules.server(&["--watch-rules"]);
    let _publisher = publisher(&server);
    let mut bjarne = watcher(&server, "bjarne");
    bjarne.hears(&["[pending]"], SOON);
    // A part of the document is enough for those who may see a part.
    let services = Provided::nothing().with_all_services();
    let rule = Rule::new("services").for_domain("example.org").allow();
    rules.put([rule.providing(services)].into_iter());
    bjarne.hears(&["[active] open: added"], SOON);
    assert!(!bjarne.process.output().contains("at the desk"));
    rules.set(&[("bjarne", SubHandling::Allow)]);
    bjarne.hears(&["[active] open", "\"at the desk\""], SOON);
    // What the console decides holds beside rules until they say something else.
    server.tell("decide bjarne@example.org anna@example.org polite-block");
    bjarne.hears(&["[active] closed"], SOON);
    bjarne.end(ANNA);
}
