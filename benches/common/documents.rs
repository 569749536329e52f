//! Presence documents of three sizes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    reason = "no part of the library; each benchmark uses its part"
)]

use std::fmt::Write as _;

/// About 400 octets, 6 KB and 1 MB.
pub fn all() -> [String; 3] {
    [small(), rich(10), rich(1_750)]
}

/// A document of one tuple with what phones send.
fn small() -> String {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
     <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:dora@example.com\">\n \
     <tuple id=\"t7f3a19\">\n  <status><basic>open</basic></status>\n  \
     <contact priority=\"0.8\">sip:dora@192.0.2.7:5070;transport=tcp</contact>\n  \
     <note xml:lang=\"en\">At my desk until noon</note>\n  \
     <timestamp>2026-03-04T05:06:07Z</timestamp>\n </tuple>\n</presence>\n"
        .to_owned()
}

/// One person and so many tuples, each with rich presence and capabilities.
fn rich(tuples: usize) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\" entity=\"sip:dora@example.com\">\n",
    );
    for at in 0..tuples {
        write!(
            text,
            "  <tuple id=\"t{at}\">\n    <status><basic>open</basic></status>\n    \
             <rpid:user-input idle-threshold=\"600\">active</rpid:user-input>\n    \
             <caps:servcaps><caps:audio>true</caps:audio>\
             <caps:methods><caps:supported><caps:INVITE/><caps:MESSAGE/></caps:supported></caps:methods>\
             <caps:video>false</caps:video></caps:servcaps>\n    \
             <dm:deviceID>urn:uuid:7c9e6679-7425-40de-944b-{at:012}</dm:deviceID>\n    \
             <contact priority=\"0.{}\">sip:dora@192.0.2.{}:5060</contact>\n    \
             <timestamp>2026-03-04T05:06:{:02}Z</timestamp>\n  </tuple>\n",
            at % 10,
            at % 250,
            at % 60
        )
        .expect("text grows");
    }
    text.push_str(
        "  <note xml:lang=\"en\">Back tomorrow</note>\n  <dm:person id=\"dora\">\n    \
         <rpid:activities from=\"2026-03-04T05:00:00Z\"><rpid:meeting/><rpid:travel/></rpid:activities>\n    \
         <rpid:mood><rpid:happy/></rpid:mood>\n    \
         <dm:timestamp>2026-03-04T05:06:07Z</dm:timestamp>\n  </dm:person>\n</presence>\n",
    );
    text
}
