//! What a subscription costs while nothing is known of its presentity.

use allocation_counter::measure;
use presentity::presence::WatchOrder;

use crate::common::field;
use crate::phone::{Notifier, Phone, account};

/// As many as the watcher's tables have room for, so that none of it stands empty.
const BUDDIES: usize = 1_792;
/// Octets for each of them; there were 1,285 when all had what few need.
const MOST: i64 = 1_000;

#[test]
fn who_asks_for_nothing_special_pays_for_nothing_special() {
    let mut phone = Phone::new();
    let account = account();
    for buddy in 0..BUDDIES {
        let uri = format!("sip:buddy{buddy:07}@example.org");
        let order = WatchOrder::new(&account, &uri);
        phone.watcher.watch(phone.now, order).unwrap();
        let subscribe = phone.take().request().clone();
        assert_eq!(field(&subscribe, "Suppress-If-Match"), None);
        phone.accept(&subscribe, "pa1", 3600);
        let notifier = &mut Notifier::of(&subscribe, "pa1");
        let taken = phone.notify(&notifier.notify("active;expires=3600"));
        assert_eq!(taken.status(), 200);
    }
    let watcher = phone.watcher;
    let gone = measure(|| drop(watcher));
    let each = -gone.bytes_current / BUDDIES as i64;
    assert!(each < MOST, "{each} octets for each");
}
