//! Permissions as a short text.
//!
//! `*` is everything and `-` nothing. Else there are parts between semicolons, in this order: services as
//! `s*` or `sc=` class, `so=` occurrence, `su=` URI, `ss=` scheme; devices as `d*`, `dc=`, `di=`
//! identifier, `do=`; persons as `p*`, `pc=`, `po=`; attributes as `a*` or `a=` and names between commas;
//! `i=` and how much of user input; `x=` with namespace and name of an unknown attribute. Semicolons,
//! commas, percent signs and control characters in values are written as in URIs.

use core::fmt::Write as _;

use super::attribute::{InputDetail, PresenceAttribute};
use super::provided::Provided;
use super::selection::{
    DeviceSelector, PersonSelector, Selection, Selector, ServiceSelector, insert_normal,
};

const EVERYTHING: &str = "*";
const NOTHING: &str = "-";

/// The codes of selectors, and the names of their elements.
const SERVICES: &[(&str, &str)] = &[
    ("sc", "class"),
    ("so", "occurrence-id"),
    ("su", "service-uri"),
    ("ss", "service-uri-scheme"),
];
const DEVICES: &[(&str, &str)] = &[("dc", "class"), ("di", "deviceID"), ("do", "occurrence-id")];
const PERSONS: &[(&str, &str)] = &[("pc", "class"), ("po", "occurrence-id")];

impl Provided {
    /// A short text that is the same for equal permissions, and for no others: the name of what watchers
    /// with these permissions see.
    pub fn to_name(&self) -> String {
        if self.is_everything() {
            return EVERYTHING.to_owned();
        }
        let mut name = String::new();
        put_selection(&mut name, self.services(), "s*", SERVICES);
        put_selection(&mut name, self.devices(), "d*", DEVICES);
        put_selection(&mut name, self.persons(), "p*", PERSONS);
        if self.all_attributes() {
            part(&mut name, "a*");
        } else {
            for (at, attribute) in self.attributes().enumerate() {
                if at == 0 {
                    part(&mut name, "a=");
                } else {
                    name.push(',');
                }
                name.push_str(attribute.as_str());
            }
            if self.user_input() > InputDetail::Nothing {
                part(&mut name, "i=");
                name.push_str(self.user_input().as_str());
            }
        }
        for (namespace, local) in self.unknown_attributes() {
            part(&mut name, "x=");
            escape(&mut name, namespace);
            name.push(',');
            escape(&mut name, local);
        }
        if name.is_empty() {
            name.push_str(NOTHING);
        }
        name
    }

    /// The permissions that [`Provided::to_name`] gives this text for; nothing for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        let provided = match name {
            EVERYTHING => Self::everything(),
            NOTHING => Self::nothing(),
            _ => {
                let mut provided = Self::nothing();
                for part in name.split(';') {
                    provided = provided.with_part(part)?;
                }
                provided
            }
        };
        (provided.to_name() == name).then_some(provided)
    }

    fn with_part(mut self, part: &str) -> Option<Self> {
        let Some((code, value)) = part.split_once('=') else {
            return Some(match part {
                "s*" => self.with_all_services(),
                "d*" => self.with_all_devices(),
                "p*" => self.with_all_persons(),
                "a*" => self.with_all_attributes(),
                _ => return None,
            });
        };
        match code {
            "a" => {
                for name in value.split(',') {
                    self = self.with_attribute(PresenceAttribute::from_name(name)?);
                }
                Some(self)
            }
            "i" => Some(self.with_user_input(InputDetail::from_name(value)?)),
            "x" => {
                let (namespace, local) = value.split_once(',')?;
                Some(self.with_unknown_attribute(&unescape(namespace)?, &unescape(local)?))
            }
            _ => {
                let value = unescape(value)?;
                if let Some(local) = local_of(code, SERVICES) {
                    insert_normal(self.services_mut(), &ServiceSelector::of(local, value)?);
                } else if let Some(local) = local_of(code, DEVICES) {
                    insert_normal(self.devices_mut(), &DeviceSelector::of(local, value)?);
                } else {
                    let local = local_of(code, PERSONS)?;
                    insert_normal(self.persons_mut(), &PersonSelector::of(local, value)?);
                }
                Some(self)
            }
        }
    }
}

fn local_of(code: &str, codes: &[(&str, &'static str)]) -> Option<&'static str> {
    let mut codes = codes.iter();
    codes.find(|(it, _)| *it == code).map(|(_, local)| *local)
}

fn put_selection<S: Selector>(
    name: &mut String,
    selection: &Selection<S>,
    all: &str,
    codes: &[(&str, &str)],
) {
    if selection.is_all() {
        part(name, all);
    }
    for selector in selection.iter() {
        let (local, value) = selector.parts();
        let Some((code, _)) = codes.iter().find(|(_, it)| *it == local) else {
            continue;
        };
        part(name, code);
        name.push('=');
        escape(name, value);
    }
}

fn part(name: &mut String, begin: &str) {
    if !name.is_empty() {
        name.push(';');
    }
    name.push_str(begin);
}

fn escape(name: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, ';' | ',' | '%') || character < ' ' {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{:02X}", u32::from(character));
        } else {
            name.push(character);
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut value = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        value.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        value.push_str(rest);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    // SRV-82
    #[test]
    fn names_stand_for_permissions() {
        let full = Provided::nothing()
            .with_services(ServiceSelector::Class("a;b=c, 100% \u{1}é".to_owned()))
            .with_services(ServiceSelector::OccurrenceId("t".to_owned()))
            .with_services(ServiceSelector::Uri("sip:a@example.com;x=y".to_owned()))
            .with_services(ServiceSelector::UriScheme("im".to_owned()))
            .with_devices(DeviceSelector::Class("c".to_owned()))
            .with_devices(DeviceSelector::DeviceId("urn:example:d".to_owned()))
            .with_devices(DeviceSelector::OccurrenceId("o".to_owned()))
            .with_persons(PersonSelector::Class("c".to_owned()))
            .with_persons(PersonSelector::OccurrenceId("o".to_owned()))
            .with_attribute(PresenceAttribute::Note)
            .with_attribute(PresenceAttribute::Class)
            .with_user_input(InputDetail::Full)
            .with_unknown_attribute("urn:example:a,b", "c");
        let name = full.to_name();
        assert_eq!(
            name,
            "sc=a%3Bb=c%2C 100%25 %01é;so=t;su=sip:a@example.com%3Bx=y;ss=im;dc=c;di=urn:example:d;\
             do=o;pc=c;po=o;a=class,note;i=full;x=urn:example:a%2Cb,c"
        );
        assert_eq!(Provided::from_name(&name), Some(full));
        for (provided, name) in [
            (Provided::everything(), "*"),
            (Provided::nothing(), "-"),
            (Provided::nothing().with_all_attributes(), "a*"),
            (Provided::nothing().with_all_persons(), "p*"),
        ] {
            assert_eq!(provided.to_name(), name);
            assert_eq!(Provided::from_name(name), Some(provided));
        }
    }

    #[test]
    fn there_is_one_name_for_each() {
        for other in [
            "",
            ";",
            "s*;d*;p*;a*",
            "p*;s*",
            "s*;",
            "s*;s*",
            "s*;sc=a",
            "sc=",
            "sc= a",
            "sc=b;sc=a",
            "sc=%41",
            "sc=%3b",
            "sc=%",
            "sc=%é",
            "sc=a,b",
            "q=1",
            "a=",
            "a=note,class",
            "a=colour",
            "a*;a=note",
            "i=false",
            "i=bare;i=full",
            "x=urn:example:x",
            "x=,a",
            "x=urn:example:x,",
            "dq",
        ] {
            assert_eq!(Provided::from_name(other), None, "{other:?}");
        }
    }
}
