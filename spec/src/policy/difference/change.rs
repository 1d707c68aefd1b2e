//! What may differ between two policies.

use crate::policy::{Size, Window};

/// Something that differs between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A log that is believed from now on.
    LogAdded {
        /// Its origin.
        log: String,
        /// Its keys.
        keys: Vec<String>,
    },
    /// A log that is believed no longer.
    LogRemoved {
        /// Its origin.
        log: String,
    },
    /// A log has other keys.
    LogKeys {
        /// Its origin.
        log: String,
        /// New ones.
        added: Vec<String>,
        /// Those that are gone.
        removed: Vec<String>,
    },
    /// A log or a witness is to be asked elsewhere.
    Url {
        /// The log's origin or the witness's line.
        who: String,
        /// Where it was asked.
        from: Option<String>,
        /// Where it is asked.
        to: Option<String>,
    },
    /// A party that may cosign from now on.
    WitnessAdded {
        /// The name of its keys.
        witness: String,
        /// Its keys.
        keys: Vec<String>,
    },
    /// One that is gone.
    WitnessRemoved {
        /// The name of its keys.
        witness: String,
    },
    /// A party has other keys.
    WitnessKeys {
        /// Its name.
        witness: String,
        /// New ones.
        added: Vec<String>,
        /// Those that are gone.
        removed: Vec<String>,
    },
    /// A party that is in both, and counts for the quorum in one only.
    Counts {
        /// Its name.
        witness: String,
        /// Whether it counts from now on.
        now: bool,
    },
    /// A party that counts in both, with any, all or some of its keys in one, and others in the other.
    With {
        /// Its name.
        witness: String,
        /// With which until now.
        from: String,
        /// With which from now on.
        to: String,
    },
    /// Who must cosign.
    Quorum {
        /// Until now.
        from: String,
        /// From now on.
        to: String,
    },
    /// How many witnesses it takes for something.
    Takes {
        /// What.
        what: Power,
        /// How many it took, of how many.
        from: Option<(Size, usize)>,
        /// How many it takes, of how many.
        to: Option<(Size, usize)>,
    },
    /// Nobody who counted until now counts any longer.
    Strangers {
        /// How many counted.
        witnesses: usize,
    },
    /// Somebody may renew the policy from now on.
    PolicyKeyAdded {
        /// The key.
        key: String,
    },
    /// Somebody may no longer.
    PolicyKeyRemoved {
        /// The key.
        key: String,
    },
    /// How many policy keys renew the policy, of how many.
    Threshold {
        /// Until now; `None` where it had no trust root.
        from: Option<(usize, usize)>,
        /// From now on.
        to: Option<(usize, usize)>,
    },
    /// For which time it is meant.
    Validity {
        /// Until now; `None` where it had no trust root.
        from: Option<Window>,
        /// From now on.
        to: Option<Window>,
    },
    /// A time between the two for which none is meant.
    Uncovered {
        /// When the old one expires.
        from: u64,
        /// When the new one begins.
        to: u64,
    },
    /// A policy for older heads that only one of two histories has.
    EarlierPolicy {
        /// Which, and for which heads.
        policy: String,
        /// Whether it is there from now on.
        now: bool,
    },
    /// Heads that an earlier policy judges in one of two histories, and another policy in the other.
    OlderHeads {
        /// The log's origin.
        log: String,
        /// The smallest size.
        first: u64,
        /// The largest.
        last: u64,
        /// The earlier policy by which they were judged; `None` for the one in force.
        from: Option<String>,
        /// The one by which they are judged.
        to: Option<String>,
    },
}

/// What witnesses can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// With the log, show a history to a relying party alone.
    Suffice,
    /// Help the log to show two histories.
    Fork,
    /// Stop everything by silence.
    Stall,
}

impl Change {
    /// Its name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Change::LogAdded { .. } => "log added",
            Change::LogRemoved { .. } => "log removed",
            Change::LogKeys { .. } => "log keys",
            Change::Url { .. } => "url",
            Change::WitnessAdded { .. } => "witness added",
            Change::WitnessRemoved { .. } => "witness removed",
            Change::WitnessKeys { .. } => "witness keys",
            Change::Counts { .. } => "witness counts",
            Change::With { .. } => "witness cosigns with",
            Change::Quorum { .. } => "quorum",
            Change::Takes { what: Power::Suffice, .. } => "takes to suffice",
            Change::Takes { what: Power::Fork, .. } => "takes to fork",
            Change::Takes { what: Power::Stall, .. } => "takes to stall",
            Change::Strangers { .. } => "strangers",
            Change::PolicyKeyAdded { .. } => "policy key added",
            Change::PolicyKeyRemoved { .. } => "policy key removed",
            Change::Threshold { .. } => "threshold",
            Change::Validity { .. } => "validity",
            Change::Uncovered { .. } => "uncovered",
            Change::EarlierPolicy { now: true, .. } => "earlier policy added",
            Change::EarlierPolicy { now: false, .. } => "earlier policy removed",
            Change::OlderHeads { .. } => "older heads",
        }
    }
}
