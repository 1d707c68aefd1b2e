//! Work on all cores whose results are taken in order.

use anyhow::Result;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct State<T> {
    next: u64,
    taken: u64,
    done: BTreeMap<u64, Result<T>>,
    stopped: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// A result is there: for the one who takes them.
    ready: Condvar,
    /// A result was taken: for one of the workers, who may begin another.
    room: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

// Whoever waits must learn that a worker is gone, by a panic or otherwise.
struct StopOnDrop<'a, T>(&'a Shared<T>);

impl<T> Drop for StopOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.ready.notify_all();
        self.0.room.notify_all();
    }
}

/// Does `work` for each number on all cores, and hands the results to `take` in order. At most a few results for
/// each core wait. The first error ends it.
pub(super) fn in_order<T: Send, E: From<anyhow::Error>>(
    numbers: Range<u64>,
    work: impl Fn(u64) -> Result<T> + Sync,
    mut take: impl FnMut(u64, T) -> Result<(), E>,
) -> Result<(), E> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get()) as u64;
    let window = 4 * cores;
    let state =
        State { next: numbers.start, taken: numbers.start, done: BTreeMap::new(), stopped: false };
    let (ready, room) = (Condvar::new(), Condvar::new());
    let shared = Shared { state: Mutex::new(state), ready, room };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(number) = claim(&shared, numbers.end, window) {
                    let guard = StopOnDrop(&shared);
                    let done = work(number);
                    std::mem::forget(guard);
                    let mut state = shared.lock();
                    state.done.insert(number, done);
                    // Whoever takes them waits for the next one.
                    let is_next = number == state.taken;
                    drop(state);
                    if is_next {
                        shared.ready.notify_one();
                    }
                }
            });
        }
        let _stop = StopOnDrop(&shared);
        for number in numbers.clone() {
            let mut state = shared.lock();
            let done = loop {
                if let Some(done) = state.done.remove(&number) {
                    break done;
                }
                if state.stopped {
                    break Err(anyhow::anyhow!("a thread of the audit ended before its time"));
                }
                state = wait(&shared.ready, state);
            };
            state.taken = number + 1;
            drop(state);
            shared.room.notify_one();
            take(number, done?)?;
        }
        Ok(())
    })
}

fn claim<T>(shared: &Shared<T>, end: u64, window: u64) -> Option<u64> {
    let mut state = shared.lock();
    loop {
        if state.stopped || state.next >= end {
            return None;
        }
        if state.next < state.taken.saturating_add(window) {
            state.next += 1;
            return Some(state.next - 1);
        }
        state = wait(&shared.room, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_ends_it() {
        let mut seen = Vec::new();
        let done: Result<()> = in_order(
            3..2000,
            |n| {
                if n % 7 == 0 {
                    std::thread::yield_now();
                }
                Ok(n * 2)
            },
            |n, double| {
                assert_eq!(n * 2, double);
                seen.push(n);
                Ok(())
            },
        );
        done.unwrap();
        assert_eq!(seen, (3..2000).collect::<Vec<_>>());
        let mut taken = 0;
        let failing = |n| if n == 500 { Err(anyhow::anyhow!("it ends")) } else { Ok(n) };
        let failed: Result<()> = in_order(0..1_000_000, failing, |_, _| {
            taken += 1;
            Ok(())
        });
        assert_eq!(failed.unwrap_err().to_string(), "it ends");
        assert_eq!(taken, 500);
    }
}
