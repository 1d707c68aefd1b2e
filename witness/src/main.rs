//! `witness`: an independent party's command.

mod args;

use args::{Args, Command};
use coldlog_kit::pages;
use coldlog_witness::commands::{bastion_key, cosign, init, logs, state};
use coldlog_witness::serve;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { home, command } = pages::parse::<Args>();
    coldlog_kit::rehearsal::announce(&home.join("witness.policy"));
    let outcome = match command {
        Command::Init { name, rehearsal, unencrypted, place, secret } => {
            let (role, name, url, place) = ("witness", name.as_str(), None, &place);
            let cosigner = init::Cosigner { role, name, rehearsal, url, unencrypted, place };
            init::run(&home, &cosigner, &secret)
        }
        Command::AddLog { policy, list, rotation, replace } => {
            logs::add(&home, &logs::Add { policy, list, rotation, replace })
        }
        Command::RemoveLog { origin } => logs::remove(&home, &origin),
        Command::List { json } => logs::list(&home, json),
        Command::Cosign { request, qr_request, output, evidence, force, show, secret } => {
            let options =
                cosign::Options { request, qr_request, output, evidence, force, show, secret };
            cosign::run(&home, &options)
        }
        Command::Heads { json } => logs::heads(&home, json),
        Command::Serve {
            listen,
            through,
            tls_certificate,
            tls_key,
            connections,
            rate,
            header_time,
            behind_proxy,
            heartbeat,
            peers,
            json_log,
            stop_after,
            secret,
        } => serve::run(
            &home,
            &serve::Options {
                listen,
                through,
                tls: tls_certificate.zip(tls_key),
                connections,
                rate,
                header_time,
                behind_proxy,
                heartbeat,
                peers,
                json_log,
                stop_after,
                secret,
            },
        ),
        Command::BastionKey { json } => bastion_key::run(&home, json),
        Command::ExportState { output, force } => state::export(&home, &output, force),
        Command::ImportState { state } => state::import(&home, &state),
        Command::Recover { newest, nothing_newer } => state::recover(&home, &newest, nothing_newer),
    };
    coldlog_kit::exit::finish("witness", outcome)
}
