//! Refusals: for good, for a while, and those that tell what to do instead.

use super::*;

#[test]
fn what_is_refused_is_not_asked_for_again() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-refused");
    for group in [
        &[
            "400 Bad Request",
            "401 Unauthorized",
            "402 Payment Required",
            "403 Forbidden",
            "404 Not Found",
            "405 Method Not Allowed\nAllow: SUBSCRIBE",
        ][..],
        &[
            "407 Proxy Authentication Required",
            "410 Gone",
            "413 Request Entity Too Large",
            "415 Unsupported Media Type\nAccept: text/plain",
            "423 Interval Too Brief",
            "489 Bad Event\nAllow-Events: dialog",
        ],
        &[
            "499 Whatever",
            "501 Not Implemented",
            "505 Version Not Supported",
            "603 Decline",
            "699 Never",
            "302 Moved Temporarily",
        ],
    ] {
        let pairs: Vec<Pair> = group
            .iter()
            .map(|answer| Pair::start(&folder, "hostile_in_turn", &[answer]))
            .collect();
        for (pair, answer) in pairs.into_iter().zip(group) {
            let requests = pair.gives_up(status_of(answer));
            assert_eq!(requests.len(), 1, "{answer}: {requests:#?}");
        }
    }
}

#[test]
fn a_change_that_is_refused_leaves_what_was_published() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-change");
    let answers = [TAKEN, "403 Forbidden", TAKEN];
    let mut pair = Pair::start(&folder, "hostile_in_turn", &answers);
    pair.publisher.hears("published", SOON);
    pair.publisher.process.tell("closed");
    pair.publisher.hears("failed: PUBLISH answered 403", SOON);
    sleep(Duration::from_secs(2));
    assert_eq!(pair.server.requests().len(), 2, "not asked for again");
    pair.publisher.process.tell("open after all");
    pair.publisher.hears("changed", SOON);
    let requests = pair.stop(REMOVED);
    assert_eq!(requests.len(), 4, "{requests:#?}");
    for (request, text) in requests.iter().zip([">open<", ">closed<", "after all", ""]) {
        assert!(request.body().contains(text), "{request:?}");
    }
}

/// The answer to the first request, the seconds before the next, and the last words.
const MAY_PASS: [(&str, f32, &str); 18] = [
    // Nobody knows whether the server behind the proxy has it.
    ("408 Request Timeout", 7.5, NOT_REMOVED),
    ("504 Server Time-out", 7.5, NOT_REMOVED),
    ("412 Conditional Request Failed", 7.5, REMOVED),
    ("480 Temporarily Unavailable", 7.5, REMOVED),
    ("486 Busy Here", 7.5, REMOVED),
    ("500 Server Internal Error", 7.5, REMOVED),
    ("502 Bad Gateway", 7.5, REMOVED),
    ("503 Service Unavailable", 7.5, REMOVED),
    ("503 Service Unavailable\nRetry-After: 2", 7.5, REMOVED),
    ("503 Service Unavailable\nRetry-After: soon", 7.5, REMOVED),
    (
        "503 Service Unavailable\nRetry-After: 12 (tea)",
        12.0,
        REMOVED,
    ),
    ("500 Server Internal Error\nRetry-After: 12", 12.0, REMOVED),
    (
        "480 Temporarily Unavailable\nRetry-After: 12",
        12.0,
        REMOVED,
    ),
    (
        "413 Request Entity Too Large\nRetry-After: 12",
        12.0,
        REMOVED,
    ),
    ("404 Not Found\nRetry-After: 2;duration=9", 7.5, REMOVED),
    ("600 Busy Everywhere", 7.5, REMOVED),
    ("603 Decline\nRetry-After: 12", 12.0, REMOVED),
    ("200 OK\nSIP-ETag: none\nExpires: 0", 7.5, REMOVED),
];

#[test]
fn what_may_pass_is_asked_for_again_after_a_while() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-passes");
    let pairs = MAY_PASS.map(|(answer, ..)| {
        let answers = [answer, TAKEN];
        Pair::start(&folder, "hostile_in_turn", &answers)
    });
    for (mut pair, (answer, wait, last_words)) in pairs.into_iter().zip(MAY_PASS) {
        let failed = format!("failed: PUBLISH answered {}", status_of(answer));
        pair.publisher.hears(&failed, SOON);
        pair.publisher.hears("published", Duration::from_secs(15));
        let messages = pair.server.messages();
        let answered = messages.iter().find(|it| it.status().is_some()).unwrap();
        let requests = pair.stop(last_words);
        assert!((2..=3).contains(&requests.len()), "{requests:#?}");
        assert_anew(&requests[1]);
        let gap = (requests[1].at - answered.at).as_secs_f32();
        // What a wheel of timers may round off, and what a busy machine needs.
        let expected = wait - 0.05..wait.max(10.0) + 2.0;
        assert!(expected.contains(&gap), "{answer}: {gap}");
    }
}

#[test]
fn a_server_that_asks_for_patience_hears_nothing_even_at_the_end() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-patience");
    let busy = "503 Service Unavailable\nRetry-After: ";
    let long = ["30", "86400", "4294967295", "99999999999999999999"];
    let mut answers = long.map(|wait| [busy, wait].concat()).to_vec();
    answers.push("500 Server Internal Error\nRetry-After: 30".to_owned());
    let options = ["--watch-stdin", "--expires", "60"];
    let start = |answer: &String| {
        let answers = [TAKEN, answer, TAKEN];
        let mut pair = Pair::with(&folder, "hostile_in_turn", &answers, &options);
        pair.publisher.hears("published, expires in 60 s", SOON);
        pair.publisher.process.tell("closed");
        pair
    };
    let mut pairs: Vec<Pair> = answers.iter().map(start).collect();
    for pair in &mut pairs {
        pair.publisher.hears("failed: PUBLISH answered 50", SOON);
        pair.publisher.process.tell("open again");
    }
    // By itself it would have tried again by then.
    sleep(Duration::from_secs(11));
    pairs
        .iter_mut()
        .for_each(|pair| pair.publisher.process.terminate());
    for (pair, answer) in pairs.into_iter().zip(&answers) {
        let requests = pair.stop(NOT_REMOVED);
        assert_eq!(requests.len(), 2, "{answer}: {requests:#?}");
    }
    // Never published, so that nothing is to be removed.
    let answer = [busy, "30"].concat();
    let mut pair = Pair::start(&folder, "hostile_in_turn", &[&answer]);
    pair.publisher.hears("failed", SOON);
    assert_eq!(pair.stop(REMOVED).len(), 1);
}

#[test]
fn what_the_server_has_lost_is_published_anew() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-lost");
    let lost = "412 Conditional Request Failed";
    let refresh = Pair::start(&folder, "hostile_in_turn", &[TAKEN_BRIEFLY, lost, TAKEN]);
    let mut change = Pair::start(&folder, "hostile_in_turn", &[TAKEN, lost, TAKEN]);
    change.publisher.hears("published", SOON);
    change.publisher.process.tell("closed at lunch");
    for (mut pair, text) in [(change, "at lunch"), (refresh, ">open<")] {
        pair.publisher.hears("lost", SOON);
        pair.publisher.hears("published, expires in 12 s", SOON);
        let requests = pair.stop(REMOVED);
        assert_eq!(requests.len(), 4, "{requests:#?}");
        assert_eq!(requests[1].field("SIP-If-Match"), Some("e1"));
        assert_anew(&requests[2]);
        assert!(requests[2].body().contains(text));
        assert_eq!(requests[2].seconds(), ASKED);
        assert_eq!(requests[3].seconds(), 0);
    }
}

#[test]
fn a_server_that_loses_everything_is_not_flooded() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-loses");
    let lost = "412 Conditional Request Failed";
    let brief = "200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: 2";
    let mut for_ever = Pair::start(&folder, "hostile_in_turn", &[brief, lost]);
    let mut by_turns = Pair::start(&folder, "hostile_by_turns", &[brief, lost]);
    let mut changes = Pair::start(&folder, "hostile_by_turns", &[TAKEN, lost]);
    for pair in [&mut for_ever, &mut by_turns, &mut changes] {
        pair.publisher.hears("published", SOON);
    }
    for number in 0..30 {
        changes.publisher.process.tell(&format!("open {number}"));
        sleep(Duration::from_millis(200));
    }
    // Without restraint each of them would have asked about ten times by now.
    for (pair, most, first) in [
        (for_ever, 3, "again"),
        (by_turns, 4, "lost"),
        (changes, 4, "lost"),
    ] {
        let output = pair.publisher.process.output();
        assert!(
            output.contains(first) && output.contains("lost"),
            "{output}"
        );
        let requests = pair.stop(REMOVED);
        assert_eq!(requests.len(), most, "{requests:#?}");
    }
}

#[test]
fn a_longer_time_is_asked_for_where_it_is_wanted() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-brief");
    let brief = |least: &str| format!("423 Interval Too Brief\nMin-Expires: {least}");
    let granted = "200 OK\nSIP-ETag: e[last_cseq_number]\nExpires: 30";
    let mut first = Pair::start(&folder, "hostile_in_turn", &[&brief("30"), granted]);
    let answers = [TAKEN_BRIEFLY, &brief("60"), TAKEN];
    let mut refresh = Pair::start(&folder, "hostile_in_turn", &answers);
    let asked =
        |requests: &[Message]| -> Vec<u32> { requests.iter().map(Message::seconds).collect() };

    // Never satisfied, or beyond reason.
    let growing = ["30", "60", "90", "120"].map(brief);
    for (answers, expected) in [
        (
            vec![&*growing[0], &growing[1], &growing[2], &growing[3]],
            &[ASKED, 30, 60, 90][..],
        ),
        (vec![&growing[0]], &[ASKED, 30]),
        (vec![&brief("86401")], &[ASKED]),
        (vec![&brief("4294967296")], &[ASKED]),
        (vec![&brief("11")], &[ASKED]),
        (vec![&brief("12")], &[ASKED]),
        (vec![&brief("soon")], &[ASKED]),
        (vec![&brief("-1")], &[ASKED]),
    ] {
        let pair = Pair::start(&folder, "hostile_in_turn", &answers);
        assert_eq!(asked(&pair.gives_up("423")), expected, "{answers:?}");
    }

    first.publisher.hears("published, expires in 30 s", SOON);
    let requests = first.stop(REMOVED);
    assert_eq!(asked(&requests), [ASKED, 30, 0]);
    assert_anew(&requests[1]);
    refresh.publisher.hears("published", SOON);
    refresh
        .publisher
        .hears("refreshed, expires in 60 s", A_REFRESH);
    let requests = refresh.stop(REMOVED);
    assert_eq!(asked(&requests), [ASKED, ASKED, 60, 0]);
    assert_eq!(requests[2].field("SIP-If-Match"), Some("e1"));
}

#[test]
fn what_is_said_to_a_removal_is_told() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-removal");
    let cases = [
        ("200 OK", REMOVED),
        ("200 OK\nSIP-ETag: more\nExpires: 60", REMOVED),
        ("412 Conditional Request Failed", REMOVED),
        ("403 Forbidden", NOT_REMOVED),
        ("404 Not Found", NOT_REMOVED),
        ("401 Unauthorized", NOT_REMOVED),
        ("423 Interval Too Brief\nMin-Expires: 60", NOT_REMOVED),
        ("302 Moved Temporarily\nContact: *", NOT_REMOVED),
        ("500 Server Internal Error", NOT_REMOVED),
        ("503 Service Unavailable\nRetry-After: 2", NOT_REMOVED),
    ];
    let start = |answer| Pair::start(&folder, "hostile_in_turn", &[TAKEN, answer]);
    let pairs = cases.map(|(answer, _)| start(answer));
    for (mut pair, (answer, last_words)) in pairs.into_iter().zip(cases) {
        pair.publisher.hears("published", SOON);
        let requests = pair.stop(last_words);
        // With a Min-Expires it cannot be told to stay longer.
        let seconds: Vec<u32> = requests.iter().map(Message::seconds).collect();
        assert_eq!(seconds, [ASKED, 0], "{answer}");
    }
}

#[test]
fn after_a_failure_the_tag_is_named_until_it_has_run_out() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-failure");
    let failed = "500 Server Internal Error";
    let refresh = [TAKEN_BRIEFLY, failed, TAKEN];
    let mut refresh = Pair::start(&folder, "hostile_in_turn", &refresh);
    let mut change = Pair::start(&folder, "hostile_in_turn", &[TAKEN, failed, TAKEN]);
    change.publisher.hears("published", SOON);
    change.publisher.process.tell("closed");
    change.publisher.hears("failed", SOON);
    change.publisher.process.tell("open again");
    change.publisher.hears("changed", Duration::from_secs(12));
    let requests = change.stop(REMOVED);
    assert_eq!(requests.len(), 4, "{requests:#?}");
    assert_eq!(requests[2].field("SIP-If-Match"), Some("e1"));
    assert!(requests[2].body().contains("again"), "{requests:#?}");

    refresh.publisher.hears("published", SOON);
    refresh.publisher.hears("failed", SOON);
    refresh
        .publisher
        .hears("published", Duration::from_secs(12));
    let requests = refresh.stop(REMOVED);
    assert_eq!(requests.len(), 4, "{requests:#?}");
    assert_anew(&requests[2]);
}
