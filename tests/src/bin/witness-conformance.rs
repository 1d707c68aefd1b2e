//! `witness-conformance`: does a transparency-log witness do what C2SP tlog-witness says?

use anyhow::{Context, Result, bail};
use coldlog_spec::note::VerifierKey;
use coldlog_tests::conformance::{Options, keys, run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: witness-conformance keys FOLDER
       witness-conformance run URL --keys FOLDER --witness VKEY [--witness VKEY...]
                               [--monitoring URL] [--monitoring-delay SECONDS] [--json]

`keys` makes the keys of the logs that the suite plays, and prints the lines with which a witness is
told to trust them; they are in FOLDER/*.log too. `run` then tries the witness at URL. The folder keeps
how far the logs have grown: one folder is for one witness, which may be tried again and again. Each key
that the witness cosigns with is given by --witness.

Exit code: 0 when no case failed, 1 when one did, 2 when the suite could not begin.";

fn main() -> ExitCode {
    let arguments: Vec<String> =
        match std::env::args_os().skip(1).map(|a| a.into_string()).collect() {
            Ok(arguments) => arguments,
            Err(_) => return usage("an argument is not UTF-8"),
        };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["keys", folder] if !folder.starts_with('-') => keys(Path::new(folder)).map(|lines| {
            print!("{lines}");
            ExitCode::SUCCESS
        }),
        ["run", rest @ ..] => match parse(rest) {
            Ok((options, folder, json)) => conformance(&options, &folder, json),
            Err(why) => return usage(&format!("{why:#}")),
        },
        _ => return usage("no command"),
    };
    done.unwrap_or_else(|why| {
        eprintln!("witness-conformance: {why:#}");
        ExitCode::from(2)
    })
}

fn usage(why: &str) -> ExitCode {
    eprintln!("witness-conformance: {why}\n\n{USAGE}");
    ExitCode::from(2)
}

fn parse(arguments: &[&str]) -> Result<(Options, PathBuf, bool)> {
    let (mut submission, mut monitoring, mut folder, mut json) = (None, None, None, false);
    let (mut keys, mut delay) = (Vec::new(), Duration::from_secs(5));
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument {
            "--keys" => folder = Some(PathBuf::from(value()?)),
            "--witness" => keys.push(VerifierKey::decode(value()?)?),
            "--monitoring" => monitoring = Some(value()?.to_owned()),
            "--monitoring-delay" => {
                delay = Duration::from_secs(u64::from(value()?.parse::<u16>()?))
            }
            "--json" => json = true,
            option if option.starts_with('-') => bail!("there is no option {option}"),
            url if submission.is_none() => submission = Some(url.to_owned()),
            other => bail!("one URL is tried at a time, not also {other}"),
        }
    }
    let submission = submission.context("no URL")?;
    let options = Options { submission, monitoring, keys, monitoring_delay: delay };
    Ok((options, folder.context("no --keys FOLDER")?, json))
}

fn conformance(options: &Options, folder: &Path, json: bool) -> Result<ExitCode> {
    let report = run(options, folder, &mut |case| {
        if !json {
            println!("{}", case.text());
        }
    })?;
    println!("{}", if json { report.json() } else { report.summary() });
    Ok(ExitCode::from(u8::from(!report.failed().is_empty())))
}
