//! The values that RFC 5196 lists by name.

use super::check_foreign;
use super::support::{Capability, Listed, Sealed};
use super::{is_caps, is_foreign, named};
use crate::pidf::extension::ValueError;
use crate::xml::Element;

/// Enums of the names that the schema has, in its order, with room for what it has not.
macro_rules! values {
    ($(
        $(#[$meta:meta])*
        $type:ident {
            $($variant:ident = $name:literal $(also $alias:literal)? $(: $says:literal)?,)+
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $type {
            $(
                #[doc = concat!("`", $name, "`", $(": ", $says,)? ".")]
                $variant,
            )+
            /// A name that the schema does not list. It may come in; a document has no place for
            /// it, so writing refuses it.
            Other(String),
            /// An element of another namespace, kept as it is.
            Foreign(Element),
        }

        impl $type {
            /// The names that the schema lists, in its order.
            const LISTED: &'static [Self] = &[$(Self::$variant,)+];

            /// The value of this name, [`Self::Other`] when the schema does not list it.
            pub fn named(name: &str) -> Self {
                match name {
                    $($name $(| $alias)? => Self::$variant,)+
                    _ => Self::Other(name.to_owned()),
                }
            }

            /// Its name in a document; of an element of another namespace the local one.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                    Self::Foreign(element) => element.local(),
                }
            }
        }

        impl Sealed for $type {}

        impl Capability for $type {
            type Question = Self;

            fn answers(&self, question: &Self) -> bool {
                self == question
            }
        }

        impl Listed for $type {
            fn read(element: &Element) -> Option<Self> {
                if is_caps(element.namespace()) {
                    return Some(Self::named(element.local()));
                }
                is_foreign(element).then(|| Self::Foreign(element.clone()))
            }

            fn may_write(&self, parent: &'static str) -> Result<(), ValueError> {
                match self {
                    Self::Other(name) => Err(ValueError::new(
                        parent,
                        name,
                        "a name that RFC 5196 lists",
                    )),
                    Self::Foreign(element) => check_foreign(element, parent),
                    _ => Ok(()),
                }
            }

            fn write_all(values: &[Self], _: &'static str, out: &mut Element) {
                for listed in Self::LISTED {
                    if values.contains(listed) {
                        out.push_child(named(listed.as_str()));
                    }
                }
                for value in values {
                    if let Self::Foreign(element) = value {
                        out.push_child(element.clone());
                    }
                }
            }
        }

        impl Token for $type {
            fn from_token(token: &str) -> Self {
                // It is written as SIP names it, so both names have to mean the same.
                let is_it = |listed: &&Self| {
                    listed.as_str().eq_ignore_ascii_case(token)
                        || sip_name(listed.as_str()).eq_ignore_ascii_case(token)
                };
                Self::LISTED
                    .iter()
                    .find(is_it)
                    .cloned()
                    .unwrap_or_else(|| Self::Other(token.to_owned()))
            }

            fn token(&self) -> Option<&str> {
                match self {
                    Self::Foreign(_) => None,
                    Self::Other(name) => Some(name),
                    listed => Some(sip_name(listed.as_str())),
                }
            }
        }
    )+};
}

/// A value that a parameter of a SIP Contact names too (RFC 3840, 9).
pub(super) trait Token: Listed {
    /// The value of a token; case does not matter for those that RFC 5196 lists.
    fn from_token(token: &str) -> Self;

    /// Its token, when it has one.
    fn token(&self) -> Option<&str>;
}

/// Names of option tags that an element cannot have, or has not (RFC 5196, 6).
fn sip_name(name: &str) -> &str {
    match name {
        "rel100" => "100rel",
        "hist-info" => "histinfo",
        _ => name,
    }
}

values! {
    /// Who or what answers (RFC 5196, 3.2.19; RFC 3840, 10.17).
    Actor {
        Attendant = "attendant": "an automaton or a person that acts for the principal or leads to it",
        Information = "information": "an automaton or a person that tells about the principal",
        MsgTaker = "msg-taker": "an automaton or a person that takes messages for the principal",
        Principal = "principal": "the one whose service it is",
    }

    /// What a service is used for (RFC 5196, 3.2.11; RFC 3840, 10.8).
    ServiceClass {
        Business = "business": "communication for business",
        Personal = "personal": "personal communication",
    }

    /// In which directions media can go (RFC 5196, 3.2.12; RFC 3840, 10.9).
    Duplex {
        Full = "full": "in both at once",
        Half = "half": "in both by turns",
        ReceiveOnly = "receive-only": "only to the service",
        SendOnly = "send-only": "only from the service",
    }

    /// A package of events that can be subscribed to (RFC 5196, 3.2.14; RFC 3840, 10.12).
    EventPackage {
        Conference = "conference",
        Dialog = "dialog",
        Kpml = "kpml",
        MessageSummary = "message-summary",
        PocSettings = "poc-settings",
        Presence = "presence",
        Reg = "reg",
        Refer = "refer",
        SiemensRtpStats = "Siemens-RTP-Stats",
        SpiritsIndps = "spirits-INDPs",
        SpiritsUserProf = "spirits-user-prof",
        Winfo = "winfo": "the template of information about watchers",
    }

    /// An extension of SIP, by its option tag (RFC 5196, 3.2.17; RFC 3840, 10.15).
    OptionTag {
        Rel100 = "rel100": "the option tag 100rel, since no element's name begins with a digit",
        EarlySession = "early-session",
        Eventlist = "eventlist",
        FromChange = "from-change",
        Gruu = "gruu",
        HistInfo = "hist-info" also "histinfo": "the option tag histinfo, by which it is read too",
        Join = "join",
        Norefersub = "norefersub",
        Path = "path",
        Precondition = "precondition",
        Pref = "pref",
        Privacy = "privacy",
        RecipientListInvite = "recipient-list-invite",
        RecipientListSubscribe = "recipient-list-subscribe",
        Replaces = "replaces",
        ResourcePriority = "resource-priority",
        SdpAnat = "sdp-anat",
        SecAgree = "sec-agree",
        Tdialog = "tdialog",
        Timer = "timer",
    }

    /// A SIP method whose requests can be received (RFC 5196, 3.2.16; RFC 3840, 10.14).
    Method {
        Ack = "ACK",
        Bye = "BYE",
        Cancel = "CANCEL",
        Info = "INFO",
        Invite = "INVITE",
        Message = "MESSAGE",
        Notify = "NOTIFY",
        Options = "OPTIONS",
        Prack = "PRACK",
        Publish = "PUBLISH",
        Refer = "REFER",
        Register = "REGISTER",
        Subscribe = "SUBSCRIBE",
        Update = "UPDATE",
    }

    /// Whether a device moves about with its user (RFC 5196, 3.3.2; RFC 3840, 10.10).
    Mobility {
        Fixed = "fixed": "one point of attachment to the network; cordless phones too",
        Mobile = "mobile": "no such point",
    }
}

impl OptionTag {
    /// The option tag, as it stands in SIP; of an element of another namespace its local name.
    pub fn option_tag(&self) -> &str {
        sip_name(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::namespace;

    /// Every listed name is its own value, in documents and in SIP.
    fn names_lead_back<T: Listed + Token + PartialEq + core::fmt::Debug>(
        listed: &[T],
        count: usize,
    ) {
        assert_eq!(listed.len(), count);
        for value in listed {
            let token = value.token().unwrap().to_owned();
            assert_eq!(T::from_token(&token), *value);
            assert_eq!(T::from_token(&token.to_uppercase()), *value);
            assert_eq!(T::from_token(&token.to_lowercase()), *value);
            let mut list = named("supported");
            T::write_all(core::slice::from_ref(value), "actor", &mut list);
            let element = list.elements().next().unwrap();
            assert_eq!(T::read(element).as_ref(), Some(value));
            assert_eq!(value.may_write("methods"), Ok(()));
        }
    }

    // PIDF-45
    #[test]
    fn names_and_values_correspond() {
        names_lead_back(Actor::LISTED, 4);
        names_lead_back(ServiceClass::LISTED, 2);
        names_lead_back(Duplex::LISTED, 4);
        names_lead_back(EventPackage::LISTED, 12);
        names_lead_back(OptionTag::LISTED, 20);
        names_lead_back(Method::LISTED, 14);
        names_lead_back(Mobility::LISTED, 2);
    }

    #[test]
    fn option_tags_have_other_names_in_documents() {
        assert_eq!(OptionTag::Rel100.option_tag(), "100rel");
        assert_eq!(OptionTag::named("histinfo"), OptionTag::HistInfo);
        assert_eq!(OptionTag::HistInfo.as_str(), "hist-info");
        assert_eq!(OptionTag::from_token("100REL"), OptionTag::Rel100);
    }

    #[test]
    fn unlisted_names_come_in_and_do_not_go_out() {
        let publish = Method::read(&named("publish")).unwrap();
        assert_eq!(publish, Method::Other("publish".to_owned()));
        let refused = publish.may_write("methods").unwrap_err();
        assert_eq!(
            (refused.element, refused.value.as_str()),
            ("methods", "publish")
        );
        let foreign = Element::new("urn:example:x", "PUBLISH");
        let value = Method::read(&foreign).unwrap();
        assert_eq!(value, Method::Foreign(foreign));
        assert_eq!(value.may_write("methods"), Ok(()));
        assert_eq!(value.token(), None);
        assert_eq!(Method::read(&Element::new("", "PUBLISH")), None);
        for namespace in ["", namespace::CAPS] {
            let value = Method::Foreign(Element::new(namespace, "PUBLISH"));
            assert!(value.may_write("methods").is_err(), "{namespace:?}");
        }
    }
}
