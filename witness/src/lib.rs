//! The witness: its memory of heads, and its one decision by file.

use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::{Keys, SCRYPT_LOG_N};
use coldlog_kit::report::{self, Report};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{MAX_NOTE, VerifierKey, is_key_name};
use coldlog_spec::verify::cosign::{Refusal, decide};
use coldlog_spec::witnessing::{Request, Response};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `witness init`
pub fn init(home: &Path, name: &str, unencrypted: bool, secret: &Source) -> Outcome {
    if !is_key_name(name) || name.len() > 200 {
        Err(anyhow::anyhow!(
            "{name:?} cannot be a witness's name: no spaces, no plus, for example w1.example/witness"
        ))?;
    }
    files::create_folder(&home.join("logs"))?;
    let key_file = home.join("key.age");
    if files::is_there(&key_file)? && files::is_there(&home.join("witness.policy"))? {
        Err(anyhow::anyhow!("{} holds a witness already; choose another --home", home.display()))?;
    }
    // A key without its policy lines is what an interrupted init leaves: it goes on with that key.
    let keys = match files::is_there(&key_file)? {
        true => Keys::load(&key_file, "witness", secret)?,
        false => make_keys(&key_file, name, unencrypted, secret)?,
    };
    if keys.name != name {
        Err(anyhow::anyhow!(
            "{} is the key of {:?}, not of {name:?}",
            key_file.display(),
            keys.name
        ))?;
    }
    let [ed25519, mldsa] = keys.head_keys().witness_verifiers();
    // Either signature vouches; a policy names the group, and counts it once.
    let lines = format!(
        "witness {name}/ed25519 {}\nwitness {name}/ml-dsa-44 {}\ngroup {name} any {name}/ed25519 {name}/ml-dsa-44\n",
        ed25519.encode(),
        mldsa.encode()
    );
    files::write(&home.join("witness.policy"), lines.as_bytes(), Existing::Replace, Mode::Public)?;
    say(format!(
        "witness {name}; its lines for a policy are in {}",
        home.join("witness.policy").display()
    ));
    Ok(())
}

fn make_keys(path: &Path, name: &str, unencrypted: bool, secret: &Source) -> Result<Keys> {
    let keys = Keys::generate("witness", name)?;
    let passphrase =
        if unencrypted { None } else { Some(secret.ask("the new witness key", true)?) };
    keys.save(path, passphrase.as_ref().map(|p| (p.as_str(), SCRYPT_LOG_N)))?;
    Ok(keys)
}

fn log_folder(home: &Path, origin: &str) -> PathBuf {
    home.join("logs").join(Hash::of(origin.as_bytes()).to_hex())
}

/// `witness add-log`: the verifier keys on the `log` lines of a file.
pub fn add_log(home: &Path, policy: &Path, replace: bool) -> Outcome {
    let text = String::from_utf8(files::read(policy, 1 << 20)?).context("the file is not UTF-8")?;
    let mut keys: Vec<VerifierKey> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("log") {
            keys.push(VerifierKey::decode(words.next().context("a log line has no key")?)?);
        }
    }
    let Some(first) = keys.first() else {
        return coldlog_kit::exit::trouble(format!("{} has no `log` line", policy.display()));
    };
    let origin = first.name.clone();
    if keys.iter().any(|key| key.name != origin) {
        return coldlog_kit::exit::trouble("the file names two logs; add one at a time");
    }
    let folder = log_folder(home, &origin);
    files::create_folder(&folder)?;
    let _lock = files::lock(home)?;
    let known = keys_of(&folder)?;
    if !known.is_empty() && known != keys && !replace {
        return no(format!(
            "{origin} is watched by other keys: ask its operator by another channel whether its keys changed, then say --replace"
        ));
    }
    let lines: String = keys.iter().map(|key| format!("{}\n", key.encode())).collect();
    files::write(&folder.join("keys"), lines.as_bytes(), Existing::Replace, Mode::Public)?;
    say(format!("watching {origin} by {} keys", keys.len()));
    Ok(())
}

fn keys_of(folder: &Path) -> Result<Vec<VerifierKey>> {
    let path = folder.join("keys");
    if !files::is_there(&path)? {
        return Ok(Vec::new());
    }
    let text =
        String::from_utf8(files::read(&path, 1 << 20)?).context("the key list is not UTF-8")?;
    text.lines().map(|line| VerifierKey::decode(line).map_err(Into::into)).collect()
}

fn last_of(folder: &Path) -> Result<Option<SignedCheckpoint>> {
    let path = folder.join("checkpoint");
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let head = SignedCheckpoint::decode(&files::read(&path, MAX_NOTE as u64)?);
    Ok(Some(head.with_context(|| {
        format!("{} is damaged; settle it before this witness cosigns again", path.display())
    })?))
}

/// What `witness cosign` is asked.
pub struct Cosign {
    /// The request file.
    pub request: PathBuf,
    /// The response file.
    pub output: PathBuf,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Replace the response if it exists.
    pub force: bool,
    /// The passphrase's source.
    pub secret: Source,
}

/// `witness cosign`: decide, persist, and only then answer.
pub fn cosign(home: &Path, options: &Cosign) -> Outcome {
    let body = Request::body_of_file(&files::read(&options.request, MAX_NOTE as u64 * 2)?)?;
    if !home.join("logs").is_dir() {
        return coldlog_kit::exit::trouble(format!(
            "{} is no witness's folder; make one with `witness init`",
            home.display()
        ));
    }
    let keys = Keys::load(&home.join("key.age"), "witness", &options.secret)?;
    let existing = Existing::from_force(options.force);
    if existing == Existing::Keep && options.output.exists() {
        Err(anyhow::anyhow!(
            "{} exists already; choose another name, or say --force",
            options.output.display()
        ))?;
    }
    let answer = |status: u64, body: String| {
        let response = Response { witness: keys.name.clone(), status, body };
        files::write(&options.output, &response.encode(), existing, Mode::Public)
    };
    let request = match Request::from_body(&body) {
        Ok(request) => request,
        Err(why) => {
            answer(400, why.to_string())?;
            return Err(Failure::No(why.into()));
        }
    };
    // The lock makes check and persist one step.
    let _lock = files::lock(home)?;
    let folder = log_folder(home, &request.head.checkpoint.origin);
    let last = last_of(&folder)?;
    let log_keys = keys_of(&folder)?;
    if let Err(refusal) = decide(&request, &log_keys, last.as_ref()) {
        let body = match &refusal {
            Refusal::Stale { known, .. } => format!("{known}\n"),
            other => other.to_string(),
        };
        // Evidence first: where the answer cannot be written, it must not be lost.
        if let Refusal::NotAnExtension { evidence: Some(evidence), .. } = &refusal {
            let place = files::write_evidence(&options.evidence, &evidence.encode())?;
            answer(refusal.status(), body)?;
            return no(format!("{refusal}; the evidence is in {}", place.display()));
        }
        answer(refusal.status(), body)?;
        return Err(Failure::No(refusal.into()));
    }
    let now = time::now();
    let lines = keys.head_keys().cosign(&request.head, now)?;
    let mut cosigned = request.head.clone();
    // The log's signatures stay, one a key; whatever else somebody wrote there is not remembered.
    cosigned.note.signatures = log_keys
        .iter()
        .filter_map(|key| {
            let lines = &request.head.note.signatures;
            lines.iter().find(|line| line.id == key.id() && line.name == key.name).cloned()
        })
        .collect();
    cosigned.note.signatures.extend(lines.iter().cloned());
    let memory = cosigned.encode();
    SignedCheckpoint::decode(&memory).context("the head cannot be remembered")?;
    files::write(&folder.join("checkpoint"), &memory, Existing::Replace, Mode::Public)?;
    answer(200, lines.iter().map(|line| line.encode()).collect())?;
    let checkpoint = &request.head.checkpoint;
    say(format!("cosigned {} at size {}, {}", checkpoint.origin, checkpoint.size, time::show(now)));
    Ok(())
}

/// `witness heads`
pub fn heads(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let logs = home.join("logs");
        if !logs.is_dir() {
            Err(anyhow::anyhow!(
                "{} is no witness's folder; make one with `witness init`",
                home.display()
            ))?;
        }
        let mut heads = Vec::new();
        for entry in std::fs::read_dir(&logs)? {
            let folder = entry?.path();
            match last_of(&folder)? {
                Some(head) => heads.push(head),
                None if keys_of(&folder)?.is_empty() => bail_folder(&folder)?,
                None => {}
            }
        }
        heads.sort_by(|a, b| a.checkpoint.origin.cmp(&b.checkpoint.origin));
        let checkpoints = heads.iter().map(|head| &head.checkpoint);
        let list = checkpoints.clone().map(|checkpoint| {
        json!({"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_hex()})
    });
        let fields = json!({"heads": list.collect::<Vec<_>>()});
        let mut text: Vec<String> = checkpoints
            .map(|head| format!("{} {} {}", head.origin, head.size, head.root))
            .collect();
        if text.is_empty() {
            text.push("no head cosigned yet".into());
        }
        Ok(Report { text, fields })
    })
}

fn bail_folder(folder: &Path) -> Result<()> {
    bail!("{} holds neither keys nor a head", folder.display())
}
