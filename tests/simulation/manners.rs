//! How the host and the agent are set, and what the host does to the agent.

use presentity::event::Limits;

#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// NOTIFYs that may be open at once; nothing for the default.
    pub window: Option<usize>,
    pub timers_per_call: u32,
    /// How late it wakes, in nanoseconds.
    pub lateness: u64,
    /// How much longer it takes to tell all of a crowd, in nanoseconds.
    pub crowded: u64,
    /// It takes outputs only when there is nothing more to hand in; chances in a thousand.
    pub lazy: u64,
    /// It calls for nothing, and tells outcomes twice; chances in a thousand.
    pub spurious: u64,
    /// It tells the agent by which connection a request came.
    pub flows: bool,
    /// It takes nobody's word for who he is.
    pub digest: bool,
    /// It cannot send a NOTIFY; chances in a thousand.
    pub unsendable: u64,
    /// It never tells what became of a NOTIFY; chances in a thousand.
    pub forgetful: u64,
    /// The application takes its time for what it is asked, and fails.
    pub sluggish: bool,
    pub bounds: Bounds,
}

/// How much there may be of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// The bounds are for other tests.
    None,
    /// There are more watchers than subscriptions.
    Subscriptions,
    /// One for each watcher, or to each presentity.
    Watchers,
    Presentities,
    Publications,
    /// Little may wait to be taken.
    Outputs,
}

impl Bounds {
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Subscriptions,
        Self::Watchers,
        Self::Presentities,
        Self::Publications,
        Self::Outputs,
    ];

    pub fn limits(self) -> Limits {
        let mut limits = Limits::default();
        limits.subscriptions_per_watcher = usize::MAX;
        limits.subscriptions_per_watcher_and_resource = usize::MAX;
        limits.publications_per_resource = usize::MAX;
        limits.published = usize::MAX;
        match self {
            Self::None => {}
            Self::Subscriptions => limits.subscriptions = 4,
            Self::Watchers => {
                limits.subscriptions_per_watcher = 2;
                limits.subscriptions_per_watcher_and_resource = 1;
            }
            Self::Presentities => limits.subscriptions_per_resource = 2,
            Self::Publications => {
                limits.publications = 3;
                limits.publications_per_resource = 1;
                limits.jobs = 1;
            }
            Self::Outputs => limits.outputs = 3,
        }
        limits
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            window: None,
            timers_per_call: 512,
            lateness: 0,
            crowded: 0,
            lazy: 0,
            spurious: 0,
            flows: true,
            digest: false,
            unsendable: 0,
            forgetful: 0,
            sluggish: false,
            bounds: Bounds::None,
        }
    }
}
