//! Requests that are made here, and what they are written as.

use presentity::sdf::{InvalidRequest, MAX_REQUEST_LEN, Request, Token, Wish};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use crate::{FROM, TO, either};

fn at(year: i32, nanosecond: u32, offset: i8) -> OffsetDateTime {
    let date = Date::from_calendar_date(year, Month::March, 1).unwrap();
    let time = Time::from_hms_nano(9, 30, 0, nanosecond).unwrap();
    let offset = UtcOffset::from_hms(offset, 0, 0).unwrap();
    OffsetDateTime::new_in_offset(date, time, offset)
}

fn token() -> Token {
    Token::new("balcony").unwrap()
}

/// What was made is what is read, and made anew is the same, octet by octet.
fn is_fixed(made: &Request) {
    let text = std::str::from_utf8(made.octets()).unwrap();
    let read = either(text).unwrap();
    assert_eq!(&read, made);
    let token = read.token().map(|token| Token::new(token).unwrap());
    let (from, to, at) = (read.from(), read.to(), read.date_time());
    let again = match (&token, read.duration()) {
        (None, _) => Request::fetch(from, to, at),
        (Some(token), 0) => Request::cancel(from, to, at, token),
        (Some(token), duration) => Request::subscribe(from, to, at, token, duration),
    };
    assert_eq!(again.as_ref(), Ok(made));
}

// SDF-02, SDF-03, SDF-06, SDF-08
#[test]
fn a_request_is_written_in_one_form() {
    let request = Request::subscribe(FROM, TO, at(2026, 0, 1), &token(), 3600).unwrap();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Subscribe>
  <From>pres:nora@example.org</From>
  <To>pres:emil@example.com</To>
  <DateTime>2026-03-01T08:30:00Z</DateTime>
  <Token>balcony</Token>
  <Duration>3600</Duration>
</Subscribe>";
    assert_eq!(std::str::from_utf8(request.octets()).unwrap(), expected);
    is_fixed(&request);

    let fetch = Request::fetch(FROM, TO, at(2026, 0, 1)).unwrap();
    let without = expected
        .replace("  <Token>balcony</Token>\n", "")
        .replace("3600", "0");
    assert_eq!(std::str::from_utf8(fetch.octets()).unwrap(), without);
    is_fixed(&fetch);

    let cancel = Request::cancel(FROM, TO, at(2026, 0, 1), &token()).unwrap();
    let zero = expected.replace("3600", "0");
    assert_eq!(std::str::from_utf8(cancel.octets()).unwrap(), zero);
    is_fixed(&cancel);
}

// SDF-15: each kind of request says what it is for.
#[test]
fn requests_ask_for_what_they_were_made_for() {
    let moment = at(2026, 0, 0);
    let token = token();
    let made = Request::subscribe(FROM, TO, moment, &token, 1).unwrap();
    assert_eq!(
        made.wish(),
        Wish::Hold {
            token: "balcony",
            duration: 1
        }
    );
    let made = Request::fetch(FROM, TO, moment).unwrap();
    assert_eq!(
        (made.wish(), made.token(), made.duration()),
        (Wish::Fetch, None, 0)
    );
    let made = Request::cancel(FROM, TO, moment, &token).unwrap();
    assert_eq!(made.wish(), Wish::Cancel { token: "balcony" });
    assert_eq!(
        (made.watcher(), made.presentity()),
        ("nora@example.org", "emil@example.com")
    );
}

// SDF-06: in UTC, in capitals, with as many decimals as there are.
#[test]
fn times_are_written_in_utc() {
    for (nanosecond, offset, written) in [
        (0, 0, "2026-03-01T09:30:00Z"),
        (0, -8, "2026-03-01T17:30:00Z"),
        (500_000_000, 14, "2026-02-28T19:30:00.500Z"),
        (120_000, 0, "2026-03-01T09:30:00.000120Z"),
        (1, 0, "2026-03-01T09:30:00.000000001Z"),
    ] {
        let moment = at(2026, nanosecond, offset);
        let request = Request::fetch(FROM, TO, moment).unwrap();
        assert_eq!(request.date_time_text(), written);
        assert_eq!(request.date_time(), moment);
        assert!(request.date_time().offset().is_utc());
        is_fixed(&request);
    }
    assert!(Request::fetch(FROM, TO, at(1, 0, 0)).is_ok());
    assert!(Request::fetch(FROM, TO, at(9999, 0, 0)).is_ok());
    for year in [-1, 0] {
        let refused = Request::fetch(FROM, TO, at(year, 0, 0));
        assert!(
            matches!(refused, Err(InvalidRequest::DateTime { .. })),
            "{year}"
        );
    }
}

// SDF-08
#[test]
fn subscriptions_last_from_one_second_to_the_most_there_is() {
    let made = |seconds| Request::subscribe(FROM, TO, at(2026, 0, 0), &token(), seconds);
    for good in [1, 2_147_483_647] {
        let request = made(good).unwrap();
        assert_eq!(request.duration(), good);
        is_fixed(&request);
    }
    for bad in [0, 2_147_483_648, u32::MAX] {
        assert_eq!(made(bad), Err(InvalidRequest::Duration { found: bad }));
    }
}

// SDF-04, SDF-05
#[test]
fn requests_are_made_of_pres_uris() {
    let moment = at(2026, 0, 0);
    for bad in [
        "",
        "sip:nora@example.org",
        "pres:nora",
        " pres:nora@example.org",
        "pres:a@b\n",
    ] {
        for (from, to, name) in [(bad, TO, "From"), (FROM, bad, "To")] {
            match Request::fetch(from, to, moment).unwrap_err() {
                InvalidRequest::Uri { field, found } => {
                    assert_eq!((field.as_str(), &*found), (name, bad));
                }
                other => panic!("{other}"),
            }
        }
    }
    let odd = "PRES:n'%6Fra@EXAMPLE.org?a=b&c=d";
    let request = Request::fetch(odd, odd, moment).unwrap();
    assert_eq!((request.from(), request.to()), (odd, odd));
    is_fixed(&request);
}

// SDF-07
#[test]
fn tokens_are_written_so_that_they_read_as_they_are() {
    for text in [
        "a b",
        " ",
        "\r",
        "\r\n",
        "\t\n",
        "<&>\"'",
        "]]>",
        "&amp;",
        "\u{FFFD}",
        &"\u{1F514}".repeat(80),
    ] {
        let token = Token::new(text).unwrap();
        let request = Request::cancel(FROM, TO, at(2026, 0, 0), &token).unwrap();
        assert_eq!(request.token(), Some(text));
        is_fixed(&request);
    }
}

#[test]
fn what_nobody_could_read_is_not_made() {
    let moment = at(2026, 0, 0);
    let long = |len: usize| format!("pres:{}@example.org", "a".repeat(len));
    let request = Request::fetch(&long(7000), &long(7000), moment).unwrap();
    is_fixed(&request);
    // Each is a URI, and the document grows by what has to be escaped.
    let fields = "?a=b".to_owned() + &"&a=b".repeat(60);
    let uri = long(7900) + &fields;
    let refused = Request::fetch(&uri, &uri, moment);
    assert_eq!(refused, Err(InvalidRequest::TooLong));
    // To the octet.
    let short = Request::fetch(&long(8100), &long(1), moment).unwrap();
    let fitting = 1 + MAX_REQUEST_LEN - short.octets().len();
    let longest = Request::fetch(&long(8100), &long(fitting), moment).unwrap();
    assert_eq!(longest.octets().len(), MAX_REQUEST_LEN);
    is_fixed(&longest);
    let refused = Request::fetch(&long(8100), &long(fitting + 1), moment);
    assert_eq!(refused, Err(InvalidRequest::TooLong));
}
