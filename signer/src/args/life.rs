//! `signer change`, `recover`, and who does what changes the journal.

use clap::Args as ClapArgs;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::{life, recover};
use coldlog_signer::factors::SecondSource;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct ChangeArgs {
    /// A new operator; repeat for several.
    #[arg(long)]
    add_operator: Vec<String>,
    /// Who is no operator any more.
    #[arg(long)]
    remove_operator: Vec<String>,
    /// A new auditor's age recipient (age1...); repeat for several.
    #[arg(long)]
    add_auditor: Vec<String>,
    /// Whose recipient no record is sealed to any more.
    #[arg(long)]
    remove_auditor: Vec<String>,
    /// A new approver, NAME=PUBLIC-KEY-FILE; repeat for several.
    #[arg(long)]
    add_approver: Vec<String>,
    /// The name of who is no approver any more.
    #[arg(long)]
    remove_approver: Vec<String>,
    /// How many of the approvers must approve from now on.
    #[arg(long)]
    approvals: Option<usize>,
}

impl From<ChangeArgs> for life::Change {
    fn from(args: ChangeArgs) -> life::Change {
        life::Change {
            operators: (args.add_operator, args.remove_operator),
            auditors: (args.add_auditor, args.remove_auditor),
            approvers: (args.add_approver, args.remove_approver),
            threshold: args.approvals,
        }
    }
}

/// Who changes what the journal stands on.
#[derive(Debug, ClapArgs)]
pub(crate) struct ByArgs {
    /// Who does it; one of the operators.
    #[arg(long)]
    operator: String,
    /// Why.
    #[arg(long)]
    purpose: String,
    /// The clock of this machine is known to be wrong; the record says how far off it is.
    #[arg(long)]
    clock_wrong: bool,
    #[command(flatten)]
    secret: Source,
    #[command(flatten)]
    second: SecondSource,
}

impl From<ByArgs> for life::By {
    fn from(args: ByArgs) -> life::By {
        let ByArgs { operator, purpose, clock_wrong, secret, second } = args;
        life::By { operator, purpose, clock_wrong, secret, second }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RecoverArgs {
    /// What the log has of this journal: `log journal-of`.
    #[arg(long)]
    statements: Option<PathBuf>,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// A head of the log that somebody else has: the file must be as new.
    #[arg(long)]
    newest: Option<PathBuf>,
    /// A batch that was exported, and perhaps never reached the log; repeat for several, in order.
    #[arg(long = "batch")]
    batches: Vec<PathBuf>,
    /// The newest tail that was written down: the journal must reach it.
    #[arg(long)]
    tail: Option<String>,
    /// Where the log cannot be asked: the journal must end where the paper says.
    #[arg(long, conflicts_with = "statements")]
    without_log: bool,
    /// Where evidence goes if the journal was forked.
    #[arg(long, default_value = "journal.evidence.cbor")]
    evidence: PathBuf,
    #[command(flatten)]
    secret: Source,
    #[command(flatten)]
    second: SecondSource,
}

impl From<RecoverArgs> for recover::Options {
    fn from(args: RecoverArgs) -> recover::Options {
        recover::Options {
            statements: args.statements,
            policy: args.policy,
            newest: args.newest,
            batches: args.batches,
            tail: args.tail,
            without_log: args.without_log,
            evidence: args.evidence,
            secret: args.secret,
            second: args.second,
        }
    }
}
