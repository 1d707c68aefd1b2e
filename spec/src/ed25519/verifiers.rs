//! The verifiers of keys under which signatures come one by one, or a few at a time.

use super::{PublicKey, Verifier, WORTH_A_TABLE};
use std::collections::HashMap;
use std::sync::Arc;

/// Verifiers of the keys that were asked for last. A key gets its table when it has been asked for often
/// enough; the tables of at most so many keys are kept, at 1.2 MiB each.
pub struct Verifiers {
    most: usize,
    held: HashMap<[u8; 32], Held>,
    /// Counts the questions.
    clock: u64,
}

struct Held {
    verifier: Arc<Verifier>,
    has_table: bool,
    /// Signatures that were asked about.
    asked: usize,
    last: u64,
}

impl Verifiers {
    /// For the tables of so many keys.
    pub fn new(most: usize) -> Verifiers {
        Verifiers { most: most.max(1), held: HashMap::new(), clock: 0 }
    }

    /// The verifier of a key for `expected` further signatures.
    pub fn of(&mut self, key: &PublicKey, expected: usize) -> Arc<Verifier> {
        self.clock += 1;
        if self.held.len() >= self.most && !self.held.contains_key(key.as_bytes()) {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.held.remove(&oldest);
            }
        }
        let held = self.held.entry(*key.as_bytes()).or_insert_with(|| {
            let verifier = Arc::new(Verifier::new(key, expected));
            Held { verifier, has_table: expected >= WORTH_A_TABLE, asked: 0, last: 0 }
        });
        held.asked = held.asked.saturating_add(expected);
        held.last = self.clock;
        if !held.has_table && held.asked >= WORTH_A_TABLE {
            held.verifier = Arc::new(Verifier::new(key, held.asked));
            held.has_table = true;
        }
        held.verifier.clone()
    }
}
