//! Faults on their way out of the tokenizer, which adds line, column and path.

use quick_xml::errors::{Error as QuickError, IllFormedError, SyntaxError};

use super::error::{XmlErrorKind, XmlLimit};

pub(super) type Checked<T> = Result<T, Refusal>;

/// A fault and where it is; boxed, so that what is right is not moved around it.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Box<(XmlErrorKind, usize)>);

impl Refusal {
    pub(super) fn new(kind: XmlErrorKind, at: usize) -> Self {
        Self(Box::new((kind, at)))
    }
}

#[cold]
pub(super) fn refuse<T>(kind: XmlErrorKind, at: usize) -> Checked<T> {
    Err(Refusal::new(kind, at))
}

#[cold]
pub(super) fn syntax<T>(expected: &'static str, at: usize) -> Checked<T> {
    refuse(XmlErrorKind::Syntax { expected }, at)
}

#[cold]
pub(super) fn over<T>(limit: XmlLimit, max: usize, at: usize) -> Checked<T> {
    refuse(XmlErrorKind::Limit { limit, max }, at)
}

/// What quick-xml found, in the terms of this crate.
#[cold]
pub(super) fn quick_refusal(error: QuickError, text: &str, start: usize) -> Refusal {
    let unclosed = |what: &str| XmlErrorKind::Unclosed {
        expected: format!("the end of {what}"),
    };
    let kind = match error {
        QuickError::Syntax(syntax) => match syntax {
            SyntaxError::InvalidBangMarkup => XmlErrorKind::Syntax {
                expected: "a comment or a CDATA section",
            },
            SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => {
                unclosed("a processing instruction")
            }
            SyntaxError::UnclosedComment => unclosed("a comment"),
            SyntaxError::UnclosedDoctype => XmlErrorKind::Doctype,
            SyntaxError::UnclosedCData
                if text.get(start..).is_some_and(|rest| {
                    !rest.starts_with("<![CDATA[") && !"<![CDATA[".starts_with(rest)
                }) =>
            {
                XmlErrorKind::Syntax {
                    expected: "a comment or a CDATA section",
                }
            }
            SyntaxError::UnclosedCData => unclosed("a CDATA section"),
            _ => unclosed("markup"),
        },
        QuickError::IllFormed(fault) => match fault {
            IllFormedError::DoubleHyphenInComment => XmlErrorKind::Syntax {
                expected: "no -- within a comment",
            },
            IllFormedError::UnclosedReference => XmlErrorKind::Syntax {
                expected: "a reference ending in ; after &",
            },
            _ => XmlErrorKind::Syntax {
                expected: "well-formed markup",
            },
        },
        _ => XmlErrorKind::Syntax {
            expected: "well-formed markup",
        },
    };
    Refusal::new(kind, start)
}
