//! XML as this crate reads it against another reader: what we accept it accepts too, and finds the same
//! in it. What was read is written and read again, in both layouts.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use presentity::xml::{Element, Layout, Name, Node, XmlLimits};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceError, QName, ResolveResult};
use quick_xml::{Error, NsReader, XmlVersion};

fuzz_target!(|data: &[u8]| {
    let limits = XmlLimits::default();
    let ours = match Element::read(data, &limits) {
        Ok(ours) => ours,
        Err(error) => {
            let _ = error.to_string();
            assert!(error.location().line >= 1 && error.location().column >= 1);
            return;
        }
    };
    let text = core::str::from_utf8(data).expect("only UTF-8 is read");
    match of_another(text.trim_start_matches('\u{FEFF}')) {
        Ok(theirs) => assert_eq!(ours, theirs),
        // A bound of its own.
        Err(Error::Namespace(
            NamespaceError::TooManyBindings(_) | NamespaceError::TooDeeplyNested(_),
        )) => {}
        Err(error) => panic!("another reader refuses it: {error}"),
    }
    for layout in [Layout::Compact, Layout::Pretty] {
        let written = ours.write_as(layout).expect("what was read can be written");
        let again = Element::read(&written, &limits).expect("what was written can be read");
        assert_eq!(again, ours);
        assert_eq!(again.write_as(layout).as_ref(), Ok(&written));
        assert_eq!(
            again.write().expect("as before"),
            ours.write().expect("as before")
        );
        kept(&ours, &again);
    }
});

/// What equality does not look at, but who relies on prefixes in values does.
fn kept(before: &Element, after: &Element) {
    assert_eq!(before.name(), after.name());
    let elements = |element: &Element| element.elements().count();
    assert_eq!(elements(before), elements(after));
    for (before, after) in before.elements().zip(after.elements()) {
        kept(before, after);
    }
}

/// The tree that another reader makes of it.
fn of_another(text: &str) -> Result<Element, Error> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event()?;
        match event {
            Event::Start(tag) => open.push(element(&reader, &tag)?),
            Event::End(_) => {
                let done = open.pop().expect("it checks what it closes");
                match open.last_mut() {
                    Some(parent) => parent.push_child(done),
                    None => assert!(root.replace(done).is_none(), "a second root"),
                }
            }
            Event::Text(text) => push(&mut open, &text.xml10_content()),
            Event::CData(text) => push(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(c) => push(&mut open, c.encode_utf8(&mut [0; 4])),
                None => {
                    let name = reference.into_inner();
                    let means = quick_xml::escape::resolve_predefined_entity(&name);
                    push(
                        &mut open,
                        means.expect("only predefined entities are accepted"),
                    );
                }
            },
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty(), "elements are not closed");
    Ok(root.expect("there is a root"))
}

/// Outside the root there is white space only.
fn push(open: &mut [Element], text: &str) {
    match open.last_mut() {
        // As a node of its own: neighbouring ones count as one.
        Some(element) => element.children_mut().push(Node::Text(text.into())),
        None => assert!(text.trim().is_empty(), "text outside: {text:?}"),
    }
}

fn element(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Result<Element, Error> {
    let (namespace, local) = reader.resolver().resolve_element(tag.name());
    let mut element = Element::named(name(&namespace, local.into_inner())?);
    for attribute in tag.attributes() {
        let attribute = attribute?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        let name = name(&namespace, local.into_inner())?;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0)?;
        let has = element.attributes.get(name.namespace(), name.local());
        assert_eq!(has, None, "an attribute of one expanded name");
        element.attributes.set(name, value.into_owned());
    }
    Ok(element)
}

fn name(namespace: &ResolveResult<'_>, local: &str) -> Result<Name, Error> {
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => namespace.0,
        ResolveResult::Unbound => "",
        ResolveResult::Unknown(prefix) => panic!("prefix {prefix:?} is not declared"),
    };
    // It leaves references in them as they are.
    let declared = Attribute {
        key: QName("xmlns"),
        value: Cow::Borrowed(namespace),
    };
    let namespace = declared.normalized_value(XmlVersion::Explicit1_0)?;
    Ok(Name::new(&namespace, local))
}
