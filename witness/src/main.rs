//! `witness`: an independent party's command.

mod args;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { home, command } = Args::parse();
    let outcome = match command {
        Command::Init { name, unencrypted, secret } => {
            coldlog_witness::init(&home, &name, unencrypted, &secret)
        }
        Command::AddLog { policy, replace } => coldlog_witness::add_log(&home, &policy, replace),
        Command::Cosign { request, output, evidence, force, secret } => {
            let options = coldlog_witness::Cosign { request, output, evidence, force, secret };
            coldlog_witness::cosign(&home, &options)
        }
        Command::Heads { json } => coldlog_witness::heads(&home, json),
    };
    coldlog_kit::exit::finish("witness", outcome)
}
