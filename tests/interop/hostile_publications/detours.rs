//! Redirections and challenges, which have the same request sent again.

use super::*;

/// Anna at a port of 127.0.0.1, without a proxy that redirected requests would go to as well.
fn publisher_at(port: u16) -> Publisher {
    let uri = format!("sip:anna@127.0.0.1:{port}");
    Publisher::run(&[&uri, "open", "--expires", "12", "--watch-stdin"])
}

fn moved_to(contact: &str) -> String {
    format!("302 Moved Temporarily\nContact: {contact}")
}

#[test]
fn a_redirection_to_another_port_is_followed() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-moved");
    let scenario = "hostile_in_turn";
    let new = HostileServer::start(&folder, scenario, &[TAKEN_BRIEFLY]);
    let target = format!("sip:anna@127.0.0.1:{}", new.port);
    // The better one is second.
    let contacts = format!("<sip:127.0.0.1:9>;q=0.1, <{target}>;q=0.7");
    let old = HostileServer::start(&folder, scenario, &[&moved_to(&contacts)]);
    let lost = "412 Conditional Request Failed";
    let later_new = HostileServer::start(&folder, scenario, &[lost, TAKEN]);
    let contact = format!("<sip:anna@127.0.0.1:{}>", later_new.port);
    let answers = [TAKEN_BRIEFLY, &moved_to(&contact)];
    let later_old = HostileServer::start(&folder, scenario, &answers);
    let silent = free_port(0);
    let contact = format!("<sip:anna@127.0.0.1:{silent}>");
    let to_nobody = HostileServer::start(&folder, scenario, &[&moved_to(&contact)]);

    let mut publisher = publisher_at(old.port);
    let mut moved_later = publisher_at(later_old.port);
    let mut lost_way = publisher_at(to_nobody.port);
    publisher.hears("published", SOON);
    publisher.hears("refreshed", A_REFRESH);
    stop(&mut publisher, REMOVED);
    assert_eq!(old.requests().len(), 1);
    let requests = new.requests();
    check_requests(&new.messages());
    assert_eq!(requests.len(), 3, "{requests:#?}");
    for request in &requests {
        assert_eq!(request.request_uri(), target);
        let to = format!("<sip:anna@127.0.0.1:{}>", old.port);
        assert_eq!(request.field("To"), Some(&*to), "RFC 3261 section 8.1.3.4");
    }

    // What the first has given a tag for is unknown to the second.
    moved_later.hears("published", SOON);
    moved_later.hears("lost", SOON);
    moved_later.hears("published", SOON);
    stop(&mut moved_later, REMOVED);
    let requests = later_new.requests();
    assert_eq!(requests.len(), 3, "{requests:#?}");
    assert_eq!(requests[0].field("SIP-If-Match"), Some("e1"));
    assert_anew(&requests[1]);
    assert_eq!(requests[2].seconds(), 0);

    to_nobody.wait_for(1, SOON);
    stop(&mut lost_way, NOT_REMOVED);
    assert_eq!(to_nobody.requests().len(), 1);
}

#[test]
fn redirections_come_to_an_end() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-around");
    let scenario = "hostile_in_turn";
    let own_port = free_port(0);
    let itself = format!("<sip:anna@127.0.0.1:{own_port}>");
    let sends_back = HostileServer::on(
        own_port,
        Transport::Udp,
        &folder,
        scenario,
        &[&moved_to(&itself)],
    );
    let mut publisher = publisher_at(own_port);
    gives_up(&mut publisher, "302");
    let requests = sends_back.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");

    // Itself under other names.
    let own_port = free_port(0);
    let renamed = format!("<sip:anna@127.0.0.1:{own_port};n=[call_number]>");
    let renames = HostileServer::on(
        own_port,
        Transport::Udp,
        &folder,
        scenario,
        &[&moved_to(&renamed)],
    );
    let mut publisher = publisher_at(own_port);
    gives_up(&mut publisher, "302");
    let requests = renames.requests();
    assert!((2..=6).contains(&requests.len()), "{requests:#?}");

    // From one to the other and back.
    let ports = [free_port(0), free_port(0)];
    let to = |port: u16| moved_to(&format!("<sip:anna@127.0.0.1:{port}>"));
    let one = HostileServer::on(
        ports[0],
        Transport::Udp,
        &folder,
        scenario,
        &[&to(ports[1])],
    );
    let other = HostileServer::on(
        ports[1],
        Transport::Udp,
        &folder,
        scenario,
        &[&to(ports[0])],
    );
    let mut publisher = publisher_at(ports[0]);
    gives_up(&mut publisher, "302");
    let requests = [one.requests(), other.requests()].concat();
    assert!((2..=6).contains(&requests.len()), "{requests:#?}");

    for contact in [
        "*",
        "<tel:+4687654321>",
        "<mailto:anna@example.org>",
        "<sip:anna@127.0.0.1?Subject=x>",
        "<sip:anna@127.0.0.1;method=INVITE>",
        "<<>>",
        "",
    ] {
        let server = HostileServer::start(&folder, scenario, &[&moved_to(contact)]);
        gives_up(&mut publisher_at(server.port), "302");
        assert_eq!(server.requests().len(), 1, "{contact}");
    }
    let proxy = "305 Use Proxy\nContact: <sip:127.0.0.1:9>";
    let server = HostileServer::start(&folder, scenario, &[proxy]);
    gives_up(&mut publisher_at(server.port), "305");
}

#[test]
fn after_a_redirection_into_the_void_the_server_is_asked_again() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-void");
    // Nobody is there, or there is no way.
    let contacts = [
        "<sip:anna@127.0.0.1:9;transport=tcp>",
        "<sip:anna@127.0.0.1:9;transport=tls>",
        "<sips:anna@127.0.0.1:9>",
        "<sip:anna@nowhere.invalid>",
    ];
    let started = contacts.map(|contact| {
        let answers = [&*moved_to(contact)];
        let server = HostileServer::start(&folder, "hostile_in_turn", &answers);
        let publisher = publisher_at(server.port);
        (server, publisher, contact)
    });
    for (server, mut publisher, contact) in started {
        publisher.hears("failed: PUBLISH could not be sent; again in", SOON);
        let requests = server.wait_for(2, Duration::from_secs(12));
        let gap = requests[1].at - requests[0].at;
        assert!(gap > Duration::from_millis(7_450), "{contact}: {gap:?}");
        for request in &requests {
            let uri = format!("sip:anna@127.0.0.1:{}", server.port);
            assert_eq!(request.request_uri(), uri, "{contact}");
            assert_anew(request);
        }
        stop(&mut publisher, NOT_REMOVED);
    }
}

#[test]
fn challenges_come_to_an_end() {
    if !asked_for_both() {
        return;
    }
    let folder = Folder::new("hostile-challenges");
    let by_server = |params: &str| format!("401 Unauthorized\nWWW-Authenticate: {params}");
    let by_proxy =
        |params: &str| format!("407 Proxy Authentication Required\nProxy-Authenticate: {params}");
    let nonce = "Digest realm=\"example.org\", nonce=\"n[last_cseq_number]\", qop=\"auth\"";
    let stale = format!("{nonce}, stale=true");
    let options = ["--auth", "anna:some secret"];
    // The answers, and how many requests there may be.
    for (first, second, requests) in [
        (by_server(nonce), by_server(nonce), 2..=2),
        (by_proxy(nonce), by_proxy(nonce), 2..=2),
        (by_server(&stale), by_server(&stale), 2..=3),
        (by_proxy(&stale), by_proxy(&stale), 2..=3),
        (by_server(&stale), by_proxy(&stale), 3..=5),
        (by_server("Digest"), by_server("Digest"), 1..=1),
        (by_server("Basic realm=x"), by_server(nonce), 1..=1),
        (by_server("Digest realm=\"x"), by_server(nonce), 1..=1),
        (
            by_server("Digest realm=\"x\", nonce=\"y\", algorithm=ROT13"),
            by_server(nonce),
            1..=1,
        ),
        // The wrong field.
        (
            "401 Unauthorized\nProxy-Authenticate: ".to_owned() + nonce,
            by_server(nonce),
            1..=1,
        ),
        (
            "401 Unauthorized\nWWW-Authenticate:".to_owned(),
            by_server(nonce),
            1..=1,
        ),
    ] {
        let pair = Pair::with(&folder, "hostile_by_turns", &[&first, &second], &options);
        let seen = pair.gives_up("40");
        assert!(requests.contains(&seen.len()), "{first}: {seen:#?}");
        let answered = |it: &Message| {
            let fields = ["Authorization", "Proxy-Authorization"];
            fields.iter().any(|name| !it.fields(name).is_empty())
        };
        assert!(
            !answered(&seen[0]) && seen[1..].iter().all(answered),
            "{seen:#?}"
        );
    }
}
