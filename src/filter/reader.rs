//! Reads documents, as strictly as their schema wants it (RFC 4661 section 7; RFC 4660 section 5.4).

use super::check::check;
use super::error::{FilterError, FilterLimit};
use super::filter_set::{Binding, FilterSet};
use super::limits::FilterLimits;
use super::parser::{self, Prefixes};
use super::single_filter::Filter;
use super::trigger::{Changed, Trigger};
use super::what::{Selector, What};
use crate::xml::{
    Element, Location, Name, NamespaceId, Token, Tokenizer, TokenizerOptions, excerpt, is_blank,
    is_nc_name, namespace, trim,
};

/// The namespace of an example in RFC 4660 (section 7.2.3), which is registered nowhere.
const OF_AN_EXAMPLE: &[(&str, NamespaceId)] = &[(
    "urn:ietf:params:xml:ns:simple-winfo-filter",
    NamespaceId::SIMPLE_FILTER,
)];

pub(super) fn read(document: &[u8], limits: &FilterLimits) -> Result<FilterSet, FilterError> {
    let options = TokenizerOptions {
        limits: &limits.xml(),
        charset: None,
        any_ascii: false,
        bare_doctype: false,
        aliases: OF_AN_EXAMPLE,
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(document, options)?,
        limits,
        set: FilterSet::new(),
    };
    reader.root()?;
    let Reader { mut set, .. } = reader;
    bind_customary(&mut set, limits)?;
    check(&set, limits)?;
    Ok(set)
}

/// Binds the prefixes that expressions use and nobody has bound, so far as it is known what they mean.
fn bind_customary(set: &mut FilterSet, limits: &FilterLimits) -> Result<(), FilterError> {
    let prefixes = Prefixes {
        bindings: &set.bindings,
        customary: true,
    };
    let mut new: Vec<Binding> = Vec::new();
    for expression in set.filters.iter().flat_map(Filter::expressions) {
        for range in parser::parse(expression, prefixes, limits)?.prefixes {
            let prefix = expression.get(range).unwrap_or_default();
            let mut known = set.bindings.iter().chain(&new);
            if known.all(|binding| binding.prefix != prefix)
                && let Some(urn) = namespace::of_prefix(prefix)
            {
                new.push(Binding::new(prefix, urn));
            }
        }
    }
    set.bindings.extend(new);
    Ok(())
}

struct Reader<'a, 'o> {
    tokenizer: Tokenizer<'a>,
    limits: &'o FilterLimits,
    set: FilterSet,
}

/// What was expected.
type Expected = String;

impl Reader<'_, '_> {
    fn root(&mut self) -> Result<(), FilterError> {
        // Without a root the tokenizer refuses the document.
        let Token::Start(tag) = self.tokenizer.next()? else {
            return Err(FilterError::WrongRoot {
                found: String::new(),
                location: self.tokenizer.location(),
            });
        };
        let namespace = self.tokenizer.namespace_name(tag.namespace);
        if namespace != namespace::SIMPLE_FILTER || tag.local != "filter-set" {
            return Err(FilterError::WrongRoot {
                found: excerpt(&Name::new(namespace, tag.local).to_string()),
                location: self.tokenizer.location(),
            });
        }
        let mut unknown = None;
        for attribute in self.tokenizer.attributes() {
            match (attribute.namespace, attribute.local) {
                (NamespaceId::NONE, "package") => {
                    self.set.package = Some(attribute.value.clone().into_owned());
                }
                (NamespaceId::NONE | NamespaceId::SIMPLE_FILTER, other) => {
                    unknown = Some(format!("no attribute {}", excerpt(other)));
                }
                _ => {}
            }
        }
        if let Some(expected) = unknown {
            return self.schema(expected);
        }
        loop {
            match self.tokenizer.next()? {
                Token::Start(tag) => {
                    let location = self.tokenizer.location();
                    let part = self.tokenizer.element(tag)?;
                    self.part(&part, location)?;
                }
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => return self.schema("no text".to_owned()),
                Token::End => break,
                Token::Eof => return Ok(()),
            }
        }
        if self.set.filters.is_empty() {
            return self.schema("a filter".to_owned());
        }
        while self.tokenizer.next()? != Token::Eof {}
        Ok(())
    }

    fn schema<T>(&mut self, expected: Expected) -> Result<T, FilterError> {
        let location = self.tokenizer.location();
        Err(FilterError::Schema { expected, location })
    }

    /// What stands in the root.
    fn part(&mut self, part: &Element, location: Location) -> Result<(), FilterError> {
        let is_first = self.set.filters.is_empty() && self.set.bindings.is_empty();
        let read = match local_of(part) {
            Some("ns-bindings") if is_first => bindings(part).map(|all| self.set.bindings = all),
            Some("filter") => filter(part).map(|filter| self.set.filters.push(filter)),
            _ => Err(unexpected(part)),
        };
        read.map_err(|expected| FilterError::Schema { expected, location })?;
        for (limit, number, max) in [
            (
                FilterLimit::Filters,
                self.set.filters.len(),
                self.limits.filters,
            ),
            (
                FilterLimit::Bindings,
                self.set.bindings.len(),
                self.limits.bindings,
            ),
        ] {
            if number > max {
                return Err(FilterError::Limit { limit, max });
            }
        }
        Ok(())
    }
}

/// The name of an element of filters; none for those of other namespaces.
fn local_of(element: &Element) -> Option<&str> {
    (element.namespace() == namespace::SIMPLE_FILTER).then(|| element.local())
}

fn unexpected(element: &Element) -> Expected {
    let name = excerpt(&element.name().to_string());
    format!("no element {name} at its place")
}

/// Whether an extension may stand where the schema allows those.
fn is_foreign(element: &Element) -> bool {
    !element.namespace().is_empty() && local_of(element).is_none()
}

/// That there is nothing but elements, and of attributes only these and those of other namespaces.
fn structure(element: &Element, attributes: &[&str]) -> Result<(), Expected> {
    if !is_blank(&element.text()) {
        return Err(format!("no text in {}", element.local()));
    }
    only_attributes(element, attributes)
}

fn only_attributes(element: &Element, attributes: &[&str]) -> Result<(), Expected> {
    for attribute in &element.attributes {
        let is_known = match attribute.name.namespace() {
            "" => attributes.contains(&attribute.name.local()),
            other => other != namespace::SIMPLE_FILTER,
        };
        if !is_known {
            let name = excerpt(attribute.name.local());
            return Err(format!("no attribute {name} of {}", element.local()));
        }
    }
    Ok(())
}

/// The text of an element that holds nothing else.
fn text(element: &Element, attributes: &[&str]) -> Result<String, Expected> {
    only_attributes(element, attributes)?;
    match element.elements().next() {
        Some(child) => Err(unexpected(child)),
        None => Ok(trim(&element.text()).to_owned()),
    }
}

fn bindings(element: &Element) -> Result<Vec<Binding>, Expected> {
    structure(element, &[])?;
    let mut all: Vec<Binding> = Vec::new();
    for child in element.elements() {
        if local_of(child) != Some("ns-binding") {
            return Err(unexpected(child));
        }
        text(child, &["prefix", "urn"]).and_then(|text| match text.as_str() {
            "" => Ok(()),
            _ => Err("no text in ns-binding".to_owned()),
        })?;
        let (Some(prefix), Some(urn)) = (child.attribute("prefix"), child.attribute("urn")) else {
            return Err("attributes prefix and urn of ns-binding".to_owned());
        };
        let binding = Binding::new(trim(prefix), trim(urn));
        // The schema allows any text. What is no prefix cannot be used as one.
        if is_nc_name(&binding.prefix) && !all.contains(&binding) {
            all.push(binding);
        }
    }
    if element.elements().next().is_none() {
        return Err("an element ns-binding".to_owned());
    }
    Ok(all)
}

fn filter(element: &Element) -> Result<Filter, Expected> {
    structure(element, &["id", "uri", "domain", "remove", "enabled"])?;
    let Some(id) = element.attribute("id") else {
        return Err("attribute id of filter".to_owned());
    };
    let trimmed = |local: &str| element.attribute(local).map(|value| trim(value).to_owned());
    let mut filter = Filter {
        uri: trimmed("uri"),
        domain: trimmed("domain"),
        remove: boolean(element, "remove")?.unwrap_or(false),
        enabled: boolean(element, "enabled")?.unwrap_or(true),
        ..Filter::new(id)
    };
    let mut stage = 0;
    for child in element.elements() {
        let place = match local_of(child) {
            Some("what") => 1,
            Some("trigger") => 2,
            None if is_foreign(child) => 3,
            _ => return Err(unexpected(child)),
        };
        if place < stage || (place == 1 && stage == 1) {
            return Err(unexpected(child));
        }
        stage = place;
        match place {
            1 => filter.what = Some(what(child)?),
            2 => filter.triggers.push(trigger(child)?),
            _ => {}
        }
    }
    Ok(filter)
}

fn boolean(element: &Element, local: &str) -> Result<Option<bool>, Expected> {
    match element.attribute(local).map(trim) {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(format!("true or false in attribute {local}")),
    }
}

/// The children of an element that are to stand in this order, then those of other namespaces.
fn in_order<'e>(
    element: &'e Element,
    order: &[&str],
) -> Result<impl Iterator<Item = &'e Element>, Expected> {
    structure(element, &[])?;
    let mut stage = 0;
    for child in element.elements() {
        let place = match local_of(child) {
            Some(local) => order.iter().position(|name| *name == local),
            None => is_foreign(child).then_some(order.len()),
        };
        stage = place
            .filter(|&place| place >= stage)
            .ok_or_else(|| unexpected(child))?;
    }
    Ok(element.elements().filter(|child| !is_foreign(child)))
}

fn what(element: &Element) -> Result<What, Expected> {
    let mut what = What::new();
    for child in in_order(element, &["include", "exclude"])? {
        let text = text(child, &["type"])?;
        let selector = match child.attribute("type").unwrap_or("xpath") {
            "xpath" => Selector::Xpath(text),
            "namespace" => Selector::Namespace(text),
            _ => return Err("xpath or namespace in attribute type".to_owned()),
        };
        match child.local() {
            "include" => what.includes.push(selector),
            _ => what.excludes.push(selector),
        }
    }
    Ok(what)
}

fn trigger(element: &Element) -> Result<Trigger, Expected> {
    let mut trigger = Trigger::new();
    for child in in_order(element, &["changed", "added", "removed"])? {
        match child.local() {
            "changed" => {
                let expression = text(child, &["from", "to", "by"])?;
                let value = |local: &str| child.attribute(local).map(str::to_owned);
                trigger.changed.push(Changed {
                    expression,
                    from: value("from"),
                    to: value("to"),
                    by: value("by"),
                });
            }
            "added" => trigger.added.push(text(child, &[])?),
            _ => trigger.removed.push(text(child, &[])?),
        }
    }
    Ok(trigger)
}
