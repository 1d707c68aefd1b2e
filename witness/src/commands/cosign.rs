//! `witness cosign`: the decision by file.

use crate::cosign::{Answer, Witness};
use crate::place;
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::Keys;
use coldlog_kit::optical::{Inlet, Kind, Outlet, Show};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::witnessing::{Request, Response};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The request file.
    pub request: Option<PathBuf>,
    /// The QR codes that show it.
    pub qr_request: Option<PathBuf>,
    /// The response file; what is shown needs none.
    pub output: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Replace the response if it exists.
    pub force: bool,
    /// How the response is shown as QR codes.
    pub show: Show,
    /// The passphrase's source.
    pub secret: Source,
}

/// Runs the command: decide, persist, and only then answer.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let outlet = Outlet::new(options.output.as_deref(), &options.show, options.force)?;
    let (request, codes) = (options.request.as_deref(), options.qr_request.as_deref());
    let inlet = Inlet::open(request, codes, Kind::WitnessRequest, options.force)?;
    let body = Request::body_of_file(&files::read(inlet.path(), MAX_NOTE as u64 * 2)?)?;
    place::must_be_home(home)?;
    let keys = Keys::load(&home.join("key.age"), "witness", &options.secret)?;
    let existing = Existing::from_force(options.force);
    if existing == Existing::Keep && outlet.path().exists() {
        let output = outlet.path().display();
        return trouble(format!("{output} exists already; choose another name, or say --force"));
    }
    let witness = Witness::open(home, &keys, 0)?;
    let now = time::now();
    let Answer { status, body: answer, refused } =
        witness.add_checkpoint(&body, now, &options.evidence)?;
    let response = Response { witness: keys.name.clone(), status, body: answer };
    files::write(outlet.path(), &response.encode(), existing, Mode::Public)?;
    let outcome = match refused {
        Some((why, Some(place))) => no(format!("{why}; the evidence is in {}", place.display())),
        Some((why, None)) => Err(Failure::No(why)),
        None => {
            let head = Request::from_body(&body)?.head.checkpoint;
            let (origin, size) = (field(&head.origin), head.size);
            say(format!("cosigned {origin} at size {size}, {}", time::show(now)));
            Ok(())
        }
    };
    // A refusal is an answer, too: the log's operator sees it.
    outlet.deliver(Kind::WitnessResponse)?;
    outcome
}
