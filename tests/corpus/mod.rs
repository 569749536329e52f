//! Presence documents of many shapes, for several test files.
#![allow(dead_code, reason = "each test file takes what it needs")]

use presentity::xml::{Element, Node, NodeRef};

/// The shortest useful one.
pub(crate) const PLAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:dora@example.com">
  <tuple id="phone">
    <status><basic>open</basic></status>
    <contact priority="0.80">sip:dora@192.0.2.7:5070;transport=tcp</contact>
    <note xml:lang="en">At my desk</note>
    <timestamp>2026-03-04T05:06:07.000Z</timestamp>
  </tuple>
  <note>Ask &amp; ye shall hear &lt;soon&gt;</note>
</presence>
"#;

/// Persons, devices, rich presence, capabilities and an extension that nobody knows.
pub(crate) const RICH: &str = r#"<?xml version='1.0' encoding='utf-8' standalone='yes'?>
<!-- made by hand -->
<presence entity="pres:emil@example.org" xmlns="urn:ietf:params:xml:ns:pidf"
    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"
    xmlns:c="urn:ietf:params:xml:ns:pidf:caps"
    xmlns:w="urn:example:weather" xml:lang="de" w:station="EDDB">
  <tuple id="im" w:seen="once">
    <status><basic>closed</basic><w:indoors w:warm="very"/></status>
    <dm:deviceID>urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427</dm:deviceID>
    <r:relationship><r:self/></r:relationship>
    <c:servcaps>
      <c:audio>false</c:audio>
      <c:methods><c:supported><c:MESSAGE/><c:INVITE/></c:supported></c:methods>
    </c:servcaps>
    <contact>im:emil@example.org</contact>
    <note>Gleich zur&#xFC;ck</note>
    <note xml:lang="en">Right back</note>
    <timestamp>2026-03-04T06:06:07+01:00</timestamp>
  </tuple>
  <tuple id="sms"><status><basic>open</basic></status><contact priority="1">tel:+49301234</contact></tuple>
  <note>Unterwegs</note>
  <dm:person id="emil"><r:activities id="act" from="2026-03-04T05:00:00Z"><r:travel/><w:storm-chasing/></r:activities><dm:note>Zug</dm:note></dm:person>
  <dm:device id="handy"><dm:deviceID>urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427</dm:deviceID></dm:device>
  <w:forecast scale="C">Sun <w:b>and</w:b> rain, <![CDATA[<30%]]> wind<!-- none --> &#8211; enough.</w:forecast>
</presence>
<?after all?>
"#;

/// Prefixes everywhere, extensions by default namespace and without any.
pub(crate) const ODD_PREFIXES: &str = "\u{FEFF}<q:presence xmlns:q='urn:ietf:params:xml:ns:pidf' entity='sips:fay@example.net'>\
    <q:tuple id='t1'><q:status><q:basic> open </q:basic><mood xmlns='urn:example:mood'>calm<inner/></mood></q:status>\
    <bare><inside q:mustUnderstand='0'/></bare>\
    <q:basic xmlns:q='urn:example:other'>not the basic you know</q:basic>\
    <q:contact>\n  sip:fay@example.net\n  </q:contact></q:tuple>\
    <x:e xmlns:x='urn:example:x' xmlns:y='urn:example:y' kind='y:k'><q:tuple id='not-one'/><x:f xmlns:x='urn:example:z'/></x:e>\
    </q:presence>";

/// Nothing but the root.
pub(crate) const EMPTY: &str =
    "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:gil@example.com\"/>";

/// All of them; each is well-formed and readable.
pub(crate) const ALL: [&str; 4] = [PLAIN, RICH, ODD_PREFIXES, EMPTY];

/// All trees that one node or attribute less makes of this one, or one attribute that is empty instead.
pub(crate) fn without_one_each(element: &Element) -> Vec<Element> {
    let mut all = Vec::new();
    for attribute in &element.attributes {
        let mut less = element.clone();
        less.attributes
            .remove(attribute.name.namespace(), attribute.name.local());
        all.push(less);
        let mut empty = element.clone();
        empty.attributes.set(attribute.name.clone(), "");
        all.push(empty);
    }
    for (at, child) in element.children().enumerate() {
        let mut less = element.clone();
        less.children_mut().remove(at);
        all.push(less);
        if let NodeRef::Element(child) = child {
            for changed in without_one_each(child) {
                let mut less = element.clone();
                less.children_mut()[at] = Node::Element(changed);
                all.push(less);
            }
        }
    }
    all
}
