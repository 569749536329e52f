//! The values that RFC 5196 lists by name.

use super::check_foreign;
use super::support::{Capability, Listed, Sealed};
use super::{is_caps, is_foreign, named};
use crate::pidf::extension::ValueError;
use crate::pidf::named_values::named_values;
use crate::xml::Element;

/// Enums of the names that the schema has, in its order, with room for what it has not.
macro_rules! values {
    ($(
        $(#[$meta:meta])*
        pub enum $type:ident {
            $($(#[$doc:meta])* $variant:ident = $name:literal $(also $alias:literal)?,)+
        }
    )+) => {$(
        named_values! {
            $(#[$meta])*
            pub enum $type {
                $($(#[$doc])* $variant = $name $(also $alias)?,)+
            }
            /// A name that RFC 5196 does not list, from a Contact. A document has no place for it:
            /// reading passes it over, writing refuses it.
            Other(String) as String::as_str;
            /// An element of another namespace, kept as it is.
            Foreign(Element) as Element::local;
        }

        /// The value of this name, `Other` when RFC 5196 does not list it.
        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self::from_name(name).unwrap_or_else(|| Self::Other(name.to_owned()))
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
                    return Self::from_name(element.local());
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
                for listed in Self::NAMED {
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
                Self::NAMED
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
    pub enum Actor {
        /// An automaton or a person that acts for the principal or leads to it.
        Attendant = "attendant",
        /// An automaton or a person that tells about the principal.
        Information = "information",
        /// An automaton or a person that takes messages for the principal.
        MsgTaker = "msg-taker",
        /// The one whose service it is.
        Principal = "principal",
    }

    /// What a service is used for (RFC 5196, 3.2.11; RFC 3840, 10.8).
    pub enum ClassOfUse {
        /// Communication for business.
        Business = "business",
        /// Personal communication.
        Personal = "personal",
    }

    /// In which directions media can go (RFC 5196, 3.2.12; RFC 3840, 10.9).
    pub enum Duplex {
        /// In both at once.
        Full = "full",
        /// In both by turns.
        Half = "half",
        /// Only to the service.
        ReceiveOnly = "receive-only",
        /// Only from the service.
        SendOnly = "send-only",
    }

    /// A package of events that can be subscribed to (RFC 5196, 3.2.14; RFC 3840, 10.12).
    pub enum EventPackage {
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
        /// The template of information about watchers.
        Winfo = "winfo",
    }

    /// An extension of SIP, by its option tag (RFC 5196, 3.2.17; RFC 3840, 10.15).
    pub enum OptionTag {
        /// The option tag 100rel, since no element's name begins with a digit.
        Rel100 = "rel100",
        EarlySession = "early-session",
        Eventlist = "eventlist",
        FromChange = "from-change",
        Gruu = "gruu",
        /// The option tag histinfo, by which it is read too.
        HistInfo = "hist-info" also "histinfo",
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
    pub enum Method {
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
    pub enum Mobility {
        /// One point of attachment to the network; cordless phones too.
        Fixed = "fixed",
        /// No such point.
        Mobile = "mobile",
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
        names_lead_back(Actor::NAMED, 4);
        names_lead_back(ClassOfUse::NAMED, 2);
        names_lead_back(Duplex::NAMED, 4);
        names_lead_back(EventPackage::NAMED, 12);
        names_lead_back(OptionTag::NAMED, 20);
        names_lead_back(Method::NAMED, 14);
        names_lead_back(Mobility::NAMED, 2);
    }

    #[test]
    fn option_tags_have_other_names_in_documents() {
        assert_eq!(OptionTag::Rel100.option_tag(), "100rel");
        assert_eq!(OptionTag::from("histinfo"), OptionTag::HistInfo);
        assert_eq!(OptionTag::HistInfo.as_str(), "hist-info");
        assert_eq!(OptionTag::from_token("100REL"), OptionTag::Rel100);
    }

    #[test]
    fn unlisted_names_come_from_contacts_and_do_not_go_out() {
        assert_eq!(Method::read(&named("publish")), None);
        let publish = Method::from("publish");
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
