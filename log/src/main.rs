//! `log`: the transparency log's command.

mod args;

use args::{Args, Command};
use coldlog_kit::exit::Outcome;
use coldlog_kit::pages;
use coldlog_log::commands::{
    append, backup, freeze, fsck, gc, journal_of, manage, migrate, receipts, recover, reseal,
    revoke, rotate, rules, witnesses,
};
use coldlog_log::place;
use coldlog_log::serve::{self, readers};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { home, command } = pages::parse::<Args>();
    coldlog_kit::rehearsal::announce(&home.join("log.policy"));
    let outcome = match command {
        Command::Init { origin, rehearsal, store, unencrypted, place, secret } => {
            let store = store.as_deref();
            manage::init(&home, &origin, rehearsal, store, unencrypted, &place, &secret)
        }
        Command::Join { store, secret } => manage::join(&home, &store, &secret),
        Command::Allow { genesis, fingerprint, secret } => {
            rules::allow(&home, &genesis, &fingerprint, &secret)
        }
        Command::Revoke { revocation, identity, secret } => {
            revoke::run(&home, &revocation, identity.as_deref(), &secret)
        }
        Command::Rules { json } => rules::show(&home, json),
        Command::SetRules { rules: file, secret } => rules::set(&home, &file, &secret),
        Command::Signers { json } => rules::signers(&home, json),
        Command::Append { batches, qr, output, force, keep_going, secret } => {
            append::run(&home, &append::Options { batches, qr, output, force, keep_going, secret })
        }
        Command::WitnessRequest { output, old, force, show } => {
            witnesses::request(&home, &witnesses::Request { output, old, force, show })
        }
        Command::AddCosignatures { responses, qr, policy } => {
            witnesses::add(&home, &responses, qr.as_deref(), &policy)
        }
        Command::Cosign { policy, deadline, linger } => {
            let deadline = std::time::Duration::from_secs(deadline);
            let linger = std::time::Duration::from_millis(linger);
            witnesses::cosign(&home, &witnesses::Cosign { policy, deadline, linger })
        }
        Command::JournalOf { issuer, journal, output, from, old, policy, force } => {
            let options = journal_of::Options { issuer, journal, output, from, old, policy, force };
            journal_of::run(&home, &options)
        }
        Command::Receipts { batch, output, policy, old, force, show, secret } => receipts::run(
            &home,
            &receipts::Options { batch, output, policy, old, force, show, secret },
        ),
        Command::Head { json } => manage::head(&home, json),
        Command::Prove { index, consistency, output, force, secret } => {
            receipts::prove(&home, &receipts::Prove { index, consistency, output, force, secret })
        }
        Command::Recover { newest, from, token_file, batches, secret } => {
            recover::run(&home, &recover::Options { newest, from, token_file, batches, secret })
        }
        Command::Backup { to, with_key } => backup::backup(&home, &to, with_key),
        Command::Restore { from, store, key } => {
            backup::restore(&home, &from, store.as_deref(), key.as_deref())
        }
        Command::Drill { from, newest, behind } => backup::drill(&home, &from, &newest, behind),
        Command::Gc { dry_run } => gc::run(&home, dry_run),
        Command::Serve(options) => serve::run(&home, &options.into()),
        Command::AllowReader { name, certificate } => {
            at_home(&home, || readers::allow(&home, &name, certificate.as_deref()))
        }
        Command::ForgetReader { name } => at_home(&home, || readers::forget(&home, &name)),
        Command::Readers { json } => at_home(&home, || readers::list(&home, json)),
        Command::Accesses { json } => at_home(&home, || readers::accesses(&home, json)),
        Command::RotateKey { output: Some(output), force, place, secret, .. } => {
            rotate::start(&home, &output, force, &place, &secret)
        }
        Command::RotateKey { output: None, secret, .. } => rotate::finish(&home, &secret),
        Command::Reseal { identity, auditors, by, purpose, from, to, secret } => {
            let options = reseal::Options { identity, auditors, by, purpose, from, to, secret };
            reseal::run(&home, &options)
        }
        Command::Freeze { policy, secret } => freeze::run(&home, &policy, &secret),
        Command::Migrate { to, origin, store, unencrypted, policy, secret } => migrate::run(
            &home,
            &migrate::Options { to, origin, store, unencrypted, policy, secret },
        ),
        Command::Reindex => fsck::reindex(&home),
        Command::Fsck { repair, policy, identity, json } => {
            fsck::run(&home, &fsck::Options { repair, policy, identities: identity, json })
        }
    };
    coldlog_kit::exit::finish("log", outcome)
}

fn at_home(home: &Path, run: impl FnOnce() -> Outcome) -> Outcome {
    place::must_be_home(home)?;
    run()
}
