//! One MIME entity: header fields, an empty line, a body.

use bytes::Bytes;

use super::MimeError;
use crate::sip::MediaType;

/// Octets that the header of a [`Part`] may have, the empty line aside.
///
/// Parts of SIP bodies have a handful of short fields; certificates and signatures are bodies.
pub const MAX_HEADER_LEN: usize = 16 * 1024;
/// Fields that the header of a [`Part`] may have.
pub const MAX_HEADER_FIELDS: usize = 64;

/// Octets of an encoding's name that an error repeats.
const NAMED: usize = 32;

const CONTENT_TYPE: &str = "Content-Type";
const TRANSFER_ENCODING: &str = "Content-Transfer-Encoding";

/// A MIME entity (RFC 2045 section 2.4), with the octets that it was read from or is written as.
///
/// ```
/// use bytes::Bytes;
/// use presentity::mime::Part;
///
/// let octets = Bytes::from("Content-Type: text/plain\r\n\r\nbusy until noon\r\n");
/// let part = Part::read(&octets)?;
/// assert_eq!(part.content_type(), Some("text/plain"));
/// assert_eq!(part.plain_body()?, "busy until noon\r\n");
/// assert_eq!(part.octets(), &octets);
/// # Ok::<(), presentity::mime::MimeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    octets: Bytes,
    /// Octets of the header fields, without the empty line.
    fields_len: usize,
    body: Bytes,
}

impl Part {
    /// Reads an entity. The body is not copied.
    ///
    /// The header ends at the first empty line; it may be absent, and then the empty line comes
    /// first. Octets that end where a field ends are an entity with an empty body (RFC 2046 section
    /// 5.1.1). Fields may be folded. A line ends with CR and LF, never with one of them alone.
    ///
    /// # Errors
    /// [`MimeError::Header`] where the header has a line that is no field, a line break that is
    /// none, a control character, or text that is not UTF-8; [`MimeError::HeaderTooLong`];
    /// [`MimeError::TooManyFields`]; [`MimeError::RepeatedField`] for a second Content-Type or
    /// Content-Transfer-Encoding, of which readers would take different ones.
    pub fn read(octets: &Bytes) -> Result<Self, MimeError> {
        let (fields_len, body_at) = header_end(octets)?;
        let part = Self {
            octets: octets.clone(),
            fields_len,
            body: octets
                .get(body_at..)
                .map(|body| octets.slice_ref(body))
                .unwrap_or_default(),
        };
        for name in [CONTENT_TYPE, TRANSFER_ENCODING] {
            if part.all(name).nth(1).is_some() {
                return Err(MimeError::RepeatedField { name });
            }
        }
        Ok(part)
    }

    /// An entity of this type around `body`, whose octets stay as they are: it says that they are
    /// `binary`, which SIP can carry (RFC 3261 section 7.4).
    ///
    /// # Errors
    /// [`MimeError::MediaType`] when `content_type` is no value of a Content-Type field on one line,
    /// [`MimeError::HeaderTooLong`].
    pub fn new(content_type: &str, body: &Bytes) -> Result<Self, MimeError> {
        let media = MediaType::parse(content_type)?;
        // As it writes itself it is on one line.
        let head = format!("{CONTENT_TYPE}: {media}\r\n{TRANSFER_ENCODING}: binary\r\n\r\n");
        let mut octets = Vec::with_capacity(head.len().saturating_add(body.len()));
        octets.extend_from_slice(head.as_bytes());
        octets.extend_from_slice(body);
        Self::read(&Bytes::from(octets))
    }

    /// The whole entity: what a signature over it covers.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The value of Content-Type as it stands, folding and all, to be read with
    /// [`MediaType::parse`]. Without one the body is `text/plain` in US-ASCII (RFC 2045 section
    /// 5.2).
    pub fn content_type(&self) -> Option<&str> {
        self.field(CONTENT_TYPE)
    }

    /// The value of Content-Transfer-Encoding as it stands.
    pub fn transfer_encoding(&self) -> Option<&str> {
        self.field(TRANSFER_ENCODING)
    }

    /// The value of the first field of this name, which compares without case. It is as it stands,
    /// folding and all, without white space around it.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The body as it stands, encoded as [`transfer_encoding`](Self::transfer_encoding) says. It
    /// shares the memory of the entity.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, if the octets on the wire are those that are meant: with the encoding `7bit`,
    /// `8bit`, `binary` (RFC 2045 section 6.2) or none.
    ///
    /// # Errors
    /// [`MimeError::Encoding`] with any other, `base64` and `quoted-printable` among them.
    pub fn plain_body(&self) -> Result<&Bytes, MimeError> {
        let plain = |encoding: &str| {
            ["7bit", "8bit", "binary"]
                .iter()
                .any(|known| encoding.eq_ignore_ascii_case(known))
        };
        match self.transfer_encoding() {
            Some(encoding) if !plain(encoding) => Err(MimeError::Encoding {
                name: encoding.chars().take(NAMED).collect(),
            }),
            _ => Ok(&self.body),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Names and values of the fields, in order; values as they stand, folding and all, without white
    /// space around them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = self.octets.get(..self.fields_len).unwrap_or_default();
        // It was when it was read.
        let mut rest = core::str::from_utf8(head).unwrap_or_default();
        core::iter::from_fn(move || {
            let (field, after) = rest.split_at_checked(field_len(rest)?)?;
            rest = after;
            let (name, value) = field.split_once(':')?;
            Some((
                name.trim_end_matches([' ', '\t']),
                value.trim_matches([' ', '\t', '\r', '\n']),
            ))
        })
    }
}

/// Octets of the field that `fields` begins with, the lines that continue it and its end included.
fn field_len(fields: &str) -> Option<usize> {
    let mut len = 0_usize;
    loop {
        let rest = fields.get(len..)?;
        len = len.saturating_add(rest.find("\r\n")?).saturating_add(2);
        if !fields.get(len..)?.starts_with([' ', '\t']) {
            return Some(len);
        }
    }
}

/// Where the header fields end and where the body begins, the header being one.
fn header_end(octets: &[u8]) -> Result<(usize, usize), MimeError> {
    let mut at = 0_usize;
    let mut fields = 0_usize;
    loop {
        let rest = octets.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok((at, at));
        }
        let room = MAX_HEADER_LEN.saturating_sub(at);
        let line = match rest
            .iter()
            .take(room.saturating_add(1))
            .position(|b| matches!(b, b'\r' | b'\n'))
        {
            Some(len) => rest.get(..len).unwrap_or_default(),
            None if rest.len() > room => return Err(MimeError::HeaderTooLong),
            None => return malformed(octets.len(), "CR and LF"),
        };
        let end = at.saturating_add(line.len());
        if !octets
            .get(end..)
            .is_some_and(|rest| rest.starts_with(b"\r\n"))
        {
            return malformed(end, "CR and LF");
        }
        let next = end.saturating_add(2);
        if line.is_empty() {
            return Ok((at, next));
        }
        if next > MAX_HEADER_LEN {
            return Err(MimeError::HeaderTooLong);
        }
        check_line(line, at, fields > 0)?;
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            fields = fields.saturating_add(1);
            if fields > MAX_HEADER_FIELDS {
                return Err(MimeError::TooManyFields);
            }
        }
        at = next;
    }
}

/// Whether a line at `at` is a field, or continues one if there is one to continue.
fn check_line(line: &[u8], at: usize, may_continue: bool) -> Result<(), MimeError> {
    if let Some(bad) = line
        .iter()
        .position(|b| b.is_ascii_control() && *b != b'\t')
    {
        return malformed(at.saturating_add(bad), "no control character");
    }
    if let Err(error) = core::str::from_utf8(line) {
        return malformed(at.saturating_add(error.valid_up_to()), "UTF-8");
    }
    let is_blank = |b: &u8| matches!(b, b' ' | b'\t');
    if line.first().is_some_and(is_blank) {
        // Some take a blank line that continues for the empty one.
        return if may_continue && !line.iter().all(is_blank) {
            Ok(())
        } else {
            malformed(at, "a field name")
        };
    }
    let name_len = line
        .iter()
        .take_while(|b| b.is_ascii_graphic() && **b != b':');
    let name_len = name_len.count();
    let after = line.get(name_len..).unwrap_or_default();
    let colon = after.iter().find(|b| !is_blank(b));
    if name_len == 0 {
        malformed(at, "a field name")
    } else if colon == Some(&b':') {
        Ok(())
    } else {
        malformed(at.saturating_add(name_len), "a colon")
    }
}

fn malformed<T>(offset: usize, expected: &'static str) -> Result<T, MimeError> {
    Err(MimeError::Header { offset, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Part, MimeError> {
        Part::read(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn fields_are_found_without_case_and_folding_stays() {
        let text =
            "content-TYPE : text/plain;\r\n\tcharset=utf-8 \r\nX:\r\nx:  b\u{e4}r\r\n\r\nbody\n";
        let part = read(text).unwrap();
        assert_eq!(part.content_type(), Some("text/plain;\r\n\tcharset=utf-8"));
        let media = MediaType::parse(part.content_type().unwrap()).unwrap();
        assert_eq!(media.param("charset").as_deref(), Some("utf-8"));
        assert_eq!(part.field("X"), Some(""));
        assert_eq!(part.all("X").collect::<Vec<_>>(), ["", "b\u{e4}r"]);
        assert_eq!(part.field("body"), None);
        assert_eq!(part.transfer_encoding(), None);
        assert_eq!(part.body(), "body\n");
        assert_eq!(part.octets(), text);
    }

    #[test]
    fn header_and_body_may_be_absent() {
        for (text, fields, body) in [
            ("", 0, ""),
            ("\r\n", 0, ""),
            ("\r\nA: b\r\n\r\n", 0, "A: b\r\n\r\n"),
            ("A: b\r\n", 1, ""),
            ("A: b\r\n\r\n", 1, ""),
            ("A: b\r\n\r\n\r\n", 1, "\r\n"),
            ("A:\r\n b\r\n c\r\nB: :\r\n\r\nx", 2, "x"),
        ] {
            let part = read(text).unwrap();
            assert_eq!(part.fields().count(), fields, "{text:?}");
            assert_eq!(part.body(), body, "{text:?}");
            assert_eq!(part.content_type(), None);
        }
    }

    #[test]
    fn a_broken_header_is_refused_where_it_breaks() {
        for (text, offset) in [
            ("A: b\n\r\n", 4),
            ("A: b\r\n\n", 6),
            ("A: b\rC: d\r\n\r\n", 4),
            ("A: b", 4),
            ("A: b\r", 4),
            ("A: b\r\nC: d", 10),
            (" A: b\r\n\r\n", 0),
            ("A: b\r\n \t\r\n\r\n", 6),
            ("A\r\n\r\n", 1),
            (": b\r\n\r\n", 0),
            ("A B: c\r\n\r\n", 1),
            ("A\u{e4}: b\r\n\r\n", 1),
            ("A: b\r\nC: \0d\r\n\r\n", 9),
            ("A: \u{7f}\r\n\r\n", 3),
        ] {
            match read(text) {
                Err(MimeError::Header { offset: found, .. }) => {
                    assert_eq!(found, offset, "{text:?}")
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        let latin = Bytes::from_static(b"A: b\xe4\r\n\r\n");
        let error = MimeError::Header {
            offset: 4,
            expected: "UTF-8",
        };
        assert_eq!(Part::read(&latin), Err(error));
    }

    #[test]
    fn what_says_how_to_read_stands_once() {
        for name in [CONTENT_TYPE, TRANSFER_ENCODING] {
            let text = format!(
                "{name}: text/plain\r\nX: y\r\n{}: x/y\r\n\r\n",
                name.to_lowercase()
            );
            assert_eq!(read(&text), Err(MimeError::RepeatedField { name }));
        }
        // After the empty line it is body.
        assert!(read("Content-Type: a/b\r\n\r\nContent-Type: a/b\r\n").is_ok());
    }

    #[test]
    fn headers_are_bounded() {
        let fields = |count| format!("{}\r\n", "A: b\r\n".repeat(count));
        assert!(read(&fields(MAX_HEADER_FIELDS)).is_ok());
        let more = read(&fields(MAX_HEADER_FIELDS + 1));
        assert_eq!(more, Err(MimeError::TooManyFields));
        let long = |len| format!("A: {}\r\n\r\nbody", "b".repeat(len - 5));
        assert!(read(&long(MAX_HEADER_LEN)).is_ok());
        assert_eq!(
            read(&long(MAX_HEADER_LEN + 1)),
            Err(MimeError::HeaderTooLong)
        );
        assert_eq!(
            read(&long(MAX_HEADER_LEN * 9)),
            Err(MimeError::HeaderTooLong)
        );
        let folded = format!("A: b\r\n{}\r\n", " b\r\n".repeat(MAX_HEADER_LEN));
        assert_eq!(read(&folded), Err(MimeError::HeaderTooLong));
        let endless = "a".repeat(MAX_HEADER_LEN + 1);
        assert_eq!(read(&endless), Err(MimeError::HeaderTooLong));
    }

    #[test]
    fn what_is_made_reads_as_it_was_meant() {
        let body = Bytes::from_static(b"\r\n\0\xff\n--x\r\n");
        let part = Part::new("application/pidf+xml;\r\n charset=\"utf-8\"", &body).unwrap();
        assert_eq!(
            part.content_type(),
            Some("application/pidf+xml;charset=\"utf-8\"")
        );
        assert_eq!(part.transfer_encoding(), Some("binary"));
        assert_eq!(part.plain_body(), Ok(&body));
        assert_eq!(Part::read(part.octets()), Ok(part));
        for bad in [
            "",
            "text",
            "text/plain\r\nX: y",
            "text/plain\n",
            "text/\0",
            "a/b, c/d",
        ] {
            let refused = Part::new(bad, &body);
            assert!(matches!(refused, Err(MimeError::MediaType(_))), "{bad:?}");
        }
        let long = format!("text/{}", "x".repeat(MAX_HEADER_LEN));
        assert_eq!(Part::new(&long, &body), Err(MimeError::HeaderTooLong));
    }

    #[test]
    fn encoded_bodies_are_told_from_plain_ones() {
        for encoding in ["7bit", "8BIT", " Binary "] {
            let part = read(&format!("{TRANSFER_ENCODING}:{encoding}\r\n\r\nx")).unwrap();
            assert_eq!(part.plain_body().unwrap(), "x");
        }
        for encoding in ["base64", "Quoted-Printable", "x-own", ""] {
            let part = read(&format!("{TRANSFER_ENCODING}: {encoding}\r\n\r\nx")).unwrap();
            let name = encoding.to_owned();
            assert_eq!(part.plain_body(), Err(MimeError::Encoding { name }));
            assert_eq!(part.body(), "x");
        }
    }
}
