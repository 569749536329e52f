//! Tuples and what is in them (RFC 3863, 4.1.2 to 4.1.5).

use std::borrow::Cow;

use super::{Lang, Order, Reader};
use crate::pidf::contact::{Contact, Priority};
use crate::pidf::error::{Fault, ReadError};
use crate::pidf::leaf::Leaf;
use crate::pidf::schema::Parent;
use crate::pidf::tuple::{Status, Tuple};
use crate::pidf::uri;
use crate::xml::{Element, Name, NamespaceId, Token, Tokenizer, excerpt, namespace, trim};

impl<'a> Reader<'a, '_> {
    pub(super) fn tuple(&mut self) -> Result<Tuple, ReadError> {
        let start = self.tokenizer.offset();
        let mut tuple = Tuple::default();
        let (id, _, attributes) = self.attributes(Some("id"), Lang::OfContent)?;
        tuple.attributes = attributes;
        tuple.id = self.own_id(id)?;

        let mut order = Order::default();
        let mut has_status = false;
        let mut children = 0usize;
        let (mut contact, mut contact_information) = (None, None);
        loop {
            let token = self.tokenizer.next_in_structure()?;
            if matches!(token, Token::Start(_)) {
                children = children.saturating_add(1);
            }
            match token {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "status" if has_status => self.repeated("status")?,
                    "status" => {
                        self.in_order(&mut order, 0, tag)?;
                        has_status = true;
                        tuple.status = self.status()?;
                    }
                    "contact" if tuple.contact.is_some() => self.repeated("contact")?,
                    "contact" => {
                        self.in_order(&mut order, 2, tag)?;
                        tuple.contact = Some(self.contact()?);
                        contact = children.checked_sub(1);
                    }
                    "note" => {
                        self.in_order(&mut order, 3, tag)?;
                        let note = self.note()?;
                        tuple.notes.push(note);
                    }
                    "timestamp" if tuple.timestamp.is_some() => self.repeated("timestamp")?,
                    "timestamp" => {
                        self.in_order(&mut order, 4, tag)?;
                        tuple.timestamp = Some(self.timestamp()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 1, tag)?;
                    let extension = self.extension(tag, Parent::Tuple, &mut order)?;
                    if extension.namespace() == namespace::CIPID {
                        contact_information = contact_information.or(children.checked_sub(1));
                    }
                    tuple.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        if !has_status {
            self.fault_of(start, || Fault::NoStatus)?;
        }
        // RFC 4482, 1: it describes the person, who is another one here.
        if self.strict
            && let Some(number) = contact_information
            && !tuple.is_of_somebody_else()
        {
            let misplaced = tuple.extensions.iter();
            let misplaced = misplaced.map(Element::name);
            let mut misplaced = misplaced.filter(|name| name.namespace() == namespace::CIPID);
            let element = misplaced.next().map(Name::to_string).unwrap_or_default();
            let place = |it: &mut Tokenizer<'a>| it.location_in(start, &[number]);
            self.fault_at(place, || Fault::Misplaced { element })?;
        }
        if self.strict && !tuple.contact_suits_service_class() {
            let place = |it: &mut Tokenizer<'a>| it.location_in(start, contact.as_slice());
            self.fault_at(place, || Fault::NeedlessContact)?;
        }
        Ok(tuple)
    }

    fn status(&mut self) -> Result<Status, ReadError> {
        let start = self.tokenizer.offset();
        let mut status = Status::default();
        let (_, _, attributes) = self.attributes(None, Lang::OfContent)?;
        status.attributes = attributes;
        let mut order = Order::default();
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) => self.between_elements(&text)?,
                Token::Start(tag) if tag.namespace == NamespaceId::PIDF => match tag.local {
                    "basic" if status.basic.is_some() => self.repeated("basic")?,
                    "basic" => {
                        self.in_order(&mut order, 0, tag)?;
                        status.basic = Some(self.basic()?);
                    }
                    _ => self.unexpected(tag)?,
                },
                Token::Start(tag) => {
                    self.in_order(&mut order, 1, tag)?;
                    let extension = self.extension(tag, Parent::Status, &mut order)?;
                    status.extensions.push(extension);
                }
                Token::End | Token::Eof => break,
            }
        }
        if status.is_empty() {
            self.fault_of(start, || Fault::EmptyStatus)?;
        }
        Ok(status)
    }

    fn basic(&mut self) -> Result<Leaf, ReadError> {
        let start = self.tokenizer.offset();
        let (_, _, attributes) = self.attributes(None, Lang::Foreign)?;
        let text = self.simple_content()?;
        let text = match trim(&text) {
            "open" => Cow::Borrowed("open"),
            "closed" => Cow::Borrowed("closed"),
            other => {
                self.fault_of(start, || Fault::BadBasic {
                    value: excerpt(other),
                })?;
                Cow::Owned(other.to_owned())
            }
        };
        Ok(Leaf { text, attributes })
    }

    fn contact(&mut self) -> Result<Contact, ReadError> {
        let start = self.tokenizer.offset();
        let (priority, _, attributes) = self.attributes(Some("priority"), Lang::Foreign)?;
        let priority = priority.as_deref().map(trim);
        if let Some(text) = priority
            && Priority::parse(text).is_none()
        {
            self.fault(|| Fault::BadPriority {
                value: excerpt(text),
            })?;
        }
        let priority = priority.map(str::to_owned);
        let text = self.simple_content()?;
        let uri = trim(&text);
        // Empty ones have a meaning in rich presence.
        let is_odd = !uri.is_empty() && !uri::is_absolute(uri);
        if is_odd {
            self.fault_of(start, || Fault::BadContact {
                value: excerpt(uri),
            })?;
        }
        Ok(Contact::read(uri, is_odd, priority, attributes))
    }
}
