//! `verifier`: the command of auditors and relying parties.

mod args;

use args::{Args, Command, EvidenceCommand, HeadsCommand, KeyEventsArgs};
use coldlog_kit::pages;
use coldlog_verifier::commands::{
    admission, audit, check, evidence, export, heads, inspect, keys, life, watch,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match pages::parse::<Args>().command {
        Command::Check(options) => check::run(&options.into()),
        Command::Audit(args) => args.run(),
        Command::AuditKey(args) => args.run(),
        Command::Query(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Bundle(args) => args.run(),
        Command::Identity { output } => audit::identity(&output),
        Command::Inspect { file, json } => inspect::run(&file, json),
        Command::Inclusion { statement, receipt, policy, json } => {
            heads::inclusion(&statement, &receipt, &policy, json)
        }
        Command::Consistency { older, newer, receipt, policy, json } => {
            heads::consistency(&older, &newer, &receipt, &policy, json)
        }
        Command::AdoptKey { rotation, policy, output, without_old, force } => {
            life::adopt_key(&rotation, &policy, &output, without_old, force)
        }
        Command::End { marker, head, policy, json } => life::end(&marker, &head, &policy, json),
        Command::Succession { log, end, last, policy, json } => {
            life::succession(&log, &end, &last, &policy, json)
        }
        Command::CrossCheck { heads, policy, log, evidence, json } => {
            heads::cross_check(&heads, &policy, log.as_deref(), &evidence, json)
        }
        Command::Watch { places, policy, memory, every, rounds, evidence, on_evidence } => {
            watch::run(&watch::Options {
                places,
                policy,
                memory,
                every,
                rounds,
                evidence,
                on_evidence,
            })
        }
        Command::Heads { command: HeadsCommand::Export { memory, output, force } } => {
            watch::export(&memory, &output, force)
        }
        Command::Heads {
            command: HeadsCommand::Import { file, memory, policy, logs, evidence },
        } => watch::import(&file, &memory, &policy, &logs, &evidence),
        Command::Open { log, policy, identity, index, signer, opening, json } => {
            let which = audit::Which { index, signer };
            audit::open(&log, &policy, &identity, which, &opening, json)
        }
        Command::KeyEvents(KeyEventsArgs { log, policy, signer, output, force }) => {
            keys::events(&log, &policy, signer.as_deref(), &output, force)
        }
        Command::Impact(options) => keys::impact(&options.into()),
        Command::Admission { batch, log, policy, at, json } => {
            let (batch, log, policy) = (&batch, &log, &policy);
            admission::run(&admission::Options { batch, log, policy, at, json })
        }
        Command::Completeness { log, policy, signer, at_least, json } => {
            audit::completeness(&log, &policy, signer.as_deref(), at_least.as_deref(), json)
        }
        Command::Export { proof, part, output, force } => {
            export::run(&proof, part.chosen(), &output, force)
        }
        Command::Evidence { command: EvidenceCommand::Check { file, policy, json } } => {
            evidence::check(&file, &policy, json)
        }
        Command::Evidence {
            command: EvidenceCommand::Make { first, second, policy, log, output, force },
        } => evidence::make(&evidence::Make { first, second, policy, log, output, force }),
        Command::Promises { proofs, log, policy, evidence: file, json } => {
            evidence::promises(&proofs, &log, &policy, &file, json)
        }
        Command::Monitor { command } => command.run(),
        Command::Policy { command } => command.run(),
    };
    coldlog_kit::exit::finish("verifier", outcome)
}
