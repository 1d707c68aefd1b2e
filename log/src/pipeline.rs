//! Work on all cores with its results in order: one thread reads and one puts together (they are one,
//! the caller's), the others work between.

use anyhow::Context;
use coldlog_kit::exit::Outcome;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Jobs under way for each core: enough that no core waits while the one thread puts files in place, few
/// enough that memory stays flat.
const AHEAD: usize = 4;

const WORKERS_GONE: &str = "the workers ended before their work: this is a bug, please report it";

/// Takes jobs from `next` until it has none, works on them on all cores, and hands the results to
/// `each` in the order of the jobs. The first error of either ends it.
pub fn ordered<J: Send, R: Send>(
    mut next: impl FnMut() -> Outcome<Option<J>>,
    work: impl Fn(J) -> R + Sync,
    mut each: impl FnMut(R) -> Outcome,
) -> Outcome {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let (jobs, waiting) = channel::<(u64, J)>();
    let waiting = Mutex::new(waiting);
    let (waiting, work) = (&waiting, &work);
    std::thread::scope(|scope| {
        let (results, done) = channel::<(u64, std::thread::Result<R>)>();
        // Both channels are closed when `conduct` is over, by an error as well: the workers end then.
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                let results = results.clone();
                scope.spawn(move || {
                    while let Some((place, job)) = take(waiting) {
                        // A panic in here is a bug; it goes on in the caller, which would wait forever.
                        let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                        if results.send((place, result)).is_err() {
                            break;
                        }
                    }
                })
            })
            .collect();
        drop(results);
        let outcome = conduct(cores, &mut next, jobs, &done, &mut each);
        drop(done);
        for worker in workers {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        outcome
    })
}

fn take<T>(waiting: &Mutex<Receiver<T>>) -> Option<T> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn conduct<J, R>(
    cores: usize,
    next: &mut impl FnMut() -> Outcome<Option<J>>,
    jobs: Sender<(u64, J)>,
    done: &Receiver<(u64, std::thread::Result<R>)>,
    each: &mut impl FnMut(R) -> Outcome,
) -> Outcome {
    let mut jobs = Some(jobs);
    let (mut given, mut taken) = (0u64, 0u64);
    let mut early: BTreeMap<u64, std::thread::Result<R>> = BTreeMap::new();
    loop {
        while let Some(sender) = jobs.as_ref().filter(|_| given - taken < (cores * AHEAD) as u64) {
            match next()? {
                None => jobs = None,
                Some(job) => {
                    // A job that nobody works on must not pass for one that is done.
                    sender.send((given, job)).ok().context(WORKERS_GONE)?;
                    given += 1;
                }
            }
        }
        if taken == given {
            return Ok(());
        }
        while let Some(result) = early.remove(&taken) {
            taken += 1;
            each(result.unwrap_or_else(|panic| resume_unwind(panic)))?;
        }
        if taken < given {
            let (place, result) = done.recv().ok().context(WORKERS_GONE)?;
            early.insert(place, result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ordered;
    use coldlog_kit::exit::{Failure, no};

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut jobs = (0..1000u64).collect::<Vec<_>>().into_iter();
        let mut seen = Vec::new();
        let work = |job: u64| {
            // The first of each few takes longest.
            let slow = job.is_multiple_of(5);
            std::thread::sleep(std::time::Duration::from_micros(if slow { 300 } else { 1 }));
            job * 2
        };
        let each = |result| {
            seen.push(result);
            Ok(())
        };
        assert!(ordered(|| Ok(jobs.next()), work, each).is_ok());
        assert_eq!(seen, (0..1000u64).map(|job| job * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut jobs = 0..u64::MAX;
        let each = |job| if job == 70 { no("seventy") } else { Ok(()) };
        let ended = ordered(|| Ok(jobs.next()), |job| job, each);
        assert!(matches!(ended, Err(Failure::No(why)) if why.to_string() == "seventy"));
        let mut jobs = 0..u64::MAX;
        let next = || match jobs.next() {
            Some(70) => no("no more"),
            job => Ok(job),
        };
        assert!(ordered(next, |job| job, |_| Ok(())).is_err());
        let mut jobs = 0..u64::MAX;
        let panics =
            || ordered(|| Ok(jobs.next()), |job| assert!(job != 70, "a bug"), |()| Ok(())).is_ok();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert!(ordered(|| Ok(None::<u64>), |job| job, |_| no("never")).is_ok());
    }
}
