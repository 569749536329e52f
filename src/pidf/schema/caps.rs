//! Capabilities (RFC 5196, section 6).

use super::{BOOLEAN, Content, NOTE, Named, Others, Rule, Slot, TEXT, Value};

pub(super) const GLOBAL: &[(&str, &Rule)] = &[("servcaps", &SERVCAPS), ("devcaps", &DEVCAPS)];

static SERVCAPS: Rule = Rule {
    content: Content::Elements(&[&[
        Slot::optional(&[("actor", &ACTOR)]),
        Slot::optional(&[("application", &BOOLEAN)]),
        Slot::optional(&[("audio", &BOOLEAN)]),
        Slot::optional(&[("automata", &BOOLEAN)]),
        Slot::optional(&[("class", &CLASS)]),
        Slot::optional(&[("control", &BOOLEAN)]),
        Slot::optional(&[("data", &BOOLEAN)]),
        Slot::many(&[("description", &NOTE)]),
        Slot::optional(&[("duplex", &DUPLEX)]),
        Slot::optional(&[("event-packages", &EVENT_PACKAGES)]),
        Slot::optional(&[("extensions", &EXTENSIONS)]),
        Slot::optional(&[("isfocus", &BOOLEAN)]),
        Slot::optional(&[("message", &BOOLEAN)]),
        Slot::optional(&[("methods", &METHODS)]),
        Slot::optional(&[("languages", &LANGUAGES)]),
        Slot::optional(&[("priority", &PRIORITY)]),
        Slot::optional(&[("schemes", &SCHEMES)]),
        Slot::optional(&[("text", &BOOLEAN)]),
        Slot::many(&[("type", &TEXT)]),
        Slot::optional(&[("video", &BOOLEAN)]),
        Slot::foreign(0),
    ]]),
    attributes: &[],
    others: Others::Any,
};

static DEVCAPS: Rule = Rule {
    content: Content::Elements(&[&[
        Slot::many(&[("description", &NOTE)]),
        Slot::optional(&[("mobility", &MOBILITY)]),
        Slot::foreign(0),
    ]]),
    attributes: &[],
    others: Others::Any,
};

/// What is supported, and what is not: each an element with values, which are elements.
macro_rules! lists {
    ($($rule:ident: [$($slot:expr),+ $(,)?];)+) => {$(
        static $rule: Rule = {
            static VALUES: Rule = Rule::elements(&[&[$($slot),+]]);
            Rule::elements(&[&[
                Slot::optional(&[("supported", &VALUES)]),
                Slot::optional(&[("notsupported", &VALUES)]),
            ]])
        };
    )+};
}

lists! {
    CLASS: [
        Slot::optional(&[("business", &TEXT)]),
        Slot::optional(&[("personal", &TEXT)]),
        Slot::foreign(0),
    ];
    DUPLEX: [
        Slot::optional(&[("full", &TEXT)]),
        Slot::optional(&[("half", &TEXT)]),
        Slot::optional(&[("receive-only", &TEXT)]),
        Slot::optional(&[("send-only", &TEXT)]),
        Slot::foreign(0),
    ];
    ACTOR: [
        Slot::optional(&[("attendant", &TEXT)]),
        Slot::optional(&[("information", &TEXT)]),
        Slot::optional(&[("msg-taker", &TEXT)]),
        Slot::optional(&[("principal", &TEXT)]),
        Slot::foreign(0),
    ];
    MOBILITY: [
        Slot::optional(&[("fixed", &TEXT)]),
        Slot::optional(&[("mobile", &TEXT)]),
        Slot::foreign(0),
    ];
    EVENT_PACKAGES: [
        Slot::optional(&[("conference", &TEXT)]),
        Slot::optional(&[("dialog", &TEXT)]),
        Slot::optional(&[("kpml", &TEXT)]),
        Slot::optional(&[("message-summary", &TEXT)]),
        Slot::optional(&[("poc-settings", &TEXT)]),
        Slot::optional(&[("presence", &TEXT)]),
        Slot::optional(&[("reg", &TEXT)]),
        Slot::optional(&[("refer", &TEXT)]),
        Slot::optional(&[("Siemens-RTP-Stats", &TEXT)]),
        Slot::optional(&[("spirits-INDPs", &TEXT)]),
        Slot::optional(&[("spirits-user-prof", &TEXT)]),
        Slot::optional(&[("winfo", &TEXT)]),
        Slot::foreign(0),
    ];
    METHODS: [
        Slot::optional(&[("ACK", &TEXT)]),
        Slot::optional(&[("BYE", &TEXT)]),
        Slot::optional(&[("CANCEL", &TEXT)]),
        Slot::optional(&[("INFO", &TEXT)]),
        Slot::optional(&[("INVITE", &TEXT)]),
        Slot::optional(&[("MESSAGE", &TEXT)]),
        Slot::optional(&[("NOTIFY", &TEXT)]),
        Slot::optional(&[("OPTIONS", &TEXT)]),
        Slot::optional(&[("PRACK", &TEXT)]),
        Slot::optional(&[("PUBLISH", &TEXT)]),
        Slot::optional(&[("REFER", &TEXT)]),
        Slot::optional(&[("REGISTER", &TEXT)]),
        Slot::optional(&[("SUBSCRIBE", &TEXT)]),
        Slot::optional(&[("UPDATE", &TEXT)]),
        Slot::foreign(0),
    ];
    EXTENSIONS: [
        Slot::optional(&[("rel100", &TEXT)]),
        Slot::optional(&[("early-session", &TEXT)]),
        Slot::optional(&[("eventlist", &TEXT)]),
        Slot::optional(&[("from-change", &TEXT)]),
        Slot::optional(&[("gruu", &TEXT)]),
        Slot::optional(&[("hist-info", &TEXT)]),
        Slot::optional(&[("join", &TEXT)]),
        Slot::optional(&[("norefersub", &TEXT)]),
        Slot::optional(&[("path", &TEXT)]),
        Slot::optional(&[("precondition", &TEXT)]),
        Slot::optional(&[("pref", &TEXT)]),
        Slot::optional(&[("privacy", &TEXT)]),
        Slot::optional(&[("recipient-list-invite", &TEXT)]),
        Slot::optional(&[("recipient-list-subscribe", &TEXT)]),
        Slot::optional(&[("replaces", &TEXT)]),
        Slot::optional(&[("resource-priority", &TEXT)]),
        Slot::optional(&[("sdp-anat", &TEXT)]),
        Slot::optional(&[("sec-agree", &TEXT)]),
        Slot::optional(&[("tdialog", &TEXT)]),
        Slot::optional(&[("timer", &TEXT)]),
        Slot::foreign(0),
    ];
    LANGUAGES: [Slot {
        choice: &[("l", &TEXT)],
        foreign: false,
        least: 1,
        most: usize::MAX,
    }];
    SCHEMES: [Slot {
        choice: &[("s", &TEXT)],
        foreign: false,
        least: 1,
        most: usize::MAX,
    }];
    PRIORITY: [
        Slot::many(&[("equals", &EQUALS)]),
        Slot::many(&[("higherthan", &HIGHER_THAN)]),
        Slot::many(&[("lowerthan", &LOWER_THAN)]),
        Slot::many(&[("range", &RANGE)]),
        Slot::foreign(0),
    ];
}

const fn bounds(attributes: &'static [Named]) -> Rule {
    Rule {
        content: Content::Nothing,
        attributes,
        others: Others::None,
    }
}

const fn bound(local: &'static str) -> Named {
    Named {
        local,
        value: Value::Integer,
        required: true,
    }
}

static EQUALS: Rule = bounds(&[bound("value")]);
static HIGHER_THAN: Rule = bounds(&[bound("minvalue")]);
static LOWER_THAN: Rule = bounds(&[bound("maxvalue")]);
static RANGE: Rule = bounds(&[bound("minvalue"), bound("maxvalue")]);
