//! Capabilities as parameters of a SIP Contact (RFC 3840, 9).

use std::borrow::Cow;
use std::collections::HashSet;

use super::servcaps::is_media_type;
use super::values::Token;
use super::{Description, Devcaps, PriorityRange, Servcaps, Support};
use crate::sip::{FeatureValue, Numbers, Params, is_feature_token, parse_feature_values};

/// The parameters that are true or false, in the order they are written, with their fields.
macro_rules! booleans {
    ($caps:ident by $($by:tt)*) => {
        [
            ("audio", $($by)* $caps.audio),
            ("video", $($by)* $caps.video),
            ("text", $($by)* $caps.text),
            ("application", $($by)* $caps.application),
            ("data", $($by)* $caps.data),
            ("control", $($by)* $caps.control),
            ("+sip.message", $($by)* $caps.message),
            ("automata", $($by)* $caps.automata),
            ("isfocus", $($by)* $caps.isfocus),
        ]
    };
}

/// What the parameters of a Contact say about the service behind it and about its device.
///
/// The base tags of RFC 3840 are understood, and `+sip.message` (RFC 4569); other parameters are
/// passed over, and so is any that is malformed, as a whole. White space around commas and `type`
/// values without angle brackets are tolerated. A description goes to the service.
///
/// Where a message has a header field for the same (Allow, Accept, Accept-Language, Allow-Events),
/// the field counts (RFC 3840, 7). What comes in may have names that RFC 5196 does not list:
/// [`Servcaps::without_unlisted`] takes them out before a document is written.
///
/// ```
/// use presentity::pidf::caps::{Method, Mobility, from_feature_parameters};
/// use presentity::sip::NameAddr;
///
/// let contact = NameAddr::parse(
///     "<sip:dora@192.0.2.7>;audio;video=\"FALSE\";methods=\"INVITE,!REFER\";mobility=\"mobile\"",
/// )?;
/// let (service, device) = from_feature_parameters(contact.params());
/// assert_eq!((service.audio, service.video, service.text), (Some(true), Some(false), None));
/// assert_eq!(service.methods.supports(&Method::Refer), Some(false));
/// assert_eq!(device.mobility.supports(&Mobility::Mobile), Some(true));
/// # Ok::<(), presentity::sip::HeaderError>(())
/// ```
pub fn from_feature_parameters(params: Params<'_>) -> (Servcaps, Devcaps) {
    let mut service = Servcaps::new();
    for (name, field) in booleans!(service by &mut) {
        *field = boolean(params, name);
    }
    service.actor = list(params, "actor");
    service.class = list(params, "class");
    service.duplex = list(params, "duplex");
    service.event_packages = list(params, "events");
    service.option_tags = list(params, "extensions");
    service.methods = list(params, "methods");
    service.languages = list(params, "language");
    service.schemes = list(params, "schemes");
    service.priority = priority(params);
    service.types = types(params);
    service.descriptions = description(params).into_iter().collect();
    let mut device = Devcaps::new();
    device.mobility = list(params, "mobility");
    (service, device)
}

/// The parameters of a Contact that say the same, `;audio;methods="INVITE"`, or nothing at all.
///
/// Left out is what they cannot express: elements of other namespaces, what is said not to be
/// supported although it is said to be supported too, descriptions but the first (one in no stated
/// language first), descriptions with angle brackets or control characters in them, and media
/// types if there is more than one (RFC 3840, 5). White space in a description becomes one space.
///
/// ```
/// use presentity::pidf::caps::{Devcaps, Method, Servcaps, to_feature_parameters};
///
/// let service = Servcaps::new().with_audio(true).with_methods([Method::Invite, Method::Bye]);
/// assert_eq!(
///     to_feature_parameters(&service, &Devcaps::new()),
///     ";audio;methods=\"INVITE,BYE\"",
/// );
/// ```
pub fn to_feature_parameters(service: &Servcaps, device: &Devcaps) -> String {
    let mut out = String::new();
    for (name, value) in booleans!(service by &) {
        match value {
            Some(true) => push(&mut out, &[";", name]),
            Some(false) => push(&mut out, &[";", name, "=\"FALSE\""]),
            None => {}
        }
    }
    push_tokens(&mut out, "actor", &service.actor);
    push_tokens(&mut out, "class", &service.class);
    push_tokens(&mut out, "duplex", &service.duplex);
    push_tokens(&mut out, "mobility", &device.mobility);
    push_tokens(&mut out, "events", &service.event_packages);
    push_tokens(&mut out, "methods", &service.methods);
    push_tokens(&mut out, "extensions", &service.option_tags);
    push_tokens(&mut out, "schemes", &service.schemes);
    push_tokens(&mut out, "language", &service.languages);
    push_list(&mut out, "priority", &service.priority, |range| {
        numeric_text(range).map(Cow::Owned)
    });
    if let [only] = service.types.as_slice()
        && is_media_type(only)
    {
        push(&mut out, &[";type=\"<", only, ">\""]);
    }
    push_description(&mut out, service, device);
    out
}

fn boolean(params: Params<'_>, name: &str) -> Option<bool> {
    // Without a value it is true.
    let Some(value) = params.get(name)?.and_then(|_| params.unquoted(name)) else {
        return Some(true);
    };
    let values = parse_feature_values(&value)?;
    let [(negated, FeatureValue::Token(token))] = values.as_slice() else {
        return None;
    };
    if token.eq_ignore_ascii_case("TRUE") {
        Some(!negated)
    } else if token.eq_ignore_ascii_case("FALSE") {
        Some(*negated)
    } else {
        None
    }
}

fn list<V: Token>(params: Params<'_>, name: &str) -> Support<V> {
    read_list(params, name, |value| match value {
        FeatureValue::Token(token) => is_feature_token(token).then(|| Some(V::from_token(token))),
        FeatureValue::Number(_) => None,
    })
}

fn priority(params: Params<'_>) -> Support<PriorityRange> {
    read_list(params, "priority", |value| match value {
        FeatureValue::Token(_) => None,
        FeatureValue::Number(numbers) => Some(numbers.map(|numbers| match numbers {
            Numbers::Equal(value) => PriorityRange::Equals(value),
            Numbers::AtLeast(min) => PriorityRange::HigherThan(min),
            Numbers::AtMost(max) => PriorityRange::LowerThan(max),
            Numbers::Between(min, max) => PriorityRange::Range { min, max },
        })),
    })
}

/// `convert` tells what a value is: nothing at all spoils the parameter, nothing usable does not.
fn read_list<V>(
    params: Params<'_>,
    name: &str,
    convert: impl Fn(FeatureValue<'_>) -> Option<Option<V>>,
) -> Support<V> {
    let mut support = Support::new();
    let value = params.unquoted(name);
    let values = value.as_deref().and_then(parse_feature_values);
    for (negated, value) in values.unwrap_or_default() {
        let Some(value) = convert(value) else {
            return Support::new();
        };
        let list = if negated {
            &mut support.notsupported
        } else {
            &mut support.supported
        };
        list.extend(value);
    }
    support
}

/// A media type is a string to RFC 2913, so there can be one; lists of them are met as well.
fn types(params: Params<'_>) -> Vec<String> {
    let Some(value) = params.unquoted("type") else {
        return Vec::new();
    };
    if let Some(text) = bracketed(&value) {
        let text = text.to_ascii_lowercase();
        return is_media_type(&text).then_some(text).into_iter().collect();
    }
    let values = parse_feature_values(&value).unwrap_or_default();
    let types = values.into_iter().filter_map(|value| match value {
        (false, FeatureValue::Token(token)) => Some(token.to_ascii_lowercase()),
        _ => None,
    });
    types.filter(|text| is_media_type(text)).collect()
}

fn description(params: Params<'_>) -> Option<Description> {
    let value = params.unquoted("description")?;
    // XML has no place for these two, and a document with them could not be written.
    let text = bracketed(&value).filter(|text| !text.contains(['\u{FFFE}', '\u{FFFF}']));
    text.map(Description::from)
}

/// What stands in the angle brackets of a string.
fn bracketed(value: &str) -> Option<&str> {
    value.strip_prefix('<')?.strip_suffix('>')
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

fn push_tokens<V: Token>(out: &mut String, name: &str, support: &Support<V>) {
    push_list(out, name, support, |value| {
        let token = value.token()?;
        is_feature_token(token).then_some(Cow::Borrowed(token))
    });
}

fn push_list<V>(
    out: &mut String,
    name: &str,
    support: &Support<V>,
    text: impl Fn(&V) -> Option<Cow<'_, str>>,
) {
    let mut known = HashSet::new();
    let lists = [("", &support.supported), ("!", &support.notsupported)];
    for (mark, values) in lists {
        for value in values.iter().filter_map(&text) {
            let is_first = known.is_empty();
            if !known.insert(value.to_ascii_lowercase()) {
                continue;
            }
            if is_first {
                push(out, &[";", name, "=\""]);
            } else {
                out.push(',');
            }
            push(out, &[mark, &value]);
        }
    }
    if !known.is_empty() {
        out.push('"');
    }
}

/// A range as it is written, unless there is nothing in it.
fn numeric_text(range: &PriorityRange) -> Option<String> {
    match range {
        PriorityRange::Equals(value) => Some(format!("#={value}")),
        PriorityRange::HigherThan(min) => Some(format!("#>={min}")),
        PriorityRange::LowerThan(max) => Some(format!("#<={max}")),
        PriorityRange::Range { min, max } if min <= max => Some(format!("#{min}:{max}")),
        PriorityRange::Range { .. } | PriorityRange::Foreign(_) => None,
    }
}

fn push_description(out: &mut String, service: &Servcaps, device: &Devcaps) {
    let all = || service.descriptions.iter().chain(&device.descriptions);
    let in_no_language = |description: &&Description| description.lang.is_none();
    let Some(description) = all().find(in_no_language).or_else(|| all().next()) else {
        return;
    };
    let words: Vec<&str> = description.text.split_whitespace().collect();
    let text = words.join(" ");
    // Line breaks are gone by now; no other control may get into a header field.
    if text.is_empty() || text.contains(|c: char| c.is_control() || matches!(c, '<' | '>')) {
        return;
    }
    out.push_str(";description=\"<");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push_str(">\"");
}

#[cfg(test)]
mod tests {
    use super::super::{Actor, ClassOfUse, Duplex, EventPackage, Method, Mobility, OptionTag};
    use super::PriorityRange::{Equals, HigherThan, LowerThan, Range};
    use super::*;
    use crate::sip::NameAddr;
    use crate::xml::Element;

    fn read(params: &str) -> (Servcaps, Devcaps) {
        let contact = format!("<sip:dora@192.0.2.7>{params}");
        let contact = NameAddr::parse(&contact).unwrap_or_else(|error| panic!("{params}: {error}"));
        from_feature_parameters(contact.params())
    }

    fn service(params: &str) -> Servcaps {
        read(params).0
    }

    fn write(service: &Servcaps) -> String {
        to_feature_parameters(service, &Devcaps::new())
    }

    #[test]
    fn values_come_from_parameters() {
        let (service, device) = read(
            ";expires=60;+sip.instance=\"<urn:uuid:0>\";q=0.5;audio;Video=\"false\";automata=\"!TRUE\"\
             ;ACTOR=\"Msg-Taker,!principal\";mobility=\"fixed\";duplex=\"full, half\";class=personal\
             ;events=\"!dialog,message-summary,presence.winfo\";methods=\"invite,PONG\"\
             ;extensions=\"100rel,histinfo,outbound\";schemes=\"sip,tel\";language=\"en,de-AT\"\
             ;priority=\"#>=30,!#<=10\";type=\"<Application/SDP>\";+sip.message\
             ;description=\"<A \\\"phone\\\", with; keys>\"",
        );
        let mut expected = Servcaps::new()
            .with_audio(true)
            .with_video(false)
            .with_automata(false)
            .with_message(true)
            .with_actor([Actor::MsgTaker])
            .with_duplex([Duplex::Full, Duplex::Half])
            .with_class([ClassOfUse::Personal])
            .with_event_packages([
                EventPackage::MessageSummary,
                EventPackage::from("presence.winfo"),
            ])
            .with_methods([Method::Invite, Method::from("PONG")])
            .with_option_tags([
                OptionTag::Rel100,
                OptionTag::HistInfo,
                OptionTag::from("outbound"),
            ])
            .with_schemes(["sip", "tel"])
            .with_languages(["en", "de-AT"])
            .with_priority([HigherThan(30)])
            .with_type("application/sdp")
            .with_description("A \"phone\", with; keys");
        expected.actor.notsupported = vec![Actor::Principal];
        expected.event_packages.notsupported = vec![EventPackage::Dialog];
        expected.priority.notsupported = vec![LowerThan(10)];
        assert_eq!(service, expected);
        assert_eq!(device, Devcaps::new().with_mobility([Mobility::Fixed]));
    }

    /// An option tag is written as SIP names it, so what the schema calls it has to be that tag, too.
    #[test]
    fn names_of_the_schema_are_taken_for_what_they_stand_for() {
        for name in [
            "rel100",
            "100rel",
            "hist-info",
            "histinfo",
            "REL100",
            "Hist-Info",
        ] {
            let service = service(&format!(";extensions=\"{name},timer\""));
            let listed = if name.to_ascii_lowercase().contains("rel") {
                OptionTag::Rel100
            } else {
                OptionTag::HistInfo
            };
            assert_eq!(
                service.option_tags.supported,
                [listed, OptionTag::Timer],
                "{name}"
            );
            assert_eq!(read(&write(&service)).0, service, "{name}");
            // In other lists such a name is like any other.
            let text = format!(";methods=\"{name}\"");
            assert_eq!(write(&self::service(&text)), text);
        }
    }

    #[test]
    fn from_capabilities_and_back() {
        let mut caps = Servcaps::new()
            .with_audio(true)
            .with_text(false)
            .with_isfocus(true)
            .with_message(false)
            .with_actor([Actor::Attendant])
            .with_event_packages([EventPackage::SiemensRtpStats])
            .with_option_tags([OptionTag::Rel100, OptionTag::HistInfo])
            .with_methods([Method::Publish, Method::from("PONG")])
            .with_languages(["en"])
            .with_schemes(["sips"])
            .with_priority([
                Equals(-5),
                HigherThan(i64::MIN),
                LowerThan(i64::MAX),
                Range { min: -1, max: 5 },
            ])
            .with_type("text/plain")
            .with_description("Größe \\ \"x\"");
        caps.methods.notsupported = vec![Method::Refer];
        let device = Devcaps::new().with_mobility([Mobility::Mobile]);
        let text = to_feature_parameters(&caps, &device);
        assert_eq!(
            text,
            ";audio;text=\"FALSE\";+sip.message=\"FALSE\";isfocus;actor=\"attendant\"\
             ;mobility=\"mobile\";events=\"Siemens-RTP-Stats\";methods=\"PUBLISH,PONG,!REFER\"\
             ;extensions=\"100rel,histinfo\";schemes=\"sips\";language=\"en\"\
             ;priority=\"#=-5,#>=-9223372036854775808,#<=9223372036854775807,#-1:5\"\
             ;type=\"<text/plain>\";description=\"<Größe \\\\ \\\"x\\\">\""
        );
        assert_eq!(read(&text), (caps, device));
        assert_eq!(write(&Servcaps::new()), "");
        assert_eq!(read(""), (Servcaps::new(), Devcaps::new()));
    }

    #[test]
    fn parameters_written_again_stay_the_same() {
        for text in [
            ";video;automata;methods=\"INVITE,!BYE\"",
            ";priority=\"#=1,!#2:3\"",
            ";description=\"<x, y;z>\"",
            ";events=\"!presence\"",
        ] {
            let (service, device) = read(text);
            assert_eq!(to_feature_parameters(&service, &device), text);
        }
    }

    #[test]
    fn each_boolean_has_its_parameter() {
        let none = Servcaps::new();
        for (name, _) in booleans!(none by &) {
            for written in [format!(";{name}"), format!(";{name}=\"FALSE\"")] {
                assert_eq!(write(&service(&written)), written);
            }
        }
    }

    #[test]
    fn booleans() {
        for (text, value) in [
            (";audio", Some(true)),
            (";AUDIO=\"true\"", Some(true)),
            (";audio=TRUE", Some(true)),
            (";audio=\"FALSE\"", Some(false)),
            (";audio=\"!FALSE\"", Some(true)),
            (";audio=\"TRUE,FALSE\"", None),
            (";audio=\"yes\"", None),
            (";audio=\"\"", None),
            (";audio=\"#=1\"", None),
            (";audio=\"FALSE\";audio", Some(false)),
            (";+audio", None),
            (";sip.audio", None),
            (";+sip.audio", None),
        ] {
            assert_eq!(service(text).audio, value, "{text}");
        }
    }

    #[test]
    fn a_malformed_parameter_is_passed_over_and_others_are_kept() {
        for malformed in [
            "methods",
            "methods=\"\"",
            "methods=\"INVITE,\"",
            "methods=\"INVITE BYE\"",
            "methods=\"INVITE,B/E\"",
            "methods=\"<INVITE>\"",
            "methods=\"INVITE,#=1\"",
            "methods=\"INVITE,!\"",
            "methods=\"é\"",
            "type=\"<text>\"",
            "type=\"text\"",
            "type=\"!text/plain\"",
            "description=\"PC\"",
            "description=\"<PC\"",
            "description=\"<\u{FFFF}>\"",
            "description",
            "priority=\"high\"",
        ] {
            let read = service(&format!(";video;{malformed};audio"));
            let expected = Servcaps::new().with_video(true).with_audio(true);
            assert_eq!(read, expected, "{malformed}");
        }
        assert_eq!(
            service(";type=\"text/plain, Text/HTML\"").types,
            ["text/plain", "text/html"]
        );
    }

    #[test]
    fn what_parameters_cannot_say_is_left_out() {
        let mut caps = Servcaps::new()
            .with_methods([Method::Foreign(Element::new("urn:example:x", "y"))])
            .with_schemes(["sip", "a\"b", "", "a,b", "SIP", "x\r\nVia: y"])
            .with_event_packages([EventPackage::Presence])
            .with_priority([Range { min: 2, max: 1 }])
            .with_type("text/plain")
            .with_type("text/html");
        caps.event_packages.notsupported = vec![EventPackage::Presence, EventPackage::Reg];
        assert_eq!(write(&caps), ";events=\"presence,!reg\";schemes=\"sip\"");
        for (text, written) in [
            ("\n  two\r\n words ", ";description=\"<two words>\""),
            ("<b>", ""),
            ("a\u{85}b", ";description=\"<a b>\""),
            ("a\u{9b}b", ""),
            (" ", ""),
        ] {
            assert_eq!(
                write(&Servcaps::new().with_description(text)),
                written,
                "{text:?}"
            );
        }
        let english = Description::new("en").in_language("en");
        let both = Servcaps::new()
            .with_description(english.clone())
            .with_description("none");
        assert_eq!(write(&both), ";description=\"<none>\"");
        let device = Devcaps::new().with_description(english);
        let text = to_feature_parameters(&Servcaps::new(), &device);
        assert_eq!(text, ";description=\"<en>\"");
    }

    #[test]
    fn hostile_lengths_are_read_and_written() {
        for value in ["A,".repeat(2_000) + "A", "\\\\".repeat(2_000)] {
            for name in ["methods", "type", "description", "audio"] {
                let (service, device) = read(&format!(";{name}=\"{value}\""));
                assert!(to_feature_parameters(&service, &device).len() < 20);
            }
        }
        let tokens: Vec<String> = (0..2_000).map(|n| format!("x{n}")).collect();
        let params = format!(";events=\"{}\"", tokens.join(","));
        let (service, device) = read(&params);
        assert_eq!(to_feature_parameters(&service, &device), params);
    }
}
