//! Reads operations from the elements of a patch document.

use super::error::{PatchError, PatchErrorKind, fail};
use super::operation::{Change, Operation, Position, Selector, Space, Target};
use super::selector_reader::read_type;
use crate::xml::{Element, Node, NodeRef, excerpt, is_blank, trim};

/// Prefixes and namespaces, the innermost last.
type Declarations<'e> = Vec<(&'e str, &'e str)>;

/// Reads the operations in a patch document: the children of its root `root`, which are `add`, `replace`
/// and `remove` in `namespace`. Prefixes in selectors mean what the root and the operation declare.
///
/// A value or text in what is added may begin with a prefix, as `xsi:type` does: the element then takes the
/// declaration along. White space, comments and instructions that an operation adds are there if the document was read with
/// [`Element::read_whole`].
///
/// ```
/// use presentity::xml::patch::{Steps, apply, read_operations};
/// use presentity::xml::{Element, XmlLimits};
///
/// let limits = XmlLimits::default();
/// let mut shelf = Element::read_whole(b"<shelf><book n='1'/></shelf>", &limits)?;
/// let patch = Element::read_whole(
///     b"<d:diff xmlns:d='urn:example:diff'><d:add sel=\"shelf/book[@n='1']\">worn</d:add></d:diff>",
///     &limits,
/// )?;
/// let operations = read_operations(&patch, "urn:example:diff")?;
/// apply(&mut shelf, &operations, &mut Steps::default())?;
/// assert_eq!(shelf, Element::read(b"<shelf><book n='1'>worn</book></shelf>", &limits)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// That of the first operation that cannot be read. Any other element is a directive that is not
/// understood (`invalid-patch-directive`): passed over, it would leave another document than is meant. Text
/// is `invalid-diff-format`.
pub fn read_operations(root: &Element, namespace: &str) -> Result<Vec<Operation>, PatchError> {
    let mut declarations: Declarations<'_> = root.declarations().collect();
    let outside = declarations.len();
    let mut operations = Vec::new();
    for node in root.children() {
        let element = match node {
            NodeRef::Element(element) => element,
            NodeRef::Text(text) if !is_blank(text) => {
                return fail(
                    PatchErrorKind::InvalidDiffFormat,
                    "the patch has text beside its operations",
                );
            }
            _ => continue,
        };
        let operation = if element.namespace() == namespace {
            declarations.extend(element.declarations());
            let operation = read(element, &declarations);
            declarations.truncate(outside);
            operation
        } else {
            fail(
                PatchErrorKind::InvalidPatchDirective,
                format!("{} is no operation", excerpt(&element.name().to_string())),
            )
        };
        operations.push(operation.map_err(|error| error.at(operations.len()))?);
    }
    Ok(operations)
}

/// The element that an operation of a patch document was read from, to be shown in an error document: with
/// the declarations of the root that its selector may rely on.
pub fn operation_element(root: &Element, operation: usize) -> Option<Element> {
    let mut element = root.elements().nth(operation)?.clone();
    for (prefix, namespace) in root.declarations() {
        if !element.declarations().any(|(known, _)| known == prefix) {
            element.declare(prefix, namespace);
        }
    }
    Some(element)
}

impl Operation {
    /// Reads an operation from an element `add`, `replace` or `remove`, in whatever namespace it is.
    /// Prefixes in its attributes mean what it declares itself, or else `declarations` say: pairs of
    /// prefix and namespace with the innermost last.
    ///
    /// White space around the element, comment or instruction in a `replace` is left out.
    ///
    /// # Errors
    ///
    /// Its name or one of its attributes is not known (`invalid-patch-directive`), it lacks its selector
    /// (`invalid-diff-format`), an attribute is not as it has to be (`invalid-attribute-value`), a
    /// prefix is not declared (`invalid-namespace-prefix`), or its content is of the wrong kind
    /// (`invalid-node-types`, `invalid-attribute-value` or `invalid-namespace-uri`).
    pub fn read(element: &Element, declarations: &[(&str, &str)]) -> Result<Self, PatchError> {
        let own = element.declarations();
        let all: Declarations<'_> = declarations.iter().copied().chain(own).collect();
        read(element, &all)
    }
}

fn read(element: &Element, declarations: &[(&str, &str)]) -> Result<Operation, PatchError> {
    let known: &[&str] = match element.local() {
        "add" => &["sel", "pos", "type"],
        "replace" => &["sel"],
        "remove" => &["sel", "ws"],
        other => {
            return fail(
                PatchErrorKind::InvalidPatchDirective,
                format!("{} is no operation", excerpt(other)),
            );
        }
    };
    for attribute in &element.attributes {
        let name = &attribute.name;
        if name.namespace().is_empty() && !known.contains(&name.local()) {
            let local = excerpt(name.local());
            return fail(
                PatchErrorKind::InvalidPatchDirective,
                format!("the attribute {local} has no meaning here"),
            );
        }
    }
    let Some(selector) = element.attribute("sel") else {
        return fail(
            PatchErrorKind::InvalidDiffFormat,
            "the operation has no selector",
        );
    };
    let selector = Selector::read(selector, declarations)?;
    let change = match element.local() {
        "add" => addition(element, &selector, declarations)?,
        "replace" => replacement(element, &selector, declarations)?,
        _ => removal(element, &selector)?,
    };
    Ok(Operation { selector, change })
}

fn addition(
    element: &Element,
    selector: &Selector,
    declarations: &[(&str, &str)],
) -> Result<Change, PatchError> {
    if let Target::Attribute(_) | Target::Namespace(_) = selector.target {
        return fail(
            PatchErrorKind::InvalidAttributeValue,
            "nothing can be added to an attribute or a namespace",
        );
    }
    let position = match element.attribute("pos") {
        None => Position::Append,
        Some("prepend") => Position::Prepend,
        Some("before") => Position::Before,
        Some("after") => Position::After,
        Some(other) => return unknown_value("pos", other),
    };
    let Some(what) = element.attribute("type") else {
        let mut nodes: Vec<Node> = element.children().map(Node::from).collect();
        rely_on_prefixes(&mut nodes, declarations);
        return Ok(Change::Add { position, nodes });
    };
    match read_type(what, declarations)? {
        Target::Attribute(name) => match text_of(element) {
            Some(value) => Ok(Change::AddAttribute { name, value }),
            None => fail(
                PatchErrorKind::InvalidAttributeValue,
                "the value of an attribute has to be text",
            ),
        },
        Target::Namespace(prefix) => match text_of(element) {
            Some(namespace) => Ok(Change::AddNamespace { prefix, namespace }),
            None => fail(
                PatchErrorKind::InvalidNamespaceUri,
                "the name of a namespace has to be text",
            ),
        },
        _ => unknown_value("type", what),
    }
}

fn replacement(
    element: &Element,
    selector: &Selector,
    declarations: &[(&str, &str)],
) -> Result<Change, PatchError> {
    if let Target::Attribute(_) | Target::Namespace(_) = selector.target {
        return match text_of(element) {
            Some(value) => Ok(Change::ReplaceValue { value }),
            None => fail(
                PatchErrorKind::InvalidNodeTypes,
                "only text can take the place of a value",
            ),
        };
    }
    let mut nodes: Vec<Node> = if let Target::Text(_) = selector.target {
        element.children().map(Node::from).collect()
    } else {
        let is_blank = |node: &NodeRef<'_>| matches!(node, NodeRef::Text(text) if is_blank(text));
        let nodes = element.children().filter(|node| !is_blank(node));
        nodes.map(Node::from).collect()
    };
    check_replacement(&selector.target, &nodes)?;
    rely_on_prefixes(&mut nodes, declarations);
    Ok(Change::Replace { nodes })
}

/// Declares on elements the prefixes of the patch that values and texts in them begin with, as qualified
/// names do: they leave the patch.
fn rely_on_prefixes(nodes: &mut [Node], declarations: &[(&str, &str)]) {
    for node in nodes {
        let Node::Element(top) = node else {
            continue;
        };
        let mut relied_on: Vec<(&str, &str)> = Vec::new();
        let mut open = vec![&*top];
        while let Some(element) = open.pop() {
            let values = element.attributes.iter().map(|it| it.value.as_str());
            let texts = element.children().filter_map(|node| match node {
                NodeRef::Text(text) => Some(text),
                _ => None,
            });
            for content in values.chain(texts) {
                let prefix = trim(content).split_once(':').map(|(prefix, _)| prefix);
                let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) else {
                    continue;
                };
                let mut known = declarations.iter().rev();
                if let Some(found) = known.find(|(known, _)| *known == prefix)
                    && !relied_on.contains(found)
                    && top.declarations().all(|(own, _)| own != prefix)
                {
                    relied_on.push(*found);
                }
            }
            open.extend(element.elements());
        }
        for (prefix, namespace) in relied_on {
            top.declare(prefix, namespace);
        }
    }
}

/// Whether these can take the place of what is meant (section 4.4).
pub(super) fn check_replacement(target: &Target, nodes: &[Node]) -> Result<(), PatchError> {
    let fits = match (target, nodes) {
        (Target::Element, [Node::Element(_)])
        | (Target::Comment(_), [Node::Comment(_)])
        | (Target::Instruction(..), [Node::Instruction { .. }]) => true,
        (Target::Text(_), nodes) => nodes.iter().all(|node| matches!(node, Node::Text(_))),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let phrase = match target {
        Target::Element => "exactly one element can take the place of an element",
        Target::Comment(_) => "exactly one comment can take the place of a comment",
        Target::Instruction(..) => "exactly one instruction can take the place of an instruction",
        _ => "only text can take the place of text or of a value",
    };
    fail(PatchErrorKind::InvalidNodeTypes, phrase)
}

fn removal(element: &Element, selector: &Selector) -> Result<Change, PatchError> {
    let has_content = element.children().any(|node| match node {
        NodeRef::Element(_) => true,
        NodeRef::Text(text) => !is_blank(text),
        _ => false,
    });
    if has_content {
        return fail(
            PatchErrorKind::InvalidDiffFormat,
            "what removes something has no content",
        );
    }
    let space = match element.attribute("ws") {
        None => Space::None,
        Some("before") => Space::Before,
        Some("after") => Space::After,
        Some("both") => Space::Both,
        Some(other) => return unknown_value("ws", other),
    };
    check_space(&selector.target, space)?;
    Ok(Change::Remove { space })
}

/// Whether white space can go with what is meant (section 4.5).
pub(super) fn check_space(target: &Target, space: Space) -> Result<(), PatchError> {
    let goes_alone = matches!(
        target,
        Target::Text(_) | Target::Attribute(_) | Target::Namespace(_)
    );
    if goes_alone && space != Space::None {
        return fail(
            PatchErrorKind::InvalidAttributeValue,
            "no white space goes with text, an attribute or a namespace",
        );
    }
    Ok(())
}

/// What the element contains when that is text or nothing.
fn text_of(element: &Element) -> Option<String> {
    let is_text = |node| matches!(node, NodeRef::Text(_));
    element
        .children()
        .all(is_text)
        .then(|| element.text().into_owned())
}

fn unknown_value<T>(attribute: &str, value: &str) -> Result<T, PatchError> {
    fail(
        PatchErrorKind::InvalidAttributeValue,
        format!("{attribute} cannot be {}", excerpt(value)),
    )
}
