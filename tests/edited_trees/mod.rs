//! Trees of few names and values, so that much in them is alike, and random changes of trees.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

use presentity::xml::{Element, Name, Node};

/// A source of choices.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn name(&mut self) -> Name {
        let namespace = ["", "", "urn:ietf:params:xml:ns:pidf", "urn:example:x"][self.roll(4)];
        Name::with_prefix(namespace, ["a", "b", "c", "status"][self.roll(4)], "q")
    }

    fn text(&mut self) -> String {
        [
            "open", "closed", " ", "x", "a<b&c\"'", "x:y", "]]>", "é\r\n",
        ][self.roll(8)]
        .to_owned()
    }

    fn attribute(&mut self) -> (Name, String) {
        let name = match self.roll(5) {
            0..=2 => Name::new("", "id"),
            3 => Name::with_prefix("urn:example:x", "at", "q"),
            _ => Name::new("http://www.w3.org/XML/1998/namespace", "lang"),
        };
        let value = ["i", "j", "k", "l", "m", "'\"", "", "x"][self.roll(8)];
        (name, value.to_owned())
    }

    pub(crate) fn element(&mut self, depth: usize) -> Element {
        let mut element = Element::named(self.name());
        for _ in 0..self.roll(3) {
            let (name, value) = self.attribute();
            element.attributes.set(name, value);
        }
        if self.roll(12) == 0 {
            element.declare("x", ["urn:example:one", "urn:example:two"][self.roll(2)]);
        }
        let mixed = self.roll(6) == 0;
        match self.roll(5) {
            0 => {}
            1 => element.push_text(self.text()),
            _ if depth == 0 => {}
            _ => {
                for _ in 0..self.roll(7) {
                    if mixed && self.roll(2) == 0 {
                        element.push_text(self.text());
                    }
                    element.push_child(self.element(depth - 1));
                }
            }
        }
        element
    }

    /// Changes something somewhere in the element.
    pub(crate) fn edit(&mut self, element: &mut Element) {
        let children = element.elements().count();
        if children > 0 && self.roll(3) > 0 {
            let at = self.roll(children);
            let child = element.elements_mut().nth(at).unwrap();
            return self.edit(child);
        }
        let nodes = element.children_mut().len();
        match self.roll(9) {
            0 => {
                let (name, value) = self.attribute();
                element.attributes.set(name, value);
            }
            1 => {
                let (name, _) = self.attribute();
                element.attributes.remove(name.namespace(), name.local());
            }
            2 => {
                let at = self.roll(nodes + 1);
                let child = Node::Element(self.element(1));
                element.children_mut().insert(at, child);
            }
            3 if nodes > 0 => {
                let at = self.roll(nodes);
                element.children_mut().remove(at);
            }
            4 if nodes > 0 => {
                let (from, to) = (self.roll(nodes), self.roll(nodes));
                let node = element.children_mut().remove(from);
                element.children_mut().insert(to, node);
            }
            5 if nodes > 0 => {
                let (from, to) = (self.roll(nodes), self.roll(nodes));
                let node = element.children_mut()[from].clone();
                element.children_mut().insert(to, node);
            }
            6 => {
                let at = self.roll(nodes + 1);
                let text = self.text();
                element.children_mut().insert(at, Node::Text(text.into()));
            }
            7 => element.children_mut().clear(),
            _ => {
                let text = self.text();
                if let Some(Node::Text(old)) = element.children_mut().last_mut() {
                    *old = text.into();
                }
            }
        }
    }
}
