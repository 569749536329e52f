//! Filters and documents made at random: what they do is what the simple way comes to.

use presentity::filter::{
    Changed, Filter, FilterLimits, FilterSet, Narrowing, PresenceSchema, Required, Trigger,
};
use presentity::pidf::Presence;
use presentity::xml::{Element, Name};
use proptest::prelude::*;

use super::naive::{self, Change, NAMESPACES, Operand, Path, Pick, Picks, Step, Test};
use super::{BUDGET, is_valid, presence};

/// Nothing is mandatory.
struct NoSchema;

impl Required for NoSchema {
    fn attribute(&self, _: &[&Element], _: &Name) -> bool {
        false
    }

    fn children(&self, _: &[&Element], _: &[bool]) -> Vec<usize> {
        Vec::new()
    }
}

fn pick<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn value() -> impl Strategy<Value = String> {
    pick(&["1", "2", "1.0", "x", "12"]).prop_map(str::to_owned)
}

fn element() -> impl Strategy<Value = Element> {
    let bare = || {
        let namespace = prop::sample::select(
            vec!["urn:example:x"; 3]
                .into_iter()
                .chain(["urn:example:y"])
                .collect::<Vec<_>>(),
        );
        let attribute = || prop::option::weighted(0.3, value());
        (namespace, pick(&["a", "b", "c"]), attribute(), attribute()).prop_map(
            |(namespace, local, id, k)| {
                let mut element = Element::new(namespace, local);
                for (name, value) in [("id", id), ("k", k)] {
                    if let Some(value) = value {
                        element = element.with_attribute(name, value);
                    }
                }
                element
            },
        )
    };
    let text = prop::option::of(prop_oneof![value(), Just(" 2 ".to_owned())]);
    let leaf = (bare(), text).prop_map(|(element, text)| match text {
        Some(text) => element.with_text(text),
        None => element,
    });
    leaf.prop_recursive(4, 24, 5, move |inner| {
        (bare(), prop::collection::vec(inner, 0..5))
            .prop_map(|(element, children)| children.into_iter().fold(element, Element::with_child))
    })
}

fn name() -> impl Strategy<Value = Option<(String, String)>> {
    let named = (pick(&["x", "x", "y", ""]), pick(&["a", "b", "c"]))
        .prop_map(|(prefix, local)| Some((prefix.to_owned(), local.to_owned())));
    prop_oneof![3 => named, 1 => Just(None)]
}

fn attribute() -> impl Strategy<Value = (bool, String)> {
    (any::<bool>(), pick(&["id", "k"])).prop_map(|(deep, name)| (deep, name.to_owned()))
}

fn test() -> impl Strategy<Value = Test> {
    let step = (any::<bool>(), name()).prop_map(|(deep, name)| Step {
        deep,
        name,
        condition: Vec::new(),
    });
    let path = (
        prop::collection::vec(step, 0..3),
        prop::option::weighted(0.4, attribute()),
    )
        .prop_filter("a path leads somewhere", |(steps, attribute)| {
            !steps.is_empty() || attribute.is_some()
        })
        .prop_map(|(mut steps, mut attribute)| {
            match steps.first_mut() {
                Some(first) => first.deep = false,
                None => attribute = attribute.map(|(_, name)| (false, name)),
            }
            Operand::Path(Path { steps, attribute })
        });
    let operand = prop_oneof![
        1 => Just(Operand::Itself),
        1 => Just(Operand::Parent),
        4 => path,
    ];
    (operand, pick(&['=', '=', '<', '>']), value(), any::<bool>()).prop_map(
        |(operand, operator, value, quoted)| Test {
            operand,
            operator,
            value,
            quoted,
        },
    )
}

fn path() -> impl Strategy<Value = Path> {
    let all = || prop::collection::vec(test(), 1..3);
    let condition = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(all(), 1..3),
    ];
    let step = (any::<bool>(), name(), condition).prop_map(|(deep, name, condition)| Step {
        deep,
        name,
        condition,
    });
    (
        prop::collection::vec(step, 0..4),
        prop::option::weighted(0.25, attribute()),
    )
        .prop_filter("a path leads somewhere", |(steps, attribute)| {
            !steps.is_empty() || matches!(attribute, Some((true, _)))
        })
        .prop_map(|(steps, attribute)| Path { steps, attribute })
}

fn picks() -> impl Strategy<Value = Picks> {
    let one = || {
        prop_oneof![
            5 => path().prop_map(Pick::Path),
            1 => pick(&["urn:example:x", "urn:example:y"]).prop_map(|it| Pick::Namespace(it.to_owned())),
        ]
    };
    let some = || prop::collection::vec(one(), 0..3);
    (some(), some())
        .prop_filter("it says something", |(includes, excludes)| {
            !includes.is_empty() || !excludes.is_empty()
        })
        .prop_map(|(includes, excludes)| Picks { includes, excludes })
}

fn change() -> impl Strategy<Value = Change> {
    let end = || prop::option::weighted(0.3, pick(&["1", "2", "12"]).prop_map(str::to_owned));
    let by = prop::option::weighted(0.2, pick(&[1.0, 2.0, 10.5]));
    prop_oneof![
        3 => (path(), end(), end(), by)
            .prop_map(|(path, from, to, by)| Change::Changed { path, from, to, by }),
        1 => path().prop_map(Change::Added),
        1 => path().prop_map(Change::Removed),
    ]
}

fn set() -> FilterSet {
    let known = NAMESPACES.iter();
    known.fold(FilterSet::new(), |set, (prefix, urn)| set.bind(prefix, urn))
}

fn filter(number: usize, picks: &Picks) -> Filter {
    // Several hold for one resource by different names of its domain.
    let mut filter = Filter::new(number.to_string()).for_domain(number.to_string());
    for include in &picks.includes {
        filter = match include {
            Pick::Path(path) => filter.include(&path.to_text()),
            Pick::Namespace(name) => filter.include_namespace(name),
        };
    }
    for exclude in &picks.excludes {
        filter = match exclude {
            Pick::Path(path) => filter.exclude(&path.to_text()),
            Pick::Namespace(name) => filter.exclude_namespace(name),
        };
    }
    filter
}

fn trigger(changes: &[Change]) -> Trigger {
    changes
        .iter()
        .fold(Trigger::new(), |trigger, change| match change {
            Change::Added(path) => trigger.added(&path.to_text()),
            Change::Removed(path) => trigger.removed(&path.to_text()),
            Change::Changed { path, from, to, by } => {
                let mut changed = Changed::of(&path.to_text());
                changed.from.clone_from(from);
                changed.to.clone_from(to);
                changed.by = by.map(|by| by.to_string());
                trigger.changed(changed)
            }
        })
}

/// As the set, and as it is read from what it is written to.
fn narrowing(set: &FilterSet) -> Narrowing {
    let written = set.write().unwrap();
    let read = FilterSet::read(&written, &FilterLimits::default()).unwrap();
    assert_eq!(read, *set);
    assert_eq!(read.write().unwrap(), written);
    let narrowing = set.for_resource(|_| true).unwrap();
    assert_eq!(read.for_resource(|_| true).as_ref(), Some(&narrowing));
    narrowing
}

/// Whether nothing is in the one that is not in the other, in the same order.
fn is_part(part: &Element, whole: &Element) -> bool {
    let mut attributes = part.attributes.iter();
    let attributes = attributes.all(|it| {
        whole
            .attributes
            .get(it.name.namespace(), it.name.local())
            .is_some_and(|value| *value == it.value)
    });
    let mut of_whole = whole.elements();
    part.name() == whole.name()
        && attributes
        && part
            .elements()
            .all(|child| of_whole.any(|it| is_part(child, it)))
}

/// Parts of a presence document that filters may take out.
const PARTS: &[&str] = &[
    "//pidf:status",
    "//pidf:status/*",
    "//pidf:basic",
    "//pidf:tuple[@id='a']",
    "//pidf:note",
    "//pidf:contact/@priority",
    "//@id",
    "//@entity",
    "//dm:deviceID",
    "//dm:person",
    "//dm:device/*",
    "//rpid:mood/*",
    "//rpid:mood[rpid:happy='']",
    "//rpid:place-is//*",
    "//rpid:audio",
    "//rpid:place-type/*",
    "//rpid:service-class/*",
    "//rpid:note",
    "//caps:servcaps//*",
    "//caps:supported/*",
    "//caps:range/@minvalue",
    "//@value",
    "//x:y",
    "//*",
    "//*/*/*/*",
];

fn rich() -> Element {
    presence(
        "<tuple id='a'><status><basic>open</basic><x:y>1</x:y></status>\
         <rpid:service-class><rpid:electronic/></rpid:service-class>\
         <caps:servcaps><caps:audio>true</caps:audio><caps:languages><caps:supported><caps:l>en</caps:l>\
         <caps:l>de</caps:l></caps:supported><caps:notsupported><caps:l>fr</caps:l></caps:notsupported></caps:languages>\
         <caps:priority><caps:supported><caps:equals value='1'/><caps:range minvalue='1' maxvalue='2'/></caps:supported>\
         </caps:priority></caps:servcaps><dm:deviceID>urn:example:d</dm:deviceID>\
         <contact priority='0.5'>sip:a@example.com</contact><note xml:lang='en'>Hello</note>\
         <timestamp>2026-03-04T05:06:07Z</timestamp></tuple>\
         <tuple id='b'><status><x:y pidf:mustUnderstand='true'>1</x:y><x:z/></status></tuple><note>n</note>\
         <dm:person id='p'><rpid:mood><rpid:note>n</rpid:note><rpid:happy/><rpid:calm/></rpid:mood>\
         <rpid:place-is><rpid:audio><rpid:ok/></rpid:audio><rpid:video><rpid:dark/></rpid:video></rpid:place-is>\
         <rpid:place-type><rpid:note>n</rpid:note><x:hall><x:y/></x:hall></rpid:place-type>\
         <rpid:user-input last-input='2026-03-04T05:06:07Z'>idle</rpid:user-input></dm:person>\
         <dm:device id='d'><caps:devcaps><caps:mobility><caps:supported><caps:fixed/></caps:supported></caps:mobility>\
         </caps:devcaps><dm:deviceID>urn:example:d</dm:deviceID></dm:device>",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    // PA-14
    #[test]
    fn what_is_shown(document in element(), all in prop::collection::vec(picks(), 1..3)) {
        let filters = all.iter().enumerate();
        let filters = filters.map(|(number, picks)| filter(number, picks));
        let set = filters.fold(set(), FilterSet::with);
        let narrowing = narrowing(&set);
        let shown = narrowing.apply(&document, &NoSchema, BUDGET).unwrap();
        prop_assert_eq!(&shown, &naive::shown(&document, &all), "{:?}", set);
        if let Some(shown) = shown {
            prop_assert!(is_part(&shown, &document));
        }
    }

    // PA-14
    #[test]
    fn when_it_is_sent(
        before in element(),
        after in element(),
        is_related in any::<prop::sample::Index>(),
        other in element(),
        triggers in prop::collection::vec(prop::collection::vec(change(), 1..3), 1..3),
    ) {
        // Most of the time the documents have something in common.
        let places = naive::places(&before);
        let place = is_related.get(&places);
        let after = match place.is_empty() {
            true => after,
            false => replaced(&before, place, &other),
        };
        let mut filter = Filter::new("1");
        for changes in &triggers {
            filter = filter.when(trigger(changes));
        }
        let narrowing = narrowing(&set().with(filter));
        let expected = triggers.iter().any(|changes| {
            changes.iter().all(|change| change.has_happened(&before, &after))
        });
        prop_assert_eq!(narrowing.fires(&before, &after, BUDGET), expected);
    }

    // PA-14
    #[test]
    fn what_is_shown_stays_valid(
        includes in prop::collection::vec(pick(PARTS), 0..3),
        excludes in prop::collection::vec(pick(PARTS), 0..4),
    ) {
        let document = rich();
        let mut filter = Filter::new("1");
        for include in includes {
            filter = filter.include(include);
        }
        for exclude in excludes {
            filter = filter.exclude(exclude);
        }
        let set = FilterSet::of_presence().bind("x", "urn:example:x").with(filter);
        if let Some(narrowing) = set.for_resource(|_| true) {
            let shown = narrowing.apply(&document, &PresenceSchema::new(), BUDGET).unwrap();
            if let Some(shown) = shown {
                prop_assert!(is_part(&shown, &document));
                prop_assert!(is_valid(&shown), "{:?}", set);
                // Beyond the schema: no status is empty.
                let presence = Presence::read(&shown.write().unwrap()).unwrap();
                for tuple in &presence.tuples {
                    prop_assert!(
                        tuple.status.basic().is_some() || !tuple.status.extensions.is_empty()
                    );
                }
                let again = narrowing.apply(&shown, &PresenceSchema::new(), BUDGET).unwrap();
                if let Some(again) = again {
                    prop_assert!(is_part(&again, &shown));
                }
            }
        }
    }
}

#[test]
fn the_rich_document_is_valid() {
    let octets = rich().write().unwrap();
    let strictly = presentity::pidf::ReadOptions::strict();
    assert_eq!(Presence::read_with(&octets, &strictly).err(), None);
}

/// The document with another element at a place.
fn replaced(document: &Element, place: &[usize], other: &Element) -> Element {
    let Some((first, rest)) = place.split_first() else {
        return other.clone();
    };
    let mut document = document.clone();
    let child = document.elements_mut().nth(*first).unwrap();
    *child = replaced(child, rest, other);
    document
}
