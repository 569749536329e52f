//! Filters: what is read and written reads as equal, what is shown of a document is a part of it that stays
//! valid, and what did not change is not sent.
//!
//! The input is a set of filters, a zero octet, a document, and perhaps another zero octet and document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::filter::{FilterLimits, FilterSet, Narrowing, PresenceSchema};
use presentity::pidf::{Presence, ReadOptions};
use presentity::xml::{Element, XmlLimits};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|octet| *octet == 0);
    let limits = FilterLimits::default();
    let Ok(set) = FilterSet::read(parts.next().unwrap_or_default(), &limits) else {
        return;
    };
    let written = set.write().expect("what was read can be written");
    let again = FilterSet::read(&written, &limits).expect("what was written can be read");
    assert_eq!(again, set);
    assert_eq!(again.write().as_ref(), Ok(&written));
    refresh(&set, &limits);

    let document = |part: Option<&[u8]>| Element::read(part?, &XmlLimits::default()).ok();
    let Some(before) = document(parts.next()) else {
        return;
    };
    let after = document(parts.next());
    // Each filter by itself, and all together.
    let mut narrowings: Vec<Narrowing> = set.for_resource(|_| true).into_iter().collect();
    for filter in set.filters.iter().take(4) {
        let mut alone = set.clone();
        alone.filters.retain(|it| it.id == filter.id);
        narrowings.extend(alone.for_resource(|_| true));
    }
    for narrowing in &narrowings {
        show(narrowing, &before);
        if let Some(after) = &after {
            show(narrowing, after);
            narrowing.fires(&before, after, FilterLimits::BUDGET);
            narrowing.fires(after, &before, FilterLimits::BUDGET);
        }
    }
});

fn refresh(set: &FilterSet, limits: &FilterLimits) {
    let Ok(in_force) = FilterSet::new().merged_with(set, limits) else {
        return;
    };
    assert_eq!(in_force.for_resource(|_| true), set.for_resource(|_| true));
    assert_eq!(
        in_force.merged_with(&FilterSet::new(), limits).as_ref(),
        Ok(&in_force)
    );
    // The same again, with other meanings of all prefixes.
    let mut other = FilterSet::new();
    for binding in &set.bindings {
        other = other.bind(&binding.prefix, "urn:example:other");
    }
    if let Ok(renamed) = in_force.merged_with(&other, limits) {
        assert_eq!(
            renamed.for_resource(|_| true),
            in_force.for_resource(|_| true)
        );
    }
}

fn show(narrowing: &Narrowing, document: &Element) {
    // Enough for whatever the fuzzer can put into one input.
    const ENOUGH: usize = usize::MAX;
    assert_eq!(
        narrowing.fires(document, document, ENOUGH),
        !narrowing.has_triggers()
    );
    let schema = PresenceSchema::new();
    let shown = narrowing
        .apply(document, &schema, ENOUGH)
        .expect("within budget");
    let Some(shown) = shown else {
        return;
    };
    assert!(is_part(&shown, document));
    if is_valid(document) {
        assert!(is_valid(&shown), "{shown:?}");
    }
    assert!(narrowing.apply(document, &schema, 0).is_err() || narrowing.shows_everything());
}

fn is_valid(document: &Element) -> bool {
    let written = document.write();
    written.is_ok_and(|octets| Presence::read_with(&octets, &ReadOptions::strict()).is_ok())
}

/// Whether nothing is in the one that is not in the other, in the same order.
fn is_part(part: &Element, whole: &Element) -> bool {
    let mut attributes = part.attributes.iter();
    let mut of_whole = whole.elements();
    part.name() == whole.name()
        && attributes.all(|it| {
            let (namespace, local) = (it.name.namespace(), it.name.local());
            whole.attributes.get(namespace, local) == Some(it.value.as_str())
        })
        && part
            .elements()
            .all(|child| of_whole.any(|it| is_part(child, it)))
        && (whole.elements().next().is_some() || part.text() == whole.text())
}
