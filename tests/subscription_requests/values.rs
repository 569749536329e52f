//! What each element holds.

use presentity::sdf::{Fault, Field, ReadError};

use crate::{FROM, either, refused_value, strictly, with};

fn refused(field: Field, content: &str) {
    let (which, found, path) = refused_value(&with(field, content));
    assert_eq!(which, field, "{content}");
    assert_eq!(path, format!("Subscribe/{field}"), "{content}");
    assert!(found.len() <= 67, "{found}");
}

// SDF-04, SDF-05
#[test]
fn watchers_and_presentities_have_pres_uris() {
    for field in [Field::From, Field::To] {
        for good in [
            FROM,
            "PRES:nora@example.org",
            "pres:nora%20b@example.org",
            "pres:nora+b@example.org?subject=a",
            "pres:nora@example.org?a=b&amp;c=d",
            "pres:nora@[2001:db8::1]",
        ] {
            let request = either(&with(field, good)).unwrap();
            let written = match field {
                Field::From => request.from(),
                _ => request.to(),
            };
            assert_eq!(written, good.replace("&amp;", "&"));
        }
        for bad in [
            "",
            "nora@example.org",
            "sip:nora@example.org",
            "sips:nora@example.org",
            "tel:+15550100",
            "im:nora@example.org",
            "pres:",
            "pres:nora",
            "pres:example.org",
            "pres:nora@",
            "pres:@example.org",
            "pres:nora@example.org;a=b",
            "pres:nora@example.org,emil@example.com",
            "pres:nora@example.org pres:emil@example.com",
            "&lt;pres:nora@example.org&gt;",
            "pres:nora@example.org?",
            "pres:n\u{F8}ra@example.org",
        ] {
            refused(field, bad);
        }
    }
}

// SDF-04, SDF-05: header fields and spelling are no part of who somebody is.
#[test]
fn one_watcher_and_one_presentity_have_one_key() {
    for written in [
        "pres:nora@example.org",
        "PRES:%6Eora@EXAMPLE.org?subject=x",
        "pres:nora@example.org.",
    ] {
        assert_eq!(
            either(&with(Field::From, written)).unwrap().watcher(),
            "nora@example.org"
        );
        assert_eq!(
            either(&with(Field::To, written)).unwrap().presentity(),
            "nora@example.org"
        );
    }
    let other = either(&with(Field::From, "pres:Nora@example.org")).unwrap();
    assert_eq!(other.watcher(), "Nora@example.org");
    assert_eq!(other.presentity(), "emil@example.com");
}

// SDF-06
#[test]
fn times_have_an_offset() {
    let moment = |text| either(&with(Field::DateTime, text)).unwrap().date_time();
    let usual = moment("2026-03-01T09:30:00+01:00");
    for same in [
        "2026-03-01T08:30:00Z",
        "2026-03-01t08:30:00z",
        "2026-03-01T08:30:00.000Z",
        "2026-03-01T08:30:00-00:00",
        "2026-02-28T10:30:00-22:00",
    ] {
        assert_eq!(moment(same), usual, "{same}");
        let request = either(&with(Field::DateTime, same)).unwrap();
        assert_eq!(request.date_time_text(), same);
    }
    assert_eq!(usual.offset().whole_hours(), 1);
    assert_eq!(
        moment("2026-03-01T08:30:00.25Z") - usual,
        time::Duration::milliseconds(250)
    );
    // A leap second comes before the minute after it.
    assert!(moment("2016-12-31T23:59:60Z") < moment("2017-01-01T00:00:00Z"));
    assert!(moment("2016-12-31T23:59:60Z") > moment("2016-12-31T23:59:59Z"));
    for bad in [
        "",
        "2026-03-01",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00Z",
        "2026-03-01T09:30Z",
        "2026-03-01T09:30:00.Z",
        "2026-03-01T09:30:00,5Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T09:60:00Z",
        "2026-03-01T09:30:61Z",
        "2026-02-29T09:30:00Z",
        "2026-13-01T09:30:00Z",
        "26-03-01T09:30:00Z",
        "2026-03-01T09:30:00+24:00",
        "2026-03-01T09:30:00+0100",
        "2026-03-01T09:30:00+01",
        "2026-03-01T09:30:00ZZ",
        "Sun, 01 Mar 2026 09:30:00 GMT",
        "1772353800",
    ] {
        refused(Field::DateTime, bad);
    }
}

// SDF-07: characters are counted, not octets, and mean nothing.
#[test]
fn tokens_have_one_to_eighty_characters() {
    let read = |content: &str| either(&with(Field::Token, content));
    for (one, written) in [
        ("x", "x"),
        ("\u{E9}", "\u{E9}"),
        ("\u{20AC}", "\u{20AC}"),
        ("\u{1F514}", "\u{1F514}"),
        ("\u{1F514}", "&#x1F514;"),
        ("&", "&amp;"),
        // A letter and the accent above it are two.
        ("e\u{301}", "e\u{301}"),
    ] {
        let each = one.chars().count();
        for count in [1, 80 / each] {
            let request = read(&written.repeat(count)).unwrap();
            assert_eq!(request.token(), Some(&*one.repeat(count)));
        }
        refused(Field::Token, &format!("{}x", written.repeat(80 / each)));
        refused(Field::Token, &written.repeat(1000 / written.len()));
    }
    let whole = "<![CDATA[".to_owned() + &"]".repeat(80) + "]]>";
    assert_eq!(read(&whole).unwrap().token(), Some(&*"]".repeat(80)));
}

// SDF-07, SDF-15: else a request to cancel would read like a fetch.
#[test]
fn tokens_are_not_empty() {
    for empty in ["", "<!-- -->", "<![CDATA[]]>", "<?x y?>"] {
        refused(Field::Token, empty);
    }
    let short = with(Field::Token, "").replace("<Token></Token>", "<Token/>");
    assert_eq!(refused_value(&short).0, Field::Token);
    let cancel = with(Field::Token, "").replace("3600", "0");
    assert_eq!(refused_value(&cancel).0, Field::Token);
}

// SDF-07: white space is part of a token.
#[test]
fn tokens_are_kept_as_they_are() {
    for (content, token) in [
        (" ", " "),
        (" a ", " a "),
        ("\n\ta", "\n\ta"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("&#13;", "\r"),
        ("A", "A"),
        ("\u{A0}", "\u{A0}"),
        ("0", "0"),
    ] {
        let request = either(&with(Field::Token, content)).unwrap();
        assert_eq!(request.token(), Some(token));
    }
}

// SDF-08
#[test]
fn durations_are_seconds_in_digits() {
    for (content, seconds) in [
        ("0", 0),
        ("1", 1),
        ("00", 0),
        ("007", 7),
        ("2147483647", 2_147_483_647),
        ("00000000000000000000002147483647", 2_147_483_647),
        ("&#49;", 1),
    ] {
        let request = either(&with(Field::Duration, content)).unwrap();
        assert_eq!(request.duration(), seconds, "{content}");
    }
    for bad in [
        "",
        "2147483648",
        "4294967295",
        "4294967296",
        "18446744073709551617",
        "00000000000000000000002147483648",
        "-1",
        "-0",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        "1 0",
        "PT1H",
        "ten",
        "\u{661}",
        "\u{FF11}",
    ] {
        refused(Field::Duration, bad);
    }
    refused(Field::Duration, &"9".repeat(5000));
}

// SDF-04, SDF-05, SDF-06, SDF-08
#[test]
fn strict_reading_wants_no_white_space_around_values() {
    for (field, content) in [
        (Field::From, " pres:nora@example.org"),
        (Field::To, "pres:emil@example.com\n"),
        (Field::DateTime, "\t2026-03-01T08:30:00Z"),
        (Field::Duration, "3600&#32;"),
        (Field::Duration, " "),
    ] {
        match strictly(&with(field, content)).unwrap_err() {
            ReadError::Fault(tolerated) => {
                assert_eq!(tolerated.fault, Fault::WhiteSpace { field });
                assert_eq!(tolerated.location.path, format!("Subscribe/{field}"));
            }
            other => panic!("{other}"),
        }
    }
    // Nor is it more than the white space of XML anywhere.
    refused(Field::Duration, "\u{A0}1");
    refused(Field::From, "\u{2003}pres:nora@example.org");
}
