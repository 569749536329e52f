//! Writes selectors (RFC 5261 section 4.1).

use core::fmt::Write as _;

use super::operation::{Change, Operation, Predicate, Selector, SelectorStart, Target};
use crate::xml::namespace::{self, find_known};
use crate::xml::{Name, is_nc_name};

/// An operation that has no written form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchWriteError {
    /// A selector compares with a value that contains quotation marks of both kinds.
    #[error("a selector cannot contain quotation marks of both kinds")]
    Quotes,
    /// A namespace has no prefix, or has to be the default one and is not.
    #[error("the namespace {namespace:?} has no prefix")]
    Prefix {
        /// The namespace, empty for elements in none.
        namespace: String,
    },
    /// A name, a prefix or an id is no XML name without a colon.
    #[error("{name:?} is not an XML name")]
    Name {
        /// It.
        name: String,
    },
    /// A step has too many predicates, or a selector too many steps.
    #[error("the selector is too long")]
    TooLong,
    /// The change does not go with what the selector means.
    #[error("the change does not fit what is selected")]
    Unfit,
}

/// The prefixes that selectors are written with: what the document that they stand in declares.
///
/// ```
/// use presentity::xml::patch::{Selector, SelectorPrefixes};
///
/// let prefixes = SelectorPrefixes::new("urn:example:house").with("g", "urn:example:garden");
/// let selector = "h:house/g:tree/@g:age";
/// let declarations = [("h", "urn:example:house"), ("g", "urn:example:garden")];
/// let selector = Selector::read(selector, &declarations)?;
/// assert_eq!(selector.write(&prefixes)?, "house/g:tree/@g:age");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectorPrefixes {
    default: String,
    /// Prefix and namespace.
    prefixes: Vec<(String, String)>,
}

impl SelectorPrefixes {
    /// Only a default namespace, empty for none.
    pub fn new(default: &str) -> Self {
        Self {
            default: default.to_owned(),
            prefixes: Vec::new(),
        }
    }

    /// The same, with one more prefix.
    #[must_use]
    pub fn with(mut self, prefix: &str, namespace: &str) -> Self {
        self.prefixes
            .push((prefix.to_owned(), namespace.to_owned()));
        self
    }

    /// The default namespace.
    pub fn default_namespace(&self) -> &str {
        &self.default
    }

    /// Prefixes and namespaces, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let prefixes = self.prefixes.iter();
        prefixes.map(|(prefix, namespace)| (prefix.as_str(), namespace.as_str()))
    }

    /// Adds a prefix for every namespace that the operations need one for and that has none: the
    /// customary one, or that of the first name met in it, or one with a number.
    pub fn add_for(&mut self, operations: &[Operation]) {
        for operation in operations {
            each_name(operation, &mut |name, is_element| {
                let namespace = name.namespace();
                let needs_none = matches!(namespace, "" | namespace::XML)
                    || (is_element && namespace == self.default)
                    || self.prefix(namespace).is_some();
                if !needs_none {
                    let prefix = self.free_prefix(name);
                    self.prefixes.push((prefix, namespace.to_owned()));
                }
            });
        }
    }

    fn free_prefix(&self, name: &Name) -> String {
        let is_free = |prefix: &str| self.prefixes.iter().all(|(known, _)| known != prefix);
        let known = find_known(name.namespace()).and_then(|id| id.known());
        let hint = known.map_or(name.prefix(), |known| &known.prefix);
        // One that is somebody's custom would be taken for that.
        let is_custom = |prefix: &str| {
            let mut known = namespace::KNOWN.iter();
            known.any(|known| *known.prefix == *prefix)
        };
        let fits = is_nc_name(hint) && hint != "xmlns" && (known.is_some() || !is_custom(hint));
        if fits && is_free(hint) {
            return hint.to_owned();
        }
        let mut number = self.prefixes.len();
        loop {
            number = number.saturating_add(1);
            let prefix = format!("n{number}");
            if is_free(&prefix) {
                return prefix;
            }
        }
    }

    fn prefix(&self, namespace: &str) -> Option<&str> {
        let mut prefixes = self.iter();
        let found = prefixes.find(|(_, known)| *known == namespace);
        found.map(|(prefix, _)| prefix)
    }

    /// An element's name as it is written.
    fn write_element(&self, out: &mut String, name: &Name) -> Result<(), PatchWriteError> {
        if name.namespace() == self.default {
            return local(out, name);
        }
        if name.namespace() == namespace::XML {
            return self.write_attribute(out, name);
        }
        self.write_prefixed(out, name)
    }

    /// An attribute's.
    pub(super) fn write_attribute(
        &self,
        out: &mut String,
        name: &Name,
    ) -> Result<(), PatchWriteError> {
        match name.namespace() {
            "" => local(out, name),
            namespace::XML => {
                out.push_str("xml:");
                local(out, name)
            }
            _ => self.write_prefixed(out, name),
        }
    }

    fn write_prefixed(&self, out: &mut String, name: &Name) -> Result<(), PatchWriteError> {
        let Some(prefix) = self.prefix(name.namespace()) else {
            return Err(PatchWriteError::Prefix {
                namespace: name.namespace().to_owned(),
            });
        };
        out.push_str(prefix);
        out.push(':');
        local(out, name)
    }
}

/// Whether some selector names elements in no namespace, so that there can be no default one.
pub(super) fn needs_no_default(operations: &[Operation]) -> bool {
    let mut found = false;
    for operation in operations {
        each_name(operation, &mut |name, is_element| {
            found |= is_element && name.namespace().is_empty();
        });
    }
    found
}

/// Shows all names in a selector and in what is to be added as an attribute; whether they are elements'.
fn each_name<'o>(operation: &'o Operation, visit: &mut dyn FnMut(&'o Name, bool)) {
    for step in &operation.selector.steps {
        if let Some(name) = &step.name {
            visit(name, true);
        }
        for predicate in &step.predicates {
            match predicate {
                Predicate::Attribute(name, _) => visit(name, false),
                Predicate::Child(Some(name), _) => visit(name, true),
                Predicate::Child(None, _) | Predicate::Position(_) | Predicate::Value(_) => {}
            }
        }
    }
    if let Target::Attribute(name) = &operation.selector.target {
        visit(name, false);
    }
    if let Change::AddAttribute { name, .. } = &operation.change {
        visit(name, false);
    }
}

impl Selector {
    /// The selector as it is written where these prefixes are declared, without white space and without
    /// the slash at the beginning that may be left out (section 4.1).
    ///
    /// # Errors
    ///
    /// There is no way to write it.
    pub fn write(&self, prefixes: &SelectorPrefixes) -> Result<String, PatchWriteError> {
        if self.steps.len() > crate::xml::XmlLimits::MAX_DEPTH {
            return Err(PatchWriteError::TooLong);
        }
        let mut out = String::new();
        let mut separator = "";
        if let SelectorStart::Id(id) = &self.start {
            out.push_str("id(");
            quoted_name(&mut out, id)?;
            out.push(')');
            separator = "/";
        }
        for step in &self.steps {
            out.push_str(separator);
            separator = "/";
            match &step.name {
                Some(name) => prefixes.write_element(&mut out, name)?,
                None => out.push('*'),
            }
            if step.predicates.len() > Self::MAX_PREDICATES {
                return Err(PatchWriteError::TooLong);
            }
            for predicate in &step.predicates {
                write_predicate(&mut out, predicate, prefixes)?;
            }
        }
        match &self.target {
            Target::Element if separator.is_empty() => return Err(PatchWriteError::Unfit),
            Target::Element => return Ok(out),
            _ => out.push_str(separator),
        }
        let place = match &self.target {
            Target::Element => None,
            Target::Attribute(name) => {
                out.push('@');
                prefixes.write_attribute(&mut out, name)?;
                None
            }
            Target::Namespace(prefix) => {
                write_namespace(&mut out, prefix)?;
                None
            }
            Target::Text(place) => {
                out.push_str("text()");
                *place
            }
            Target::Comment(place) => {
                out.push_str("comment()");
                *place
            }
            Target::Instruction(target, place) => {
                out.push_str("processing-instruction(");
                if let Some(target) = target {
                    quoted_name(&mut out, target)?;
                }
                out.push(')');
                *place
            }
        };
        if let Some(place) = place {
            write_place(&mut out, place);
        }
        Ok(out)
    }
}

/// `namespace::` and a prefix.
pub(super) fn write_namespace(out: &mut String, prefix: &str) -> Result<(), PatchWriteError> {
    out.push_str("namespace::");
    nc_name(out, prefix)
}

fn write_predicate(
    out: &mut String,
    predicate: &Predicate,
    prefixes: &SelectorPrefixes,
) -> Result<(), PatchWriteError> {
    let value = match predicate {
        Predicate::Position(place) => {
            write_place(out, *place);
            return Ok(());
        }
        Predicate::Attribute(name, value) => {
            out.push_str("[@");
            prefixes.write_attribute(out, name)?;
            value
        }
        Predicate::Child(Some(name), value) => {
            out.push('[');
            prefixes.write_element(out, name)?;
            value
        }
        Predicate::Child(None, value) => {
            out.push_str("[*");
            value
        }
        Predicate::Value(value) => {
            out.push_str("[.");
            value
        }
    };
    out.push('=');
    quoted(out, value)?;
    out.push(']');
    Ok(())
}

fn write_place(out: &mut String, place: u32) {
    // Writing to a string does not fail.
    let _ = write!(out, "[{place}]");
}

fn quoted(out: &mut String, value: &str) -> Result<(), PatchWriteError> {
    let quote = match (value.contains('\''), value.contains('"')) {
        (false, _) => '\'',
        (true, false) => '"',
        (true, true) => return Err(PatchWriteError::Quotes),
    };
    out.push(quote);
    out.push_str(value);
    out.push(quote);
    Ok(())
}

fn quoted_name(out: &mut String, name: &str) -> Result<(), PatchWriteError> {
    out.push('\'');
    nc_name(out, name)?;
    out.push('\'');
    Ok(())
}

fn local(out: &mut String, name: &Name) -> Result<(), PatchWriteError> {
    nc_name(out, name.local())
}

fn nc_name(out: &mut String, name: &str) -> Result<(), PatchWriteError> {
    if !is_nc_name(name) {
        return Err(PatchWriteError::Name {
            name: crate::xml::excerpt(name),
        });
    }
    out.push_str(name);
    Ok(())
}
