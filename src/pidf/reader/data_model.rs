//! Persons and devices (RFC 4479, 5.1).

use super::{Lang, Order, Reader};
use crate::pidf::device::Device;
use crate::pidf::error::{Fault, ReadError};
use crate::pidf::leaf::Leaf;
use crate::pidf::person::Person;
use crate::pidf::schema::Parent;
use crate::pidf::uri;
use crate::xml::{NamespaceId, StartTag, Token, excerpt, trim};

impl Reader<'_, '_> {
    pub(super) fn person(&mut self) -> Result<Person, ReadError> {
        let mut person = Person::default();
        let (id, _, attributes) = self.attributes(Some("id"), Lang::OfContent)?;
        person.attributes = attributes;
        person.id = self.own_id(id)?;

        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if is_of_model(tag) => match self.named_by_model(tag)? {
                    "note" => {
                        self.in_order(&mut order, 1, tag)?;
                        let note = self.note()?;
                        person.notes.push(note);
                    }
                    "timestamp" if person.timestamp.is_some() => self.repeated("timestamp")?,
                    "timestamp" => {
                        self.in_order(&mut order, 2, tag)?;
                        person.timestamp = Some(self.timestamp()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 0, tag)?;
                    let extension = self.extension(tag, Parent::Person, &mut order)?;
                    person.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        Ok(person)
    }

    pub(super) fn device(&mut self) -> Result<Device, ReadError> {
        let start = self.tokenizer.offset();
        let mut device = Device::default();
        let (id, _, attributes) = self.attributes(Some("id"), Lang::OfContent)?;
        device.attributes = attributes;
        device.id = self.own_id(id)?;

        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if is_of_model(tag) => match self.named_by_model(tag)? {
                    "deviceID" if device.device_id.is_some() => self.repeated("deviceID")?,
                    "deviceID" => {
                        self.in_order(&mut order, 1, tag)?;
                        device.device_id = Some(self.device_id()?);
                    }
                    "note" => {
                        self.in_order(&mut order, 2, tag)?;
                        let note = self.note()?;
                        device.notes.push(note);
                    }
                    "timestamp" if device.timestamp.is_some() => self.repeated("timestamp")?,
                    "timestamp" => {
                        self.in_order(&mut order, 3, tag)?;
                        device.timestamp = Some(self.timestamp()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 0, tag)?;
                    let extension = self.extension(tag, Parent::Device, &mut order)?;
                    device.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        if device.device_id.is_none() {
            self.fault_of(start, || Fault::NoDeviceId)?;
        }
        Ok(device)
    }

    fn named_by_model<'t>(&mut self, tag: StartTag<'t>) -> Result<&'t str, ReadError> {
        if tag.namespace != NamespaceId::DATA_MODEL {
            self.fault(|| Fault::WrongNamespace {
                element: excerpt(tag.local),
            })?;
        }
        Ok(tag.local)
    }

    fn device_id(&mut self) -> Result<Leaf, ReadError> {
        let start = self.tokenizer.offset();
        let (_, _, attributes) = self.attributes(None, Lang::Foreign)?;
        let text = self.simple_content()?;
        let text = trim(&text);
        if !uri::is_absolute(text) {
            self.fault_of(start, || Fault::BadDeviceId {
                value: excerpt(text),
            })?;
        }
        let mut leaf = Leaf::from(text.to_owned());
        leaf.attributes = attributes;
        Ok(leaf)
    }
}

/// Some write the notes and times of persons and devices as those of PIDF.
fn is_of_model(tag: StartTag<'_>) -> bool {
    matches!(tag.namespace, NamespaceId::DATA_MODEL | NamespaceId::PIDF)
}
