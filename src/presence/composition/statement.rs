//! What services, persons and devices have in common, and how several of them become one.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::device_key::device_key;
use super::periods::{Moments, Period};
use crate::pidf::rpid::{InputState, UserInput, input_of, period_of};
use crate::pidf::{Contact, Device, DeviceId, Extension, Note, Person, Tuple};
use crate::xml::{Attributes, Element, Name, namespace};

/// Attributes that a part may get from those that are merged into it. More than a handful have no
/// purpose, and readers refuse elements that have too many.
const MOST_ATTRIBUTES: usize = 64;

/// When somebody last used something, as user-input tells it; later compares as more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Input {
    pub(super) is_active: bool,
    pub(super) last: Option<OffsetDateTime>,
}

impl Input {
    /// What the elements say; of several the most recent.
    pub(super) fn of(extensions: &[Element]) -> Option<Self> {
        let inputs = extensions.iter().filter_map(input_of);
        let inputs = inputs.map(|(state, last)| Self {
            is_active: state == InputState::Active,
            last,
        });
        inputs.max()
    }
}

/// A part of a document of which sources may say different things.
pub(super) trait Statement: Sized {
    /// Whether several devices may speak of its user input, so that the most recent counts.
    const MANY_DEVICES: bool;
    /// Whether what idle sources say of it does not count beside others.
    const MAY_YIELD: bool;

    fn id_mut(&mut self) -> &mut String;
    fn extensions(&self) -> &[Element];
    fn extensions_mut(&mut self) -> &mut Vec<Element>;
    fn notes_mut(&mut self) -> &mut Vec<Note>;
    fn attributes_mut(&mut self) -> &mut Attributes;
    fn time(&self) -> Option<OffsetDateTime>;
    fn set_time(&mut self, at: OffsetDateTime);
    fn hand_down(&mut self);

    /// The status values of other namespaces, where there is a status.
    fn status_mut(&mut self) -> Option<&mut Vec<Element>>;

    /// Takes over what this one does not say and only services do.
    fn take_rest(&mut self, other: &mut Self);
}

macro_rules! statements {
    ($($part:ty, $many:literal, $yields:literal { $($own:item)* })+) => {$(
        impl Statement for $part {
            const MANY_DEVICES: bool = $many;
            const MAY_YIELD: bool = $yields;

            fn id_mut(&mut self) -> &mut String {
                &mut self.id
            }

            fn extensions(&self) -> &[Element] {
                &self.extensions
            }

            fn extensions_mut(&mut self) -> &mut Vec<Element> {
                &mut self.extensions
            }

            fn notes_mut(&mut self) -> &mut Vec<Note> {
                &mut self.notes
            }

            fn attributes_mut(&mut self) -> &mut Attributes {
                &mut self.attributes
            }

            fn time(&self) -> Option<OffsetDateTime> {
                self.timestamp()
            }

            fn set_time(&mut self, at: OffsetDateTime) {
                // A year that no document can carry leaves the one that is there.
                let _ = self.set_timestamp(Some(at));
            }

            fn hand_down(&mut self) {
                self.hand_down_language();
            }

            $($own)*
        }
    )+};
}

statements! {
    Tuple, true, false {
        fn status_mut(&mut self) -> Option<&mut Vec<Element>> {
            Some(&mut self.status.extensions)
        }

        fn take_rest(&mut self, other: &mut Self) {
            if self.status.basic().is_none()
                && let Some(basic) = other.status.basic()
            {
                self.status.set_basic(Some(basic));
            }
            take_attributes(&mut self.status.attributes, &other.status.attributes);
            match (&mut self.contact, &mut other.contact) {
                (None, theirs) => self.contact = theirs.take(),
                (Some(own), Some(theirs)) => {
                    if own.priority().is_none() && theirs.priority().is_some() {
                        own.set_priority(theirs.priority());
                    }
                    take_attributes(&mut own.attributes, &theirs.attributes);
                }
                (Some(Contact { .. }), None) => {}
            }
        }
    }
    Person, true, true {
        fn status_mut(&mut self) -> Option<&mut Vec<Element>> {
            None
        }

        fn take_rest(&mut self, _: &mut Self) {}
    }
    Device, false, false {
        fn status_mut(&mut self) -> Option<&mut Vec<Element>> {
            None
        }

        fn take_rest(&mut self, _: &mut Self) {}
    }
}

/// Takes over the attributes of names that are not there yet.
pub(super) fn take_attributes(own: &mut Attributes, theirs: &Attributes) {
    for attribute in theirs {
        let name = &attribute.name;
        if own.len() >= MOST_ATTRIBUTES {
            return;
        }
        if name.is(namespace::XML, "lang") || own.get(name.namespace(), name.local()).is_some() {
            continue;
        }
        own.set(name.clone(), attribute.value.as_str());
    }
}

/// One part of several that are about the same, of which an earlier one is right where they
/// contradict each other.
pub(super) fn merge<S: Statement>(first: S, others: Vec<S>) -> S {
    if others.is_empty() {
        return first;
    }
    let newest = others.iter().map(S::time).chain([first.time()]).max();
    let input_of_all = S::MANY_DEVICES.then(|| most_recent_input(&first, &others));
    let mut merged = first;
    // What is said of its language is not said of theirs.
    merged.hand_down();
    let mut extensions = Gathered::new(input_of_all.flatten());
    extensions.take(core::mem::take(merged.extensions_mut()));
    let mut status = Gathered::new(None);
    if let Some(own) = merged.status_mut() {
        status.take(core::mem::take(own));
    }
    for mut other in others {
        other.hand_down();
        extensions.take(core::mem::take(other.extensions_mut()));
        if let Some(theirs) = other.status_mut() {
            status.take(core::mem::take(theirs));
        }
        if merged.notes_mut().is_empty() {
            *merged.notes_mut() = core::mem::take(other.notes_mut());
        }
        let theirs = core::mem::take(other.attributes_mut());
        take_attributes(merged.attributes_mut(), &theirs);
        merged.take_rest(&mut other);
    }
    *merged.extensions_mut() = extensions.elements;
    if let Some(own) = merged.status_mut() {
        *own = status.elements;
    }
    if let Some(newest) = newest.flatten()
        && merged.time() != Some(newest)
    {
        merged.set_time(newest);
    }
    merged
}

/// The place of the part with the most recent user input; of equals the first.
fn most_recent_input<S: Statement>(first: &S, others: &[S]) -> Option<usize> {
    let all = core::iter::once(first).chain(others);
    let inputs = all.map(|part| Input::of(part.extensions())).enumerate();
    let inputs = inputs.filter_map(|(at, input)| Some((input?, core::cmp::Reverse(at))));
    inputs.max().map(|(_, core::cmp::Reverse(at))| at)
}

/// Elements of several parts: of each name those of the first part that has it, where they are not
/// to stand side by side.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) elements: Vec<Element>,
    /// How many parts there were.
    parts: usize,
    names: HashMap<Name, Held>,
    devices: HashSet<String>,
    /// Which part tells the user input, when that is not the first that says anything of it.
    input_of: Option<usize>,
}

#[derive(Debug)]
struct Held {
    by: usize,
    moments: Moments,
}

impl Gathered {
    pub(super) fn new(input_of: Option<usize>) -> Self {
        Self {
            elements: Vec::new(),
            parts: 0,
            names: HashMap::new(),
            devices: HashSet::new(),
            input_of,
        }
    }

    /// Takes those of the next part. What a part says itself is never held against it.
    pub(super) fn take(&mut self, elements: Vec<Element>) {
        let part = self.parts;
        self.parts = part.saturating_add(1);
        let mut periods: Vec<(Name, Period)> = Vec::new();
        for element in elements {
            let name = element.name();
            let keeps = if element.is(DeviceId::NAMESPACE, DeviceId::LOCAL) {
                // A service may run on several devices.
                self.devices
                    .insert(device_key(&element.text()).into_owned())
            } else if let Some((from, until)) = period_of(&element) {
                let period = Period::new(from, until);
                let held = self.names.get(name);
                let keeps = held.is_none_or(|held| !held.moments.meets(period));
                if keeps {
                    periods.push((name.clone(), period));
                }
                keeps
            } else if let Some(input_of) = self.input_of
                && element.is(UserInput::NAMESPACE, UserInput::LOCAL)
            {
                input_of == part
            } else if let Some(held) = self.names.get(name) {
                held.by == part
            } else {
                let held = Held {
                    by: part,
                    moments: Moments::default(),
                };
                self.names.insert(name.clone(), held);
                true
            };
            if keeps {
                self.elements.push(element);
            }
        }
        for (name, period) in periods {
            let held = self.names.entry(name).or_insert_with(|| Held {
                by: part,
                moments: Moments::default(),
            });
            held.moments.add(period);
        }
    }
}
