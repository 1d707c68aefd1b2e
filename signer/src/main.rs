//! `signer`: the offline machine's command.

mod args;

use args::{Args, Command};
use clap::Parser;
use coldlog_signer::commands::{export, import, init, look, sign};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let home = &args.home;
    let outcome = match args.command {
        Command::Init(options) => init::run(home, &options.into()),
        Command::Sign(options) => sign::run(home, &options.into()),
        Command::Export { output, from, log, each, force, show } => {
            export::run(home, &export::Options { output, from, log, each, force, show })
        }
        Command::Import { receipts, qr, policy, output_dir, evidence, force } => import::run(
            home,
            &import::Options { receipts, qr, policy, output_dir, evidence, force },
        ),
        Command::List { json } => look::list(home, json),
        Command::Show { sequence, json } => look::show(home, sequence, json),
        Command::VerifyJournal { at_least, policy, json } => {
            look::verify(home, at_least.as_deref(), policy.as_deref(), json)
        }
        Command::Reopen { tail } => look::reopen(home, &tail),
        Command::Status { json } => look::status(home, json),
        Command::PublicKey => look::public_key(home),
    };
    coldlog_kit::exit::finish("signer", outcome)
}
