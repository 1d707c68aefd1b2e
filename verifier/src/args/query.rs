//! `verifier query`

use coldlog_kit::exit::Outcome;
use coldlog_kit::time;
use coldlog_verifier::audit::Shard;
use coldlog_verifier::openings::OpeningArgs;
use coldlog_verifier::query::{self, Filter, Format, Options, Output};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct QueryArgs {
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// The auditor's age identity (mode 0600).
    #[arg(long)]
    identity: PathBuf,
    #[command(flatten)]
    opening: OpeningArgs,
    /// Records not shown to be older than this: a date, a time (2026-03-01T12:00:00Z), or POSIX seconds.
    #[arg(long, value_parser = time::parse)]
    from: Option<u64>,
    /// Records not shown to be younger than this.
    #[arg(long, value_parser = time::parse)]
    until: Option<u64>,
    /// Of this signer.
    #[arg(long)]
    signer: Option<String>,
    /// By this operator.
    #[arg(long)]
    operator: Option<String>,
    /// Of a document of this name.
    #[arg(long)]
    name: Option<String>,
    /// Of this version.
    #[arg(long = "document-version", value_name = "VERSION")]
    version: Option<String>,
    /// Of a document with this SHA-256.
    #[arg(long)]
    sha256: Option<String>,
    /// With this purpose.
    #[arg(long)]
    purpose: Option<String>,
    /// By the key with this thumbprint.
    #[arg(long)]
    key: Option<String>,
    /// Of this kind: sign, genesis, rotation, change, revocation, retirement, rules, reseal.
    #[arg(long)]
    operation: Option<String>,
    /// good, doubtful (it has findings), or revoked.
    #[arg(long)]
    state: Option<String>,
    /// With these words anywhere: signer, operator, purpose, device, document, findings.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// A question in SQLite's SQL, of the table `records`; full text is in `words`.
    #[arg(long, conflicts_with_all = ["from", "until", "signer", "operator", "name", "version", "sha256", "purpose", "key", "operation", "state", "text"])]
    sql: Option<String>,
    /// Only a part of the log, such as 3/16.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// How the answer goes out.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where it goes: a file (mode 0600); with --partition-by a folder.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// A folder for each month of a column of times, or for each value of another one, as DuckDB and Spark read them.
    #[arg(long, value_name = "COLUMN")]
    partition_by: Option<String>,
    /// Replace files.
    #[arg(long)]
    force: bool,
}

impl QueryArgs {
    pub(crate) fn run(self) -> Outcome {
        let equal = [
            ("signer", self.signer),
            ("operator", self.operator),
            ("name", self.name),
            ("version", self.version),
            ("sha256", self.sha256),
            ("purpose", self.purpose),
            ("key", self.key),
            ("operation", self.operation),
            ("state", self.state),
        ];
        let equal = equal.into_iter().filter_map(|(column, value)| Some((column, value?)));
        let (from, until, text) = (self.from, self.until, self.text);
        query::run(&Options {
            log: self.log,
            policy: self.policy,
            identity: self.identity,
            opening: self.opening,
            filter: Filter { equal: equal.collect(), from, until, text },
            sql: self.sql,
            shard: self.shard,
            output: Output {
                format: self.format,
                file: self.output,
                partition_by: self.partition_by,
                part: self.shard.map_or(1, |shard| shard.number),
                force: self.force,
            },
        })
    }
}
