//! What whoever runs the example server does: to empty it, to look at its numbers, to bound it.

use crate::Transport;
use crate::asked_for;
use crate::publish::{ANNA, Publisher, SOON};
use crate::server::Server;
use crate::watch::Watcher;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Until a watcher asks again that was sent away with a Retry-After of two seconds.
const SOME_TIME: Duration = Duration::from_secs(25);

fn server(options: &[&str]) -> Server {
    let first = ["--no-auth", "--domain", "example.org", "--policy", "allow"];
    let pace = ["--notify-interval", "1", "--min-expires", "10"];
    Server::start(&[&first[..], &pace, options].concat())
}

fn watcher(server: &Server, user: &str, watched: &str) -> Watcher {
    let proxy = format!("127.0.0.1:{}", server.port);
    let from = format!("sip:{user}@example.org");
    Watcher::start(&[watched, "--proxy", &proxy, "--from", &from])
}

#[test]
fn a_server_that_is_emptied_serves_again() {
    if !asked_for("operations") {
        return;
    }
    let mut server = server(&[]);
    let mut bjarne = watcher(&server, "bjarne", ANNA);
    let mut carl = watcher(&server, "carl", ANNA);
    bjarne.hears(&["[active] unknown"], SOON);
    carl.hears(&["[active] unknown"], SOON);
    server.tell("drain 2");
    server.wait_for(0, &["draining 2 subscriptions"]);
    for watcher in [&mut bjarne, &mut carl] {
        watcher.hears(&["ended by the notifier: deactivated; again at once"], SOON);
        watcher.hears(&["SUBSCRIBE answered 503", "; again in"], SOON);
    }
    server.wait_until_gone(&["bjarne"]);
    server.tell("serve");
    server.wait_for(0, &["serving again"]);
    bjarne.hears(&["[active]"], SOME_TIME);
    carl.hears(&["[active]"], SOME_TIME);
    server.subscription("bjarne@example.org", "anna@example.org");
}

#[test]
fn a_server_that_is_emptied_sends_its_watchers_to_another() {
    if !asked_for("operations") {
        return;
    }
    let (mut first, mut second) = (server(&[]), server(&[]));
    second.tell(&format!("set {ANNA} open at the second server"));
    let mut bjarne = watcher(&first, "bjarne", ANNA);
    bjarne.hears(&["[active] unknown"], SOON);
    first.tell(&format!("drain 1 sip:127.0.0.1:{}", second.port));
    bjarne.hears(&["ended by the notifier: deactivated; again at once"], SOON);
    bjarne.hears(&["[active] open", "\"at the second server\""], SOON);
    second.subscription("bjarne@example.org", "anna@example.org");
    first.wait_until_gone(&["bjarne"]);
    // The dialog is with the other one.
    second.tell(&format!("set {ANNA} closed at home"));
    bjarne.hears(&["[active] closed", "\"at home\""], SOON);
    first.tell("drain 1 here");
    first.wait_for(0, &["error: no SIP URI"]);
}

/// The status line, the head and the body of what is at this path.
fn get(address: &str, method: &str, path: &str, field: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{field}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    let _ = stream.read_to_string(&mut response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    (head.to_owned(), body.to_owned())
}

/// The values by name and labels; each line has to be one of the format.
fn values(text: &str) -> HashMap<String, u64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = samples.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    parsed.collect()
}

#[test]
fn numbers_are_told_by_http() {
    if !asked_for("operations") {
        return;
    }
    let server = server(&[
        "--metrics",
        "127.0.0.1:0",
        "--max-watchers-per-presentity",
        "1",
    ]);
    let output = server.output();
    let line = output.lines().find(|it| it.starts_with("metrics at "));
    let address = line.unwrap().trim_start_matches("metrics at http://");
    let address = address.trim_end_matches("/metrics");
    let mut bjarne = watcher(&server, "bjarne", ANNA);
    bjarne.hears(&["[active] unknown"], SOON);
    // One is as many as there may be.
    let mut carl = watcher(&server, "carl", ANNA);
    carl.hears(&["SUBSCRIBE answered 503"], SOON);
    let mut publisher = Publisher::start(server.port, Transport::Udp, &["open"]);
    publisher.hears("published", SOON);
    bjarne.hears(&["[active] open"], SOON);

    let (head, body) = get(address, "GET", "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    let values = values(&body);
    for (name, expected) in [
        ("subscriptions{package=\"presence\"}", 1),
        ("publications{package=\"presence\"}", 1),
        ("watchers{package=\"presence\"}", 1),
        ("subscriptions_started_total{package=\"presence\"}", 1),
        ("notifies_sent_total{package=\"presence\"}", 2),
        ("notifies_failed_total{package=\"presence\"}", 0),
        ("refused_total{package=\"presence\",reason=\"limit\"}", 1),
        ("backlogs_total{package=\"presence\"}", 0),
        ("rules", 0),
        ("given_up_total", 0),
    ] {
        let value = values.get(&format!("presentity_{name}"));
        assert_eq!(value, Some(&expected), "{name} in {body}");
    }
    assert!(values["presentity_timers{package=\"presence\"}"] >= 2);

    assert!(get(address, "GET", "/", "").0.starts_with("HTTP/1.1 404 "));
    let posted = get(address, "POST", "/metrics", "Content-Length: 0\r\n").0;
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    let (head, body) = get(address, "HEAD", "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty());
    let long = format!("X-Long: {}\r\n", "x".repeat(100_000));
    let refused = get(address, "GET", "/metrics", &long).0;
    assert!(!refused.starts_with("HTTP/1.1 200"), "{refused}");
}

#[test]
fn what_is_too_long_is_refused() {
    if !asked_for("operations") {
        return;
    }
    let server = server(&["--max-body", "100"]);
    let mut publisher = Publisher::start(server.port, Transport::Udp, &["open"]);
    let status = publisher.process.wait_for_end(SOON);
    assert_eq!(status.code(), Some(1));
    let said = |line: &str| line.contains("PUBLISH answered 413");
    publisher.process.wait_for(0, SOON, "refused", said);
}
