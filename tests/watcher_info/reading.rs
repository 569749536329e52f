//! What is put up with, and what is not.

use presentity::winfo::{
    ReadWatcherInfoError, ReadWatcherInfoOptions, WatcherEvent, WatcherInfo, WatcherInfoFault,
    WatcherInfoFaultKind, WatcherStatus,
};

use crate::made::{LENA, entry, full, with_entries};

fn read(text: &str) -> (WatcherInfo, Vec<WatcherInfoFault>) {
    let options = ReadWatcherInfoOptions::default();
    WatcherInfo::read_with(text.as_bytes(), &options).unwrap_or_else(|error| panic!("{error}"))
}

/// The ids that are left of these entries, and what is told.
fn left_of(entries: &str) -> (Vec<String>, Vec<WatcherInfoFaultKind>) {
    let (info, faults) = read(&with_entries(entries));
    let ids = info.lists[0].watchers.iter().map(|it| it.id.clone());
    (
        ids.collect(),
        faults.into_iter().map(|it| it.kind).collect(),
    )
}

#[test]
fn prefixes_mean_nothing_and_what_is_foreign_is_passed_over() {
    let text = "\u{feff}<?xml version='1.0'?><!-- by hand -->\n\
        <q:watcherinfo xmlns:q='urn:ietf:params:xml:ns:watcherinfo' xmlns:o='urn:example:other'\n\
        xmlns='urn:example:more' o:version='9' version=' +3 ' state=' full ' extra='1'>\n\
        text <o:watcher-list resource='x' package='y'><q:watcher id='no'/></o:watcher-list>\n\
        <q:watcher id='stray' status='active' event='approved'>sip:stray@example.org</q:watcher>\n\
        <q:watcher-list package=' presence ' o:resource='z' resource=' sip:lena@example.com\n'>\n\
        <q:new><q:watcher id='deep'/></q:new><watcher id='other'/> and\n\
        <q:watcher o:id='q' event='approved' status='active' id=' a ' o:x='1'>\n\
        sip:a@<!-- --><o:b>no</o:b>example<![CDATA[.org]]>\n</q:watcher>\n\
        <o:end/></q:watcher-list></q:watcherinfo>\n<!-- end -->";
    let (info, faults) = read(text);
    assert_eq!(info, full(3, &[("a", WatcherStatus::Active)]));
    assert_eq!(faults, []);
}

#[test]
fn other_namespaces_are_other_documents() {
    for root in [
        "<watcherinfo version='0' state='full'/>",
        "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo2' version='0' state='full'/>",
        "<watcher-list xmlns='urn:ietf:params:xml:ns:watcherinfo'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@example.com'/>",
    ] {
        let error = WatcherInfo::read(root.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReadWatcherInfoError::WrongRoot { .. }),
            "{error}"
        );
    }
}

// SRV-70
#[test]
fn version_and_state_must_be_there() {
    let read = |attributes: &str| {
        let text =
            format!("\n <watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' {attributes}/>");
        WatcherInfo::read(text.as_bytes())
    };
    for (text, version) in [("0", 0), ("007", 7), ("4294967295", u32::MAX)] {
        let info = read(&format!("version='{text}' state='partial'")).unwrap();
        assert_eq!((info.version, info.is_full), (version, false));
    }
    for version in [
        "",
        "-1",
        "4294967296",
        "99999999999999999999999",
        "1.0",
        "x",
        "1 2",
    ] {
        let error = read(&format!("version='{version}' state='full'")).unwrap_err();
        let expected = format!(
            "line 2, column 2, in watcherinfo: expected version to be a number of 0 to 4294967295, \
             found {version}"
        );
        assert_eq!(error.to_string(), expected);
    }
    for state in ["", "Full", "whole", "full partial"] {
        let error = read(&format!("version='1' state='{state}'")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected state to be full or partial")
        );
        assert_eq!((error.location().line, error.location().column), (2, 2));
    }
    for attributes in [
        "version='1'",
        "state='full'",
        "",
        "version='1' status='full'",
    ] {
        let error = read(attributes).unwrap_err();
        let ReadWatcherInfoError::Attribute { found, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(found, None);
    }
}

#[test]
fn an_entry_that_cannot_be_understood_is_left_out_and_told() {
    use WatcherInfoFaultKind::{Event, NoId, Status, Uri};
    let good = "<watcher id='g' status='active' event='approved'>sip:g@example.org</watcher>";
    let id = || "x".to_owned();
    for (odd, kind) in [
        (
            "<watcher status='active' event='approved'>sip:x@y</watcher>",
            NoId { limit: 256 },
        ),
        (
            "<watcher id=' ' status='active' event='approved'>sip:x@y</watcher>",
            NoId { limit: 256 },
        ),
        (
            "<watcher id='x' event='approved'>sip:x@y</watcher>",
            Status {
                id: id(),
                found: String::new(),
            },
        ),
        (
            "<watcher id='x' status='ACTIVE' event='approved'>sip:x@y</watcher>",
            Status {
                id: id(),
                found: "ACTIVE".to_owned(),
            },
        ),
        (
            "<watcher id='x' status='active' event='approved'> \n</watcher>",
            Uri {
                id: id(),
                limit: 8192,
                octets: 0,
            },
        ),
        (
            "<watcher id='x' status='active' event='approved'/>",
            Uri {
                id: id(),
                limit: 8192,
                octets: 0,
            },
        ),
    ] {
        let (ids, faults) = left_of(&format!("{odd}{good}"));
        assert_eq!((ids, faults), (vec!["g".to_owned()], vec![kind]), "{odd}");
    }
    // What matters is the status.
    let odd = "<watcher id='x' status='waiting' event='moonrise'>sip:x@y</watcher>";
    let (info, faults) = read(&with_entries(odd));
    let entry = &info.lists[0].watchers[0];
    assert_eq!(
        (entry.status, entry.event),
        (WatcherStatus::Waiting, WatcherEvent::Other)
    );
    let kind = Event {
        id: id(),
        found: "moonrise".to_owned(),
    };
    assert_eq!(faults[0].kind, kind);
    assert!(
        faults[0].to_string().starts_with("line 1, column "),
        "{}",
        faults[0]
    );
}

#[test]
fn attributes_that_an_entry_may_do_without() {
    let odd = "<watcher id='a b' status='pending' event='subscribe' expiration='soon' \
        duration-subscribed='-1' xml:lang='no_such' display-name='Bo'>sip:x@y</watcher>";
    let (info, faults) = read(&with_entries(odd));
    let entry = &info.lists[0].watchers[0];
    assert_eq!((entry.expiration, entry.duration_subscribed), (None, None));
    assert_eq!(
        (entry.language.as_deref(), entry.display_name.as_deref()),
        (None, Some("Bo"))
    );
    assert_eq!(entry.id, "a b");
    let attributes: Vec<_> = (faults.iter())
        .map(|fault| match &fault.kind {
            WatcherInfoFaultKind::Attribute { attribute, .. } => attribute,
            WatcherInfoFaultKind::Id { .. } => "id",
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        attributes,
        ["id", "xml:lang", "expiration", "duration-subscribed"]
    );
    let good = "<watcher id='a' status='pending' event='subscribe' expiration=' 0060 ' \
        duration-subscribed='18446744073709551615' xml:lang='' display-name=''>sip:x@y</watcher>";
    let (info, faults) = read(&with_entries(good));
    let entry = &info.lists[0].watchers[0];
    assert_eq!(
        (entry.expiration, entry.duration_subscribed),
        (Some(60), Some(u64::MAX))
    );
    assert_eq!(
        (entry.language.as_deref(), entry.display_name.as_deref()),
        (None, Some(""))
    );
    assert_eq!(faults, []);
}

#[test]
fn of_entries_with_one_id_the_last_one_counts() {
    let of = |id: &str, status: &str, user: &str| {
        format!("<watcher id='{id}' status='{status}' event='approved'>sip:{user}@y</watcher>\n")
    };
    let entries = [
        of("a", "pending", "a"),
        of("b", "pending", "b"),
        of("a", "active", "c"),
        of("a", "waiting", "d"),
    ];
    let (info, faults) = read(&with_entries(&entries.concat()));
    let left: Vec<_> = (info.lists[0].watchers.iter())
        .map(|it| (&*it.id, &*it.uri, it.status))
        .collect();
    assert_eq!(
        left,
        [
            ("a", "sip:d@y", WatcherStatus::Waiting),
            ("b", "sip:b@y", WatcherStatus::Pending)
        ]
    );
    let places: Vec<_> = faults
        .iter()
        .map(|it| (&it.kind, it.location.line))
        .collect();
    let kind = WatcherInfoFaultKind::Repeated { id: "a".to_owned() };
    assert_eq!(places, [(&kind, 3), (&kind, 4)]);
}

#[test]
fn a_list_that_cannot_be_named_is_left_out_and_told() {
    let watcher = "<watcher id='a' status='active' event='approved'>sip:a@example.org</watcher>";
    let long = "r".repeat(8193);
    let text = format!(
        "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='3' state='full'>\
         <watcher-list package='presence'>{watcher}</watcher-list>\
         <watcher-list resource='sip:x@y'>{watcher}</watcher-list>\
         <watcher-list resource='' package='presence'>{watcher}</watcher-list>\
         <watcher-list resource='{long}' package='presence'>{watcher}</watcher-list>\
         <watcher-list resource='{LENA}' package='presence'>{watcher}</watcher-list></watcherinfo>"
    );
    let (info, faults) = read(&text);
    let mut expected = full(3, &[]);
    expected.lists[0]
        .watchers
        .push(entry("a", WatcherStatus::Active));
    assert_eq!(info, expected);
    let kinds: Vec<_> = faults.into_iter().map(|it| it.kind).collect();
    let resource = WatcherInfoFaultKind::Resource { limit: 8192 };
    let package = WatcherInfoFaultKind::Package { limit: 256 };
    assert_eq!(
        kinds,
        [resource.clone(), package, resource.clone(), resource]
    );
}
