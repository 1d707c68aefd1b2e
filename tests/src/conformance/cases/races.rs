//! Many requests at once: however they meet, the witness has one history.

use super::conflicts::conflict;
use crate::conformance::http::Answer;
use crate::conformance::logs::Which;
use crate::conformance::report::Failure;
use crate::conformance::request::Submission;
use crate::conformance::standard as say;
use crate::conformance::suite::{Cosigned, Expected, Suite};
use crate::conformance::witness::Witness;
use std::sync::Barrier;

const AT_ONCE: u32 = 16;

pub(super) fn all(suite: &mut Suite) {
    for round in 1..=4 {
        suite.case(&format!("race/forks/{round}"), say::ATOMIC, forks);
    }
    for round in 1..=4 {
        suite.case(&format!("race/sizes/{round}"), say::ATOMIC, sizes);
    }
    for round in 1..=2 {
        suite.case(&format!("race/cosigning-again/{round}"), say::ATOMIC, again);
    }
    suite.case("race/one-history", say::PERSIST, |suite| {
        suite.grow(Which::Race, 0)?;
        suite.grow(Which::Race, 3)
    });
}

// All bodies at the same moment, each on a connection of its own.
fn at_once(witness: &Witness, submissions: &[Submission]) -> Vec<Result<Answer, Failure>> {
    let barrier = Barrier::new(submissions.len());
    std::thread::scope(|scope| {
        let start = |submission: &Submission| {
            let (body, barrier) = (submission.body(), &barrier);
            scope.spawn(move || {
                let connection = witness.connect();
                barrier.wait();
                let failed = |why| Failure::new("a connection", format!("{why}"));
                witness.add_checkpoint_on(connection.map_err(failed)?, &body)
            })
        };
        let threads: Vec<_> = submissions.iter().map(start).collect();
        let panicked = || Failure::new("an answer", "a thread that panicked");
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
            .collect()
    })
}

// The place of the one success; where there are more, the first is taken for what the witness has.
fn winner(
    suite: &mut Suite,
    submissions: &[Submission],
    variant: impl Fn(usize) -> u32,
) -> Result<(Cosigned, Vec<Answer>), Failure> {
    let answers = at_once(&suite.witness, submissions);
    let won = |answer: &Result<Answer, _>| answer.as_ref().is_ok_and(|a| a.status == 200);
    let mut cosigned = None;
    let first = answers.iter().position(won);
    if let Some((first, Ok(answer))) = first.map(|first| (first, &answers[first])) {
        cosigned = Some(suite.accepted(Which::Race, &submissions[first], variant(first), answer));
    }
    let answers: Vec<Answer> = answers.into_iter().collect::<Result<_, _>>()?;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let count = statuses.iter().filter(|status| **status == 200).count();
    let Some(cosigned) = cosigned.filter(|_| count == 1) else {
        return Err(Failure::new("one success", format!("{count} among {statuses:?}")));
    };
    let losers = answers.into_iter().filter(|answer| answer.status != 200);
    Ok((cosigned?, losers.collect()))
}

// Different extensions of one size. For the losers the old size is stale, and the root is another one
// for the size that the witness has: 409 and 422 are both right.
fn forks(suite: &mut Suite) -> Result<(), Failure> {
    let log = suite.log(Which::Race);
    let size = log.size + 3;
    let forks = (1..=AT_ONCE).map(|variant| log.extension(&log.fork(size, size - 1, variant)));
    let forks: Vec<_> = forks.collect();
    let (_, losers) = winner(suite, &forks, |place| place as u32 + 1)?;
    for answer in losers {
        Expected::Status(422).check(&answer).or_else(|_| conflict(&answer, size))?;
    }
    // The history that won is the one that goes on.
    suite.grow(Which::Race, 1).map(drop)
}

// Heads of different sizes on one history, all from the same old size: whichever comes first, the old
// size of the others is stale then.
fn sizes(suite: &mut Suite) -> Result<(), Failure> {
    let log = suite.log(Which::Race);
    // The largest first: a witness that goes back answers the others last.
    let heads = (1..=AT_ONCE).rev().map(|by| log.submission(log.size + u64::from(by)));
    let heads: Vec<_> = heads.collect();
    let (cosigned, losers) = winner(suite, &heads, |_| 0)?;
    for answer in losers {
        conflict(&answer, cosigned.submission.head.size)?;
    }
    suite.grow(Which::Race, 0).map(drop)
}

// The head that the witness has, and one extension of it: what is cosigned again never comes after it.
fn again(suite: &mut Suite) -> Result<(), Failure> {
    let log = suite.log(Which::Race);
    let (same, next) = (log.submission(log.size), log.submission(log.size + 2));
    let heads: Vec<_> = (0..AT_ONCE)
        .map(|place| if place == AT_ONCE / 2 { next.clone() } else { same.clone() })
        .collect();
    let mut answers = at_once(&suite.witness, &heads);
    suite.accepted(Which::Race, &next, 0, &answers.remove(heads.len() / 2)?)?;
    for answer in answers {
        let answer = answer?;
        if answer.status != 200 {
            conflict(&answer, next.head.size)?;
        }
    }
    suite.grow(Which::Race, 0).map(drop)
}
