//! Partial presence documents: read, made, and put together in the order of their versions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

#[path = "../benches/common/documents.rs"]
mod bench_documents;
mod corpus;
mod schemas;

use std::collections::BTreeMap;

use presentity::pidf::partial::{Numbered, PartialDocument, PartialError, Reconstruction, Taken};
use presentity::pidf::{Device, DeviceId, Person, Presence, ReadError, ReadOptions, Tuple};
use presentity::xml::patch::{PatchErrorDocument, PatchErrorKind};
use presentity::xml::{Element, Layout, Name, NodeRef, XmlErrorKind, XmlLimits, namespace};
use schemas::{complaints, spec};

const DIFF: &str = "urn:ietf:params:xml:ns:pidf-diff";

fn full_of(attributes: &str, content: &str) -> String {
    format!(
        "<p:pidf-full xmlns='urn:ietf:params:xml:ns:pidf' xmlns:p='{DIFF}' \
         entity='sip:dora@example.com' {attributes}>{content}</p:pidf-full>"
    )
}

fn diff_of(attributes: &str, operations: &str) -> String {
    format!(
        "<p:pidf-diff xmlns='urn:ietf:params:xml:ns:pidf' xmlns:p='{DIFF}' {attributes}>\
         {operations}</p:pidf-diff>"
    )
}

const PHONE: &str = "<tuple id='phone'><status><basic>open</basic></status></tuple>";
const CLOSE: &str =
    "<p:replace sel=\"*/tuple[@id='phone']/status/basic/text()\">closed</p:replace>";

fn read(document: &str) -> Result<PartialDocument, PartialError> {
    PartialDocument::read(document.as_bytes(), &XmlLimits::default())
}

fn presence(held: &Reconstruction) -> Presence {
    held.presence(&ReadOptions::default()).unwrap()
}

fn element(octets: &[u8]) -> Element {
    Element::read(octets, &XmlLimits::default()).unwrap()
}

fn basic(held: &Reconstruction) -> String {
    let presence = presence(held);
    presence
        .tuple("phone")
        .unwrap()
        .status
        .basic()
        .unwrap()
        .as_str()
        .to_owned()
}

// ---- reading --------------------------------------------------------------------------------------

// PIDF-51
#[test]
fn the_root_tells_a_whole_document_from_changes() {
    let PartialDocument::Full { version, root } = read(&full_of("version=' 7 '", PHONE)).unwrap()
    else {
        panic!("a whole one");
    };
    assert_eq!(version, Some(7));
    assert!(root.is(DIFF, "pidf-full") && root.attribute("version").is_some());
    let PartialDocument::Diff {
        version,
        entity,
        operations,
    } = read(&diff_of("entity=' sip:dora@example.com'", CLOSE)).unwrap()
    else {
        panic!("changes");
    };
    assert_eq!(
        (version, entity.as_deref()),
        (None, Some("sip:dora@example.com"))
    );
    assert_eq!(operations.len(), 1);
    assert_eq!(
        read(&diff_of("version='4294967295'", ""))
            .unwrap()
            .version(),
        Some(u32::MAX)
    );
}

// PIDF-51
#[test]
fn other_roots_are_refused() {
    let presence = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'/>";
    assert_eq!(read(presence), Err(PartialError::PresenceRoot));
    for other in [
        "<pidf-full xmlns='urn:ietf:params:xml:ns:pidf'/>",
        "<pidf-full/>",
        "<presence/>",
        "<p:pidf-ful xmlns:p='urn:ietf:params:xml:ns:pidf-diff'/>",
    ] {
        let error = read(other).unwrap_err();
        assert!(matches!(error, PartialError::WrongRoot { .. }), "{error}");
        assert_eq!(error.condition(), Some(PatchErrorKind::InvalidDiffFormat));
        assert_eq!(error.status(), 400);
    }
    let error = read("<p:pidf-full xmlns:p='urn:ietf:params:xml:ns:pidf-diff'>").unwrap_err();
    assert_eq!(error.condition(), Some(PatchErrorKind::InvalidDiffFormat));
    let mut limits = XmlLimits::default();
    limits.bytes = 10;
    let error = PartialDocument::read(presence.as_bytes(), &limits).unwrap_err();
    assert_eq!(error.status(), 413);
    let bomb = "<!DOCTYPE p [<!ENTITY a 'b'>]><p/>";
    assert!(
        matches!(read(bomb), Err(PartialError::Xml(it)) if *it.kind() == XmlErrorKind::Doctype)
    );
}

// PIDF-51
#[test]
fn versions_are_numbers() {
    for bad in [
        "",
        "x",
        "-1",
        "+1",
        "4294967296",
        "1.0",
        "99999999999999999999",
    ] {
        for document in [
            full_of(&format!("version='{bad}'"), PHONE),
            diff_of(&format!("version='{bad}'"), CLOSE),
        ] {
            let error = read(&document).unwrap_err();
            assert_eq!(
                error,
                PartialError::BadVersion {
                    value: bad.to_owned()
                }
            );
            assert_eq!(
                error.condition(),
                Some(PatchErrorKind::InvalidAttributeValue)
            );
        }
    }
    assert_eq!(
        read(&diff_of("version='007'", "")).unwrap().version(),
        Some(7)
    );
}

// PIDF-51
#[test]
fn a_selector_may_name_the_root_in_either_way() {
    for root in [
        "*",
        "presence",
        "p:pidf-full",
        "pidf-full",
        "p:presence",
        "/presence",
    ] {
        let mut held = Reconstruction::new();
        held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
        let operation = CLOSE.replace("*/", &format!("{root}/"));
        let diff = diff_of("version='2'", &operation);
        assert_eq!(held.take(diff.as_bytes()), Ok(Taken::Changed), "{root}");
        assert_eq!(basic(&held), "closed");
    }
    let mut held = Reconstruction::new();
    held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let diff = diff_of("version='2'", &CLOSE.replace("*/", "pidf-diff/"));
    let error = held.take(diff.as_bytes()).unwrap_err();
    assert_eq!(error.condition(), Some(PatchErrorKind::UnlocatedNode));
}

// PIDF-51
#[test]
fn ids_are_those_of_the_schemas() {
    let mut held = Reconstruction::new();
    held.take_unversioned(full_of("", PHONE).as_bytes())
        .unwrap();
    let diff = diff_of(
        "",
        "<p:replace sel=\"id('phone')/status/basic/text()\">closed</p:replace>",
    );
    held.take_unversioned(diff.as_bytes()).unwrap();
    assert_eq!(basic(&held), "closed");
}

// ---- making ---------------------------------------------------------------------------------------

fn everything() -> Vec<Presence> {
    let rich = Presence::read(corpus::RICH.as_bytes()).unwrap();
    let mut several = rich.clone();
    several.repair();
    let tuples = (0..30).map(|at| Tuple::open(format!("t{at}")).with_note(format!("note {at}")));
    let many = tuples.fold(Presence::new("sip:dora@example.com"), Presence::with_tuple);
    let device = Device::new("d", DeviceId::new("urn:example:d").unwrap());
    let mut changed = several.clone().with_note("Another").with_device(device);
    changed.tuples.remove(0);
    changed
        .attributes
        .set(Name::new("urn:example:x", "at"), "1");
    let other = many
        .clone()
        .with_person(Person::new("dora"))
        .with_extension(
            Element::new("urn:example:x", "x").with_child(Element::new("", "bare").with_text("x")),
        );
    let mut shuffled = many.clone();
    shuffled.tuples.rotate_left(7);
    shuffled.tuples.retain(|tuple| tuple.id != "t3");
    vec![
        Presence::new("sip:dora@example.com"),
        several,
        changed,
        many,
        other,
        shuffled,
    ]
}

// PIDF-51
#[test]
fn a_whole_document_is_the_presence_document_with_another_root() {
    for document in everything() {
        for layout in [Layout::Compact, Layout::Pretty] {
            let octets = document.write_as(layout).unwrap();
            let full = Numbered::full(&octets).unwrap();
            assert!(full.len() <= octets.len() + 128);
            let mut held = Reconstruction::new();
            assert_eq!(held.take(&full.with_version(1)), Ok(Taken::Full));
            assert_eq!(presence(&held), document);
            assert_eq!(
                held.take_unversioned(&full.without_version()),
                Ok(Taken::Full)
            );
            assert_eq!(presence(&held), document);
        }
    }
}

// PIDF-51
#[test]
fn only_the_tags_of_the_root_are_changed() {
    let full = |document: &str| {
        let numbered = Numbered::full(document.as_bytes()).unwrap();
        let without = String::from_utf8(numbered.without_version().to_vec()).unwrap();
        let with = String::from_utf8(numbered.with_version(12).to_vec()).unwrap();
        assert_eq!(with.replace(" version=\"12\"", ""), without);
        assert_eq!(numbered.with_version(u32::MAX).len(), numbered.len());
        without
    };
    assert_eq!(
        full(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='a:b' version='x'> <note>1</note>\n</presence >\n"
        ),
        "<pd:pidf-full xmlns:pd=\"urn:ietf:params:xml:ns:pidf-diff\" \
         xmlns='urn:ietf:params:xml:ns:pidf' entity='a:b'> <note>1</note>\n</pd:pidf-full>\n"
    );
    assert_eq!(
        full(
            "<!--a--><q:presence\txmlns:pd='urn:example:x' xmlns:q=\"urn:ietf:params:xml:ns:pidf\"/>"
        ),
        "<!--a--><pd1:pidf-full xmlns:pd1=\"urn:ietf:params:xml:ns:pidf-diff\"\t\
         xmlns:pd='urn:example:x' xmlns:q=\"urn:ietf:params:xml:ns:pidf\"/>"
    );
    assert_eq!(
        full(
            "<presence xmlns:z='urn:ietf:params:xml:ns:pidf-diff' xmlns='urn:ietf:params:xml:ns:pidf' a='/>'></presence>"
        ),
        "<z:pidf-full xmlns:z='urn:ietf:params:xml:ns:pidf-diff' xmlns='urn:ietf:params:xml:ns:pidf' a='/>'></z:pidf-full>"
    );
    // What stands behind the root makes it a matter of reading.
    let behind = full(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' version='1'><note>1</note></presence><!-- </presence> -->",
    );
    assert!(
        behind.ends_with("<note>1</note></pd:pidf-full>"),
        "{behind}"
    );
    let behind = full("<presence xmlns='urn:ietf:params:xml:ns:pidf'/><!-- -->");
    assert!(behind.contains("<pd:pidf-full"), "{behind}");
}

// PIDF-51
#[test]
fn what_is_no_presence_document_is_not_sent() {
    for other in [
        "<presence/>",
        "<tuple xmlns='urn:ietf:params:xml:ns:pidf'/>",
    ] {
        let good = "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>".as_bytes();
        for error in [
            Numbered::full(other.as_bytes()).unwrap_err(),
            Numbered::difference(other.as_bytes(), good).unwrap_err(),
            Numbered::difference(good, other.as_bytes()).unwrap_err(),
        ] {
            assert!(matches!(error, PartialError::NoPresence { .. }), "{error}");
            assert_eq!((error.status(), error.condition()), (500, None));
        }
    }
    assert!(matches!(
        Numbered::full(b"<presence"),
        Err(PartialError::Xml(_))
    ));
    assert!(matches!(Numbered::full(b""), Err(PartialError::Xml(_))));
    let open = b"<presence xmlns='urn:ietf:params:xml:ns:pidf'><a>";
    assert!(matches!(Numbered::full(open), Err(PartialError::Xml(_))));
}

// PIDF-51
#[test]
fn changes_make_the_one_document_of_the_other() {
    let documents = everything();
    for before in &documents {
        for after in &documents {
            let (one, other) = (
                before.write().unwrap(),
                after.write_as(Layout::Pretty).unwrap(),
            );
            let changes = Numbered::difference(&one, &other).unwrap();
            let mut held = Reconstruction::new();
            held.take(&Numbered::full(&one).unwrap().with_version(1))
                .unwrap();
            assert_eq!(held.take(&changes.with_version(2)), Ok(Taken::Changed));
            assert_eq!(presence(&held), *after);
            assert_eq!(element(&held.presence_octets().unwrap()), element(&other));
        }
    }
}

// PIDF-51
#[test]
fn small_changes_are_small() {
    let before = everything().remove(3);
    let mut after = before.clone();
    after.tuples[17] = Tuple::closed("t17").with_note("note 17");
    let (before, after) = (before.write().unwrap(), after.write().unwrap());
    let changes = Numbered::difference(&before, &after).unwrap();
    let text = String::from_utf8(changes.with_version(8).to_vec()).unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <pd:pidf-diff version=\"8\" xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:pd=\"urn:ietf:params:xml:ns:pidf-diff\" entity=\"sip:dora@example.com\">\
         <pd:replace sel=\"*/tuple[@id='t17']/status/basic/text()\">closed</pd:replace>\
         </pd:pidf-diff>"
    );
    // Nothing changed: a document without operations.
    let nothing = Numbered::difference(&before, &before).unwrap();
    let PartialDocument::Diff { operations, .. } =
        PartialDocument::read(&nothing.without_version(), &XmlLimits::default()).unwrap()
    else {
        panic!("changes");
    };
    assert!(operations.is_empty());
}

// PIDF-51
#[test]
fn a_version_in_the_document_itself_is_left_aside() {
    let document = |version: &str, note: &str| {
        format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'{version}>\
             <note>{note}</note></presence>"
        )
    };
    let (before, after) = (document(" version='a'", "1"), document(" version='b'", "2"));
    let changes = Numbered::difference(before.as_bytes(), after.as_bytes()).unwrap();
    let mut held = Reconstruction::new();
    let full = Numbered::full(before.as_bytes()).unwrap();
    assert_eq!(held.take(&full.with_version(1)), Ok(Taken::Full));
    assert_eq!(held.take(&changes.with_version(2)), Ok(Taken::Changed));
    let expected = document("", "2");
    assert_eq!(
        presence(&held),
        Presence::read(expected.as_bytes()).unwrap()
    );
}

// ---- putting together -----------------------------------------------------------------------------

// SUB-59
#[test]
fn changes_come_after_a_whole_document() {
    let mut held = Reconstruction::new();
    let diff = diff_of("version='1'", CLOSE);
    assert_eq!(held.take(diff.as_bytes()), Err(PartialError::NoDocument));
    assert_eq!(
        held.take_unversioned(diff.as_bytes()),
        Err(PartialError::NoDocument)
    );
    assert_eq!(held, Reconstruction::default());
    assert_eq!(held.presence_octets(), Err(PartialError::NoDocument));
    assert_eq!(PartialError::NoDocument.status(), 400);
    assert_eq!(
        held.take(full_of("version='3'", PHONE).as_bytes()),
        Ok(Taken::Full)
    );
    assert_eq!((held.version(), basic(&held).as_str()), (Some(3), "open"));
}

// SUB-59
#[test]
fn versions_go_up_by_one() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='3'", PHONE).as_bytes()).unwrap();
    let before = held.clone();
    // Equal or lower: left aside, whatever it is.
    for stale in ["0", "2", "3"] {
        let version = format!("version='{stale}'");
        assert_eq!(
            held.take(diff_of(&version, CLOSE).as_bytes()),
            Ok(Taken::Stale)
        );
        assert_eq!(
            held.take(full_of(&version, "").as_bytes()),
            Ok(Taken::Stale)
        );
        assert_eq!(held, before);
    }
    // Something is missing.
    let gap = PartialError::Gap {
        expected: 4,
        found: 5,
    };
    assert_eq!(
        held.take(diff_of("version='5'", CLOSE).as_bytes()),
        Err(gap)
    );
    assert_eq!(held, before);
    assert_eq!(
        held.take(diff_of("version='4'", CLOSE).as_bytes()),
        Ok(Taken::Changed)
    );
    assert_eq!((held.version(), basic(&held).as_str()), (Some(4), "closed"));
    // A whole document makes up for what is missing.
    assert_eq!(
        held.take(full_of("version='9'", PHONE).as_bytes()),
        Ok(Taken::Full)
    );
    assert_eq!((held.version(), basic(&held).as_str()), (Some(9), "open"));
}

// SUB-59
#[test]
fn nothing_comes_after_the_highest_version() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='4294967295'", PHONE).as_bytes())
        .unwrap();
    for version in ["version='0'", "version='4294967295'"] {
        assert_eq!(
            held.take(diff_of(version, CLOSE).as_bytes()),
            Ok(Taken::Stale)
        );
    }
}

// SUB-59
#[test]
fn a_notification_has_a_version() {
    let mut held = Reconstruction::new();
    assert_eq!(
        held.take(full_of("", PHONE).as_bytes()),
        Err(PartialError::NoVersion)
    );
    held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let before = held.clone();
    assert_eq!(
        held.take(diff_of("", CLOSE).as_bytes()),
        Err(PartialError::NoVersion)
    );
    assert_eq!(held, before);
}

// SUB-59
#[test]
fn another_type_in_between_drops_the_document_and_keeps_the_count() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='5'", PHONE).as_bytes()).unwrap();
    held.type_changed();
    assert_eq!((held.version(), held.root()), (Some(5), None));
    assert_eq!(
        held.take(full_of("version='5'", PHONE).as_bytes()),
        Ok(Taken::Stale)
    );
    let diff = diff_of("version='6'", CLOSE);
    assert_eq!(held.take(diff.as_bytes()), Err(PartialError::NoDocument));
    assert_eq!(
        held.take(full_of("version='6'", PHONE).as_bytes()),
        Ok(Taken::Full)
    );
    assert_eq!(
        held.take(diff_of("version='7'", CLOSE).as_bytes()),
        Ok(Taken::Changed)
    );
}

// PIDF-51, SUB-59
#[test]
fn an_error_changes_nothing() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let before = held.clone();
    let two = format!("{CLOSE}<p:remove sel='*/person'/>");
    let diff = diff_of("version='2'", &two);
    let error = held.take(diff.as_bytes()).unwrap_err();
    assert_eq!(held, before);
    assert_eq!(
        (error.condition(), error.status()),
        (Some(PatchErrorKind::UnlocatedNode), 400)
    );
    // It can be told with the operation that is to blame.
    let body = error
        .to_document(diff.as_bytes(), &XmlLimits::default())
        .unwrap();
    let told = PatchErrorDocument::read(&body).unwrap();
    assert_eq!(told.kind, Some(PatchErrorKind::UnlocatedNode));
    let blamed = told.operation.unwrap();
    assert!(blamed.is(DIFF, "remove") && blamed.attribute("sel") == Some("*/person"));

    for operations in [
        "<p:move sel='*/note'/>",
        "<p:replace sel='*/tuple/['>x</p:replace>",
        "<p:remove sel='*'/>",
        "<p:add sel='*/tuple/x:y'/>",
        "text",
    ] {
        let diff = diff_of("version='2'", operations);
        let error = held.take(diff.as_bytes()).unwrap_err();
        assert!(matches!(error, PartialError::Patch(_)), "{error}");
        assert!(
            error
                .to_document(diff.as_bytes(), &XmlLimits::default())
                .is_some()
        );
        assert_eq!(held, before);
    }
    let error = held.take(b"<p:pidf-diff").unwrap_err();
    let body = error
        .to_document(b"<p:pidf-diff", &XmlLimits::default())
        .unwrap();
    let told = PatchErrorDocument::read(&body).unwrap();
    assert_eq!(
        (told.kind, told.operation),
        (Some(PatchErrorKind::InvalidDiffFormat), None)
    );
    assert_eq!(
        PartialError::NoDocument.to_document(b"", &XmlLimits::default()),
        None
    );
}

// PIDF-51
#[test]
fn changes_are_of_the_document_about_the_same_entity() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let diff = diff_of("version='2' entity='sip:emil@example.com'", CLOSE);
    let error = held.take(diff.as_bytes()).unwrap_err();
    assert!(matches!(error, PartialError::OtherEntity { .. }), "{error}");
    assert_eq!(
        error.condition(),
        Some(PatchErrorKind::InvalidAttributeValue)
    );
    assert_eq!(held.version(), Some(1));
    let diff = diff_of("version='2' entity='sip:dora@example.com'", CLOSE);
    assert_eq!(held.take(diff.as_bytes()), Ok(Taken::Changed));
}

// PIDF-51
#[test]
fn publications_have_no_versions() {
    let mut held = Reconstruction::new();
    assert_eq!(
        held.take_unversioned(full_of("", PHONE).as_bytes()),
        Ok(Taken::Full)
    );
    assert_eq!(
        held.take_unversioned(diff_of("", CLOSE).as_bytes()),
        Ok(Taken::Changed)
    );
    assert_eq!((held.version(), basic(&held).as_str()), (None, "closed"));
    // The first of a publication may be an ordinary document.
    let ordinary = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'>\
         <tuple id='phone'><status><basic>open</basic></status></tuple></presence>";
    assert_eq!(held.take_presence(ordinary.as_bytes()), Ok(Taken::Full));
    assert_eq!(
        held.take_unversioned(diff_of("version='1'", CLOSE).as_bytes()),
        Ok(Taken::Changed)
    );
    assert_eq!(basic(&held), "closed");
    let error = held
        .take_presence(full_of("", PHONE).as_bytes())
        .unwrap_err();
    assert!(matches!(error, PartialError::NoPresence { .. }), "{error}");
}

// PIDF-51
#[test]
fn what_is_put_together_need_be_no_presence_document() {
    let mut held = Reconstruction::new();
    held.take(full_of("version='1'", "<note>1</note><x xmlns='urn:example:x'/>").as_bytes())
        .unwrap();
    let strict = ReadOptions::strict();
    assert!(held.presence(&strict).is_ok());
    let add = "<p:add sel='*'><tuple/></p:add>";
    assert_eq!(
        held.take(diff_of("version='2'", add).as_bytes()),
        Ok(Taken::Changed)
    );
    let error = held.presence(&strict).unwrap_err();
    assert!(
        matches!(error, PartialError::Presence(ReadError::Fault(_))),
        "{error}"
    );
    let mut tolerant = ReadOptions::default();
    tolerant.charset = Some("utf-16".to_owned());
    assert_eq!(held.presence(&tolerant).unwrap().tuples.len(), 1);
}

// PIDF-51
#[test]
fn changes_are_bounded() {
    let mut limits = XmlLimits::default();
    limits.nodes = 60;
    let mut held = Reconstruction::within(limits, 200);
    held.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let before = held.clone();
    let add = "<p:add sel='*'><note>1</note><note>2</note></p:add>".repeat(14);
    let error = held
        .take(diff_of("version='2'", &add).as_bytes())
        .unwrap_err();
    assert!(
        matches!(&error, PartialError::Xml(_))
            || error.condition() == Some(PatchErrorKind::TooLarge)
            || error.condition() == Some(PatchErrorKind::TooManySteps),
        "{error}"
    );
    // Many small patches that each fit.
    let mut refused = None;
    for version in 2..200 {
        let add = "<p:add sel='*'><note>1</note><note>2</note><note>3</note></p:add>";
        let diff = diff_of(&format!("version='{version}'"), add);
        if let Err(error) = held.take(diff.as_bytes()) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused.unwrap().condition(), Some(PatchErrorKind::TooLarge));
    assert!(held.root().unwrap().elements().count() < 60);
    held = before;
    let steps = "<p:replace sel='*/tuple/status/basic/text()'>x</p:replace>".repeat(17);
    let mut few = Reconstruction::within(XmlLimits::default(), 40);
    few.take(full_of("version='1'", PHONE).as_bytes()).unwrap();
    let error = few
        .take(diff_of("version='2'", &steps).as_bytes())
        .unwrap_err();
    assert_eq!(error.condition(), Some(PatchErrorKind::TooManySteps));
    assert_eq!(basic(&few), "open");
    assert_eq!(basic(&held), "open");
}

// ---- what others published ------------------------------------------------------------------------

/// The only text of the note in the tuple that was added.
fn new_note(root: &Element) -> &Element {
    let mut tuples = root.elements_named(namespace::PIDF, "tuple");
    let tuple = tuples
        .find(|tuple| tuple.attribute("id") == Some("ert4773"))
        .unwrap();
    tuple.first(namespace::PIDF, "note").unwrap()
}

// PIDF-51, SUB-59
#[test]
fn published_examples_give_the_published_results() {
    let Some(spec) = spec() else {
        return;
    };
    let vector = |name: &str| std::fs::read(spec.join("vectors").join(name)).unwrap();
    let mut held = Reconstruction::new();
    let full = vector("rfc5262-s6-01-pidf-full.xml");
    assert_eq!(held.take(&full), Ok(Taken::Full));
    assert_eq!(held.version(), Some(567));
    assert_eq!(
        held.take(&vector("rfc5262-s6-02-pidf-diff.xml")),
        Ok(Taken::Changed)
    );
    assert_eq!(held.version(), Some(568));
    let mut expected = Reconstruction::new();
    expected
        .take(&vector("rfc5262-s6-03-pidf-full.xml"))
        .unwrap();
    let (got, expected) = (held.root().unwrap(), expected.root().unwrap());
    // The example tells of another element in its result than in its operation.
    let words = |root: &Element| {
        let text = new_note(root)
            .text()
            .replace("person element", "note element");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words(got), words(expected));
    let mut mended = got.clone();
    let note = Element::clone(new_note(expected));
    let tuples = mended.elements_mut();
    for tuple in tuples.filter(|tuple| tuple.attribute("id") == Some("ert4773")) {
        for old in tuple.elements_mut().filter(|it| it.local() == "note") {
            *old = note.clone();
        }
    }
    assert_eq!(mended, *expected);
    let spaces = |root: &Element| {
        let all = root.children().filter(|it| matches!(it, NodeRef::Text(_)));
        all.count()
    };
    assert!(spaces(got) > 0, "the white space is kept");

    let mut held = Reconstruction::new();
    assert_eq!(
        held.take(&vector("rfc5263-s5-04-pidf-full.xml")),
        Ok(Taken::Full)
    );
    assert_eq!(
        held.take(&vector("rfc5263-s5-07-pidf-diff.xml")),
        Ok(Taken::Changed)
    );
    assert_eq!(held.version(), Some(2));
    let after = presence(&held);
    let ids: Vec<&str> = after.tuples.iter().map(|tuple| tuple.id.as_str()).collect();
    assert_eq!(ids, ["sg89ae", "cg231jcr", "r1230d", "ert4773"]);
    assert_eq!(
        after
            .tuple("r1230d")
            .unwrap()
            .status
            .basic()
            .unwrap()
            .as_str(),
        "open"
    );
    let octets = held.presence_octets().unwrap();
    let text = String::from_utf8(octets.to_vec()).unwrap();
    assert!(
        !text.contains("busy") && text.contains("on-the-phone"),
        "{text}"
    );
    assert!(
        text.contains("priority=\"0.7\"") && !text.contains("priority=\"1.0\""),
        "{text}"
    );

    let mut held = Reconstruction::new();
    let full = vector("rfc5264-s6-02-pidf-full.xml");
    let diff = vector("rfc5264-s6-05-pidf-diff.xml");
    assert_eq!(held.take_unversioned(&diff), Err(PartialError::NoDocument));
    assert_eq!(held.take_unversioned(&full), Ok(Taken::Full));
    assert_eq!(held.take_unversioned(&diff), Ok(Taken::Changed));
    let text = String::from_utf8(held.presence_octets().unwrap().to_vec()).unwrap();
    assert!(
        !text.contains("busy") && text.contains("on-the-phone"),
        "{text}"
    );
    assert!(
        text.contains("ert4773") && text.contains("priority=\"0.7\""),
        "{text}"
    );
}

// PIDF-51
#[test]
fn what_is_made_is_valid() {
    let Some(spec) = spec() else {
        return;
    };
    let mut documents = BTreeMap::new();
    let mut all = everything();
    // These are not valid themselves.
    all.drain(1..3);
    let rich = Presence::read(bench_documents::all()[1].as_bytes()).unwrap();
    let mut changed = rich.clone().with_note("Another");
    changed.tuples.remove(4);
    changed.persons.clear();
    all.extend([rich, changed]);
    for (one, before) in all.iter().enumerate() {
        let before = before.write().unwrap();
        let full = Numbered::full(&before).unwrap();
        documents.insert(format!("full{one}.xml"), full.with_version(1).to_vec());
        documents.insert(
            format!("published{one}.xml"),
            full.without_version().to_vec(),
        );
        for (other, after) in all.iter().enumerate() {
            let changes = Numbered::difference(&before, &after.write().unwrap()).unwrap();
            let octets = changes.with_version(u32::MAX).to_vec();
            documents.insert(format!("diff{one}-{other}.xml"), octets);
        }
    }
    for (name, complaint) in complaints(&spec, &documents) {
        // An attribute of the root that its schema does not have.
        let known = complaint
            .as_ref()
            .is_some_and(|it| it.contains("urn:example:x}at"));
        assert!(complaint.is_none() || known, "{name}: {complaint:?}");
    }
}
