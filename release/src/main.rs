//! `cargo release-files`: makes a release, and closes it when it is signed.

mod args;

use args::{Args, Command};
use clap::Parser;
use coldlog_release::{close, make};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Make(options) => make::run(&options.into()),
        Command::Close { folder, policy, signer } => {
            close::run(&close::Options { folder, policy, signer })
        }
    };
    coldlog_kit::exit::finish("release-files", outcome)
}
