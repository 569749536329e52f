//! What a watcher puts together of documents that tell what has changed (RFC 5263).

use bytes::Bytes;
use presentity::pidf::ReadOptions;
use presentity::pidf::partial::{PartialDocument, Reconstruction, Taken};
use presentity::xml::XmlLimits;

pub const PARTIAL: &str = "application/pidf-diff+xml";

/// What the watcher of one subscription may have.
#[derive(Debug, Default)]
pub struct Parts {
    /// Several where it is not known what it has taken.
    held: Vec<Reconstruction>,
    /// The number of the last document that it may have taken.
    number: u32,
    /// What it has when it takes the one that is open.
    open: Option<Vec<Reconstruction>>,
}

impl Parts {
    /// A document has left: the whole that it leads to, whatever its watcher has.
    pub fn put_together(&mut self, body: &Bytes) -> Bytes {
        let document = PartialDocument::read(body, &XmlLimits::default()).expect("a document");
        self.number += 1;
        assert_eq!(document.version(), Some(self.number), "{self:#?}");
        if self.held.is_empty() {
            self.held.push(Reconstruction::new());
        }
        let mut copies = self.held.clone();
        let mut wholes = Vec::new();
        for copy in &mut copies {
            let taken = copy.take(body).expect("what a watcher can use");
            assert_ne!(taken, Taken::Stale, "{self:#?}");
            let whole = copy.presence(&ReadOptions::default());
            wholes.push(whole.expect("a document").write().expect("it can be"));
        }
        wholes.dedup();
        assert_eq!(wholes.len(), 1, "it depends on what the watcher has");
        copies.truncate(1);
        self.open = Some(copies);
        wholes.remove(0)
    }

    /// A document of another type has left: if it is taken, the next has to be a whole one.
    pub fn type_changed(&mut self) {
        let mut without = self.held.clone();
        without.iter_mut().for_each(Reconstruction::type_changed);
        self.hold(without);
    }

    pub fn are_taken(&mut self) {
        if let Some(open) = self.open.take() {
            self.held = open;
        }
    }

    /// Nobody takes what he challenges: the number is that of the next.
    pub fn are_not_taken(&mut self) {
        if self.open.take().is_some() {
            self.number -= 1;
        }
    }

    /// It may have been taken, or not.
    pub fn is_unsure(&mut self) {
        let open = self.open.take().unwrap_or_default();
        self.hold(open);
    }

    fn hold(&mut self, more: Vec<Reconstruction>) {
        for one in more {
            if !self.held.contains(&one) {
                self.held.push(one);
            }
        }
    }
}
