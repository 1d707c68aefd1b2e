//! `mirror follow`: once, or again and again.

use super::logs::tell;
use crate::lock::Mirror;
use crate::place;
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{field, talk};
use coldlog_spec::note::SignatureLine;
use coldlog_spec::witnessing::Response;
use coldlog_witness::place::{self as memory, Known};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// One log; all, where none is named.
    pub origin: Option<String>,
    /// The cosignatures in a file, as a witness answers.
    pub output: Option<PathBuf>,
    /// Replace that file.
    pub force: bool,
    /// Seconds after which an unchanged head is cosigned anew.
    pub heartbeat: u64,
    /// The passphrase's source.
    pub secret: Source,
}

/// The logs that are meant.
pub(crate) fn meant(home: &Path, origin: Option<&str>) -> Outcome<Vec<Known>> {
    let mut all = memory::all(home)?;
    if let Some(origin) = origin {
        all.retain(|known| known.log.origin == origin);
        if all.is_empty() {
            return no(format!("{} is not mirrored; add it with `mirror add-log`", field(origin)));
        }
    }
    Ok(all)
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    place::must_be_home(home)?;
    let existing = Existing::from_force(options.force);
    if let Some(output) = options.output.as_ref().filter(|path| path.exists())
        && existing == Existing::Keep
    {
        return Err(Failure::Trouble(files::taken(output, existing)));
    }
    let keys = Keys::load(&home.join("key.age"), "mirror", &options.secret)?;
    let mirror = Mirror::open(home, &keys, options.heartbeat)?;
    let logs = meant(home, options.origin.as_deref())?;
    let [first, ..] = logs.as_slice() else {
        return trouble("no log is mirrored; add one with `mirror add-log`");
    };
    if options.output.is_some() && logs.len() > 1 {
        return trouble(format!("name one log for --output, for example {}", first.log.origin));
    }
    let mut worst = Ok(());
    for known in &logs {
        match mirror.follow(known) {
            Ok(copied) => {
                tell(&known.log.origin, &copied);
                if let (Some(output), Some(head)) = (&options.output, copied.head) {
                    let own = |line: &&SignatureLine| line.name == mirror.name();
                    let lines = head.note.signatures.iter().filter(own);
                    let body = lines.map(|line| line.encode()).collect();
                    let response = Response { witness: mirror.name().into(), status: 200, body };
                    files::write(output, &response.encode(), existing, Mode::Public)?;
                }
            }
            // The others are followed all the same; the worst is the answer.
            Err(failure) if logs.len() > 1 => {
                let (Failure::No(why) | Failure::Trouble(why)) = &failure;
                talk(format!("mirror: {}: {why:#}", field(&known.log.origin)));
                if !matches!(worst, Err(Failure::Trouble(_))) {
                    worst = Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    worst
}
