//! Reads documents: a descent to the parts of rules, which are trees.

use std::collections::HashSet;

use super::attribute::{InputDetail, PresenceAttribute};
use super::condition::{Condition, Except, Interval, Many, Who};
use super::error::{ReadError, RulesLimit};
use super::handling::SubHandling;
use super::limits::RulesLimits;
use super::provided::Provided;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::selection::{Selection, Selector};
use crate::pidf::as_read::AsRead;
use crate::xml::{
    Attributes, Element, Name, NamespaceId, Node, StartTag, Token, Tokenizer, TokenizerOptions,
    excerpt, is_nc_name, namespace, trim,
};

pub(super) fn read(document: &[u8], limits: &RulesLimits) -> Result<Ruleset, ReadError> {
    let options = TokenizerOptions {
        limits: &limits.xml,
        charset: None,
        any_ascii: false,
        bare_doctype: false,
        aliases: &[],
    };
    let mut reader = Reader {
        tokenizer: Tokenizer::new(document, options)?,
        limits,
        identities: 0,
        selectors: 0,
        selector_octets: 0,
        ids: HashSet::new(),
    };
    let mut rules = None;
    loop {
        match reader.tokenizer.next()? {
            Token::Start(tag) => rules = Some(reader.ruleset(tag)?),
            Token::Text(_) | Token::End => {}
            Token::Eof => break,
        }
    }
    // Without a root the tokenizer has refused the document.
    rules.ok_or_else(|| ReadError::WrongRoot {
        found: String::new(),
        location: reader.tokenizer.location(),
    })
}

struct Reader<'a, 'o> {
    tokenizer: Tokenizer<'a>,
    limits: &'o RulesLimits,
    identities: usize,
    selectors: usize,
    selector_octets: usize,
    ids: HashSet<String>,
}

/// Which parts of a rule were there.
#[derive(Default)]
struct Parts {
    conditions: bool,
    actions: bool,
    transformations: bool,
}

impl<'a> Reader<'a, '_> {
    fn is_policy(&self, tag: StartTag<'a>, local: &str) -> bool {
        tag.local == local
            && self.tokenizer.namespace_name(tag.namespace) == namespace::COMMON_POLICY
    }

    fn ruleset(&mut self, tag: StartTag<'a>) -> Result<Ruleset, ReadError> {
        if !self.is_policy(tag, "ruleset") {
            let namespace = self.tokenizer.namespace_name(tag.namespace);
            return Err(ReadError::WrongRoot {
                found: excerpt(&Name::new(namespace, tag.local).to_string()),
                location: self.tokenizer.location(),
            });
        }
        let mut rules = Ruleset {
            attributes: self.tokenizer.own_attributes_but(|_| false),
            ..Ruleset::default()
        };
        while let Some(tag) = self.child()? {
            if self.is_policy(tag, "rule") {
                self.within(RulesLimit::Rules, rules.rules.len().saturating_add(1))?;
                let rule = self.rule()?;
                rules.rules.push(rule);
            } else {
                rules.extensions.push(self.tokenizer.element(tag)?);
            }
        }
        Ok(rules)
    }

    /// The next element in the innermost one, if there is a further one.
    fn child(&mut self) -> Result<Option<StartTag<'a>>, ReadError> {
        loop {
            match self.tokenizer.next_in_structure()? {
                Token::Start(tag) => return Ok(Some(tag)),
                Token::Text(_) => {}
                Token::End | Token::Eof => return Ok(None),
            }
        }
    }

    fn within(&mut self, limit: RulesLimit, number: usize) -> Result<(), ReadError> {
        let max = match limit {
            RulesLimit::Rules => self.limits.rules,
            RulesLimit::Identities => self.limits.identities,
            RulesLimit::Selectors => self.limits.selectors,
            RulesLimit::SelectorOctets => self.limits.selector_octets,
        };
        if number <= max {
            return Ok(());
        }
        Err(ReadError::Limit {
            limit,
            max,
            location: self.tokenizer.location(),
        })
    }

    /// Counts identities.
    fn identities(&mut self, more: usize) -> Result<(), ReadError> {
        self.identities = self.identities.saturating_add(more);
        self.within(RulesLimit::Identities, self.identities)
    }

    /// Counts the selectors of a transformation.
    fn selectors(&mut self, element: &Element) -> Result<(), ReadError> {
        // Each selector is an element, and so is each name.
        let more = match element.local() {
            "provide-unknown-attribute" => 1,
            _ => element.elements().count(),
        };
        self.selectors = self.selectors.saturating_add(more);
        self.within(RulesLimit::Selectors, self.selectors)?;
        let texts = element.elements().map(|it| it.text().len());
        let values = element.attributes.iter().map(|it| it.value.len());
        let octets = texts.chain(values);
        self.selector_octets = octets.fold(self.selector_octets, usize::saturating_add);
        self.within(RulesLimit::SelectorOctets, self.selector_octets)
    }

    fn rule(&mut self) -> Result<Rule, ReadError> {
        let mut id = None;
        let attributes: Attributes = self.tokenizer.own_attributes_but(|attribute| {
            let is_id = attribute.local == "id" && attribute.namespace == NamespaceId::NONE;
            if is_id {
                id = Some(trim(&attribute.value).to_owned());
            }
            is_id
        });
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Err(ReadError::NoId {
                location: self.tokenizer.location(),
            });
        };
        if !self.ids.insert(id.clone()) {
            return Err(ReadError::DuplicateId {
                id: excerpt(&id),
                location: self.tokenizer.location(),
            });
        }
        let mut rule = Rule {
            read_id: AsRead::unless(is_nc_name(&id), &id),
            attributes,
            ..Rule::new(id)
        };
        let mut parts = Parts::default();
        while let Some(tag) = self.child()? {
            if self.is_policy(tag, "conditions") {
                self.once(&mut parts.conditions, "conditions")?;
                self.conditions(&mut rule)?;
            } else if self.is_policy(tag, "actions") {
                self.once(&mut parts.actions, "actions")?;
                self.actions(&mut rule)?;
            } else if self.is_policy(tag, "transformations") {
                self.once(&mut parts.transformations, "transformations")?;
                self.transformations(&mut rule)?;
            } else {
                rule.extensions.push(self.tokenizer.element(tag)?);
            }
        }
        Ok(rule)
    }

    fn once(&mut self, before: &mut bool, element: &'static str) -> Result<(), ReadError> {
        if core::mem::replace(before, true) {
            return Err(ReadError::Repeated {
                element,
                location: self.tokenizer.location(),
            });
        }
        Ok(())
    }

    fn conditions(&mut self, rule: &mut Rule) -> Result<(), ReadError> {
        while let Some(tag) = self.child()? {
            let condition = if self.is_policy(tag, "identity") {
                Condition::Identity(self.identity()?)
            } else {
                condition(self.tokenizer.element(tag)?)
            };
            rule.conditions.push(condition);
        }
        Ok(())
    }

    fn identity(&mut self) -> Result<Vec<Who>, ReadError> {
        let mut list = Vec::new();
        while let Some(tag) = self.child()? {
            let who = who(self.tokenizer.element(tag)?);
            self.identities(match &who {
                Who::Many(many) => many.except.len().saturating_add(1),
                Who::One(_) | Who::Other(_) => 1,
            })?;
            list.push(who);
        }
        Ok(list)
    }

    fn actions(&mut self, rule: &mut Rule) -> Result<(), ReadError> {
        while let Some(tag) = self.child()? {
            let element = self.tokenizer.element(tag)?;
            match handling(&element) {
                Some(handling) => rule.handling = rule.handling.max(Some(handling)),
                None => rule.other_actions.push(element),
            }
        }
        Ok(())
    }

    fn transformations(&mut self, rule: &mut Rule) -> Result<(), ReadError> {
        while let Some(tag) = self.child()? {
            let element = self.tokenizer.element(tag)?;
            self.selectors(&element)?;
            let provided = core::mem::take(&mut rule.provided);
            let (provided, other) = transformation(provided, element);
            rule.provided = provided;
            rule.other_transformations.extend(other);
        }
        Ok(())
    }
}

/// The text of an element that holds nothing else, without white space at its ends.
fn text_of(element: &Element) -> Option<String> {
    let text = element.text();
    element
        .elements()
        .next()
        .is_none()
        .then(|| trim(&text).to_owned())
}

/// A condition other than that of identity.
pub(super) fn condition(element: Element) -> Condition {
    let known = match (element.namespace(), element.local()) {
        (namespace::COMMON_POLICY, "sphere") => element
            .attribute("value")
            .filter(|_| element.elements().next().is_none())
            .map(|value| Condition::Sphere(value.to_owned())),
        (namespace::COMMON_POLICY, "validity") => intervals(&element).map(Condition::Validity),
        _ => None,
    };
    known.unwrap_or(Condition::Other(element))
}

fn intervals(element: &Element) -> Option<Vec<Interval>> {
    let mut bounds = element.elements();
    let mut intervals = Vec::new();
    let text = |element: Option<&Element>, local: &str| {
        let element = element.filter(|it| it.is(namespace::COMMON_POLICY, local))?;
        element
            .elements()
            .next()
            .is_none()
            .then(|| element.text().into_owned())
    };
    while let Some(from) = bounds.next() {
        intervals.push(Interval {
            from_text: text(Some(from), "from")?,
            until_text: text(bounds.next(), "until")?,
        });
    }
    Some(intervals)
}

/// A member of an identity condition.
pub(super) fn who(element: Element) -> Who {
    let known = match (element.namespace(), element.local()) {
        (namespace::COMMON_POLICY, "one") => element
            .attribute("id")
            .filter(|_| element.elements().next().is_none())
            .map(|id| Who::One(id.to_owned())),
        (namespace::COMMON_POLICY, "many") => many(&element).map(Who::Many),
        _ => None,
    };
    known.unwrap_or(Who::Other(element))
}

fn many(element: &Element) -> Option<Many> {
    let mut except = Vec::new();
    for child in element.elements() {
        let is_known =
            child.is(namespace::COMMON_POLICY, "except") && child.elements().next().is_none();
        let id = child.attribute("id").filter(|_| is_known);
        let domain = child.attribute("domain").filter(|_| is_known);
        if id.is_none() && domain.is_none() {
            return None;
        }
        except.extend(id.map(|id| Except::One(id.to_owned())));
        except.extend(domain.map(|domain| Except::Domain(domain.to_owned())));
    }
    Some(Many {
        domain: element.attribute("domain").map(str::to_owned),
        except,
    })
}

pub(super) fn handling(element: &Element) -> Option<SubHandling> {
    if !element.is(namespace::PRES_RULES, "sub-handling") {
        return None;
    }
    SubHandling::from_name(&text_of(element)?)
}

/// Adds what a transformation grants, and tells what of it is not understood.
pub(super) fn transformation(
    mut provided: Provided,
    mut element: Element,
) -> (Provided, Option<Element>) {
    if element.namespace() != namespace::PRES_RULES {
        return (provided, Some(element));
    }
    let local = element.local();
    let is_understood = match local {
        "provide-services" => select(provided.services_mut(), &mut element),
        "provide-devices" => select(provided.devices_mut(), &mut element),
        "provide-persons" => select(provided.persons_mut(), &mut element),
        "provide-all-attributes" => {
            provided = provided.with_all_attributes();
            true
        }
        "provide-user-input" => {
            let detail = text_of(&element).and_then(|text| InputDetail::from_name(&text));
            provided = provided.with_user_input(detail.unwrap_or_default());
            detail.is_some()
        }
        "provide-unknown-attribute" => {
            let names = element.attribute("ns").zip(element.attribute("name"));
            let names = names.filter(|(ns, name)| !ns.is_empty() && !name.is_empty());
            let granted = boolean(&element);
            if let Some((ns, name)) = names
                && granted == Some(true)
            {
                provided = provided.with_unknown_attribute(ns, name);
            }
            names.is_some() && granted.is_some()
        }
        _ => {
            let attribute = local.strip_prefix("provide-");
            let attribute = attribute.and_then(PresenceAttribute::from_name);
            let granted = boolean(&element);
            if let Some(attribute) = attribute
                && granted == Some(true)
            {
                provided = provided.with_attribute(attribute);
            }
            attribute.is_some() && granted.is_some()
        }
    };
    (provided, (!is_understood).then_some(element))
}

/// Adds the selectors in an element, and leaves in it what is not understood; true when that is nothing.
fn select<S: Selector>(selection: &mut Selection<S>, element: &mut Element) -> bool {
    element.children_mut().retain(|node| {
        let Node::Element(child) = node else {
            return false;
        };
        if child.namespace() != namespace::PRES_RULES {
            return true;
        }
        if child.local() == S::ALL {
            selection.select_all();
            return false;
        }
        let selector = text_of(child).and_then(|text| S::of(child.local(), text)?.normal());
        match selector {
            Some(selector) => {
                selection.insert(selector);
                false
            }
            None => true,
        }
    });
    element.elements().next().is_none()
}

fn boolean(element: &Element) -> Option<bool> {
    match text_of(element)?.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
