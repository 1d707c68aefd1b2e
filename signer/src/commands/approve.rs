//! `signer approve` and `signer approver-key`: on an approver's own machine.

use anyhow::{Context, Result, bail};
use coldlog_kit::ask::confirm;
use coldlog_kit::custody::{NewKey, Start};
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::inputs;
use coldlog_kit::keyfile::Keys;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::approval::{Approval, MAX_NAME, MAX_REQUEST, Request, Requested};
use coldlog_spec::document::{DocumentHasher, ssh_public_key};
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Scheme;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The role of an approver's key file.
pub const ROLE: &str = "approver";

/// What the command line says.
pub struct Options {
    /// The request.
    pub request: PathBuf,
    /// The documents that are at hand.
    pub files: Vec<PathBuf>,
    /// A folder with more of them.
    pub documents: Option<PathBuf>,
    /// The approver's key file.
    pub key: PathBuf,
    /// The approval's file.
    pub output: PathBuf,
    /// Approve documents that are not at hand, by their digests only.
    pub unseen: bool,
    /// Do not ask.
    pub yes: bool,
    /// Replace the file.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// Makes an approver's key: in a file, or in a token or an agent and a file that names it.
pub fn make_key(name: &str, output: &Path, log_n: u8, place: &NewKey, secret: &Source) -> Outcome {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return trouble(format!("an approver's name has 1 to {MAX_NAME} bytes, found {name:?}"));
    }
    let public = files::with_suffix(output, "pub");
    for path in [output, &public] {
        if files::is_there(path)? {
            return Err(files::taken(path, Existing::Never).into());
        }
    }
    let start = Start {
        role: ROLE,
        name,
        place,
        after: None,
        seed: None,
        scrypt_log_n: log_n,
        // What names a key in a token is no secret.
        unencrypted: place.is_held() && !secret.names_passphrase(),
    };
    let keys = start.run_asking(output, secret, |_| secret.ask("the new approver's key", true))?;
    let key = keys.ed25519().public();
    let line = format!("{} {}\n", ssh_public_key(&key), field(name));
    files::write(&public, line.as_bytes(), Existing::Never, Mode::Public)?;
    say(format!("approver {} ({key:?})", field(name)));
    say(format!(
        "Give {} to whoever makes the signer: `signer init --approver`.",
        public.display()
    ));
    Ok(())
}

/// Approves a request.
pub fn run(options: &Options) -> Outcome {
    let request = Request::decode(&files::read(&options.request, MAX_REQUEST as u64)?)?;
    let now = time::now();
    if request.expires < now {
        return no(format!(
            "the request held until {}, by this machine's clock it is {}: ask for a new one",
            time::show(request.expires),
            time::show(now)
        ));
    }
    let at_hand = at_hand(&request, options)?;
    let mut missing = 0;
    say(format!(
        "to be signed by {} / {}, by {}, purpose {:?}",
        field(&request.claims.issuer),
        field(&request.claims.subject),
        field(&request.operator),
        request.purpose
    ));
    for document in &request.documents {
        let found = at_hand.iter().find(|one| one.sha256 == document.sha256);
        say(format!(
            "  {} {} ({} bytes)\n    SHA-256 {}",
            field(&document.name),
            field(&document.version),
            document.size,
            in_groups(&document.sha256)
        ));
        match found {
            Some(one) => say(format!("    read    {}: these bytes", field(&one.shown()))),
            None => {
                if let Some(other) = at_hand.iter().find(|one| one.is_called(&document.name)) {
                    return no(format!(
                        "{} has the SHA-256 {} ({} bytes), the request says {} ({} bytes) for {:?}: nothing was approved",
                        other.shown(),
                        other.sha256,
                        other.size,
                        document.sha256,
                        document.size,
                        document.name
                    ));
                }
                say("    NOT at hand: only this digest would be approved");
                missing += 1;
            }
        }
    }
    say(format!("holds until {} by the signer's clock", time::show(request.expires)));
    if missing > 0 && !options.unseen {
        return no(format!(
            "{missing} of {} documents are not at hand: name them, or their folder with --documents, or say --unseen to approve digests only",
            request.documents.len()
        ));
    }
    if !options.yes && !confirm("Approve this?")? {
        return no("not approved");
    }
    let keys = Keys::load(&options.key, ROLE, &options.secret)?;
    let approval = Approval::sign(&keys.ed25519(), request, now, missing == 0)?;
    let bytes = approval.encode();
    files::write(&options.output, &bytes, Existing::from_force(options.force), Mode::Public)?;
    say(format!("approved as {} in {}", field(&keys.name), options.output.display()));
    Ok(())
}

struct AtHand {
    path: PathBuf,
    size: u64,
    sha256: Hash,
}

impl AtHand {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn is_called(&self, name: &str) -> bool {
        self.path.file_name().is_some_and(|found| found == name)
    }
}

// The documents that are here. Names of the request are compared, never opened.
fn at_hand(request: &Request, options: &Options) -> Result<Vec<AtHand>> {
    let mut found = Vec::new();
    for path in &options.files {
        let one = read(path)?;
        let asked =
            |document: &Requested| document.sha256 == one.sha256 || one.is_called(&document.name);
        if !request.documents.iter().any(asked) {
            bail!("{} is none of the documents of this request", path.display());
        }
        found.push(one);
    }
    if let Some(folder) = &options.documents {
        let inputs = inputs::expand(std::slice::from_ref(folder), true, None)?;
        for path in inputs.files {
            let size = std::fs::metadata(&path)?.len();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let asked = |document: &Requested| document.size == size || document.name == name;
            if request.documents.iter().any(asked) {
                found.push(read(&path)?);
            }
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<AtHand> {
    let mut file = files::open(path)?;
    let mut hasher = DocumentHasher::new(Scheme::Sshsig);
    let mut buffer = vec![0; 1 << 15];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("reading {}", path.display()))?;
        if read == 0 {
            let digest = hasher.finish();
            let (size, sha256) = (digest.size, digest.sha256);
            return Ok(AtHand { path: path.to_path_buf(), size, sha256 });
        }
        hasher.update(&buffer[..read]);
    }
}

/// A digest for eyes: groups of four.
pub fn in_groups(hash: &Hash) -> String {
    let hex = hash.to_hex();
    let groups: Vec<&str> =
        (0..hex.len()).step_by(4).filter_map(|at| hex.get(at..at + 4)).collect();
    groups.join(" ")
}
