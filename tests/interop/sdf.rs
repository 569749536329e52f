//! The example `sdf` as service and as watcher, over HTTP on loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use presentity::sdf::{Request, Token};
use time::OffsetDateTime;

use crate::process::Process;
use crate::{Folder, asked_for, example};

const SOON: Duration = Duration::from_secs(8);
const WATCHER: &str = "pres:nora@example.org";
const PRESENTITY: &str = "pres:emil@example.com";

fn program() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PROGRAM.get_or_init(|| example::built("sdf")))
}

fn started(arguments: &[&str]) -> Process {
    Process::start("sdf", program().args(arguments))
}

/// A service and where it is.
struct Service {
    process: Process,
    address: String,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let process = started(&[&["serve", "--for", "60"], arguments].concat());
        let line = process.wait_for(0, SOON, "its URL", |line| {
            line.starts_with("serving http://")
        });
        let address = line
            .trim_start_matches("serving http://")
            .trim_end_matches('/');
        Self {
            address: address.to_owned(),
            process,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Sends these octets and gives all that comes back.
    fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Posts a body with these fields: the status and what is said.
    fn post(&self, fields: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let length = body.len().to_string();
        let usual = [("Host", self.address.as_str()), ("Content-Length", &length)];
        let fields = usual.iter().chain(fields);
        let fields: String = fields
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n");
        status_and_text(&self.raw(&[head.as_bytes(), body].concat()))
    }
}

fn status_and_text(answer: &str) -> (u16, String) {
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let text = answer.split_once("\r\n\r\n").map_or("", |(_, text)| text);
    (
        status.unwrap_or_else(|| panic!("no answer: {answer:?}")),
        text.trim().to_owned(),
    )
}

fn subscribe(token: &str) -> Request {
    let token = Token::new(token).unwrap();
    Request::subscribe(WATCHER, PRESENTITY, OffsetDateTime::now_utc(), &token, 600).unwrap()
}

fn cancel(token: &str) -> Request {
    let token = Token::new(token).unwrap();
    Request::cancel(WATCHER, PRESENTITY, OffsetDateTime::now_utc(), &token).unwrap()
}

fn fetch() -> Request {
    Request::fetch(WATCHER, PRESENTITY, OffsetDateTime::now_utc()).unwrap()
}

fn file(folder: &Folder, name: &str, request: &Request) -> String {
    let path = folder.path().join(name);
    fs::write(&path, request.octets()).unwrap();
    path.to_str().unwrap().to_owned()
}

const TYPE: (&str, &str) = ("Content-Type", "application/cpim-subscription");
/// Nobody is there.
const NOTIFY_TO: (&str, &str) = ("Notify-To", "http://127.0.0.1:9/");

// SDF-11, SDF-12, SDF-13, SDF-16, SDF-17, SDF-18
#[test]
fn the_demonstration_goes_as_the_draft_says() {
    if !asked_for("sdf") {
        return;
    }
    let mut demo = started(&["demo"]);
    let status = demo.wait_for_end(Duration::from_secs(35));
    let output = demo.output();
    assert_eq!(status.code(), Some(0), "{output}");
    for line in [
        "200 subscribe, 3600 s",
        "200 extend, 1800 s",
        "200 fetch, 0 s",
        "200 cancel, 0 s",
    ] {
        assert_eq!(output.matches(line).count(), 1, "{line} in {output}");
    }
    assert_eq!(output.matches("   notified ").count(), 4, "{output}");
}

#[test]
fn a_watcher_is_told_of_changes_until_it_cancels() {
    if !asked_for("sdf") {
        return;
    }
    let folder = Folder::new("sdf-changes");
    let state = folder.path().join("emil.pidf");
    let document = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:emil@example.com'>\
        <tuple id='desk'><status><basic>closed</basic></status></tuple><note>Away</note></presence>";
    fs::write(&state, document).unwrap();
    let state = state.to_str().unwrap();
    let mut service = Service::start(&["--state", state, "--allow", WATCHER]);
    // All characters that a token may have go through.
    let token = "b\u{E4}lcony & 50%\n\u{1F514}";
    let (hold, url) = (file(&folder, "hold", &subscribe(token)), service.url());
    let mut watcher = started(&["request", "--to", &url, &hold]);
    let answered = format!("{hold}: 200 subscribe, 600 s");
    watcher.wait_for(0, SOON, "the answer", |line| line == answered);
    let named = format!("notified watcher={WATCHER} presentity={PRESENTITY} token={token:?} left=");
    let notified = |from, summary: &str| {
        watcher.wait_for(from, SOON, summary, |line| {
            line.starts_with(&named) && line.ends_with(summary)
        });
    };
    notified(0, ": closed \"Away\"");
    service.process.tell("open pres:emil@example.com");
    notified(0, ": open \"Away\"");
    service
        .process
        .tell("note pres:emil@example.com At the desk");
    notified(0, ": open \"At the desk\"");
    service.process.tell("frob");
    service.process.wait_for(0, SOON, "a complaint", |line| {
        line.starts_with("error: expected open")
    });

    let (ask, end) = (
        file(&folder, "ask", &fetch()),
        file(&folder, "end", &cancel(token)),
    );
    let mut other = started(&["request", "--to", &url, &ask, &end]);
    assert!(other.wait_for_end(SOON).success(), "{}", other.output());
    let said = other.output();
    for line in [
        &format!("{ask}: 200 fetch, 0 s"),
        &format!("{end}: 200 cancel, 0 s"),
        "presentity=pres:emil@example.com fetched: open \"At the desk\"",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    watcher.terminate();
    assert!(watcher.wait_for_end(SOON).success());
    service.process.tell("quit");
    assert!(service.process.wait_for_end(SOON).success());
}

#[test]
fn a_watcher_that_knows_of_no_subscription_ends_it() {
    if !asked_for("sdf") {
        return;
    }
    let mut service = Service::start(&["--allow", "everybody"]);
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/here?x=1", place.local_addr().unwrap());
    let to = [TYPE, ("Notify-To", &url)];
    let answer = service.post(&to, subscribe("a").octets());
    assert_eq!(answer, (200, "subscribe".to_owned()));
    let (mut notification, _) = place.accept().unwrap();
    notification.set_read_timeout(Some(SOON)).unwrap();
    let mut head = String::new();
    while !head.contains("</presence>") {
        let mut some = [0; 4096];
        let read = notification.read(&mut some).unwrap();
        assert_ne!(read, 0, "{head}");
        head.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    for field in [
        "POST /here?x=1 HTTP/1.1\r\n",
        "content-type: application/pidf+xml\r\n",
        "watcher: pres:nora@example.org\r\n",
        "presentity: pres:emil@example.com\r\n",
        "token: a\r\n",
        "duration: 600\r\n",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    notification
        .write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    service
        .process
        .wait_for(0, SOON, "the end", |line| line.starts_with("ended: "));
    let answer = service.post(&[TYPE], cancel("a").octets());
    assert_eq!(answer, (404, "no such subscription".to_owned()));
    service.process.end_input();
    assert_eq!(service.post(&[TYPE, NOTIFY_TO], fetch().octets()).0, 200);
}

#[test]
fn what_is_wrong_is_refused_and_the_service_goes_on() {
    if !asked_for("sdf") {
        return;
    }
    let service = Service::start(&["--allow", WATCHER]);
    let good = subscribe("a");
    let to = |url: &str| service.post(&[TYPE, ("Notify-To", url)], good.octets());
    for url in [
        "http://192.0.2.1:80/",
        "http://example.com/",
        "https://127.0.0.1/",
        "http://127.0.0.1@192.0.2.1/",
        "ftp://127.0.0.1/",
        "here",
        "",
    ] {
        let (status, text) = to(url);
        assert!(
            status == 400 && text.starts_with("Notify-To: not "),
            "{url}: {status} {text}"
        );
    }
    assert_eq!(
        to(&format!("http://127.0.0.1/{}", "x".repeat(2_048))).0,
        400
    );
    assert_eq!(
        service.post(&[TYPE], good.octets()),
        (400, "Notify-To: missing".to_owned())
    );
    let twice = service.post(&[TYPE, NOTIFY_TO, NOTIFY_TO], good.octets());
    assert_eq!(twice, (400, "Notify-To: not one URL".to_owned()));

    let post = |content_type, body: &[u8]| {
        service
            .post(&[("Content-Type", content_type), NOTIFY_TO], body)
            .0
    };
    assert_eq!(post("text/xml", good.octets()), 415);
    assert_eq!(post("", good.octets()), 415);
    assert_eq!(service.post(&[NOTIFY_TO], good.octets()).0, 415);
    assert_eq!(post(TYPE.1, b""), 400);
    assert_eq!(post(TYPE.1, b"\xFF<Subscribe/>"), 400);
    assert_eq!(post("multipart/signed", b"x"), 400);
    // Larger than a request may be, than a body may be, than anything that is read.
    for size in [20_000, 70_000, 900_000] {
        assert_eq!(post(TYPE.1, &vec![b' '; size]), 413, "{size}");
    }
    let huge = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        u64::MAX - 2
    );
    assert_eq!(status_and_text(&service.raw(huge.as_bytes())).0, 413);
    let get = service.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(status_and_text(&get).0, 405);
    let elsewhere = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status_and_text(&service.raw(elsewhere)).0, 404);
    assert_eq!(
        status_and_text(&service.raw(b"\x16\x03\x01 nonsense\r\n\r\n")).0,
        400
    );

    let stranger = "pres:otto@example.net";
    let at = OffsetDateTime::now_utc();
    let of_stranger = Request::fetch(stranger, PRESENTITY, at).unwrap();
    assert_eq!(post(TYPE.1, of_stranger.octets()), 403);
    let old = at - time::Duration::hours(1);
    let old = Request::fetch(WATCHER, PRESENTITY, old).unwrap();
    assert_eq!(post(TYPE.1, old.octets()), 403);
    let unknown = service.post(&[TYPE], cancel("b").octets());
    assert_eq!(unknown, (404, "no such subscription".to_owned()));

    // None of it has done anything.
    assert_eq!(post(TYPE.1, good.octets()), 200);
    assert_eq!(post(TYPE.1, good.octets()), 403);
    // Where notifications should go nobody is, and that ends nothing.
    service
        .process
        .wait_for(0, SOON, "a failed delivery", |line| {
            line.starts_with("not notified: ")
        });
    assert_eq!(service.post(&[TYPE], cancel("a").octets()).0, 200);
}

#[test]
fn slow_and_many_connections_do_not_hold_up_the_service() {
    if !asked_for("sdf") {
        return;
    }
    let service = Service::start(&["--allow", "everybody"]);
    // Each holds its place no longer than a request may take.
    let idle: Vec<TcpStream> = (0..80)
        .map(|_| TcpStream::connect(&service.address).unwrap())
        .collect();
    assert_eq!(service.post(&[TYPE, NOTIFY_TO], fetch().octets()).0, 200);
    drop(idle);
    let answer = service.post(&[TYPE, NOTIFY_TO], fetch().octets());
    assert_eq!(answer, (200, "fetch".to_owned()));
}

#[test]
fn a_requester_says_what_was_refused_and_who_is_not_there() {
    if !asked_for("sdf") {
        return;
    }
    let folder = Folder::new("sdf-refused");
    let service = Service::start(&[]);
    let (ask, url) = (file(&folder, "ask", &fetch()), service.url());
    let bad = folder.path().join("bad");
    fs::write(&bad, "<Subscribe>").unwrap();
    let bad = bad.to_str().unwrap();
    let missing = format!("{bad}.missing");
    let mut refused = started(&["request", "--to", &url, &missing, bad, &ask]);
    assert_eq!(refused.wait_for_end(SOON).code(), Some(1));
    let said = refused.output();
    for line in [
        format!("{missing}: error: "),
        format!("{bad}: 400 unreadable: "),
        format!("{ask}: 403 refused"),
    ] {
        assert!(said.contains(&line), "{line} in {said}");
    }
    drop(service);
    let mut alone = started(&["request", "--to", &url, &ask]);
    assert_eq!(alone.wait_for_end(SOON).code(), Some(1));
    assert!(
        alone.output().contains(&format!("{ask}: error: ")),
        "{}",
        alone.output()
    );

    // A service that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let mut waiting = started(&["request", "--to", &url, &ask]);
    assert_eq!(waiting.wait_for_end(SOON).code(), Some(1));
    assert!(
        waiting.output().contains("no answer in time"),
        "{}",
        waiting.output()
    );
}

#[test]
fn a_requester_stays_no_longer_than_it_was_told() {
    if !asked_for("sdf") {
        return;
    }
    let folder = Folder::new("sdf-for");
    let service = Service::start(&["--allow", "everybody"]);
    let hold = file(&folder, "hold", &subscribe("a"));
    let mut watcher = started(&["request", "--for", "1", "--to", &service.url(), &hold]);
    assert!(watcher.wait_for_end(SOON).success());
    let said = watcher.output();
    assert!(said.contains("token=\"a\" left=600: unknown"), "{said}");
}
