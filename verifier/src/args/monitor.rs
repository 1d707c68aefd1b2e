//! `verifier monitor ...`

use clap::Subcommand;
use coldlog_kit::exit::Outcome;
use coldlog_verifier::commands::monitor;
use coldlog_verifier::openings::OpeningArgs;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum MonitorCommand {
    /// Follows a log, holds the rules against what comes, and sends alerts.
    ///
    /// What is in the log already when it is followed first is learnt from, and not told of, unless --history
    /// is given. Ends with 2 where the log cannot be read in the last of --rounds.
    #[command(
        after_help = "Examples:\n  verifier monitor run https://log.example/releases --rules rules.toml --policy policy --identity auditor.key\n  verifier monitor run public --rules rules.toml --policy policy --rounds 1"
    )]
    Run(RunArgs),
    /// Replays a log's history under rules, and says what would have fired; sends nothing.
    #[command(
        after_help = "Example:\n  verifier monitor test rules.toml --over public --policy policy --identity auditor.key"
    )]
    Test {
        /// The rules.
        rules: PathBuf,
        /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
        #[arg(long)]
        over: PathBuf,
        #[command(flatten)]
        reading: ReadingArgs,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lists alerts, with who took note of them.
    ///
    /// Exit 1 where an acknowledgement was altered or taken out.
    #[command(after_help = "Example:\n  verifier monitor alerts --open")]
    Alerts {
        /// Only those that nobody has acknowledged.
        #[arg(long)]
        open: bool,
        /// The monitor's folder.
        #[arg(long, default_value = monitor::STATE)]
        state: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Records that somebody took note of alerts.
    #[command(
        after_help = "Example:\n  verifier monitor ack 1a2b3c4d --by Ada --note 'the new build machine, ordered by Grace'"
    )]
    Ack {
        /// The alerts, by the beginning of their numbers.
        #[arg(required = true)]
        alerts: Vec<String>,
        /// Who.
        #[arg(long)]
        by: String,
        /// What they have to say.
        #[arg(long)]
        note: String,
        /// The monitor's folder.
        #[arg(long, default_value = monitor::STATE)]
        state: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Prints the rules that are right for a small company, to begin with.
    #[command(after_help = "Example:\n  verifier monitor rules --default > rules.toml")]
    Rules {
        /// The default set; there is no other.
        #[arg(long, required = true)]
        default: bool,
    },
    /// Is this a rules file, and what is wrong with it?
    #[command(after_help = "Example:\n  verifier monitor check rules.toml")]
    Check {
        /// The rules.
        rules: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl MonitorCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Outcome {
        match self {
            MonitorCommand::Run(options) => monitor::run(&options.into()),
            MonitorCommand::Test { rules, over, reading, json } => {
                monitor::test(&rules, &reading.of(over), json)
            }
            MonitorCommand::Alerts { open, state, json } => monitor::alerts(&state, open, json),
            MonitorCommand::Ack { alerts, by, note, state, json } => {
                monitor::ack(&state, &alerts, &by, &note, json)
            }
            MonitorCommand::Rules { .. } => monitor::default_rules(),
            MonitorCommand::Check { rules, json } => monitor::check(&rules, json),
        }
    }
}

/// How a log is read.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// The policy.
    #[arg(long)]
    policy: PathBuf,
    /// The auditor's age identity file (mode 0600); without it rules see what is public.
    #[arg(long)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// A file (mode 0600) with the token of a reader, where sealed records are not for everybody.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// A copy of the log's access journal.
    #[arg(long)]
    accesses: Option<PathBuf>,
}

impl ReadingArgs {
    fn of(self, place: PathBuf) -> monitor::Reading {
        monitor::Reading {
            place,
            policy: self.policy,
            identity: self.identity,
            opening: self.opening,
            token_file: self.token_file,
            accesses: self.accesses,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    place: PathBuf,
    /// The rules.
    #[arg(long)]
    rules: PathBuf,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The monitor's folder: what it remembers, the alerts, the outbox.
    #[arg(long, default_value = monitor::STATE)]
    state: PathBuf,
    /// Seconds between two rounds.
    #[arg(long, default_value_t = 60)]
    every: u64,
    /// End after so many rounds.
    #[arg(long)]
    rounds: Option<u64>,
    /// Tell also of what is in the log already when it is followed first.
    #[arg(long)]
    history: bool,
}

impl From<RunArgs> for monitor::Run {
    fn from(args: RunArgs) -> monitor::Run {
        monitor::Run {
            reading: args.reading.of(args.place),
            rules: args.rules,
            state: args.state,
            every: args.every,
            rounds: args.rounds,
            history: args.history,
        }
    }
}
