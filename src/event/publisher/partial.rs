//! Publications whose changes are told by what is different (RFC 5264).

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::event::PublishKind;

/// The media type in which a server is told what has changed of a state, and how such bodies are made.
///
/// A publication that has one ([`PublishOrder::partial`](super::PublishOrder::partial)) is made, and
/// changed, by bodies of this type; the application goes on giving whole states of the base type.
/// It is for event packages whose servers take such bodies; for presence that is
/// [`Publisher::publish_partially`](crate::presence::Publisher::publish_partially).
pub trait PartialFormat: fmt::Debug + Send + Sync {
    /// The media type of what [`full`](Self::full) and [`difference`](Self::difference) make.
    fn media_type(&self) -> &str;

    /// The whole of a state of the base type in this type; nothing when it cannot be said, and it is
    /// published as it is.
    fn full(&self, state: &Bytes) -> Option<Bytes>;

    /// What makes `after` of a server's `before`, both of the base type; nothing when it cannot be said,
    /// and all of it is published again. One that is not shorter than the whole is not sent.
    fn difference(&self, before: &Bytes, after: &Bytes) -> Option<Bytes>;
}

/// Differences that a server may refuse in a row before it is sent no more of them.
const REFUSED: u8 = 2;

/// What a publication is told by differences with.
#[derive(Debug)]
pub(super) struct Partial {
    format: Arc<dyn PartialFormat>,
    /// The state that the server has for certain, as the application gave it.
    base: Option<Bytes>,
    /// Differences refused since one was taken.
    refused: u8,
}

/// How a request tells the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// In the base type, or not at all.
    Plain,
    /// In the partial type, the whole of this state.
    Full(Bytes),
    /// In the partial type, what makes this state of the one before.
    Difference(Bytes),
}

impl Partial {
    pub(super) fn new(format: Arc<dyn PartialFormat>) -> Self {
        Self {
            format,
            base: None,
            refused: 0,
        }
    }

    pub(super) fn media_type(&self) -> &str {
        self.format.media_type()
    }

    /// The body that tells a state, the shorter one of those that can; nothing when the base type has to
    /// do.
    pub(super) fn body(&self, kind: PublishKind, state: &Bytes) -> Option<(Bytes, Form)> {
        let full = self.format.full(state).filter(|full| !full.is_empty())?;
        let base = self.base.as_ref();
        let base = base.filter(|_| kind == PublishKind::Modify && self.refused < REFUSED);
        let difference = base.and_then(|base| self.format.difference(base, state));
        let shorter = difference.filter(|it| !it.is_empty() && it.len() < full.len());
        Some(match shorter {
            Some(difference) => (difference, Form::Difference(state.clone())),
            None => (full, Form::Full(state.clone())),
        })
    }

    /// The server has taken a body.
    pub(super) fn taken(&mut self, form: &Form) {
        self.base = match form {
            Form::Plain => None,
            Form::Full(state) => Some(state.clone()),
            Form::Difference(state) => {
                self.refused = 0;
                Some(state.clone())
            }
        };
    }

    /// A difference did not fit what the server has.
    pub(super) fn difference_refused(&mut self) {
        self.base = None;
        self.refused = self.refused.saturating_add(1);
    }

    /// Nobody knows any more what the server has.
    pub(super) fn forget(&mut self) {
        self.base = None;
    }
}
