//! `signer`: the offline machine's command.

mod args;

use args::{Args, Command};
use coldlog_kit::pages;
use coldlog_signer::commands::{
    approve, backup, export, import, init, life, look, recover, request, restore, sign,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = pages::parse::<Args>();
    let home = &args.home;
    coldlog_kit::rehearsal::announce(&home.join("signer.pub"));
    let outcome = match args.command {
        Command::Init(options) => init::run(home, &options.into()),
        Command::Sign(options) => sign::run(home, &options.into()),
        Command::Request(options) => request::run(home, &options.into()),
        Command::Approve(options) => approve::run(&options.into()),
        Command::ApproverKey { name, output, scrypt_log_n, place, secret } => {
            approve::make_key(&name, &output, scrypt_log_n, &place, &secret)
        }
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
        Command::Backup { folder, verify: true, json, .. } => backup::verify(&folder, json),
        Command::Backup { folder, keep, .. } => {
            backup::run(home, &backup::Options { folder, keep: usize::from(keep) })
        }
        Command::Restore { folder, generation, second_passphrase, pkcs11, secret, second } => {
            restore::run(
                home,
                &restore::Options { folder, generation, second_passphrase, pkcs11, secret, second },
            )
        }
        Command::Shares(command) => command.run(home),
        Command::Recover(options) => recover::run(home, &options.into()),
        Command::Reopen { tail, yes } => look::reopen(home, &tail, yes),
        Command::Status { json } => look::status(home, json),
        Command::RotateKey { by, import_ssh_key, scrypt_log_n, place } => {
            life::rotate(home, &life::Rotate { import_ssh_key, scrypt_log_n, place }, &by.into())
        }
        Command::Change { by, change } => life::change(home, &change.into(), &by.into()),
        Command::Revoke { by, key, since_record, since_time, since_head, prepare, to } => {
            let bounds = (since_record, since_time, since_head);
            life::revoke(home, &life::Revoke::new(key, bounds, prepare, to), &by.into())
        }
        Command::Retire { by } => life::retire(home, &by.into()),
        Command::PublicKey => look::public_key(home),
    };
    coldlog_kit::exit::finish("signer", outcome)
}
