//! `verifier policy check` and `init`: what a policy amounts to, and how one is made.

mod compose;
mod explain;

use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::say;
use compose::{Composed, Given};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `verifier policy check`: what a policy says, in words, and what is wrong with it.
pub fn check(file: &Path, as_json: bool) -> Outcome {
    report::run_judged(as_json, &[], |_| {
        let analysis = super::policy(file)?.analysis();
        let problems = explain::problems(&analysis);
        let report = Report { text: explain::text(&analysis), fields: explain::fields(&analysis) };
        let verdict = match problems.len() {
            0 => Ok(()),
            count => no(format!("{} has {}", file.display(), explain::counted(count, "problem"))),
        };
        Ok((report, verdict))
    })
}

/// What `verifier policy init` is asked.
pub struct Init {
    /// Keys of logs, or files with their lines.
    pub logs: Vec<OsString>,
    /// Keys of witnesses, or files with their lines.
    pub witnesses: Vec<OsString>,
    /// How many must cosign: a number, `all` or `any`; by default the majority.
    pub quorum: Option<String>,
    /// The policy.
    pub output: PathBuf,
    /// Replace it if it exists.
    pub force: bool,
}

/// `verifier policy init`: a policy from the lines that `log init` and `witness init` have written.
pub fn init(options: &Init) -> Outcome {
    let read = |all: &[OsString]| all.iter().map(|text| Given::read(text)).collect();
    let (logs, witnesses): (Result<Vec<_>, _>, Result<Vec<_>, _>) =
        (read(&options.logs), read(&options.witnesses));
    let Composed { text, quorum, policy } =
        compose::compose(&logs?, &witnesses?, options.quorum.as_deref())?;
    let analysis = policy.analysis();
    let problems = explain::problems(&analysis);
    if !problems.is_empty() {
        let (place, why) = (options.output.display(), problems.join("; "));
        return no(format!("{place} is not written, for the policy would not be sound: {why}"));
    }
    files::write(&options.output, &text, Existing::from_force(options.force), Mode::Public)?;
    say(format!(
        "{}: {}, {}, quorum {quorum}",
        options.output.display(),
        explain::counted(analysis.logs.len(), "log"),
        explain::witnesses(analysis.parties.len()),
    ));
    explain::text(&analysis).iter().for_each(say);
    Ok(())
}
