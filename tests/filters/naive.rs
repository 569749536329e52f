//! Filters the simple way: each element by itself, by its place in the document, without a thought for
//! speed. What the library does is held against this.

use std::collections::{BTreeMap, BTreeSet};

use presentity::xml::{Element, Node, NodeRef};

/// Where an element stands: the number of the child at each step from the root.
pub(crate) type Place = Vec<usize>;

#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) steps: Vec<Step>,
    /// Whether it stands at any depth, and its name.
    pub(crate) attribute: Option<(bool, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) deep: bool,
    /// None for any; else a prefix, perhaps empty, and a name.
    pub(crate) name: Option<(String, String)>,
    /// One of these lists has to hold wholly; none for no condition.
    pub(crate) condition: Vec<Vec<Test>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) operand: Operand,
    pub(crate) operator: char,
    pub(crate) value: String,
    pub(crate) quoted: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Itself,
    Parent,
    /// Steps without conditions, the first one of them not at any depth.
    Path(Path),
}

pub(crate) const NAMESPACES: [(&str, &str); 2] = [("x", "urn:example:x"), ("y", "urn:example:y")];

fn name(name: &Option<(String, String)>) -> String {
    match name {
        None => "*".to_owned(),
        Some((prefix, local)) if prefix.is_empty() => local.clone(),
        Some((prefix, local)) => format!("{prefix}:{local}"),
    }
}

impl Path {
    /// As it is written, the leading slash of an operand left out.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            out.push_str(if step.deep { "//" } else { "/" });
            out.push_str(&name(&step.name));
            if !step.condition.is_empty() {
                let all = step.condition.iter().map(|all| {
                    let all: Vec<String> = all.iter().map(Test::to_text).collect();
                    all.join(" and ")
                });
                let any: Vec<String> = all.collect();
                out.push_str(&format!("[{}]", any.join(" or ")));
            }
        }
        if let Some((deep, name)) = &self.attribute {
            out.push_str(if *deep { "//@" } else { "/@" });
            out.push_str(name);
        }
        out
    }

    /// The elements it selects, or those of the attributes that it does.
    pub(crate) fn places(&self, root: &Element) -> BTreeSet<Place> {
        let all = places(root);
        let mut current: Option<BTreeSet<Place>> = None;
        for step in &self.steps {
            let reached = |place: &Place| match &current {
                None => step.deep || place.is_empty(),
                Some(from) => from.iter().any(|from| {
                    place.starts_with(from)
                        && (place.len() == from.len() + 1
                            || (step.deep && place.len() > from.len()))
                }),
            };
            let next = all.iter().filter(|place| reached(place));
            let next = next.filter(|place| step.matches(root, place));
            current = Some(next.cloned().collect());
        }
        let Some((deep, name)) = &self.attribute else {
            return current.unwrap();
        };
        let owners = all.into_iter().filter(|place| {
            let near = match &current {
                None => true,
                Some(from) => from
                    .iter()
                    .any(|from| place == from || (*deep && place.starts_with(from))),
            };
            near && at(root, place).attribute(name).is_some()
        });
        owners.collect()
    }
}

impl Step {
    fn matches(&self, root: &Element, place: &[usize]) -> bool {
        let element = at(root, place);
        let is_named = match &self.name {
            None => true,
            Some((prefix, local)) if prefix.is_empty() => {
                element.is(root.namespace(), local) || element.is("", local)
            }
            Some((prefix, local)) => {
                let mut known = NAMESPACES.iter();
                let (_, namespace) = known.find(|(known, _)| known == prefix).unwrap();
                element.is(namespace, local)
            }
        };
        let holds = |all: &Vec<Test>| all.iter().all(|test| test.holds(root, place));
        is_named && (self.condition.is_empty() || self.condition.iter().any(holds))
    }
}

impl Test {
    fn to_text(&self) -> String {
        let operand = match &self.operand {
            Operand::Itself => ".".to_owned(),
            Operand::Parent => "..".to_owned(),
            Operand::Path(path) => path.to_text().trim_start_matches('/').to_owned(),
        };
        let value = match self.quoted {
            true => format!("'{}'", self.value),
            false => self.value.clone(),
        };
        format!("{operand}{}{value}", self.operator)
    }

    fn holds(&self, root: &Element, place: &[usize]) -> bool {
        let values: Vec<String> = match &self.operand {
            Operand::Itself => vec![text(at(root, place))],
            Operand::Parent => {
                let (_, parent) = place.split_last().unwrap_or((&0, &[]));
                vec![text(at(root, parent))]
            }
            Operand::Path(path) => {
                let mut from = vec![place.to_vec()];
                for step in &path.steps {
                    let inside = places(root).into_iter().filter(|place| {
                        from.iter().any(|from| {
                            place.starts_with(from)
                                && (place.len() == from.len() + 1
                                    || (step.deep && place.len() > from.len()))
                        })
                    });
                    from = inside.filter(|place| step.matches(root, place)).collect();
                }
                match &path.attribute {
                    None => from.iter().map(|place| text(at(root, place))).collect(),
                    Some((deep, name)) => places(root)
                        .iter()
                        .filter(|place| {
                            from.iter()
                                .any(|from| *place == from || (*deep && place.starts_with(from)))
                        })
                        .filter_map(|place| at(root, place).attribute(name))
                        .map(str::to_owned)
                        .collect(),
                }
            }
        };
        values.iter().any(|value| self.compare(value))
    }

    fn compare(&self, value: &str) -> bool {
        let numbers = (number(value), number(&self.value));
        match (self.operator, numbers) {
            ('=', (found, Some(wanted))) if !self.quoted => found == Some(wanted),
            ('=', _) => value.trim() == self.value.trim(),
            ('<', (Some(found), Some(wanted))) => found < wanted,
            ('>', (Some(found), Some(wanted))) => found > wanted,
            _ => false,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

pub(crate) fn at<'e>(root: &'e Element, place: &[usize]) -> &'e Element {
    place.iter().fold(root, |element, number| {
        element.elements().nth(*number).unwrap()
    })
}

pub(crate) fn places(root: &Element) -> Vec<Place> {
    fn put(element: &Element, place: Place, all: &mut Vec<Place>) {
        all.push(place.clone());
        for (number, child) in element.elements().enumerate() {
            let mut inside = place.clone();
            inside.push(number);
            put(child, inside, all);
        }
    }
    let mut all = Vec::new();
    put(root, Vec::new(), &mut all);
    all
}

fn text(element: &Element) -> String {
    let texts = element.children().map(|child| match child {
        NodeRef::Text(text) => text.to_owned(),
        NodeRef::Element(child) => self::text(child),
        _ => String::new(),
    });
    texts.collect()
}

#[derive(Debug, Clone)]
pub(crate) enum Pick {
    Path(Path),
    Namespace(String),
}

/// What one filter includes and excludes.
#[derive(Debug, Clone)]
pub(crate) struct Picks {
    pub(crate) includes: Vec<Pick>,
    pub(crate) excludes: Vec<Pick>,
}

/// What is shown of a document that need not be valid.
pub(crate) fn shown(root: &Element, filters: &[Picks]) -> Option<Element> {
    build(root, &Vec::new(), filters)
}

fn build(root: &Element, place: &Place, filters: &[Picks]) -> Option<Element> {
    let original = at(root, place);
    let own = filters.iter().any(|filter| filter.shows(root, place, None));
    let mut element = Element::named(original.name().clone());
    let attributes = original.attributes.iter().filter(|attribute| {
        let name = attribute.name.local();
        let mut filters = filters.iter();
        filters.any(|filter| filter.shows(root, place, Some(name)))
    });
    element.attributes = attributes.cloned().collect();
    let mut is_live = own || !element.attributes.is_empty();
    for number in 0..original.elements().count() {
        let mut inside = place.clone();
        inside.push(number);
        if let Some(child) = build(root, &inside, filters) {
            element.children_mut().push(Node::Element(child));
            is_live = true;
        }
    }
    if original.elements().count() == 0 {
        element.push_text(original.text());
    }
    is_live.then_some(element)
}

impl Picks {
    /// Whether it shows an element, or an attribute of it.
    fn shows(&self, root: &Element, place: &Place, attribute: Option<&str>) -> bool {
        let around: Vec<Place> = (0..=place.len()).map(|end| place[..end].to_vec()).collect();
        let is_of = |picks: &[Pick], place: &Place| {
            picks.iter().any(|pick| match pick {
                Pick::Namespace(name) => at(root, place).namespace() == name,
                Pick::Path(_) => false,
            })
        };
        let is_selected = |picks: &[Pick], place: &Place, attribute: Option<&str>| {
            picks.iter().any(|pick| match pick {
                Pick::Path(path) => {
                    path.attribute.as_ref().map(|(_, name)| name.as_str()) == attribute
                        && path.places(root).contains(place)
                }
                Pick::Namespace(_) => false,
            })
        };
        let is_out = around
            .iter()
            .any(|it| is_selected(&self.excludes, it, None) || is_of(&self.excludes, it));
        let is_in = self.includes.is_empty()
            || around
                .iter()
                .any(|it| is_selected(&self.includes, it, None))
            || is_of(&self.includes, place);
        let (named_in, named_out) = match attribute {
            None => (false, false),
            Some(_) => (
                is_selected(&self.includes, place, attribute),
                is_selected(&self.excludes, place, attribute),
            ),
        };
        (is_in || named_in) && !is_out && !named_out
    }
}

/// What has to have changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Changed {
        path: Path,
        from: Option<String>,
        to: Option<String>,
        by: Option<f64>,
    },
    Added(Path),
    Removed(Path),
}

/// What an expression selects, by what tells it from others in both documents.
fn selected<'e>(root: &'e Element, path: &Path) -> BTreeMap<String, (&'e Element, String)> {
    let places = path.places(root).into_iter();
    let items = places.map(|place| {
        let element = at(root, &place);
        let value = match &path.attribute {
            None => text(element),
            Some((_, name)) => element.attribute(name).unwrap().to_owned(),
        };
        (identity(root, &place), (element, value))
    });
    items.collect()
}

fn identity(root: &Element, place: &[usize]) -> String {
    let element = at(root, place);
    let own = |element: &Element| {
        let id = element.attribute("id").map(str::trim);
        format!("{}#{id:?}", element.name())
    };
    // There is one root only.
    let Some((number, around)) = place.split_last() else {
        return element.name().to_string();
    };
    let before = at(root, around).elements().take(*number);
    let same = before.filter(|it| own(it) == own(element)).count();
    format!("{}/{}#{same}", identity(root, around), own(element))
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim() == other.trim() || (number(one).is_some() && number(one) == number(other))
}

impl Change {
    pub(crate) fn has_happened(&self, before: &Element, after: &Element) -> bool {
        let (path, is_change): (&Path, bool) = match self {
            Self::Changed { path, .. } => (path, true),
            Self::Added(path) | Self::Removed(path) => (path, false),
        };
        let (olds, news) = (selected(before, path), selected(after, path));
        let names: BTreeSet<&String> = olds.keys().chain(news.keys()).collect();
        names.into_iter().any(|name| {
            let (old, new) = (olds.get(name), news.get(name));
            match self {
                Self::Added(_) => old.is_none(),
                Self::Removed(_) => new.is_none(),
                Self::Changed { from, to, by, .. } => {
                    assert!(is_change);
                    if from.is_none() && to.is_none() && by.is_none() {
                        return match (old, new) {
                            (Some((old, old_value)), Some((new, new_value))) => {
                                if path.attribute.is_some() {
                                    return !is_same(old_value, new_value);
                                }
                                let leaves = [old, new].iter().all(|it| it.elements().count() == 0);
                                match leaves {
                                    true => {
                                        old.attributes != new.attributes
                                            || !is_same(old_value, new_value)
                                    }
                                    false => old != new,
                                }
                            }
                            _ => true,
                        };
                    }
                    let (old, new) = (old.map(|it| &it.1), new.map(|it| &it.1));
                    if let (Some(old), Some(new)) = (old, new)
                        && is_same(old, new)
                    {
                        return false;
                    }
                    let is = |value: Option<&String>, wanted: &Option<String>| {
                        wanted
                            .as_ref()
                            .is_none_or(|wanted| value.is_some_and(|it| is_same(it, wanted)))
                    };
                    let far = by.is_none_or(|by| {
                        let numbers =
                            (old.and_then(|it| number(it)), new.and_then(|it| number(it)));
                        matches!(numbers, (Some(old), Some(new)) if (old - new).abs() >= by)
                    });
                    is(old, from) && is(new, to) && far
                }
            }
        })
    }
}
