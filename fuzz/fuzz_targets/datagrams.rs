//! Datagrams as the examples' transport reads them: what is read can be answered, and the response reads
//! as what was written, without a line that the request has smuggled in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::sip::{HeaderName, RequestRef};
use std::net::SocketAddr;

#[path = "../../examples/adapter/datagram.rs"]
mod datagram;

use datagram::{Echo, Head, StartLine, has_several_vias};

fuzz_target!(|data: &[u8]| {
    let Some((text, body)) = datagram::split(data) else {
        return;
    };
    let Some(head) = Head::parse(&text) else {
        return;
    };
    if let Some(announced) = head.announced(body) {
        assert!(body.starts_with(announced));
    }
    let _ = head.answers();
    let Some(StartLine::Request { method, uri }) = head.start_line() else {
        return;
    };
    let body = body.to_vec().into();
    let request = RequestRef::new(method, uri, head.fields(), &body);
    let _ = has_several_vias(&request);
    for source in ["192.0.2.9:40000", "[2001:db8::9]:5060"] {
        let source = source.parse().unwrap();
        if let Some(echo) = head.echo(method, uri, source) {
            answer(&echo, method, uri, source);
        }
    }
});

fn answer(echo: &Echo, method: &str, uri: &str, source: SocketAddr) {
    let _ = echo.has_to_tag();
    let fields = [("Expires", "60")].into_iter();
    let octets = echo.write((200, "OK"), None, fields, b"body", true);
    let (text, body) = datagram::split(&octets).expect("a response ends its head");
    let head = Head::parse(&text).expect("a response has a head");
    assert!(matches!(
        head.start_line(),
        Some(StartLine::Response { status: 200 })
    ));
    assert_eq!(body, b"body");
    assert_eq!(head.announced(body), Some(body));
    let count = |wanted| {
        let names = head.fields().map(|(name, _)| HeaderName::from_wire(name));
        names.filter(|name| *name == Some(wanted)).count()
    };
    let once = [HeaderName::ContentLength, HeaderName::Expires];
    assert_eq!(once.map(count), [1, 1]);
    let single = [
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ];
    assert!(single.map(count).iter().all(|count| *count <= 1));
    let all = single.into_iter().chain(once);
    let all = all.chain([HeaderName::Via, HeaderName::RecordRoute]);
    assert_eq!(all.map(count).sum::<usize>(), head.fields().count());
    // What was filled in changes nothing when it is filled in again.
    let again = head
        .echo(method, uri, source)
        .expect("a response has its Via");
    assert_eq!(again.destination, echo.destination);
    let fields = [("Expires", "60")].into_iter();
    let rewritten = again.write((200, "OK"), None, fields, b"body", true);
    assert_eq!(
        String::from_utf8_lossy(&rewritten),
        String::from_utf8_lossy(&octets)
    );
}
