//! Many seeds and many hours, for those who ask.

use crate::world::Length;
use crate::{from_environment, run_seeds};

/// Thousands of hours in which things go wrong.
#[test]
fn nothing_is_left_after_many_bad_days() {
    if from_environment("PRESENTITY_LONG", 0) != 1 {
        println!("not asked for: set PRESENTITY_LONG=1");
        return;
    }
    let first = from_environment("PRESENTITY_FROM", 10_000);
    let hours = from_environment("PRESENTITY_HOURS", 24);
    run_seeds(
        first,
        from_environment("PRESENTITY_SEEDS", 100),
        Length { hours },
    );
}
