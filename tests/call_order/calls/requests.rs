//! The requests of a course, each with the status that it should get.

use core::time::Duration;

use presentity::engine::FlowId;
use presentity::sip::{Rate, Rates};

use super::model::{Intervals, NOBODY, PRESENTITIES, WATCHERS};
use super::operations::{Accepts, Oddity, PublishFault, Wish};
use super::parts::PARTIAL;
use crate::common::{Message, contact_of};

/// Where the agent is reached.
pub const AGENT: &str = "sip:agent.example.com";

/// The presentity as a watcher names it.
pub fn entity(presentity: usize, form: usize) -> String {
    let name = PRESENTITIES[presentity];
    match form {
        1 => format!("pres:{name}"),
        2 => format!("sip:{};transport=tcp", name.replace("example", "EXAMPLE")),
        _ => format!("sip:{name}"),
    }
}

/// When in the order of checks a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before anything else.
    Form,
    /// Before the duration is looked at.
    Head,
    /// Behind it.
    Contact,
    /// Behind the policy.
    Room,
}

/// The status that an oddity leads to; nothing when it is in order.
pub fn fault(oddity: Oddity, in_dialog: bool) -> Option<(Stage, u16)> {
    let fault = match oddity {
        Oddity::None
        | Oddity::CompactNames
        | Oddity::EmptySupported
        | Oddity::RecordRoute
        | Oddity::OptionalBody
        | Oddity::OldType
        | Oddity::BothTypes
        | Oddity::UnwantedParts
        | Oddity::NobodysTag
        | Oddity::IdleFilter
        | Oddity::Parts
        | Oddity::RareParts
        | Oddity::Rarely
        | Oddity::Often => return None,
        // Ids, repetitions and what concerns dialogs are dealt with by the caller.
        Oddity::EventId
        | Oddity::Repeated
        | Oddity::OldSequence
        | Oddity::OtherIdentity
        | Oddity::NobodyNow => return None,
        Oddity::NoEvent | Oddity::OtherEvent | Oddity::WatcherInfo => (Stage::Head, 489),
        Oddity::UnknownAccept => (Stage::Head, 406),
        Oddity::Extension => (Stage::Head, 420),
        Oddity::UnknownBody => (Stage::Head, 415),
        Oddity::NoRate | Oddity::TwoConditions => (Stage::Head, 400),
        Oddity::BrokenFilter => (Stage::Room, 488),
        Oddity::NoContact if in_dialog => return None,
        Oddity::NoContact | Oddity::TwoContacts => (Stage::Contact, 400),
        Oddity::HugeContact => (Stage::Room, 513),
        Oddity::ExpiresNoNumber | Oddity::TwoExpires => (Stage::Head, 400),
        Oddity::MethodMismatch | Oddity::NoFromTag | Oddity::NoCallId => (Stage::Form, 400),
        Oddity::ManyFields => (Stage::Form, 513),
        Oddity::UnknownDialog => (Stage::Form, 481),
        Oddity::OtherRemoteTag if in_dialog => (Stage::Form, 481),
        Oddity::OtherScheme if !in_dialog => (Stage::Form, 416),
        Oddity::OtherDomain if !in_dialog => (Stage::Form, 404),
        Oddity::BrokenUri if !in_dialog => (Stage::Form, 400),
        Oddity::OtherRemoteTag | Oddity::OtherScheme | Oddity::OtherDomain | Oddity::BrokenUri => {
            return None;
        }
        Oddity::Notify => (Stage::Form, 481),
        Oddity::Cancel => (Stage::Form, 200),
        Oddity::Options if in_dialog => (Stage::Form, 481),
        Oddity::Options => (Stage::Form, 405),
        Oddity::Ack => (Stage::Form, 0),
    };
    Some(fault)
}

pub fn with_wish(message: Message, wish: Wish) -> Message {
    match wish {
        Wish::Absent => message.without("Expires"),
        Wish::Seconds(seconds) => message.with("Expires", &seconds.to_string()),
    }
}

/// Adds the types of protected documents to Accept.
pub fn accepting(message: Message, accepts: Accepts) -> Message {
    let types = [
        (accepts.signed, "multipart/signed"),
        (accepts.encrypted, "application/pkcs7-mime"),
    ];
    let named = |(name, _): &&(String, String)| name == "Accept";
    let given = message.fields.iter().find(named);
    let mut value = given.map_or("application/pidf+xml".to_owned(), |(_, value)| {
        value.clone()
    });
    for (_, media_type) in types.iter().filter(|(accepted, _)| *accepted) {
        value.push_str(", ");
        value.push_str(media_type);
    }
    match accepts == Accepts::default() {
        true => message,
        false => message.with("Accept", &value),
    }
}

/// Which of them a request has there.
pub fn accepts(message: &Message) -> Accepts {
    let mut values = message.fields.iter().filter(|(name, _)| name == "Accept");
    let value = values.next().map_or("", |(_, value)| value);
    Accepts {
        signed: value.contains("multipart/signed"),
        encrypted: value.contains("application/pkcs7-mime"),
    }
}

/// A SUBSCRIBE outside dialogs.
pub fn subscribe(watcher: usize, uri: &str, call: &str) -> Message {
    Message::subscribe(WATCHERS[watcher], uri, call)
}

/// Makes a request odd.
pub fn odd(mut message: Message, oddity: Oddity, watcher: usize, event_id: &str) -> Message {
    let contact = contact_of(WATCHERS[watcher]);
    match oddity {
        Oddity::None | Oddity::Repeated | Oddity::OtherIdentity | Oddity::NobodyNow => message,
        Oddity::EventId if event_id.is_empty() => message.with("Event", "presence;id=x1"),
        Oddity::EventId => message.with("Event", "presence"),
        Oddity::CompactNames => {
            for (name, _) in &mut message.fields {
                let compact = match name.as_str() {
                    "From" => "f",
                    "To" => "t",
                    "Call-ID" => "i",
                    "Contact" => "m",
                    "Event" => "o",
                    "Via" => "v",
                    _ => continue,
                };
                *name = compact.into();
            }
            message
        }
        Oddity::EmptySupported => message.with("Supported", ""),
        Oddity::RecordRoute => message
            .with("Record-Route", "<sip:edge.example.com;lr>")
            .and("Record-Route", "<sip:core.example.com;lr>"),
        Oddity::OptionalBody => message
            .with("Content-Type", "application/vnd.example+xml")
            .with("Content-Disposition", "session;handling=optional")
            .with_body("<example/>"),
        Oddity::OldType => message.with("Accept", "application/cpim-pidf+xml"),
        Oddity::BothTypes => message.with(
            "Accept",
            "application/cpim-pidf+xml;q=0.5, application/pidf+xml",
        ),
        Oddity::NoEvent => message.without("Event"),
        Oddity::OtherEvent => message.with("Event", "dialog"),
        Oddity::WatcherInfo => message.with("Event", "presence.winfo"),
        Oddity::UnknownAccept => message.with("Accept", "text/plain"),
        Oddity::Extension => message.with("Require", "eventlist"),
        Oddity::UnknownBody => message
            .with("Content-Type", "application/vnd.example+xml")
            .with_body("<example/>"),
        Oddity::UnwantedParts => message.with(
            "Accept",
            "application/pidf+xml, application/pidf-diff+xml;q=0.5",
        ),
        Oddity::NobodysTag => message.with("Suppress-If-Match", "nobodys"),
        Oddity::IdleFilter => message
            .with("Content-Type", "application/simple-filter+xml")
            .with_body(
                "<filter-set xmlns=\"urn:ietf:params:xml:ns:simple-filter\">\
                 <filter id=\"one\" enabled=\"false\"/></filter-set>",
            ),
        Oddity::Parts => in_parts(message),
        Oddity::RareParts => at_rate(in_parts(message), Rates::at_most(rate(RARELY))),
        Oddity::Rarely => at_rate(message, Rates::at_most(rate(RARELY))),
        Oddity::Often => at_rate(message, Rates::NONE.at_least(rate(OFTEN))),
        Oddity::NoRate => message.with("Event", "presence;max-rate=0"),
        Oddity::TwoConditions => message
            .with("Suppress-If-Match", "one")
            .and("Suppress-If-Match", "*"),
        Oddity::BrokenFilter => message
            .with("Content-Type", "application/simple-filter+xml")
            .with_body("<filter-set/>"),
        Oddity::NoContact => message.without("Contact"),
        Oddity::TwoContacts => message.and("Contact", &format!("<{contact}>")),
        Oddity::HugeContact => {
            let filling = "a".repeat(8150);
            message.with("Contact", &format!("<{contact};x={filling}>"))
        }
        Oddity::MethodMismatch => message.with("CSeq", "7 PUBLISH"),
        Oddity::ExpiresNoNumber => message.with("Expires", "soon"),
        Oddity::TwoExpires => message.with("Expires", "600").and("Expires", "600"),
        Oddity::NoFromTag => {
            let from = format!("<{}>", WATCHERS[watcher]);
            message.with("From", &from)
        }
        Oddity::NoCallId => message.without("Call-ID"),
        Oddity::ManyFields => {
            (0..300).fold(message, |message, _| message.and("Via", "SIP/2.0/UDP a"))
        }
        Oddity::UnknownDialog => {
            let to = format!("<sip:{}>;tag=abcdefghijkla", PRESENTITIES[0]);
            message.with("To", &to)
        }
        Oddity::OtherScheme => uri(message, "tel:+493012345"),
        Oddity::OtherDomain => uri(message, "sip:pia@example.org"),
        Oddity::BrokenUri => uri(message, "sip:"),
        Oddity::OldSequence => {
            let number = message.field("CSeq").split(' ').next().map(str::parse);
            let number: u32 = number.expect("a CSeq").expect("a number");
            message.with_cseq(number.saturating_sub(1))
        }
        Oddity::OtherRemoteTag => {
            let from = format!("<{}>;tag=another", WATCHERS[watcher]);
            message.with("From", &from)
        }
        Oddity::Notify => method(message, "NOTIFY"),
        Oddity::Cancel => method(message, "CANCEL"),
        Oddity::Options => method(message, "OPTIONS"),
        Oddity::Ack => method(message, "ACK"),
    }
}

/// No NOTIFY of a change comes sooner after another one.
const RARELY: Duration = Duration::from_secs(20);
/// And none comes later.
const OFTEN: Duration = Duration::from_secs(15);

fn rate(interval: Duration) -> Rate {
    Rate::per(interval)
}

fn at_rate(message: Message, rates: Rates) -> Message {
    let event = message.field("Event").to_owned();
    message.with("Event", &format!("{event}{rates}"))
}

fn in_parts(message: Message) -> Message {
    message.with("Accept", &format!("{PARTIAL}, application/pidf+xml;q=0.5"))
}

/// Whether a request would rather have what has changed than everything.
pub fn is_partial(message: &Message) -> bool {
    let mut values = message.fields.iter().filter(|(name, _)| name == "Accept");
    values
        .next()
        .is_some_and(|(_, value)| value.starts_with(PARTIAL))
}

/// The intervals between NOTIFYs that a request is granted, the shortest and the longest.
pub fn intervals(message: &Message, least: Duration) -> Intervals {
    let event = |name: &str| matches!(name, "Event" | "o");
    let mut values = message.fields.iter().filter(|(name, _)| event(name));
    let value = values.next().map_or("", |(_, value)| value);
    Intervals {
        shortest: value.contains(";max-rate=").then(|| RARELY.max(least)),
        longest: value.contains(";min-rate=").then(|| OFTEN.max(least)),
    }
}

fn uri(mut message: Message, uri: &str) -> Message {
    message.uri = uri.into();
    message
}

fn method(mut message: Message, method: &str) -> Message {
    message.method = method.into();
    let number = message.field("CSeq").split(' ').next().expect("a CSeq");
    let value = format!("{number} {method}");
    message.with("CSeq", &value)
}

/// A PUBLISH for a presentity by itself.
pub fn publish(
    presentity: usize,
    call: &str,
    tag: Option<&str>,
    body: Option<&str>,
    wish: Wish,
) -> Message {
    let user = format!("sip:{}", PRESENTITIES[presentity]);
    let mut message = Message::publish(&user, call, body.unwrap_or_default());
    if body.is_none() {
        message = message.without("Content-Type");
    }
    if let Some(tag) = tag {
        message = message.with("SIP-If-Match", tag);
    }
    with_wish(message, wish)
}

/// Puts a fault into a PUBLISH.
pub fn faulty(message: Message, fault: PublishFault) -> Message {
    match fault {
        PublishFault::None
        | PublishFault::OtherUser
        | PublishFault::Nobody
        | PublishFault::Repeated => message,
        PublishFault::NoBodyNorTag => message
            .without("SIP-If-Match")
            .without("Content-Type")
            .with_body(""),
        PublishFault::TwoTags => message
            .with("SIP-If-Match", "one")
            .and("SIP-If-Match", "two"),
        PublishFault::UnknownType => message.with("Content-Type", "text/plain").with_body("open"),
        PublishFault::NoType => message.without("Content-Type").with_body("open"),
        PublishFault::Encoded => message.with("Content-Encoding", "gzip"),
        PublishFault::BrokenDocument => message
            .with("Content-Type", "application/pidf+xml")
            .with_body("<presence"),
        PublishFault::HugeBody => message
            .with("Content-Type", "application/pidf+xml")
            .with_body(&" ".repeat(65_537)),
        PublishFault::OtherEvent => message.with("Event", "dialog"),
        PublishFault::InDialog => {
            let to = format!("{};tag=1", message.field("To"));
            message.with("To", &to)
        }
        PublishFault::Extension => message.with("Require", "precondition"),
        PublishFault::OtherDomain => uri(message, "sip:pia@example.org"),
    }
}

/// The URI of the user that a request comes from; nothing for nobody.
pub fn user(watcher: usize) -> Option<&'static str> {
    (watcher != NOBODY).then_some(WATCHERS[watcher])
}

pub fn flow(number: Option<u64>) -> Option<FlowId> {
    number.map(FlowId)
}
