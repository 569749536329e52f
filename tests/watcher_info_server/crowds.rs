//! Many who watch one resource.

use presentity::event::Reason;
use presentity::winfo::WatcherInfoConfig;

use crate::scene::{ROSA, Scene, allow, scene_with};

/// As many as these may not be told in one document, nor looked at one by one for each change.
const CROWD: usize = 100_000;

fn crowd(size: usize, set: impl FnOnce(&mut WatcherInfoConfig)) -> Scene {
    let mut scene = scene_with(set);
    scene.role.doors.package_mut().others = allow();
    for number in 0..size {
        let message = scene.message(&format!("w{number}"), "doors", 3600);
        let outputs = scene.send(&message);
        scene.answer(outputs);
    }
    scene
}

/// Octets that are held more after a piece of work than before, and allocations that it made.
fn cost<T>(work: impl FnOnce() -> T) -> (T, allocation_counter::AllocationInfo) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    (result.expect("a result"), info)
}

// SRV-66, SRV-68, SRV-69
#[test]
fn a_hundred_thousand_are_told_of_in_pieces() {
    let mut scene = crowd(CROWD, |_| ());
    let (first, filled) = cost(|| scene.rosa_watches().1);
    assert_eq!(first.entries.len(), 1_000);
    assert!(first.is_full());
    let per_watcher = filled.bytes_current / i64::try_from(CROWD).unwrap();
    assert!(per_watcher < 400, "{per_watcher} octets for a watcher");

    // A change is told in its turn, behind the others, and none of them twice.
    scene.end("w17", Reason::NoResource);
    scene.end("w90000", Reason::NoResource);
    let mut told = first.entries.len();
    let mut versions = 1;
    let mut ends = 0;
    for _ in 0..110 {
        for news in scene.news() {
            assert!(!news.is_full());
            assert!(news.entries.len() <= 1_000);
            assert_eq!(news.version, versions);
            versions += 1;
            ends += news
                .entries
                .iter()
                .filter(|it| it.status == "terminated")
                .count();
            told += news.entries.len();
        }
    }
    // The one who was not told of w90000 is not told that it is over.
    assert_eq!((told, ends), (CROWD, 1));
    assert_eq!(versions, 100);

    // Then a change costs what a change of one among few does.
    let (news, change) = cost(|| {
        scene.end("w50000", Reason::Deactivated);
        scene.one()
    });
    assert_eq!(news.lines(), ["w50000 terminated deactivated"]);
    let mut small = crowd(10, |_| ());
    small.rosa_watches();
    let (_, small_change) = cost(|| {
        small.end("w5", Reason::Deactivated);
        small.one()
    });
    let most = small_change.count_total + 10;
    assert!(
        change.count_total <= most,
        "{} > {most}",
        change.count_total
    );
}

#[test]
fn those_who_see_themselves_cost_nothing_for_the_others() {
    let mut scene = crowd(20_000, |_| ());
    let (own, one) = cost(|| scene.watches("w77").1);
    assert_eq!(own.entries.len(), 1);
    // The first entries of tables have room for others.
    assert!(one.bytes_current < 400_000, "{}", one.bytes_current);
    assert!(one.count_total < 500, "{}", one.count_total);
}

#[test]
fn ends_of_many_are_bounded() {
    let mut scene = crowd(5_000, |config| {
        config.entries_per_document = 10_000;
        config.terminated_per_resource = 1_000;
    });
    scene.rosa_watches();
    let now = scene.now;
    let end = presentity::event::Termination::new(Reason::Deactivated);
    scene.role.doors.terminate_resource(now, ROSA, end);
    let news = scene.news();
    // All of them were told, or there is nothing left.
    let last = news.last().unwrap();
    assert!(last.is_full());
    assert_eq!(last.entries.len(), 0);
    let most = news.iter().map(|it| it.entries.len()).max();
    assert!(most <= Some(1_000), "{most:?}");
}
