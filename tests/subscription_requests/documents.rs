//! Whole documents: the four kinds of request, and the form they are written in.

use bytes::Bytes;
use presentity::pidf::Strictness;
use presentity::sdf::{MEDIA_TYPE, ReadOptions, Request, Wish};
use presentity::sip::MediaType;

use crate::{AT, FROM, TO, either, elements, of, right, strictly};

/// As somebody else writes them.
fn laid_out(at: &str, token: Option<&str>, duration: &str) -> String {
    let token = token.map_or(String::new(), |it| format!("\r\n    <Token>{it}</Token>"));
    format!(
        "<?xml version='1.0'?>\r\n<!-- of a gateway -->\r\n<Subscribe>\r\n    <From>{FROM}</From>\r\n    \
         <To>{TO}</To>\r\n    <DateTime>{at}</DateTime>{token}\r\n    <Duration>{duration}</Duration>\r\n\
         </Subscribe>\r\n"
    )
}

// SDF-01
#[test]
fn the_media_type_is_one() {
    let media_type = MediaType::parse(MEDIA_TYPE).unwrap();
    assert_eq!(media_type.to_string(), "application/cpim-subscription");
}

// SDF-02, SDF-03: the first request of a subscription, its extension, a fetch in between, the end.
#[test]
fn a_life_of_a_subscription() {
    let token = "balcony";
    for (at, given, duration, wish) in [
        (
            "2026-03-01T09:30:00+01:00",
            Some(token),
            "3600",
            Wish::Hold {
                token,
                duration: 3600,
            },
        ),
        (
            "2026-03-01T10:10:00+01:00",
            Some(token),
            "1800",
            Wish::Hold {
                token,
                duration: 1800,
            },
        ),
        ("2026-03-01T10:20:00+01:00", None, "0", Wish::Fetch),
        (
            "2026-03-01T10:30:00+01:00",
            Some(token),
            "0",
            Wish::Cancel { token },
        ),
    ] {
        let document = laid_out(at, given, duration);
        let request = either(&document).unwrap();
        assert_eq!(request.wish(), wish);
        assert_eq!((request.from(), request.to()), (FROM, TO));
        assert_eq!(request.date_time_text(), at);
        assert_eq!(request.token(), given);
        assert_eq!(request.duration().to_string(), duration);
        assert_eq!(request.octets(), document.as_bytes());
    }
}

// SDF-02: of XML all forms are the same.
#[test]
fn every_form_of_xml_is_read() {
    let plain = strictly(&right()).unwrap();
    let forms = [
        right().replace('>', ">\n\t"),
        right().replace("</", "<!-- x --></"),
        right().replace("<From>", "<?x y?><From><?x y?>"),
        right().replace(FROM, &format!("<![CDATA[{FROM}]]>")),
        right().replace(FROM, "pres:<!-- -->nora<![CDATA[@]]>ex&#97;mple&#x2E;org"),
        right().replace("3600", "3&#x36;<![CDATA[0]]>0"),
        right().replace("balcony", "<![CDATA[bal]]><!-- in two -->cony"),
        right().replace("T09", "<?x y?>T09"),
        right().replace("<To>", "<To >").replace("</To>", "</To\n>"),
        format!("\u{FEFF}{}", right()),
        format!("<?xml version='1.0' encoding='UTF-8'?>{}", right()),
        format!(
            "<?xml version='1.0' encoding='us-ascii' standalone='yes'?>{}",
            right()
        ),
        format!("\n<!-- a --><?b c?>\n{}\n<!-- d --><?e f?>\n", right()),
    ];
    // White space between elements, that within values apart.
    let [lines, rest @ ..] = forms;
    let lines = lines.replace("<From>\n\t", "<From>");
    let lines = lines
        .replace("<To>\n\t", "<To>")
        .replace("Time>\n\t2", "Time>2");
    let lines = lines
        .replace("ken>\n\tb", "ken>b")
        .replace("tion>\n\t3", "tion>3");
    for form in [lines].into_iter().chain(rest) {
        let request = either(&form).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(request.from(), plain.from(), "{form}");
        assert_eq!(request.to(), plain.to(), "{form}");
        assert_eq!(request.date_time_text(), plain.date_time_text(), "{form}");
        assert_eq!(request.wish(), plain.wish(), "{form}");
        // They are not the same to whoever signed one of them.
        assert_eq!(request.octets(), form.as_bytes());
        assert_ne!(request, plain);
    }
}

#[test]
fn requests_share_the_octets_they_were_read_from() {
    let octets = Bytes::from(right());
    let request = Request::read(&octets).unwrap();
    assert_eq!(request.octets().as_ptr(), octets.as_ptr());
    assert_eq!(request, request.clone());
    assert_eq!(request.clone().octets().as_ptr(), octets.as_ptr());
}

#[test]
fn what_is_read_by_default_is_what_read_reads() {
    let options = ReadOptions::default();
    assert_eq!(options.strictness, Strictness::Strict);
    let content = elements(&[
        ("From", FROM),
        ("To", TO),
        ("DateTime", AT),
        ("Duration", " 0"),
    ]);
    let octets = Bytes::from(of(&content));
    assert_eq!(
        Request::read_with(&octets, &options).unwrap_err(),
        Request::read(&octets).unwrap_err()
    );
}
