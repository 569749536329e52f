//! Documents that are to cost their reader more than they may.

use presentity::winfo::{
    ReadWatcherInfoError, ReadWatcherInfoOptions, WatcherInfo, WatcherInfoFaultKind,
    WatcherInfoLimit, WatcherStatus, WatcherTable, WatcherTableLimits,
};
use presentity::xml::{XmlErrorKind, XmlLimit};

use crate::made::{LENA, full, info, list, partial, with_entries};

fn watcher(id: &str) -> String {
    format!("<watcher id='{id}' status='active' event='approved'>sip:{id}@example.org</watcher>\n")
}

fn limit_of(error: &ReadWatcherInfoError) -> Option<XmlLimit> {
    match error {
        ReadWatcherInfoError::Xml(error) => match error.kind() {
            XmlErrorKind::Limit { limit, .. } => Some(*limit),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_watcher_of_64_kib_is_left_out_and_the_others_stay() {
    let long = "w".repeat(65_536);
    let entries = [
        watcher("a"),
        watcher("b").replace("sip:b", &long),
        watcher("c"),
    ]
    .concat();
    let options = ReadWatcherInfoOptions::default();
    let (info, faults) =
        WatcherInfo::read_with(with_entries(&entries).as_bytes(), &options).unwrap();
    let active = WatcherStatus::Active;
    assert_eq!(info, full(3, &[("a", active), ("c", active)]));
    let kind = WatcherInfoFaultKind::Uri {
        id: "b".to_owned(),
        limit: 8192,
        octets: 65_536 + "@example.org".len(),
    };
    assert_eq!((&faults[0].kind, faults[0].location.line), (&kind, 2));
    // So are ids and names; neither is repeated whole by what tells of it.
    let entries = [
        watcher(&long),
        watcher("n").replace("id=", &format!("display-name='{long}' id=")),
    ];
    let text = with_entries(&entries.concat());
    let (info, faults) = WatcherInfo::read_with(text.as_bytes(), &options).unwrap();
    assert_eq!(info, full(3, &[("n", active)]));
    assert_eq!(faults.len(), 2);
    assert!(faults.iter().all(|fault| fault.to_string().len() < 300));
}

#[test]
fn a_document_is_refused_when_a_part_would_look_like_all() {
    let mut options = ReadWatcherInfoOptions::default();
    options.entries = 2;
    options.lists = 2;
    let read = |text: &str, options: &ReadWatcherInfoOptions| {
        WatcherInfo::read_with(text.as_bytes(), options).map(|(info, _)| info)
    };
    let two = with_entries(&[watcher("a"), watcher("a")].concat());
    assert!(read(&two, &options).is_ok());
    let three = with_entries(&[watcher("a"), watcher("a"), watcher("c")].concat());
    let error = read(&three, &options).unwrap_err();
    assert!(matches!(
        &error,
        ReadWatcherInfoError::TooMany {
            of: WatcherInfoLimit::Entries,
            limit: 2,
            ..
        }
    ));
    assert_eq!(error.location().line, 3);
    // Lists without a name count as well.
    let lists = "<watcher-list/>".repeat(3);
    let text = with_entries("").replace("<watcher-list ", &format!("{lists}<watcher-list "));
    let error = read(&text, &options).unwrap_err();
    assert!(
        error.to_string().ends_with("expected 2 lists at most"),
        "{error}"
    );
    options.xml.bytes = two.len() - 1;
    let error = read(&two, &options).unwrap_err();
    assert_eq!(limit_of(&error), Some(XmlLimit::Bytes));
}

#[test]
fn hostile_xml() {
    let deep = with_entries(&"<x>".repeat(20));
    let error = WatcherInfo::read(deep.as_bytes()).unwrap_err();
    assert_eq!(limit_of(&error), Some(XmlLimit::Depth));
    for text in [
        String::new(),
        "no XML".to_owned(),
        with_entries("<watcher"),
        with_entries("<watcher id='a' id='b'/>"),
        with_entries("<watcher id='a'>"),
        with_entries("<watcher id='&lol;'/>"),
        with_entries("<watcher id='a'><![CDATA[sip:a@example.org"),
        with_entries("<o:watcher/>"),
        with_entries("\u{1}"),
        format!("<!DOCTYPE x [<!ENTITY lol 'x'>]>{}", with_entries("")),
        format!("{}{}", with_entries(""), with_entries("")),
    ] {
        let error = WatcherInfo::read(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReadWatcherInfoError::Xml(_)),
            "{text}: {error}"
        );
        assert!(error.location().line >= 1);
    }
    assert!(WatcherInfo::read(b"<\xff\xfe/>").is_err());
}

#[test]
fn faults_are_told_up_to_a_bound() {
    let entries = "<watcher id='a'/>\n".repeat(5_000);
    let mut options = ReadWatcherInfoOptions::default();
    let text = with_entries(&entries);
    let (info, faults) = WatcherInfo::read_with(text.as_bytes(), &options).unwrap();
    assert_eq!((info, faults.len()), (full(3, &[]), 32));
    options.reports = 0;
    let (_, faults) = WatcherInfo::read_with(text.as_bytes(), &options).unwrap();
    assert_eq!(faults, []);
}

#[test]
fn a_table_keeps_what_it_has_when_there_is_no_room_for_more() {
    use WatcherStatus::{Active, Pending, Terminated};
    let mut limits = WatcherTableLimits::default();
    // One list, and three rows.
    limits.rows = 4;
    let mut table = WatcherTable::new(limits);
    table.apply(full(0, &[("a", Pending), ("b", Pending)]));
    let update = table.apply(partial(1, &[("c", Pending), ("d", Pending), ("a", Active)]));
    assert_eq!((update.left_out, update.changes.len()), (1, 2));
    assert!(!table.is_complete() && !update.needs_refresh);
    assert_eq!(table.get(LENA, "presence", "a").unwrap().status, Active);
    let other = list("sip:other@example.com", &[("o", Pending), ("p", Pending)]);
    let update = table.apply(info(2, false, vec![other]));
    assert_eq!((update.left_out, table.len()), (3, 3));
    // Room that was left can be taken again.
    table.apply(partial(3, &[("a", Terminated), ("d", Pending)]));
    let ids: Vec<_> = table.rows().map(|row| row.entry.id.as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&"d") && !ids.contains(&"a"));
    assert!(table.apply(full(4, &[("a", Active)])).left_out == 0 && table.is_complete());
}

#[test]
fn a_table_is_bounded_in_octets_too() {
    use WatcherStatus::{Active, Pending};
    let mut limits = WatcherTableLimits::default();
    limits.octets = 20_000;
    let mut table = WatcherTable::new(limits);
    let ids: Vec<String> = (0..200).map(|number| format!("w{number}")).collect();
    let entries: Vec<_> = ids.iter().map(|id| (id.as_str(), Pending)).collect();
    let update = table.apply(full(0, &entries));
    assert_eq!(update.left_out + table.len(), 200);
    let rows = table.len();
    assert!((20..150).contains(&rows), "{rows}");
    // Rows that are there change, and do not grow beyond the bound.
    let mut grown = partial(1, &[("w0", Active), ("w1", Active)]);
    grown.lists[0].watchers[0].display_name = Some("n".repeat(15_000));
    grown.lists[0].watchers[1].uri = "sip:1@y".to_owned();
    let update = table.apply(grown);
    assert_eq!((update.changes.len(), table.len()), (2, rows));
    let first = table.get(LENA, "presence", "w0").unwrap();
    assert_eq!(
        (first.status, first.display_name.as_deref()),
        (Active, None)
    );
    assert_eq!(table.get(LENA, "presence", "w1").unwrap().uri, "sip:1@y");
}

// SUB-63
#[test]
fn a_hundred_thousand_watchers() {
    use WatcherStatus::{Active, Pending};
    const MANY: usize = 100_000;
    let ids: Vec<String> = (0..MANY).map(|number| format!("id{number}")).collect();
    let all: Vec<_> = ids.iter().map(|id| (id.as_str(), Active)).collect();
    let octets = full(0, &all).write().unwrap();
    let mut table = WatcherTable::default();
    let update = table.apply(WatcherInfo::read(&octets).unwrap());
    assert_eq!((update.changes.len(), update.left_out), (MANY, 0));
    let update = table.apply(partial(1, &[("id77777", Pending), ("more", Pending)]));
    assert_eq!((update.changes.len(), table.len()), (2, MANY + 1));
    assert_eq!(table.undecided().count(), 2);
    let update = table.apply(WatcherInfo::read(&full(2, &all).write().unwrap()).unwrap());
    // Back to active, and gone.
    assert_eq!((update.changes.len(), table.len()), (2, MANY));
}
