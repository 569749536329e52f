//! Subscription requests: what strict reading takes, tolerant reading takes as the same; octets are kept;
//! and what was read, made anew from its values, says the same and is written the same again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use presentity::sdf::{
    InvalidRequest, MAX_DURATION, MAX_REQUEST_LEN, MAX_TOKEN_LEN, ReadError, ReadOptions, Request,
    Token, Wish,
};
use time::UtcOffset;

fuzz_target!(|data: &[u8]| {
    let octets = Bytes::copy_from_slice(data);
    let strict = Request::read(&octets);
    match Request::read_with(&octets, &ReadOptions::tolerant()) {
        Ok((request, tolerated)) => {
            for one in &tolerated {
                let _ = one.to_string();
                assert!(one.location.line >= 1 && one.location.column >= 1);
            }
            match strict {
                Ok(strict) => {
                    assert_eq!(strict, request);
                    assert!(tolerated.is_empty(), "strict reading takes {tolerated:?}");
                }
                Err(error) => {
                    check(&error);
                    assert!(!tolerated.is_empty(), "only strict reading says {error}");
                }
            }
            assert_eq!(request.octets(), &octets);
            within_bounds(&request);
            made_anew(&request);
        }
        Err(error) => {
            check(&error);
            check(&strict.expect_err("strict reading takes what tolerant reading refuses"));
        }
    }
});

fn check(error: &ReadError) {
    assert!(error.to_string().len() < 4096, "{error}");
    let location = error.location();
    assert!(location.line >= 1 && location.column >= 1, "{error}");
    assert!(matches!(error.status(), 400 | 413));
}

fn within_bounds(request: &Request) {
    assert!(request.octets().len() <= MAX_REQUEST_LEN);
    assert!(request.duration() <= MAX_DURATION);
    let token = request.token().map(|token| token.chars().count());
    assert!(token.is_none_or(|count| (1..=MAX_TOKEN_LEN).contains(&count)));
    assert!(request.duration() == 0 || token.is_some());
    assert!(request.watcher().contains('@') && request.presentity().contains('@'));
}

fn made_anew(request: &Request) {
    let (from, to, at) = (request.from(), request.to(), request.date_time());
    let token = |token| Token::new(token).expect("it was read");
    let made = match request.wish() {
        Wish::Hold {
            token: named,
            duration,
        } => Request::subscribe(from, to, at, &token(named), duration),
        Wish::Cancel { token: named } => Request::cancel(from, to, at, &token(named)),
        Wish::Fetch => Request::fetch(from, to, at),
        other => panic!("{other:?}"),
    };
    let made = match made {
        Ok(made) => made,
        // Of these years RFC 3339 can tell, with the offset that helps, and XML Schema cannot.
        Err(InvalidRequest::DateTime { .. }) => {
            let utc = at.checked_to_offset(UtcOffset::UTC);
            assert!(
                utc.is_none_or(|utc| !(1..=9999).contains(&utc.year())),
                "{at}"
            );
            return;
        }
        // What was a character may have to be escaped now.
        Err(InvalidRequest::TooLong) => {
            assert!(request.octets().len() > MAX_REQUEST_LEN / 8);
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(made.wish(), request.wish());
    assert_eq!((made.from(), made.to()), (from, to));
    assert_eq!(made.date_time(), at);
    assert_eq!(made.watcher(), request.watcher());
    assert_eq!(made.presentity(), request.presentity());
    let again = Request::read(made.octets()).expect("what was made can be read");
    assert_eq!(again, made);
}
