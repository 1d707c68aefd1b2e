//! Files of key events: as large as they may be, they are read as they were written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::hash::Hash;
use coldlog_spec::key_events::{KeyEvents, LoggedEvent, MAX_BYTES, MAX_EVENTS};
use common::*;

// The longest path that a log can have: 63 hashes.
fn file(events: usize, path: usize) -> KeyEvents {
    let statement = genesis("age1x");
    let events = (0..events as u64).map(|index| LoggedEvent {
        statement: statement.clone(),
        index,
        path: vec![Hash([5; 32]); path],
    });
    KeyEvents { head: cosigned(5, Hash([5; 32]), &TIMES), events: events.collect() }
}

#[test]
fn the_largest_file_is_read_as_it_was_written() {
    // A log with 3,000 signers, and the most events with the longest paths.
    for (events, path) in [(3_000, 20), (MAX_EVENTS, 12), (MAX_EVENTS, 63)] {
        let bytes = file(events, path).encode();
        assert!(bytes.len() <= MAX_BYTES);
        let read = KeyEvents::decode(&bytes).unwrap();
        assert_eq!(read.events.len(), events);
        assert_eq!(read.encode(), bytes);
    }
}

#[test]
fn a_larger_one_is_refused() {
    for (events, path) in [(MAX_EVENTS + 1, 12), (MAX_EVENTS + 1, 63), (1, 64)] {
        KeyEvents::decode(&file(events, path).encode()).unwrap_err();
    }
}
