//! Reads selectors (RFC 5261 section 4.1 and the patterns in section 8).

use super::error::{PatchError, PatchErrorKind, fail};
use super::operation::{Predicate, Selector, SelectorStart, Step, Target};
use crate::xml::name::{is_name_char, is_name_start, is_nc_name};
use crate::xml::{Name, XmlLimits, excerpt, namespace};

impl Selector {
    /// Predicates that one step may have.
    pub const MAX_PREDICATES: usize = 32;

    /// Reads a selector, whose prefixes mean what the declarations say: pairs of prefix and namespace
    /// with the innermost last; the empty prefix is that of the default namespace, which holds for
    /// elements without prefix but not for attributes (section 4.2.1).
    ///
    /// White space between the parts means nothing.
    ///
    /// ```
    /// use presentity::xml::patch::Selector;
    ///
    /// let declarations = [("", "urn:example:house"), ("g", "urn:example:garden")];
    /// let one = Selector::read("house/g:tree[@kind='oak'][2]/text()", &declarations)?;
    /// let other = Selector::read("/x:house/y:tree[@kind=\"oak\"] [2]/text()", &[
    ///     ("x", "urn:example:house"),
    ///     ("y", "urn:example:garden"),
    /// ])?;
    /// assert_eq!(one, other);
    /// # Ok::<(), presentity::xml::patch::PatchError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// It does not have that form, has more than [`XmlLimits::MAX_DEPTH`] steps or more than
    /// [`Selector::MAX_PREDICATES`] predicates in a step (`invalid-attribute-value`), or a prefix is not
    /// declared (`invalid-namespace-prefix`).
    pub fn read(text: &str, declarations: &[(&str, &str)]) -> Result<Self, PatchError> {
        let mut cursor = Cursor {
            rest: text,
            declarations,
        };
        cursor.eat("/");
        let selector = cursor.selector()?;
        cursor.skip_space();
        if !cursor.rest.is_empty() {
            return cursor.unexpected("the end of the selector");
        }
        Ok(selector)
    }
}

/// What `type` of an `add` names (section 4.3): an attribute or a namespace.
pub(super) fn read_type(text: &str, declarations: &[(&str, &str)]) -> Result<Target, PatchError> {
    let mut cursor = Cursor {
        rest: text,
        declarations,
    };
    let target = match cursor.last()? {
        Some(target @ (Target::Attribute(_) | Target::Namespace(_))) => target,
        _ => return cursor.unexpected("@ and a name or namespace:: and a prefix"),
    };
    cursor.skip_space();
    if !cursor.rest.is_empty() {
        return cursor.unexpected("the end of the type");
    }
    Ok(target)
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
    declarations: &'a [(&'a str, &'a str)],
}

type Read<T> = Result<T, PatchError>;

impl<'a> Cursor<'a> {
    fn selector(&mut self) -> Read<Selector> {
        let mut selector = Selector {
            start: SelectorStart::Document,
            steps: Vec::new(),
            target: Target::Element,
        };
        if self.function("id") {
            let id = self.quoted_name()?;
            selector.start = SelectorStart::Id(id.to_owned());
            self.expect(")")?;
            if !self.eat("/") {
                return Ok(selector);
            }
        }
        loop {
            if let Some(target) = self.last()? {
                selector.target = target;
                return Ok(selector);
            }
            if selector.steps.len() >= XmlLimits::MAX_DEPTH {
                return fail(
                    PatchErrorKind::InvalidAttributeValue,
                    "the selector has too many steps",
                );
            }
            selector.steps.push(self.step()?);
            if !self.eat("/") {
                return Ok(selector);
            }
        }
    }

    /// What a selector can only end with, if it is next.
    fn last(&mut self) -> Read<Option<Target>> {
        if self.eat("@") {
            return Ok(Some(Target::Attribute(self.attribute_name()?)));
        }
        if self.axis("namespace") {
            let prefix = self.nc_name()?.to_owned();
            return Ok(Some(Target::Namespace(prefix)));
        }
        if self.function("text") {
            self.expect(")")?;
            return Ok(Some(Target::Text(self.place()?)));
        }
        if self.function("comment") {
            self.expect(")")?;
            return Ok(Some(Target::Comment(self.place()?)));
        }
        if self.function("processing-instruction") {
            let target = if self.eat(")") {
                None
            } else {
                let target = self.quoted_name()?.to_owned();
                self.expect(")")?;
                Some(target)
            };
            return Ok(Some(Target::Instruction(target, self.place()?)));
        }
        Ok(None)
    }

    fn step(&mut self) -> Read<Step> {
        let mut step = Step::new(self.element_name()?);
        while self.eat("[") {
            if step.predicates.len() >= Selector::MAX_PREDICATES {
                return fail(
                    PatchErrorKind::InvalidAttributeValue,
                    "a step of the selector has too many predicates",
                );
            }
            step.predicates.push(self.predicate()?);
            self.expect("]")?;
        }
        Ok(step)
    }

    /// What stands between brackets.
    fn predicate(&mut self) -> Read<Predicate> {
        if let Some(position) = self.number() {
            return Ok(Predicate::Position(position));
        }
        if self.eat("@") {
            let name = self.attribute_name()?;
            return Ok(Predicate::Attribute(name, self.compared_with()?));
        }
        if self.eat(".") {
            return Ok(Predicate::Value(self.compared_with()?));
        }
        let name = self.element_name()?;
        Ok(Predicate::Child(name, self.compared_with()?))
    }

    fn compared_with(&mut self) -> Read<String> {
        self.expect("=")?;
        Ok(self.literal()?.to_owned())
    }

    /// The place among nodes of one type, where there is one.
    fn place(&mut self) -> Read<Option<u32>> {
        if !self.eat("[") {
            return Ok(None);
        }
        let Some(number) = self.number() else {
            return self.unexpected("a number");
        };
        self.expect("]")?;
        Ok(Some(number))
    }

    /// A number, where there is one; nothing is at the place of one that is too large.
    fn number(&mut self) -> Option<u32> {
        self.skip_space();
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        if digits.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(digits.bytes().fold(0u32, |number, digit| {
            let digit = u32::from(digit.wrapping_sub(b'0'));
            number.saturating_mul(10).saturating_add(digit)
        }))
    }

    /// Text in quotes of either kind, which it cannot contain itself.
    fn literal(&mut self) -> Read<&'a str> {
        let quote = if self.eat("\"") {
            '"'
        } else if self.eat("'") {
            '\''
        } else {
            return self.unexpected("text in quotes");
        };
        match self.rest.split_once(quote) {
            Some((text, rest)) => {
                self.rest = rest;
                Ok(text)
            }
            None => self.unexpected("text and the quotation mark that ends it"),
        }
    }

    /// The same where it has to be a name without colon.
    fn quoted_name(&mut self) -> Read<&'a str> {
        let name = self.literal()?;
        if is_nc_name(name) {
            return Ok(name);
        }
        fail(
            PatchErrorKind::InvalidAttributeValue,
            format!("expected a name, found {}", excerpt(name)),
        )
    }

    /// `*` or the name of an element.
    fn element_name(&mut self) -> Read<Option<Name>> {
        if self.eat("*") {
            return Ok(None);
        }
        let (prefix, local) = self.qualified_name()?;
        let namespace = match self.namespace(prefix) {
            None if prefix.is_empty() => "",
            namespace => self.declared(prefix, namespace)?,
        };
        Ok(Some(Name::with_prefix(namespace, local, prefix)))
    }

    fn attribute_name(&mut self) -> Read<Name> {
        let (prefix, local) = self.qualified_name()?;
        if prefix.is_empty() {
            return Ok(Name::new("", local));
        }
        let namespace = self.declared(prefix, self.namespace(prefix))?;
        Ok(Name::with_prefix(namespace, local, prefix))
    }

    fn namespace(&self, prefix: &str) -> Option<&'a str> {
        if prefix == "xml" {
            return Some(namespace::XML);
        }
        let mut declarations = self.declarations.iter().rev();
        let found = declarations.find(|(known, _)| *known == prefix);
        found.map(|(_, namespace)| *namespace)
    }

    fn declared(&self, prefix: &str, namespace: Option<&'a str>) -> Read<&'a str> {
        match namespace {
            Some(namespace) => Ok(namespace),
            None => fail(
                PatchErrorKind::InvalidNamespacePrefix,
                format!(
                    "the prefix {} is not declared in the patch",
                    excerpt(prefix)
                ),
            ),
        }
    }

    /// Prefix and local name.
    fn qualified_name(&mut self) -> Read<(&'a str, &'a str)> {
        let first = self.nc_name()?;
        // No white space inside a name.
        match self.rest.strip_prefix(':') {
            Some(rest) if rest.starts_with(is_name_start) => {
                self.rest = rest;
                Ok((first, self.nc_name()?))
            }
            _ => Ok(("", first)),
        }
    }

    fn nc_name(&mut self) -> Read<&'a str> {
        self.skip_space();
        match self.split_name() {
            Some((name, rest)) => {
                self.rest = rest;
                Ok(name)
            }
            None => self.unexpected("a name"),
        }
    }

    fn split_name(&self) -> Option<(&'a str, &'a str)> {
        if !self.rest.starts_with(is_name_start) {
            return None;
        }
        let end = self.rest.find(|c| !is_name_char(c));
        self.rest.split_at_checked(end.unwrap_or(self.rest.len()))
    }

    /// Passes over a function's name and its parenthesis, if they are next.
    fn function(&mut self, name: &str) -> bool {
        self.named_before(name, "(")
    }

    /// Passes over an axis' name and its colons, if they are next.
    fn axis(&mut self, name: &str) -> bool {
        self.named_before(name, "::")
    }

    fn named_before(&mut self, name: &str, mark: &str) -> bool {
        self.skip_space();
        let Some((found, rest)) = self.split_name() else {
            return false;
        };
        let rest = skip_space(rest).strip_prefix(mark);
        match rest {
            Some(rest) if found == name => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn eat(&mut self, mark: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, mark: &'static str) -> Read<()> {
        if self.eat(mark) {
            return Ok(());
        }
        self.unexpected(mark)
    }

    fn skip_space(&mut self) {
        self.rest = skip_space(self.rest);
    }

    #[cold]
    fn unexpected<T>(&self, expected: &str) -> Read<T> {
        let found = match self.rest {
            "" => "its end".to_owned(),
            rest => excerpt(rest),
        };
        fail(
            PatchErrorKind::InvalidAttributeValue,
            format!("expected {expected}, found {found}"),
        )
    }
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}
