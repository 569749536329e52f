//! A message head: every typed header field that can be read is written, read and written again alike.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::sip::{
    Accept, CSeq, Contacts, ContentDisposition, Event, HeaderName, MediaType, NameAddr, RequestRef,
    ResponseRef, RetryAfter, SubscriptionState, parse_call_id, parse_delta_seconds,
    parse_entity_tag, parse_routes, parse_tokens, split_list,
};

/// What can be read is written in a form that reads and writes alike.
macro_rules! again {
    ($text:expr, $parse:expr) => {
        if let Ok(value) = $parse($text) {
            let written = value.to_string();
            match $parse(written.as_str()) {
                Ok(value) => assert_eq!(value.to_string(), written, "from {:?}", $text),
                Err(error) => panic!("{:?} is written as {written:?}: {error}", $text),
            }
        }
    };
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let fields = fields(text);
    let body = Bytes::new();
    let request = RequestRef::new(
        "SUBSCRIBE",
        "sip:tomas@example.com",
        fields.iter().copied(),
        &body,
    );
    let response = ResponseRef::new(200, fields.iter().copied(), &body);
    for (name, value) in &fields {
        let Some(name) = HeaderName::from_wire(name) else {
            continue;
        };
        assert_eq!(HeaderName::from_wire(name.as_str()), Some(name));
        assert_eq!(request.values(name).count(), response.values(name).count());
        assert_eq!(request.has(name), request.first(name).is_some());
        let _ = (request.single(name), request.required(name));
        for member in split_list(value) {
            assert!(!member.is_empty());
        }
        field(name, value);
    }
    lists(&request);
});

/// The names and values of the header fields in `text`; a line that begins with white space goes on with
/// the field before it.
fn fields(text: &str) -> Vec<(&str, &str)> {
    let mut starts: Vec<usize> = text
        .match_indices('\n')
        .map(|(at, _)| at + 1)
        .filter(|at| !text[*at..].starts_with([' ', '\t']))
        .collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| text[*start..end].split_once(':'))
        .map(|(name, value)| (name, value.trim_end_matches(['\r', '\n'])))
        .collect()
}

fn field(name: HeaderName, value: &str) {
    match name {
        HeaderName::From | HeaderName::To => {
            again!(value, NameAddr::parse);
            if let Ok(field) = NameAddr::parse(value) {
                let _ = (field.display_name(), field.uri(), field.tag());
                params(field.params().iter());
            }
        }
        HeaderName::CSeq => again!(value, CSeq::parse),
        HeaderName::CallId => again!(value, parse_call_id),
        HeaderName::Event => {
            again!(value, Event::parse);
            if let Ok(field) = Event::parse(value) {
                let _ = (field.event_type(), field.id());
                params(field.params().iter());
            }
        }
        HeaderName::SubscriptionState => again!(value, SubscriptionState::parse),
        HeaderName::Expires | HeaderName::MinExpires => {
            again!(value, |text| parse_delta_seconds(name, text));
        }
        HeaderName::RetryAfter => again!(value, RetryAfter::parse),
        HeaderName::ContentType => {
            again!(value, MediaType::parse);
            if let Ok(field) = MediaType::parse(value) {
                let _ = (field.param("charset"), field.param("boundary"));
            }
        }
        HeaderName::ContentDisposition => again!(value, ContentDisposition::parse),
        HeaderName::SipEtag | HeaderName::SipIfMatch | HeaderName::SuppressIfMatch => {
            again!(value, |text| parse_entity_tag(name, text));
        }
        HeaderName::Accept => {
            again!(value, |text: &str| Accept::parse([text])
                .map(|accept| accept.to_string()));
            if let Ok(accept) = Accept::parse([value]) {
                assert!(!accept.is_absent());
                assert!(accept.quality("application/pidf+xml") <= 1000);
            }
        }
        _ => {}
    }
}

fn lists(request: &RequestRef<'_>) {
    let values = |name| request.values(name);
    if let Ok(contacts) = Contacts::parse(values(HeaderName::Contact))
        && let Some(only) = contacts.only()
    {
        again!(&only.to_string(), NameAddr::parse);
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        for route in parse_routes(values(name)).iter().flatten() {
            again!(&route.to_string(), NameAddr::parse);
        }
    }
    for name in [
        HeaderName::Supported,
        HeaderName::Require,
        HeaderName::Allow,
        HeaderName::AllowEvents,
    ] {
        if let Ok(tokens) = parse_tokens(name, values(name)) {
            let joined = tokens.join(", ");
            assert_eq!(parse_tokens(name, [joined.as_str()]), Ok(tokens));
        }
    }
    let _ = Accept::parse(values(HeaderName::Accept));
}

fn params<'a>(params: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
    for (name, _) in params {
        assert!(!name.is_empty());
    }
}
