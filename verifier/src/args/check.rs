//! `verifier check`

use coldlog_verifier::commands::check;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Documents, or folders with --recursive; each one's proof is beside it as FILE.proof.
    files: Vec<PathBuf>,
    /// The proof, if it is elsewhere.
    #[arg(long)]
    proof: Option<PathBuf>,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// How many logs of the policy must have the signature.
    #[arg(long, default_value_t = 1)]
    require_logs: usize,
    /// Refuse a head that was not cosigned within the time for which the policy is meant; without this it is
    /// only said.
    #[arg(long)]
    strict_validity: bool,
    /// Check this signature file too (SSHSIG or minisign).
    #[arg(long)]
    signature: Option<PathBuf>,
    /// The key that must have signed: 64 hex digits, an OpenSSH public key, or its file.
    #[arg(long)]
    signer: Option<String>,
    /// The key events of the log (`verifier key-events`): was the key in force, was it revoked?
    #[arg(long)]
    key_events: Option<PathBuf>,
    /// Take what is in folders. A signature beside its document, in the recorded format, is checked with
    /// it; what is neither a document nor beside one is refused.
    #[arg(long)]
    recursive: bool,
    /// More documents, one name a line.
    #[arg(long)]
    files_from: Option<PathBuf>,
    /// The document is a list of sha256sum: check the files that it names as well.
    #[arg(long)]
    checksums: bool,
    /// Go on after a document that is not proven.
    #[arg(long)]
    keep_going: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// Check what was made to practise, and nothing else: without it, such a proof is refused.
    #[arg(long)]
    rehearsal: bool,
}

impl From<CheckArgs> for check::Options {
    fn from(args: CheckArgs) -> check::Options {
        check::Options {
            files: args.files,
            proof: args.proof,
            policy: args.policy,
            require_logs: args.require_logs,
            strict_validity: args.strict_validity,
            signature: args.signature,
            signer: args.signer,
            key_events: args.key_events,
            recursive: args.recursive,
            files_from: args.files_from,
            checksums: args.checksums,
            keep_going: args.keep_going,
            json: args.json,
            rehearsal: args.rehearsal,
        }
    }
}
