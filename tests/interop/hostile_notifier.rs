//! The example watcher at a notifier that does as none should: SIPp with scenarios that are put together
//! of the pieces in [`Scenario`]. SIPp itself checks how each NOTIFY is answered.

use crate::process::Process;
use crate::publish::{ANNA, SOON};
use crate::watch::Watcher;
use crate::{Folder, asked_for, free_port};
use std::fmt::Write as _;
use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Until a failed subscription is asked for again for the first time.
const SOME_TIME: Duration = Duration::from_secs(20);
const ACTIVE: &str = "active;expires=60";
const OPEN: &str = "<tuple id=\"t\"><status><basic>open</basic></status></tuple>";
const CLOSED: &str = "<tuple id=\"t\"><status><basic>closed</basic></status></tuple>";

fn asked_for_both() -> bool {
    asked_for("watch") && asked_for("sipp")
}

/// What a notifier does, step by step.
#[derive(Debug, Clone, Default)]
struct Scenario {
    steps: String,
}

/// A NOTIFY that is sent, but for what all have alike.
#[derive(Debug, Clone, Copy)]
struct Notify<'a> {
    /// Of From.
    tag: &'a str,
    /// Of To, where it is not that of the watcher.
    to: Option<&'a str>,
    cseq: u32,
    event: &'a str,
    state: &'a str,
    content_type: &'a str,
    body: &'a str,
    /// How it has to be answered.
    expected: u16,
}

const NOTIFY: Notify<'_> = Notify {
    tag: "one",
    to: None,
    cseq: 1,
    event: "presence",
    state: ACTIVE,
    content_type: "application/pidf+xml",
    body: "",
    expected: 200,
};

impl Scenario {
    /// Waits for the SUBSCRIBE that makes a dialog, and leaves it unanswered.
    fn hear_subscribe(mut self) -> Self {
        self.steps.push_str(
            r#"  <recv request="SUBSCRIBE">
    <action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
      <ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="contact"/>
      <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
      <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
    </action>
  </recv>
"#,
        );
        self
    }

    /// Answers it, from the status code on; `tag` is that of the dialog.
    fn answer(self, tag: &str, answer: &str) -> Self {
        let to = format!("[$to];tag={tag}");
        self.respond(&to, answer)
    }

    fn respond(mut self, to: &str, answer: &str) -> Self {
        let _ = write!(
            self.steps,
            "  <send><![CDATA[
    SIP/2.0 {answer}
    Via:[$via]
    From:[$from]
    To:{to}
    [last_Call-ID:]
    CSeq:[$cseq]
    Contact: <sip:[local_ip]:[local_port]>
    Content-Length: 0

  ]]></send>
"
        );
        self
    }

    /// Waits for a SUBSCRIBE, and grants it.
    fn grant(self) -> Self {
        self.hear_subscribe().answer("one", "200 OK\nExpires: 60")
    }

    /// Waits for a SUBSCRIBE in the dialog, with so many seconds, and answers it.
    fn refresh(mut self, seconds: &str, answer: &str) -> Self {
        let _ = write!(
            self.steps,
            r#"  <recv request="SUBSCRIBE">
    <action>
      <ereg regexp="tag=one" search_in="hdr" header="To:" check_it="true" assign_to="seen"/>
      <ereg regexp="^ *{seconds} *$" search_in="hdr" header="Expires:" check_it="true" assign_to="seen"/>
      <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
      <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
    </action>
  </recv>
"#
        );
        self.respond("[$to];tag=one", answer)
    }

    fn notify(mut self, notify: Notify<'_>) -> Self {
        let Notify {
            tag,
            cseq,
            event,
            state,
            expected,
            ..
        } = notify;
        let to = notify.to.unwrap_or("[$from]");
        let (content_type, body) = match notify.body {
            "" => (String::new(), String::new()),
            body => {
                let content_type = format!("Content-Type: {}\n    ", notify.content_type);
                (content_type, format!("\n{body}"))
            }
        };
        let _ = write!(
            self.steps,
            r#"  <send><![CDATA[
    NOTIFY [$contact] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
    Max-Forwards: 70
    From:[$to];tag={tag}
    To:{to}
    Call-ID: [call_id]
    CSeq: {cseq} NOTIFY
    Contact: <sip:[local_ip]:[local_port]>
    Event: {event}
    Subscription-State: {state}
    {content_type}Content-Length: [len]
{body}
  ]]></send>
  <recv response="{expected}"/>
"#
        );
        self
    }

    fn pause(mut self, milliseconds: u32) -> Self {
        let _ = writeln!(self.steps, "  <pause milliseconds=\"{milliseconds}\"/>");
        self
    }

    /// Lets the watcher leave.
    fn leave(self, cseq: u32) -> Self {
        let last = Notify {
            cseq,
            state: "terminated;reason=timeout",
            ..NOTIFY
        };
        self.refresh("0", "200 OK\nExpires: 0").notify(last)
    }

    fn text(&self) -> String {
        let steps = self
            .steps
            .replace("\n    ", "\n")
            .replace("\n  ]]>", "\n]]>");
        let names = ["from", "to", "contact", "via", "cseq", "seen"];
        let used = names.map(|name| steps.contains(&format!("assign_to=\"{name}\"")));
        let used: Vec<_> = names.into_iter().zip(used).filter(|it| it.1).collect();
        let used: Vec<_> = used.into_iter().map(|it| it.0).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"notifier\">\n{steps}  \
             <Reference variables=\"{}\"/>\n</scenario>\n",
            used.join(",")
        )
    }
}

fn document(content: &str) -> String {
    format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{ANNA}\">{content}</presence>"
    )
}

/// A running SIPp.
struct Notifier {
    process: Process,
    port: u16,
    errors: PathBuf,
    messages: PathBuf,
}

impl Notifier {
    /// Goes through the scenario so many times, each time for another Call-ID.
    fn start(folder: &Folder, scenario: &Scenario, times: u32) -> Self {
        let port = free_port(0);
        let file = |kind: &str| folder.path().join(format!("notifier-{port}.{kind}"));
        let (written, errors, messages) = (file("xml"), file("errors"), file("messages"));
        fs::write(&written, scenario.text()).unwrap();
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .arg("127.0.0.1:9")
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-t", "u1"])
            .arg("-sf")
            .arg(&written)
            .args(["-m", &times.to_string(), "-recv_timeout", "30000"])
            .args(["-nostdin", "-timeout", "60s", "-timeout_error", "-nr"])
            .arg("-trace_err")
            .arg("-error_file")
            .arg(&errors)
            .arg("-trace_msg")
            .arg("-message_file")
            .arg(&messages);
        let mut process = Process::start("sipp (Debian: sip-tester)", &mut command);
        let deadline = Instant::now() + SOON;
        while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            assert!(!process.has_ended(), "SIPp: {}", process.output());
            assert!(Instant::now() < deadline, "SIPp does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            port,
            errors,
            messages,
        }
    }

    fn watcher(&self, arguments: &[&str]) -> Watcher {
        let proxy = format!("127.0.0.1:{}", self.port);
        let first = [ANNA, "--proxy", &proxy, "--from", "sip:bjarne@example.org"];
        Watcher::start(&[&first[..], arguments].concat())
    }

    fn wait_for_subscribe(&self) {
        let deadline = Instant::now() + SOON;
        let read = || fs::read_to_string(&self.messages).unwrap_or_default();
        while !read().contains("SUBSCRIBE sip:") {
            assert!(Instant::now() < deadline, "no SUBSCRIBE");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// It has to have gone through its scenario.
    fn finish(mut self) {
        let status = self.process.wait_for_end(Duration::from_secs(60));
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            status.code(),
            Some(0),
            "{}\n--- messages\n{}",
            read(&self.errors),
            read(&self.messages)
        );
    }
}

#[test]
fn notifies_are_taken_as_they_deserve() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-notify");
    let (open, closed) = (document(OPEN), document(CLOSED));
    let document_of = |body| Notify { body, ..NOTIFY };
    let scenario = Scenario::default()
        .hear_subscribe()
        // Before the response.
        .notify(Notify {
            cseq: 7,
            ..document_of(&open)
        })
        .answer("one", "200 OK\nExpires: 60")
        // Out of order, and again.
        .notify(Notify {
            cseq: 6,
            expected: 500,
            ..document_of(&closed)
        })
        .notify(Notify {
            cseq: 7,
            expected: 500,
            ..document_of(&closed)
        })
        // Another fork, and strangers.
        .notify(Notify {
            tag: "two",
            expected: 481,
            ..document_of(&closed)
        })
        .notify(Notify {
            to: Some("<sip:bjarne@example.org>;tag=guessed"),
            cseq: 8,
            expected: 481,
            ..document_of(&closed)
        })
        .notify(Notify {
            cseq: 8,
            event: "presence;id=7",
            expected: 481,
            ..document_of(&closed)
        })
        .notify(Notify {
            cseq: 8,
            event: "dialog",
            expected: 489,
            ..document_of(&closed)
        })
        .notify(Notify {
            cseq: 8,
            state: "\"?",
            expected: 400,
            ..document_of(&closed)
        })
        // Of a type that nobody asked for: what it says of the subscription counts.
        .notify(Notify {
            cseq: 9,
            content_type: "text/html",
            body: "<html/>",
            expected: 415,
            state: "pending",
            ..NOTIFY
        })
        // No document, and none that can be read.
        .notify(Notify {
            cseq: 10,
            ..document_of("<presence")
        })
        .notify(Notify {
            cseq: 11,
            ..document_of("<a/>")
        })
        .notify(Notify { cseq: 12, ..NOTIFY })
        .notify(Notify {
            cseq: 4_294_967,
            ..document_of(&closed)
        })
        .leave(4_294_968);
    let notifier = Notifier::start(&folder, &scenario, 1);
    let mut watcher = notifier.watcher(&[]);
    watcher.hears(&["[active]"], SOON);
    watcher.hears(&["[active] open: added t open"], SOON);
    watcher.hears(&["[pending] refused-body: of type \"text/html\""], SOON);
    watcher.hears(&["unreadable:"], SOON);
    watcher.hears(&["unreadable:"], SOON);
    watcher.hears(&["[active] closed: changed t closed"], SOON);
    watcher.stop();
    watcher.hears(&["over: ended"], SOON);
    let output = watcher.process.output();
    let shown = output.lines().filter(|line| line.contains(" t closed"));
    assert_eq!(shown.count(), 1, "{output}");
    notifier.finish();
}

/// What the library makes of the reasons: never again, at once, or when it was asked to.
#[test]
fn each_reason_has_its_consequence() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-reasons");
    let never = ["rejected", "noresource", "invariant"];
    let at_once = ["deactivated", "timeout", "giveup", "whatever"];
    let later = ["probation;retry-after=2", "giveup;retry-after=2"];
    let ended = |reason: &str| {
        let open = document(OPEN);
        let state = format!("terminated;reason={reason}");
        let scenario = Scenario::default()
            .grant()
            .notify(Notify {
                body: &open,
                ..NOTIFY
            })
            .notify(Notify {
                cseq: 2,
                state: &state,
                ..NOTIFY
            });
        // Where it comes back it is for another Call-ID.
        let notifier = Notifier::start(&folder, &scenario, 2);
        let watcher = notifier.watcher(&[]);
        (reason.to_owned(), notifier, watcher)
    };
    let never = never.map(ended);
    let at_once = at_once.map(ended);
    let later = later.map(ended);
    for (reason, _notifier, mut watcher) in never {
        let status = watcher.process.wait_for_end(SOON);
        assert_eq!(status.code(), Some(1), "{reason}");
        let said = format!("[refused] ended: ended by the notifier: {reason}");
        let line = watcher.hears(&[&said], SOON);
        assert!(!line.contains("again"), "{line}");
        let forgotten = watcher.process.output().contains("[refused] unknown");
        // What will not change again is not wrong.
        assert_eq!(forgotten, reason != "invariant");
    }
    for (reason, notifier, mut watcher) in at_once {
        let said = format!("ended by the notifier: {reason}; again at once");
        watcher.hears(&[&said], SOON);
        watcher.hears(&["[active]"], SOON);
        // It lived briefly, for the second time.
        let line = watcher.hears(&["ended by the notifier", "again in"], SOON);
        assert!(line.contains(&reason), "{line}");
        notifier.finish();
        watcher.stop();
    }
    for (reason, notifier, mut watcher) in later {
        let reason = reason.split(';').next().unwrap();
        let said = format!("ended by the notifier: {reason}; again in 2 s");
        watcher.hears(&["[waiting]", &said], SOON);
        watcher.hears(&["[active]"], SOON);
        notifier.finish();
        watcher.stop();
    }
}

#[test]
fn each_refusal_has_its_consequence() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-answers");
    let refused = |answer: &'static str| {
        let scenario = Scenario::default().hear_subscribe().answer("one", answer);
        let notifier = Notifier::start(&folder, &scenario, 1);
        let watcher = notifier.watcher(&[]);
        let status = answer.split(' ').next().unwrap();
        (format!("SUBSCRIBE answered {status}"), notifier, watcher)
    };
    let final_ones = [
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "407 Proxy Authentication Required",
        "423 Interval Too Brief",
        "423 Interval Too Brief\nMin-Expires: 4294967295",
        "489 Bad Event",
        "501 Not Implemented",
        "603 Decline",
    ]
    .map(refused);
    let passing = [
        "408 Request Timeout",
        "480 Temporarily Unavailable",
        "500 Server Internal Error",
        "503 Service Unavailable",
        "600 Busy Everywhere",
        "503 Service Unavailable\nRetry-After: 3000",
        "404 Not Found\nRetry-After: 3000",
    ]
    .map(refused);
    for (reason, notifier, mut watcher) in final_ones {
        let status = watcher.process.wait_for_end(SOON);
        assert_eq!(status.code(), Some(1), "{reason}");
        let line = watcher.hears(&["[refused] failed: ", &reason], SOON);
        assert!(!line.contains("again"), "{line}");
        notifier.finish();
    }
    for (at, (reason, notifier, mut watcher)) in passing.into_iter().enumerate() {
        let line = watcher.hears(&["[waiting] failed: ", &reason, "again in "], SOON);
        let seconds = line.split(' ').rev().nth(1).unwrap();
        let seconds: u32 = seconds.parse().unwrap();
        match at {
            0..5 => assert!((3..=20).contains(&seconds), "{line}"),
            _ => assert!((2_999..=3_300).contains(&seconds), "{line}"),
        }
        notifier.finish();
        watcher.stop();
    }
}

#[test]
fn who_wants_more_time_gets_it() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-brief");
    let open = document(OPEN);
    let scenario = Scenario::default()
        .hear_subscribe()
        .answer("none", "423 Interval Too Brief\nMin-Expires: 60")
        .hear_subscribe()
        .answer("one", "200 OK\nExpires: 60")
        .notify(Notify {
            body: &open,
            ..NOTIFY
        })
        .leave(2);
    let notifier = Notifier::start(&folder, &scenario, 1);
    let mut watcher = notifier.watcher(&["--expires", "20"]);
    watcher.hears(&["[active] open: added t open"], SOON);
    watcher.stop();
    watcher.hears(&["over: ended"], SOON);
    notifier.finish();
}

/// The answers name SIPp itself as the place to ask instead.
#[test]
fn who_is_sent_elsewhere_goes_there_once() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-redirection");
    let open = document(OPEN);
    let moved = "302 Moved Temporarily";
    let redirected = Scenario::default()
        .hear_subscribe()
        .answer("none", moved)
        .hear_subscribe();
    let found = redirected
        .clone()
        .answer("one", "200 OK\nExpires: 60")
        .notify(Notify {
            body: &open,
            ..NOTIFY
        })
        .leave(2);
    let found = Notifier::start(&folder, &found, 1);
    let mut watcher = found.watcher(&[]);
    let in_circles = Notifier::start(&folder, &redirected.answer("none", moved), 1);
    let mut lost = in_circles.watcher(&[]);
    watcher.hears(&["[active] open: added t open"], SOON);
    watcher.stop();
    found.finish();
    assert_eq!(lost.process.wait_for_end(SOON).code(), Some(1));
    lost.hears(&["[refused] failed: SUBSCRIBE answered 302"], SOON);
    in_circles.finish();
}

#[test]
fn a_refresh_that_is_not_known_begins_anew() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-refresh");
    let open = document(OPEN);
    let lost = [
        "481 Call/Transaction Does Not Exist",
        "404 Not Found",
        "489 Bad Event",
    ];
    let pairs = lost.map(|answer| {
        let scenario = Scenario::default()
            .hear_subscribe()
            .answer("one", "200 OK\nExpires: 4")
            .notify(Notify {
                state: "active;expires=4",
                body: &open,
                ..NOTIFY
            })
            .refresh("4", answer);
        let notifier = Notifier::start(&folder, &scenario, 2);
        let watcher = notifier.watcher(&["--expires", "4"]);
        (answer, notifier, watcher)
    });
    // One that is refused for another reason leaves the subscription as it was.
    let scenario = Scenario::default()
        .hear_subscribe()
        .answer("one", "200 OK\nExpires: 6")
        .notify(Notify {
            state: "active;expires=6",
            body: &open,
            ..NOTIFY
        })
        .refresh("6", "500 Server Internal Error")
        .notify(Notify {
            cseq: 2,
            body: &open,
            ..NOTIFY
        });
    let kept = Notifier::start(&folder, &scenario, 1);
    let mut keeper = kept.watcher(&["--expires", "6"]);
    for (answer, notifier, mut watcher) in pairs {
        let said = format!("ended: refresh answered {answer}; again at once");
        watcher.hears(&["open: added"], SOON);
        watcher.hears(&[&said], SOON);
        watcher.hears(&["[active]"], SOON);
        watcher.hears(&["ended: refresh answered", "again in"], SOON);
        notifier.finish();
        watcher.stop();
    }
    keeper.hears(&["[active] failed: SUBSCRIBE answered 500"], SOON);
    kept.finish();
    drop(keeper);
}

#[test]
fn who_is_not_heard_of_is_left_in_time() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-silence");
    let open = document(OPEN);
    // Nothing at all, no NOTIFY, and nothing when it wants to leave.
    let silent = Scenario::default().hear_subscribe().pause(5_000);
    let accepted = Scenario::default().grant().pause(5_000);
    let deaf = Scenario::default()
        .grant()
        .notify(Notify {
            body: &open,
            ..NOTIFY
        })
        .hear_subscribe()
        .pause(3_000);
    for (scenario, first) in [(silent, ""), (accepted, ""), (deaf, "open: added")] {
        let notifier = Notifier::start(&folder, &scenario, 1);
        let mut watcher = notifier.watcher(&[]);
        notifier.wait_for_subscribe();
        if !first.is_empty() {
            watcher.hears(&[first], SOON);
        }
        let took = watcher.stop();
        watcher.hears(&["over: not confirmed in time"], SOON);
        assert!(took >= Duration::from_secs(2), "{took:?}");
    }
}

/// It takes until Timer N has run out.
#[test]
fn a_notify_that_never_comes_is_not_waited_for() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-no-notify");
    let scenario = Scenario::default().grant().pause(1_000);
    let notifier = Notifier::start(&folder, &scenario, 1);
    let mut watcher = notifier.watcher(&[]);
    let fetched = Notifier::start(&folder, &scenario, 1);
    let mut fetcher = fetched.watcher(&["--fetch"]);
    let timer_n = Duration::from_secs(34);
    watcher.hears(
        &["[waiting] failed: no NOTIFY after a SUBSCRIBE; again in"],
        timer_n,
    );
    fetcher.hears(&["over: not answered"], SOME_TIME);
    assert_eq!(fetcher.process.wait_for_end(SOON).code(), Some(1));
    watcher.stop();
}
