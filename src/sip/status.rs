//! Reason phrases.

/// The reason phrase of a status code: RFC 3261 section 21, RFC 6665, RFC 3903 and what presence
/// borrows from their relatives. A code that is not known gets that of its class, x00.
pub(crate) const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        202 => "Accepted",
        204 => "No Notification",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Subscription Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        101..=199 => "Trying",
        200..=299 => "OK",
        300..=399 => "Multiple Choices",
        400..=499 => "Bad Request",
        500..=599 => "Server Internal Error",
        600..=699 => "Busy Everywhere",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::reason_phrase;

    #[test]
    fn known_codes_have_their_own_phrase_and_others_that_of_their_class() {
        assert_eq!(reason_phrase(200), "OK");
        assert_eq!(reason_phrase(489), "Bad Event");
        assert_eq!(reason_phrase(412), "Conditional Request Failed");
        assert_eq!(reason_phrase(299), reason_phrase(200));
        assert_eq!(reason_phrase(399), reason_phrase(300));
        assert_eq!(reason_phrase(499), reason_phrase(400));
        assert_eq!(reason_phrase(599), reason_phrase(500));
        assert_eq!(reason_phrase(699), reason_phrase(600));
        for odd in [0, 99, 700, u16::MAX] {
            assert_eq!(reason_phrase(odd), "Unknown");
        }
    }

    #[test]
    fn phrases_are_safe_to_write() {
        for status in 0..=u16::MAX {
            let phrase = reason_phrase(status);
            assert!(!phrase.is_empty());
            assert!(
                phrase
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b' ' || b == b'-')
            );
        }
    }
}
