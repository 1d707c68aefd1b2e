//! `mirror`: the command of a second party that holds every byte of a log.

mod args;

use args::{Args, Command};
use coldlog_kit::exit::Outcome;
use coldlog_kit::pages;
use coldlog_log::serve::readers;
use coldlog_mirror::commands::{follow, logs, recover};
use coldlog_mirror::{place, serve};
use coldlog_witness::commands::init;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { home, command } = pages::parse::<Args>();
    coldlog_kit::rehearsal::announce(&home.join("mirror.policy"));
    let outcome = match command {
        Command::Init { name, rehearsal, url, unencrypted, place, secret } => {
            let (role, name, url, place) = ("mirror", name.as_str(), url.as_deref(), &place);
            let cosigner = init::Cosigner { role, name, rehearsal, url, unencrypted, place };
            init::run(&home, &cosigner, &secret)
        }
        Command::AddLog { policy, from, token_file, entries_only, replace } => {
            logs::add(&home, &logs::Add { policy, from, token_file, entries_only, replace })
        }
        Command::RemoveLog { origin } => logs::remove(&home, &origin),
        Command::List { json } => logs::list(&home, json),
        Command::Follow { origin, output, force, heartbeat, secret } => {
            follow::run(&home, &follow::Options { origin, output, force, heartbeat, secret })
        }
        Command::Serve {
            listen,
            tls_certificate,
            tls_key,
            client_authority,
            connections,
            rate,
            header_time,
            upload_time,
            behind_proxy,
            follow_every,
            heartbeat,
            peers,
            json_log,
            stop_after,
            secret,
        } => serve::run(
            &home,
            &serve::Options {
                listen,
                tls: tls_certificate.zip(tls_key),
                client_authority,
                connections,
                rate,
                header_time,
                upload_time,
                behind_proxy,
                follow_every,
                heartbeat,
                peers,
                json_log,
                stop_after,
                secret,
            },
        ),
        Command::AllowReader { name, certificate } => {
            at_home(&home, || readers::allow(&home, &name, certificate.as_deref()))
        }
        Command::ForgetReader { name } => at_home(&home, || readers::forget(&home, &name)),
        Command::Readers { json } => at_home(&home, || readers::list(&home, json)),
        Command::Accesses { origin, json } => {
            at_home(&home, || readers::accesses(&place::copy_of(&home, &origin), json))
        }
        Command::Recover { newest, nothing_newer } => recover::run(&home, &newest, nothing_newer),
    };
    coldlog_kit::exit::finish("mirror", outcome)
}

fn at_home(home: &Path, run: impl FnOnce() -> Outcome) -> Outcome {
    place::must_be_home(home)?;
    run()
}
