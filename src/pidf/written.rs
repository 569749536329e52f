//! What was read and not changed is written as it was.
//!
//! Typed values say what somebody means, and documents can say the same in many ways: a time with
//! its offset from UTC, a number with zeros in front, a language for all that an element contains.
//! They can also say what no value has room for, such as a number of any size. Neither is to be lost
//! when a value is read, changed in one place and put back.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::collections::{HashMap, HashSet, VecDeque};

use super::extension::{Extension, ValueError};
use super::schema;
use crate::xml::{Element, Name, Node, namespace, trim};

/// The element that a value was read from, if it was.
///
/// It is no part of what the value says: all are equal.
#[derive(Clone, Default)]
pub(super) struct Written(Option<Box<Element>>);

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

impl Hash for Written {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Written").field(&self.0.is_some()).finish()
    }
}

/// Where elements go that no value speaks of, in a list that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silent {
    /// Right behind what they stood behind.
    Early,
    /// Right before what they stood before.
    Late,
}

impl Written {
    pub(super) fn of(element: &Element) -> Self {
        Self(Some(Box::new(element.clone())))
    }

    /// The element of a value that was read from this one: as much of it as still says what the
    /// value says and the schema allows, and for the rest what `fresh` makes of the value.
    pub(super) fn apply<T: Extension + PartialEq>(
        &self,
        value: &T,
        fresh: impl Fn(&T) -> Result<Element, ValueError>,
    ) -> Result<Element, ValueError> {
        self.apply_in_order(value, &[], fresh)
    }

    /// The same for an element whose own elements the schema wants in this order, before others.
    pub(super) fn apply_in_order<T: Extension + PartialEq>(
        &self,
        value: &T,
        order: &[&str],
        fresh: impl Fn(&T) -> Result<Element, ValueError>,
    ) -> Result<Element, ValueError> {
        let Some(source) = self.0.as_deref() else {
            return fresh(value);
        };
        // Older names are read and not written.
        if !source.is(T::NAMESPACE, T::LOCAL) {
            return fresh(value);
        }
        let is_it = |element: &Element| {
            T::read(element).as_ref() == Some(value) && schema::check(element).is_ok()
        };
        if is_it(source) {
            return Ok(source.clone());
        }
        let new = fresh(value)?;
        let before = T::read(source).and_then(|before| fresh(&before).ok());
        let Some(before) = before else {
            return Ok(new);
        };
        let kept = [Silent::Early, Silent::Late]
            .into_iter()
            .filter_map(|silent| merged(source, &before, &new, silent))
            .map(|merged| sorted(merged, order))
            .find(is_it);
        let kept = kept.or_else(|| Some(beside_new_content(source, &before, &new)).filter(is_it));
        Ok(kept.unwrap_or(new))
    }
}

fn sorted(mut element: Element, order: &[&str]) -> Element {
    if !order.is_empty() {
        let own = element.namespace().to_owned();
        element.children_mut().sort_by_key(|node| {
            match node {
                Node::Element(child) if child.namespace() == own => {
                    let mut names = order.iter();
                    names.position(|name| *name == child.local())
                }
                _ => None,
            }
            .unwrap_or(order.len())
        });
    }
    element
}

/// The attributes as they were written, where they still say the same, and the new content, which
/// tells its languages itself.
fn beside_new_content(source: &Element, before: &Element, new: &Element) -> Element {
    let mut out = with_attributes(source, before, new);
    if new.attributes.get(namespace::XML, "lang").is_none() {
        out.attributes.remove(namespace::XML, "lang");
    }
    *out.children_mut() = new.children().map(Into::into).collect();
    out
}

/// The source with the changes that lead from `before` to `new`; none when it cannot be told what
/// in the source is which part of `before`.
fn merged(source: &Element, before: &Element, new: &Element, silent: Silent) -> Option<Element> {
    if before == new {
        return Some(source.clone());
    }
    let mut out = with_attributes(source, before, new);
    let has_elements = |element: &Element| element.elements().next().is_some();
    if ![source, before, new].into_iter().any(has_elements) {
        let same = before.text() == new.text();
        let text = if same { source.text() } else { new.text() };
        return Some(out.with_text(text));
    }
    let sources: Vec<&Element> = source.elements().collect();
    let places = places(&sources, before)?;
    let mut speaks = vec![false; sources.len()];
    for place in &places {
        *speaks.get_mut(*place)? = true;
    }
    let befores: Vec<&Element> = before.elements().collect();
    let mut reached = push_next(&mut out, &sources, &speaks, 0, silent);
    for (child, was) in changes(&befores, new) {
        let Some(at) = was else {
            out.push_child(child.clone());
            continue;
        };
        let place = *places.get(at)?;
        let own = sources.get(place)?;
        push_silent(&mut out, &sources, &speaks, reached..place);
        let was = befores.get(at)?;
        out.push_child(match was == &child {
            true => (*own).clone(),
            // What others make of their elements is theirs.
            false if child.namespace() != source.namespace() => child.clone(),
            false => merged(own, was, child, silent)?,
        });
        reached = reached.max(place.saturating_add(1));
        reached = push_next(&mut out, &sources, &speaks, reached, silent);
    }
    push_silent(&mut out, &sources, &speaks, reached..sources.len());
    Some(out)
}

/// Puts those that come right now, if they are to come early, and tells which are reached.
fn push_next(
    out: &mut Element,
    sources: &[&Element],
    speaks: &[bool],
    reached: usize,
    silent: Silent,
) -> usize {
    if silent == Silent::Late {
        return reached;
    }
    let rest = speaks.get(reached..).unwrap_or_default();
    let many = rest.iter().take_while(|speaks| !**speaks).count();
    let end = reached.saturating_add(many);
    push_silent(out, sources, speaks, reached..end);
    end
}

fn push_silent(
    out: &mut Element,
    sources: &[&Element],
    speaks: &[bool],
    range: core::ops::Range<usize>,
) {
    let all = sources.iter().zip(speaks);
    let range = all.skip(range.start).take(range.len());
    for (element, _) in range.filter(|(_, speaks)| !**speaks) {
        out.push_child((*element).clone());
    }
}

/// An element without content that has the attributes of the source, changed where `new` differs
/// from `before`.
fn with_attributes(source: &Element, before: &Element, new: &Element) -> Element {
    let mut out = Element::named(source.name().clone());
    for (prefix, namespace) in source.declarations() {
        out.declare(prefix, namespace);
    }
    let value = |element: &Element, name: &Name| -> Option<String> {
        let value = element.attributes.get(name.namespace(), name.local());
        value.map(str::to_owned)
    };
    for attribute in &source.attributes {
        let name = &attribute.name;
        let now = value(new, name);
        let now = match value(before, name) == now {
            true => Some(attribute.value.as_str().to_owned()),
            false => now,
        };
        if let Some(now) = now {
            out.attributes.set(name.clone(), now);
        }
    }
    for attribute in &new.attributes {
        if value(source, &attribute.name).is_none() {
            let value = attribute.value.as_str();
            out.attributes.set(attribute.name.clone(), value);
        }
    }
    out
}

type NameRef<'e> = (&'e str, &'e str);

fn name(element: &Element) -> NameRef<'_> {
    (element.namespace(), element.local())
}

/// Which of the sources each child of `before` stands for, in one pass.
fn places(sources: &[&Element], before: &Element) -> Option<Vec<usize>> {
    let mut many: HashMap<NameRef<'_>, (usize, usize)> = HashMap::new();
    for source in sources {
        let many = many.entry(name(source)).or_default();
        many.0 = many.0.saturating_add(1);
    }
    for child in before.elements() {
        let many = many.entry(name(child)).or_default();
        many.1 = many.1.saturating_add(1);
    }
    let mut all = sources.iter().enumerate();
    let mut places = Vec::new();
    for child in before.elements() {
        let all_speak = many
            .get(&name(child))
            .is_some_and(|(sources, children)| sources == children);
        let (place, _) = all.find(|(_, source)| {
            let is_alike = || trim(&source.text()).eq_ignore_ascii_case(trim(&child.text()));
            name(source) == name(child) && (all_speak || is_alike())
        })?;
        places.push(place);
    }
    Some(places)
}

/// The children of `new`, each with the place among `befores` of the one that it was, if it was
/// one.
fn changes<'e>(befores: &[&'e Element], new: &'e Element) -> Vec<(&'e Element, Option<usize>)> {
    let news: Vec<&Element> = new.elements().collect();
    let pairs = befores.iter().zip(&news);
    let front = pairs.take_while(|(was, is)| was == is).count();
    let (befores_rest, news_rest) = (
        befores.get(front..).unwrap_or_default(),
        news.get(front..).unwrap_or_default(),
    );
    let pairs = befores_rest.iter().rev().zip(news_rest.iter().rev());
    let back = pairs.take_while(|(was, is)| was == is).count();
    let before_end = befores.len().saturating_sub(back);
    let new_end = news.len().saturating_sub(back);

    let mut repeated: HashSet<NameRef<'_>> = HashSet::new();
    let mut left: HashMap<NameRef<'_>, VecDeque<usize>> = HashMap::new();
    for (at, was) in befores.iter().enumerate().take(before_end).skip(front) {
        let left = left.entry(name(was)).or_default();
        left.push_back(at);
        if left.len() > 1 {
            repeated.insert(name(was));
        }
    }
    let mut many: HashMap<NameRef<'_>, usize> = HashMap::new();
    for is in news.iter().take(new_end).skip(front) {
        let many = many.entry(name(is)).or_default();
        *many = many.saturating_add(1);
        if *many > 1 {
            repeated.insert(name(is));
        }
    }
    let mut all = Vec::with_capacity(news.len());
    for (at, is) in news.iter().enumerate() {
        let was = if at < front {
            Some(at)
        } else if at >= new_end {
            at.saturating_sub(new_end).checked_add(before_end)
        } else {
            let to_come = many.get_mut(&name(is));
            left.get_mut(&name(is))
                .zip(to_come)
                .and_then(|(left, to_come)| {
                    let is_same = |at: &usize| befores.get(*at) == Some(is);
                    let is_only = left.len() == 1 && *to_come == 1 && !repeated.contains(&name(is));
                    // There are more than are still to come, so some were taken out.
                    while left.len() > *to_come && !left.front().is_some_and(is_same) {
                        left.pop_front();
                    }
                    *to_come = to_come.saturating_sub(1);
                    let is_it = is_only || left.front().is_some_and(is_same);
                    is_it.then(|| left.pop_front())?
                })
        };
        all.push((*is, was));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::caps::{Actor, Devcaps, Method, Servcaps};
    use crate::pidf::certs::Certs;
    use crate::pidf::cipid::{Card, DisplayName, Homepage, Icon, Map, Sound};
    use crate::pidf::rpid::{
        Activities, Activity, Class, InputState, Mood, MoodValue, PlaceIs, PlaceType, Privacy,
        Relationship, ServiceClass, Sphere, StatusIcon, TimeOffset, UserInput,
    };
    use crate::pidf::{DeviceId, Note};
    use crate::xml::XmlLimits;

    fn tree(inside: &str) -> Element {
        let document = format!(
            "<all xmlns:r='{}' xmlns:c='{}' xmlns:ci='{}' xmlns:dm='{}' xmlns:cert='{}' xmlns:p='{}' \
             xmlns:lt='{}' xmlns:x='urn:example:x' xmlns:xsi='{}'>{inside}</all>",
            namespace::RPID,
            namespace::CAPS,
            namespace::CIPID,
            namespace::DATA_MODEL,
            namespace::CERTS,
            namespace::PIDF,
            namespace::LOCATION_TYPE,
            namespace::XSI,
        );
        let all = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        all.elements().next().unwrap().clone()
    }

    /// Reading and writing brings everything back, and so does every later time.
    fn comes_back<T: Extension + PartialEq + fmt::Debug>(inside: &str) {
        let element = tree(inside);
        assert_eq!(schema::check(&element), Ok(()), "{inside}");
        let value = T::read(&element).unwrap();
        let written = value.to_element().unwrap();
        assert_eq!(written, element, "{inside}");
        assert_eq!(T::read(&written), Some(value));
    }

    /// What is changed is written, and all else as it was.
    fn changes<T: Extension + PartialEq + fmt::Debug>(
        inside: &str,
        change: impl Fn(&mut T),
        expected: &str,
    ) {
        let mut value = T::read(&tree(inside)).unwrap();
        change(&mut value);
        let written = value.to_element().unwrap();
        assert_eq!(written, tree(expected), "{inside}");
        assert_eq!(T::read(&written), Some(value));
    }

    // PIDF-36, PIDF-42, PIDF-45: all that a schema allows.
    #[test]
    fn nothing_that_is_valid_goes_lost() {
        /// Times and texts in forms that are not those written here.
        macro_rules! timed {
            () => {
                "id=' a ' from=' 2026-03-01T09:00:00+01:00' until='2026-03-01T09:00:00.5000' \
                 x:y='z' plain='1' xml:lang='de' xml:space='preserve' xsi:type='x:y'"
            };
        }
        let note = "<r:note xml:lang=' en' xsi:type='x:n' p:mustUnderstand='1'> n\n</r:note>\
                    <r:note/><r:note xml:lang=''>m</r:note>";
        let foreign = "<x:y xml:lang='fr'>1<r:busy/><x:z a='b'/>2</x:y><x:w>text</x:w><x:v/>";
        let attributes = timed!();
        let has = |local: &str, content: &str| {
            format!("<r:{local} {attributes}>{note}{content}</r:{local}>")
        };
        comes_back::<Activities>(&has(
            "activities",
            &format!(
                "<r:busy xml:id='b' p:mustUnderstand='1'/>{foreign}<r:other>x</r:other><r:busy/>"
            ),
        ));
        comes_back::<Activities>(&has("activities", "<r:unknown/>"));
        comes_back::<Activities>(
            "<r:activities from='2026-01-02T00:00:00Z' until='2026-01-01T00:00:00Z'/>",
        );
        comes_back::<Mood>(&has("mood", &format!("<r:sad/>{foreign}<r:other/>")));
        comes_back::<PlaceIs>(&has(
            "place-is",
            "<r:audio xml:lang='x'><r:ok xml:base='y'/></r:audio><r:text><r:unknown/></r:text>",
        ));
        comes_back::<PlaceType>(&has(
            "place-type",
            &format!("<lt:bus/>{foreign}<lt:bus>9</lt:bus>"),
        ));
        comes_back::<PlaceType>(&has("place-type", "<r:other xml:lang='en'>o</r:other>"));
        comes_back::<Privacy>(&has(
            "privacy",
            &format!("<r:audio xml:lang='en'/>{foreign}"),
        ));
        comes_back::<Privacy>(&has("privacy", "<r:unknown/>"));
        let of_a_tuple = |local: &str, content: &str| {
            format!("<r:{local} xml:lang='de' xsi:type='x:y'>{note}{content}</r:{local}>")
        };
        comes_back::<Relationship>(&of_a_tuple("relationship", "<r:other>x</r:other>"));
        comes_back::<Relationship>(&of_a_tuple("relationship", "<r:self/>"));
        comes_back::<Relationship>(&of_a_tuple("relationship", foreign));
        comes_back::<ServiceClass>(&of_a_tuple("service-class", "<r:postal xml:lang='x'/>"));
        comes_back::<ServiceClass>(&of_a_tuple("service-class", foreign));
        comes_back::<Sphere>(&format!("<r:sphere {attributes}>{foreign}</r:sphere>"));
        comes_back::<Sphere>(&format!("<r:sphere {attributes}><r:home/></r:sphere>"));
        comes_back::<StatusIcon>(&format!(
            "<r:status-icon {attributes}>\n http://example.com/%41#a </r:status-icon>"
        ));
        comes_back::<TimeOffset>(&format!(
            "<r:time-offset description='' {attributes}> +0060\n</r:time-offset>"
        ));
        comes_back::<UserInput>(
            "<r:user-input idle-threshold='99999999999999999999' id=' a' \
             last-input='2026-03-01T09:00:00.1234567891+01:00' x:y='' xml:lang='en'> idle </r:user-input>",
        );
        comes_back::<UserInput>("<r:user-input idle-threshold='+00600'>active</r:user-input>");
        comes_back::<Class>("<r:class xml:lang='en' xsi:type='x:y'> a  b\n</r:class>");
        comes_back::<DisplayName>("<ci:display-name xml:lang=' de '> Dora </ci:display-name>");
        for local in ["card", "homepage", "icon", "map", "sound"] {
            let inside = format!("<ci:{local} xml:lang='en'> http://example.com/ </ci:{local}>");
            match local {
                "card" => comes_back::<Card>(&inside),
                "homepage" => comes_back::<Homepage>(&inside),
                "icon" => comes_back::<Icon>(&inside),
                "map" => comes_back::<Map>(&inside),
                _ => comes_back::<Sound>(&inside),
            }
        }
        comes_back::<DeviceId>("<dm:deviceID xml:lang='en'> urn:example:a </dm:deviceID>");
        comes_back::<Certs>(
            "<cert:certs src=' SIPS:dora@example.com ' x:y='z' xml:lang='en' xsi:type='x:y'>\
             <x:y>1</x:y></cert:certs>",
        );
        comes_back::<Devcaps>(
            "<c:devcaps a='1' x:b='2' xml:lang='en'><c:description xml:lang=''> d </c:description>\
             <c:description/><c:mobility xml:lang='x'><c:supported/><c:notsupported>\
             <c:fixed>but why</c:fixed><x:y/></c:notsupported></c:mobility><x:z/></c:devcaps>",
        );
        comes_back::<Servcaps>(
            "<c:servcaps a='1' xml:lang='en'>\
             <c:actor><c:supported><c:msg-taker>x</c:msg-taker></c:supported></c:actor>\
             <c:application> 1 </c:application><c:audio xml:lang='en'>0</c:audio>\
             <c:class/><c:description xsi:type='x:y'>d</c:description>\
             <c:duplex><c:notsupported><x:y>z</x:y></c:notsupported></c:duplex>\
             <c:event-packages><c:supported><c:winfo/></c:supported></c:event-packages>\
             <c:extensions><c:supported><c:hist-info/></c:supported></c:extensions>\
             <c:methods><c:supported><c:ACK p:mustUnderstand='true'/><c:BYE/></c:supported></c:methods>\
             <c:languages><c:supported><c:l> en </c:l><c:l>EN</c:l><c:l>no tag</c:l></c:supported></c:languages>\
             <c:priority><c:supported><c:equals value=' +01 '/>\
             <c:equals value='99999999999999999999'/><c:range minvalue='2' maxvalue='1'/>\
             </c:supported></c:priority>\
             <c:schemes><c:supported><c:s>s p</c:s></c:supported></c:schemes>\
             <c:type>Text/Plain</c:type><c:type/><c:type>any</c:type>\
             <x:y/><cert:certs src='sip:dora@example.com' xml:lang='en'/></c:servcaps>",
        );
    }

    #[test]
    fn what_did_not_change_stays_as_it_was() {
        changes::<UserInput>(
            "<r:user-input idle-threshold='4294967296' last-input='2026-03-01T09:00:00+01:00'> idle</r:user-input>",
            |input| input.state = InputState::Active,
            "<r:user-input idle-threshold='4294967296' last-input='2026-03-01T09:00:00+01:00'>active</r:user-input>",
        );
        changes::<UserInput>(
            "<r:user-input idle-threshold='007' last-input='2026-03-01T09:00:00+01:00' id='a'> idle</r:user-input>",
            |input| {
                input.idle_threshold = Some(8);
                input.last_input = None;
                input.id = Some("b".to_owned());
            },
            "<r:user-input idle-threshold='8' id='b'> idle</r:user-input>",
        );
        changes::<Activities>(
            "<r:activities from='2026-03-01T09:00:00+01:00'><r:note xsi:type='x:y'>n</r:note>\
             <r:busy/><r:away xml:base='x'/></r:activities>",
            |activities| activities.values.insert(0, Activity::Meeting),
            "<r:activities from='2026-03-01T09:00:00+01:00'><r:note xsi:type='x:y'>n</r:note>\
             <r:meeting/><r:busy/><r:away xml:base='x'/></r:activities>",
        );
        // The new note is not in the language of the others.
        changes::<Mood>(
            "<r:mood from='2026-03-01T09:00:00+01:00' xml:lang='de'><r:note>n</r:note><r:sad/></r:mood>",
            |mood| mood.notes.push(Note::new("m")),
            "<r:mood from='2026-03-01T09:00:00+01:00'><r:note xml:lang='de'>n</r:note>\
             <r:note>m</r:note><r:sad/></r:mood>",
        );
        changes::<Mood>(
            "<r:mood><r:note>n</r:note><r:note xml:base='x'>m</r:note><r:sad/></r:mood>",
            |mood| {
                mood.notes.remove(0);
                mood.values = vec![MoodValue::Happy];
            },
            "<r:mood><r:note xml:base='x'>m</r:note><r:happy/></r:mood>",
        );
        changes::<Servcaps>(
            "<c:servcaps><c:actor><c:supported><c:principal>I</c:principal></c:supported></c:actor>\
             <c:audio>1</c:audio><c:methods><c:supported><c:ACK>a</c:ACK></c:supported></c:methods>\
             <c:schemes><c:supported><c:s>s p</c:s></c:supported></c:schemes><c:type>no</c:type>\
             <c:type>TEXT/plain</c:type></c:servcaps>",
            |caps| {
                caps.actor.supported.insert(0, Actor::MsgTaker);
                caps.methods.notsupported.push(Method::Bye);
                caps.text = Some(true);
            },
            "<c:servcaps><c:actor><c:supported><c:msg-taker/><c:principal>I</c:principal></c:supported>\
             </c:actor><c:audio>1</c:audio><c:methods><c:supported><c:ACK>a</c:ACK></c:supported>\
             <c:notsupported><c:BYE/></c:notsupported></c:methods>\
             <c:schemes><c:supported><c:s>s p</c:s></c:supported></c:schemes><c:text>true</c:text>\
             <c:type>no</c:type><c:type>TEXT/plain</c:type></c:servcaps>",
        );
    }

    #[test]
    fn what_no_schema_allows_is_not_written_again() {
        for (inside, expected) in [
            (
                "<r:activities from='now' x:y='z'><r:busy/></r:activities>",
                "<r:activities x:y='z'><r:busy/></r:activities>",
            ),
            (
                "<r:activities><r:busy/><r:note>n</r:note></r:activities>",
                "<r:activities><r:note>n</r:note><r:busy/></r:activities>",
            ),
            (
                "<r:activities><r:busy>text</r:busy><r:zesty/></r:activities>",
                "<r:activities><r:busy/></r:activities>",
            ),
        ] {
            let value = Activities::read(&tree(inside)).unwrap();
            assert_eq!(value.to_element().unwrap(), tree(expected), "{inside}");
        }
    }

    #[test]
    fn long_lists_take_one_pass() {
        let mut list = String::new();
        for n in 0..20_000 {
            list.push_str(&format!("<c:s>S{n}</c:s><c:s>s {n}</c:s>"));
        }
        let inside = format!(
            "<c:servcaps><c:schemes><c:supported>{list}</c:supported></c:schemes></c:servcaps>"
        );
        let mut caps = Servcaps::read(&tree(&inside)).unwrap();
        caps.schemes.supported.reverse();
        caps.schemes.supported.push("new".to_owned());
        let written = caps.to_element().unwrap();
        assert_eq!(Servcaps::read(&written), Some(caps));
    }
}
