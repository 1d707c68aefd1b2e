//! One run of the suite: the witness, the logs, and what came of the cases so far.

use super::http::Answer;
use super::keys::{Kind, Signer};
use super::logs::{TestLog, Which, subject};
use super::report::{Case, Failure, Outcome, Report};
use super::request::Submission;
use super::witness::{Cosignature, Witness};
use coldlog_spec::note::Note;
use std::collections::BTreeMap;

/// A head that the witness cosigned, with what it answered.
#[derive(Debug, Clone)]
pub(super) struct Cosigned {
    /// What was sent.
    pub(super) submission: Submission,
    /// The lines by the witness's keys.
    pub(super) cosignatures: Vec<Cosignature>,
}

impl Cosigned {
    /// The head with the witness's lines only.
    pub(super) fn reference(&self) -> Note {
        let lines = self.cosignatures.iter().map(|cosignature| cosignature.line.clone());
        Note { text: self.submission.note.text.clone(), signatures: lines.collect() }
    }

    /// The earliest time on it.
    pub(super) fn time(&self) -> u64 {
        self.cosignatures.iter().map(|cosignature| cosignature.time).min().unwrap_or(0)
    }
}

pub(super) struct Suite<'a> {
    pub(super) witness: Witness,
    logs: Vec<TestLog>,
    /// A key that no witness knows; its name is an origin of no log.
    pub(super) stranger: Signer,
    /// What was cosigned in this run, for each log.
    pub(super) cosigned: BTreeMap<Which, Vec<Cosigned>>,
    pub(super) report: Report,
    seen: &'a mut dyn FnMut(&Case),
}

/// What a refusal may look like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// This status.
    Status(u16),
    /// Any 4xx.
    Refusal,
}

impl Expected {
    pub(super) fn check(self, answer: &Answer) -> Result<(), Failure> {
        match self {
            Expected::Status(status) if answer.status == status => Ok(()),
            Expected::Status(status) => Err(Failure::new(status.to_string(), answer.describe())),
            Expected::Refusal if (400..500).contains(&answer.status) => Ok(()),
            Expected::Refusal => Err(Failure::new("a refusal (4xx)", answer.describe())),
        }
    }
}

impl<'a> Suite<'a> {
    pub(super) fn new(
        witness: Witness,
        logs: Vec<TestLog>,
        seen: &'a mut dyn FnMut(&Case),
    ) -> Result<Suite<'a>, getrandom::Error> {
        let stranger = Signer::random("stranger.example/log", Kind::Ed25519)?;
        let (cosigned, report) = (BTreeMap::new(), Report::default());
        Ok(Suite { witness, logs, stranger, cosigned, report, seen })
    }

    pub(super) fn log(&self, which: Which) -> &TestLog {
        &self.logs[which as usize]
    }

    /// Tries one case, and returns what it found.
    pub(super) fn case<T>(
        &mut self,
        name: &str,
        sentence: &'static str,
        test: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Option<T> {
        let (found, outcome) = match test(self) {
            Ok(found) => (Some(found), Outcome::Pass),
            Err(failure) => (None, Outcome::Fail(failure)),
        };
        self.push(name, sentence, outcome);
        found
    }

    /// A case that could not be tried.
    pub(super) fn skip(&mut self, name: &str, sentence: &'static str, why: &str) {
        self.push(name, sentence, Outcome::Skip(why.into()));
    }

    fn push(&mut self, name: &str, sentence: &'static str, outcome: Outcome) {
        let case = Case { name: name.into(), sentence, outcome };
        (self.seen)(&case);
        self.report.cases.push(case);
    }

    /// A case in which `add-checkpoint` refuses a body.
    pub(super) fn refuses(
        &mut self,
        name: &str,
        sentence: &'static str,
        body: &[u8],
        expected: Expected,
    ) {
        self.case(name, sentence, |suite| expected.check(&suite.witness.add_checkpoint(body)?));
    }

    /// Submits a head that must be cosigned.
    pub(super) fn accept(
        &mut self,
        which: Which,
        submission: &Submission,
    ) -> Result<Cosigned, Failure> {
        let answer = self.witness.add_checkpoint(&submission.body())?;
        self.accepted(which, submission, 0, &answer)
    }

    /// What an answer says that must be a success; `variant` is the head's last leaf's.
    pub(super) fn accepted(
        &mut self,
        which: Which,
        submission: &Submission,
        variant: u32,
        answer: &Answer,
    ) -> Result<Cosigned, Failure> {
        Expected::Status(200).check(answer)?;
        // From here on the witness has this head, whatever its answer is worth.
        let log = &mut self.logs[which as usize];
        log.advance(submission.head.size, variant)
            .map_err(|why| Failure::new("a folder for the state", format!("{why:#}")))?;
        let subject = subject(&submission.head, &submission.note.text);
        let cosignatures = self.witness.cosignatures(answer, &subject)?;
        let cosigned = Cosigned { submission: submission.clone(), cosignatures };
        self.cosigned.entry(which).or_default().push(cosigned.clone());
        Ok(cosigned)
    }

    /// Lets a log grow by some leaves.
    pub(super) fn grow(&mut self, which: Which, by: u64) -> Result<Cosigned, Failure> {
        let submission = self.log(which).submission(self.log(which).size + by);
        self.accept(which, &submission)
    }

    /// The head that was cosigned last in this run.
    pub(super) fn latest(&self, which: Which) -> Result<&Cosigned, Failure> {
        let latest = self.cosigned.get(&which).and_then(|list| list.last());
        latest.ok_or_else(|| Failure::new("a head that was cosigned before", "none"))
    }
}
