//! What an element may not be without (RFC 3863, 4.4; RFC 4479, 5.1; RFC 4480, 5; RFC 5196, 6).

use super::{Content, NOTE, Named, Others, Rule, Slot, TIME, URI, Value, find, rule_for};
use crate::xml::{Element, Name, namespace};

static PRESENCE: Rule = Rule {
    content: Content::Elements(&[&[
        Slot::many(&[("tuple", &TUPLE)]),
        Slot::many(&[("note", &NOTE)]),
        Slot::foreign(0),
    ]]),
    attributes: &[Named {
        local: "entity",
        value: Value::Uri,
        required: true,
    }],
    others: Others::Any,
};

static TUPLE: Rule = Rule {
    content: Content::Elements(&[&[
        Slot::one(&[("status", &STATUS)]),
        Slot::foreign(0),
        Slot::optional(&[("contact", &URI)]),
        Slot::many(&[("note", &NOTE)]),
        Slot::optional(&[("timestamp", &TIME)]),
    ]]),
    attributes: &[Named {
        local: "id",
        value: Value::Id,
        required: true,
    }],
    others: Others::None,
};

/// The schema allows an empty one, RFC 3863 section 4.1.4 does not.
static STATUS: Rule = Rule::elements(&[
    &[
        Slot::one(&[("basic", &Rule::value(Value::Text))]),
        Slot::foreign(0),
    ],
    &[Slot::foreign(1)],
]);

/// The rule for the last element of a path from the root.
fn rule(path: &[&Element]) -> Option<&'static Rule> {
    let mut around: Option<(&Element, Option<&'static Rule>)> = None;
    for element in path {
        let by_parent = around
            .filter(|(parent, _)| parent.namespace() == element.namespace())
            .and_then(|(_, rule)| in_content(rule?, element.local()));
        let rule = match (by_parent, element.namespace(), element.local()) {
            (Some(rule), ..) => Some(rule),
            (None, namespace::PIDF, "presence") => Some(&PRESENCE),
            (None, ..) => rule_for(element),
        };
        around = Some((element, rule));
    }
    around.and_then(|(_, rule)| rule)
}

fn sequences(rule: &'static Rule) -> &'static [&'static [Slot]] {
    match rule.content {
        Content::Elements(sequences) => sequences,
        Content::Nothing | Content::Value(_) => &[],
    }
}

fn in_content(rule: &'static Rule, local: &str) -> Option<&'static Rule> {
    let mut slots = sequences(rule).iter().copied().flatten();
    slots.find_map(|slot| find(slot.choice, local))
}

/// Whether the last element of a path from the root may not be without this attribute.
///
/// What it says of how the element is to be read is among them: `mustUnderstand` and those of XML Schema.
pub(crate) fn attribute(path: &[&Element], name: &Name) -> bool {
    match name.namespace() {
        "" => rule(path).is_some_and(|rule| {
            let mut required = rule.attributes.iter().filter(|named| named.required);
            required.any(|named| named.local == name.local())
        }),
        namespace::PIDF => name.local() == "mustUnderstand",
        other => other == namespace::XSI,
    }
}

/// Which elements directly in the last one of a path have to be put back where only some of them are kept,
/// by their numbers. None when they are as the schema wants them, or nobody knows how it does.
pub(crate) fn children(path: &[&Element], kept: &[bool]) -> Vec<usize> {
    let (Some(element), Some(rule)) = (path.last(), rule(path)) else {
        return Vec::new();
    };
    let sequences = sequences(rule);
    let is_needed = |slot: &&Slot| slot.least > 0;
    if sequences
        .iter()
        .copied()
        .flatten()
        .all(|slot| !is_needed(&slot))
    {
        return Vec::new();
    }
    let belongs = |slot: &Slot, child: &Element| {
        if child.namespace() == element.namespace() {
            find(slot.choice, child.local()).is_some()
        } else {
            slot.foreign && !child.namespace().is_empty()
        }
    };
    let fits = |sequence: &[Slot], with: &dyn Fn(usize) -> bool| {
        let children = || element.elements().enumerate();
        let mut there = children().filter(|(number, _)| with(*number));
        let mut needed = sequence.iter().filter(is_needed);
        there.all(|(_, child)| sequence.iter().any(|slot| belongs(slot, child)))
            && needed.all(|slot| children().any(|(number, it)| with(number) && belongs(slot, it)))
    };
    let is_kept = |number: usize| kept.get(number).is_some_and(|kept| *kept);
    if sequences.iter().any(|sequence| fits(sequence, &is_kept)) {
        return Vec::new();
    }
    // As it was written, and if that was as nobody should, as much as there is.
    let mut all = sequences.iter();
    let sequence = all.find(|sequence| fits(sequence, &|_| true));
    let Some(sequence) = sequence.or(sequences.first()) else {
        return Vec::new();
    };
    let needed = sequence.iter().filter(is_needed);
    needed
        .filter_map(|slot| {
            let mut of_slot = element.elements().enumerate();
            let has = of_slot.any(|(number, it)| is_kept(number) && belongs(slot, it));
            let mut of_slot = element.elements().enumerate();
            let first = of_slot.find(|(_, it)| belongs(slot, it));
            first.filter(|_| !has).map(|(number, _)| number)
        })
        .collect()
}
