//! What rules remember, cell by cell, within bounds.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most cells of one rule. The one that was not looked at for the longest time is forgotten first.
const MAX_CELLS: usize = 100_000;

/// What a rule remembers of one subject: an operator, a document, a witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Cell {
    /// It was seen, first in this place.
    Seen {
        /// The entry, where it was one.
        index: Option<u64>,
    },
    /// What happened lately: how much in which slice of time.
    Window {
        /// Slice and amount, in order.
        slices: Vec<(u64, u64)>,
        /// Whether it is more than was allowed, and was told.
        over: bool,
    },
    /// The highest value that was seen.
    Highest {
        /// The value.
        value: Value,
    },
    /// How much there was in each period.
    Periods {
        /// The first period.
        first: u64,
        /// Period and amount, in order.
        counts: Vec<(u64, u64)>,
        /// The period that was told last.
        told: Option<u64>,
    },
    /// How large things are: a running mean and variance of logarithms (Welford).
    Sizes {
        /// How many were seen.
        count: u64,
        /// The mean.
        mean: f64,
        /// The sum of squared distances from it.
        squares: f64,
    },
    /// When it was last heard of.
    Heard {
        /// POSIX seconds.
        time: u64,
        /// When its silence was told last.
        told: Option<u64>,
    },
    /// Something that lasts was told.
    Told {
        /// When it was told last, in POSIX seconds.
        time: u64,
    },
}

type Key = (String, String);

/// A cell that was written or forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The rule.
    pub rule: String,
    /// The subject.
    pub subject: String,
    /// The cell; `None` where it is forgotten.
    pub cell: Option<Cell>,
    /// When it was used last, counted.
    pub used: u64,
}

/// All cells, and which of them changed since they were stored.
#[derive(Debug, Default)]
pub struct State {
    cells: BTreeMap<Key, (Cell, u64)>,
    /// For each rule, its subjects in the order of their last use.
    order: BTreeMap<String, BTreeMap<u64, String>>,
    changed: BTreeSet<Key>,
    clock: u64,
}

impl State {
    /// What was stored; nothing of it counts as changed.
    pub fn load(cells: impl IntoIterator<Item = (String, String, Cell, u64)>) -> State {
        let mut state = State::default();
        for (rule, subject, cell, used) in cells {
            state.clock = state.clock.max(used);
            state.order.entry(rule.clone()).or_default().insert(used, subject.clone());
            state.cells.insert((rule, subject), (cell, used));
        }
        state
    }

    /// What a rule remembers of a subject.
    pub fn get(&self, rule: &str, subject: &str) -> Option<&Cell> {
        self.cells.get(&(rule.to_owned(), subject.to_owned())).map(|(cell, _)| cell)
    }

    /// Remembers it; the oldest is forgotten where there are too many.
    pub fn put(&mut self, rule: &str, subject: &str, cell: Cell) {
        self.clock += 1;
        let key = (rule.to_owned(), subject.to_owned());
        let order = self.order.entry(rule.to_owned()).or_default();
        if let Some((_, used)) = self.cells.insert(key.clone(), (cell, self.clock)) {
            order.remove(&used);
        }
        order.insert(self.clock, subject.to_owned());
        self.changed.insert(key);
        if order.len() > MAX_CELLS
            && let Some((_, oldest)) = order.pop_first()
        {
            let key = (rule.to_owned(), oldest);
            self.cells.remove(&key);
            self.changed.insert(key);
        }
    }

    /// Forgets it.
    pub fn forget(&mut self, rule: &str, subject: &str) {
        let key = (rule.to_owned(), subject.to_owned());
        if let Some((_, used)) = self.cells.remove(&key) {
            if let Some(order) = self.order.get_mut(rule) {
                order.remove(&used);
            }
            self.changed.insert(key);
        }
    }

    /// The subjects of a rule.
    pub fn subjects(&self, rule: &str) -> Vec<String> {
        self.order.get(rule).map(|order| order.values().cloned().collect()).unwrap_or_default()
    }

    /// The rules that something is remembered of.
    pub fn rules(&self) -> Vec<String> {
        self.order
            .iter()
            .filter(|(_, order)| !order.is_empty())
            .map(|(rule, _)| rule.clone())
            .collect()
    }

    /// What changed since the last time that this was asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let change = |(rule, subject): Key| {
            let there = self.cells.get(&(rule.clone(), subject.clone()));
            let (cell, used) = there.map_or((None, 0), |(cell, used)| (Some(cell.clone()), *used));
            Change { rule, subject, cell, used }
        };
        changed.into_iter().map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound_and_the_oldest_goes_first() {
        let mut state = State::default();
        for subject in 0..=MAX_CELLS {
            state.put("rule", &subject.to_string(), Cell::Seen { index: None });
            if subject == 10 {
                state.put("rule", "0", Cell::Seen { index: Some(7) });
            }
        }
        state.put("other", "1", Cell::Told { time: 1 });
        assert!(state.get("rule", "0").is_some() && state.get("rule", "1").is_none());
        assert_eq!(state.subjects("rule").len(), MAX_CELLS);
        let changes = state.take_changes();
        assert_eq!(changes.len(), MAX_CELLS + 2);
        assert!(changes.iter().any(|change| change.subject == "1" && change.cell.is_none()));
        assert!(state.take_changes().is_empty());
        // What is stored comes back as it was.
        let kept = changes.into_iter().filter_map(|c| Some((c.rule, c.subject, c.cell?, c.used)));
        let mut again = State::load(kept);
        assert!(again.take_changes().is_empty());
        again.put("rule", "new", Cell::Seen { index: None });
        assert!(again.get("rule", "2").is_none() && again.get("rule", "0").is_some());
        again.forget("rule", "0");
        assert_eq!(again.take_changes().len(), 3);
    }
}
