//! Reads requests: a descent over the tokens, in the order of the format.

use std::borrow::Cow;

use bytes::Bytes;

use super::MAX_DURATION;
use super::error::{Fault, ReadError, Tolerated};
use super::field::Field;
use super::options::ReadOptions;
use super::request::{self, Request};
use super::token;
use crate::pidf::{Strictness, timestamp};
use crate::xml::{
    Location, Name, NamespaceId, StartTag, Token, Tokenizer, TokenizerOptions, excerpt, is_blank,
    trim,
};

pub(super) fn read(
    octets: &Bytes,
    options: &ReadOptions,
) -> Result<(Request, Vec<Tolerated>), ReadError> {
    let strict = options.strictness == Strictness::Strict;
    let tokenizer_options = TokenizerOptions {
        limits: &options.limits,
        charset: None,
        any_ascii: false,
        bare_doctype: !strict,
        aliases: &[],
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(octets, tokenizer_options)?,
        strict,
        reports: options.reports,
        namespace: NamespaceId::NONE,
        root: 0,
        tolerated: Vec::new(),
    };
    let request = reader.document(octets)?;
    Ok((request, reader.tolerated))
}

struct Reader<'a> {
    tokenizer: Tokenizer<'a>,
    strict: bool,
    /// How many faults are told.
    reports: usize,
    /// That of the root, and of all that is of the format.
    namespace: NamespaceId,
    /// Where the root begins.
    root: usize,
    tolerated: Vec<Tolerated>,
}

/// What an element holds, and where it begins.
struct Value<'a> {
    text: Cow<'a, str>,
    start: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self, octets: &Bytes) -> Result<Request, ReadError> {
        let mut request = None;
        loop {
            match self.tokenizer.next()? {
                Token::Start(tag) => request = Some(self.subscribe(tag, octets)?),
                Token::Text(_) | Token::End => {}
                Token::Eof => break,
            }
        }
        // Without a root the tokenizer has refused the document.
        request.ok_or_else(|| ReadError::WrongRoot {
            found: String::new(),
            location: self.tokenizer.location(),
        })
    }

    fn subscribe(&mut self, tag: StartTag<'a>, octets: &Bytes) -> Result<Request, ReadError> {
        if tag.local != "Subscribe" {
            return Err(ReadError::WrongRoot {
                found: self.name_of(tag),
                location: self.tokenizer.location(),
            });
        }
        self.namespace = tag.namespace;
        self.root = self.tokenizer.offset();
        if let Some(location) = self.tokenizer.doctype().cloned() {
            self.report(Fault::Doctype, location);
        }
        self.attributes()?;

        let (from, watcher) = self.uri(Field::From)?;
        let (to, presentity) = self.uri(Field::To)?;
        self.expect(Field::DateTime)?;
        let date_time = self.trimmed(Field::DateTime)?;
        let Some(moment) = timestamp::parse(&date_time.text) else {
            return Err(self.wrong(Field::DateTime, &date_time));
        };
        let token = match self.child()? {
            Some(Field::Token) => {
                let token = self.value()?;
                if token.text.is_empty() || !token::is_short(&token.text) {
                    return Err(self.wrong(Field::Token, &token));
                }
                self.expect(Field::Duration)?;
                Some(token.text)
            }
            Some(Field::Duration) => None,
            other => return Err(self.unexpected("the element Token or Duration", other)),
        };
        let duration = self.trimmed(Field::Duration)?;
        let Some(seconds) = seconds(&duration.text) else {
            return Err(self.wrong(Field::Duration, &duration));
        };
        if seconds > 0 && token.is_none() {
            return Err(ReadError::NoToken {
                duration: seconds,
                location: self.tokenizer.location_in(duration.start, &[]),
            });
        }
        if let other @ Some(_) = self.child()? {
            return Err(self.unexpected("the end of Subscribe", other));
        }
        let token = token.as_deref().unwrap_or("");
        let texts = [&from, &to, &*date_time.text, token, &watcher, &presentity];
        Ok(Request::of(octets.clone(), texts, moment, seconds))
    }

    /// A URI, and whom it means.
    fn uri(&mut self, field: Field) -> Result<(Cow<'a, str>, String), ReadError> {
        self.expect(field)?;
        let value = self.trimmed(field)?;
        match request::meant(&value.text) {
            Some(name) => Ok((value.text, name)),
            None => Err(self.wrong(field, &value)),
        }
    }

    /// Reads up to and with the start tag of the element that has to come.
    fn expect(&mut self, field: Field) -> Result<(), ReadError> {
        match self.child()? {
            Some(found) if found == field => Ok(()),
            other => Err(self.unexpected(field.as_expected(), other)),
        }
    }

    /// Reads up to and with the start tag of the next element of the format, or the end of the root.
    fn child(&mut self) -> Result<Option<Field>, ReadError> {
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => {
                    return Err(ReadError::Structure {
                        expected: "only elements in Subscribe",
                        found: "text".to_owned(),
                        location: self.tokenizer.location(),
                    });
                }
                Token::Start(tag) => {
                    if tag.namespace == self.namespace
                        && let Some(field) = Field::from_name(tag.local)
                    {
                        return Ok(Some(field));
                    }
                    self.foreign(tag)?;
                }
                Token::End | Token::Eof => return Ok(None),
            }
        }
    }

    /// The content of the element whose start tag was just read, without white space around it.
    fn trimmed(&mut self, field: Field) -> Result<Value<'a>, ReadError> {
        let value = self.value()?;
        if trim(&value.text).len() == value.text.len() {
            return Ok(value);
        }
        let start = value.start;
        self.fault(
            |it| it.location_in(start, &[]),
            || Fault::WhiteSpace { field },
        )?;
        let text = match value.text {
            Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
            Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
        };
        Ok(Value { text, start })
    }

    /// The content of the element whose start tag was just read, up to and with its end.
    fn value(&mut self) -> Result<Value<'a>, ReadError> {
        let start = self.tokenizer.offset();
        self.attributes()?;
        if let Some(text) = self.tokenizer.plain_content()? {
            return Ok(Value { text, start });
        }
        let mut text = Cow::Borrowed("");
        loop {
            match self.tokenizer.next()? {
                Token::Text(more) if text.is_empty() => text = more,
                Token::Text(more) => text.to_mut().push_str(&more),
                // Who passes over it may take the value for another one than its author.
                Token::Start(tag) => {
                    return Err(ReadError::Structure {
                        expected: "nothing but text",
                        found: format!("the element {}", self.name_of(tag)),
                        location: self.tokenizer.location(),
                    });
                }
                Token::End | Token::Eof => return Ok(Value { text, start }),
            }
        }
    }

    /// Those of XML itself are let pass, and declarations of namespaces, which are not among them.
    fn attributes(&mut self) -> Result<(), ReadError> {
        let mut at = 0;
        while let Some(attribute) = self.tokenizer.attributes().get(at) {
            at = at.saturating_add(1);
            if attribute.namespace != NamespaceId::XML {
                let namespace = self.tokenizer.namespace_name(attribute.namespace);
                let name = excerpt(&Name::new(namespace, attribute.local).to_string());
                self.fault(Tokenizer::location, || Fault::Attribute { name })?;
            }
        }
        Ok(())
    }

    /// Passes over an element that is none of the format.
    fn foreign(&mut self, tag: StartTag<'a>) -> Result<(), ReadError> {
        let name = self.name_of(tag);
        self.fault(Tokenizer::location, || Fault::Element { name })?;
        let outside = self.tokenizer.depth().saturating_sub(1);
        while self.tokenizer.depth() > outside {
            if self.tokenizer.next()? == Token::Eof {
                break;
            }
        }
        Ok(())
    }

    fn name_of(&self, tag: StartTag<'a>) -> String {
        let namespace = self.tokenizer.namespace_name(tag.namespace);
        excerpt(&Name::new(namespace, tag.local).to_string())
    }

    #[cold]
    fn unexpected(&mut self, expected: &'static str, found: Option<Field>) -> ReadError {
        let (found, location) = match found {
            Some(field) => (format!("the element {field}"), self.tokenizer.location()),
            None => (
                "the end of Subscribe".to_owned(),
                self.tokenizer.location_in(self.root, &[]),
            ),
        };
        ReadError::Structure {
            expected,
            found,
            location,
        }
    }

    #[cold]
    fn wrong(&mut self, field: Field, value: &Value<'a>) -> ReadError {
        ReadError::Value {
            field,
            found: excerpt(&value.text),
            location: self.tokenizer.location_in(value.start, &[]),
        }
    }

    fn fault(
        &mut self,
        place: impl FnOnce(&mut Tokenizer<'a>) -> Location,
        fault: impl FnOnce() -> Fault,
    ) -> Result<(), ReadError> {
        if self.strict {
            return Err(ReadError::Fault(Tolerated {
                fault: fault(),
                location: place(&mut self.tokenizer),
            }));
        }
        if self.tolerated.len() < self.reports {
            let location = place(&mut self.tokenizer);
            self.report(fault(), location);
        }
        Ok(())
    }

    fn report(&mut self, fault: Fault, location: Location) {
        if self.tolerated.len() < self.reports {
            self.tolerated.push(Tolerated { fault, location });
        }
    }
}

/// A number in digits alone, within its bounds; leading zeros mean nothing.
fn seconds(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse().ok()?;
    (seconds <= MAX_DURATION).then_some(seconds)
}
