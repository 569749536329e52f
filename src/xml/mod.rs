//! XML as every document format here uses it: a strict tokenizer, a tree and a writer.
//!
//! Reading is true to namespaces and refuses whatever is not well-formed, a document type
//! declaration, undefined entities, encodings other than UTF-8, and documents that exceed
//! [`XmlLimits`]. Writing is exact: what was read and is written again reads as equal, and what
//! was written is written the same again.

mod attribute;
mod byte_search;
mod descent;
mod doctype;
mod document;
mod element;
mod error;
mod escape;
mod known_names;
mod limits;
mod line_cursor;
mod name;
pub mod namespace;
pub mod patch;
mod prefixes;
mod reference;
mod refusal;
mod scope;
mod start_tag;
mod text;
mod tokenizer;
mod tree_reader;
mod writer;

pub use attribute::{Attribute, Attributes};
pub use element::{Element, Node, NodeRef};
pub use error::{Location, XmlError, XmlErrorKind, XmlLimit, XmlWriteError};
pub use limits::XmlLimits;
pub use name::Name;
pub use text::Text;
pub use writer::Layout;

pub(crate) use error::excerpt;
pub(crate) use name::{is_blank, is_name_char, is_name_start, is_nc_name, is_xml_char, trim};
pub(crate) use namespace::NamespaceId;
pub(crate) use prefixes::Prefixes;
pub(crate) use start_tag::StartTag;
pub(crate) use tokenizer::{Token, Tokenizer, TokenizerOptions};
pub(crate) use writer::{Document, Writer};
