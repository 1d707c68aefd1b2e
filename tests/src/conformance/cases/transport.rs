//! HTTP itself.

use crate::conformance::logs::Which;
use crate::conformance::report::Failure;
use crate::conformance::request::{Submission, lines};
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use coldlog_spec::hash::Hash;

pub(super) fn all(suite: &mut Suite) {
    let log = suite.log(Which::Single);
    // Each success is noted down: it may have another time, and its line is the one that is served.
    let known = log.submission(log.size);
    let body = known.body();
    for method in ["GET", "PUT", "DELETE"] {
        suite.case(&format!("method/{method}"), say::POST, |suite| {
            let sent = Some(body.as_slice()).filter(|_| method == "PUT");
            Expected::Refusal.check(&suite.witness.ask(method, "add-checkpoint", sent)?)
        });
    }
    suite.case("keep-alive", say::KEEP_ALIVE, |suite| {
        let failed = |why| Failure::new("two answers on one connection", format!("{why}"));
        let mut connection = suite.witness.connect().map_err(failed)?;
        for _ in 0..2 {
            let answer = connection.ask("POST", "add-checkpoint", Some(&body)).map_err(failed)?;
            suite.accepted(Which::Single, &known, 0, &answer)?;
        }
        Ok(())
    });
    suite.case("keep-alive/after-a-conflict", say::KEEP_ALIVE, |suite| {
        let failed = |why| Failure::new("two answers on one connection", format!("{why}"));
        let mut connection = suite.witness.connect().map_err(failed)?;
        // As a client does that does not know the witness's size.
        let log = suite.log(Which::Single);
        let ask = Submission { old: 0, proof: Vec::new(), ..log.submission(log.size) }.body();
        connection.ask("POST", "add-checkpoint", Some(&ask)).map_err(failed)?;
        let answer = connection.ask("POST", "add-checkpoint", Some(&body)).map_err(failed)?;
        suite.accepted(Which::Single, &known, 0, &answer)
    });
    // Too many hashes, and too many bytes: the server may hang up before it has read them all.
    suite.case("oversized-body", say::PROOF_LINES, |suite| {
        let log = suite.log(Which::Single);
        let many = lines(&vec![Hash([9; 32]); 1024 * 1024 / 45 + 1]);
        let mut large = format!("old {}\n{many}\n", log.size).into_bytes();
        large.extend(log.submission(log.size).note.encode());
        match suite
            .witness
            .connect()
            .and_then(|mut connection| connection.ask("POST", "add-checkpoint", Some(&large)))
        {
            Ok(answer) => Expected::Refusal.check(&answer)?,
            Err(why) if why.kind() == std::io::ErrorKind::TimedOut => {
                return Err(Failure::new("a refusal", format!("{why}")));
            }
            Err(_) => {}
        }
        suite.accept(Which::Single, &known)
    });
}
