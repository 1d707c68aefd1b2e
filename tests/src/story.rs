//! The whole story, step by step: roles in folders, files through `usb/`.

use crate::{Ran, copy, run, run_with, write_private};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The witnesses of the story.
pub const WITNESSES: [&str; 3] = ["w1", "w2", "w3"];

/// A ceremony under way.
pub struct Story {
    /// The folder with a folder for each role.
    pub stage: PathBuf,
    /// Whether it is told on stdout.
    pub aloud: bool,
    /// Cost of the signer's key file.
    pub scrypt_log_n: u8,
    /// Commands run so far.
    pub commands: usize,
    /// An OpenSSH key, in the signer's folder, that it brings in.
    pub import_key: Option<String>,
    /// The format of the signatures.
    pub format: &'static str,
    /// The roles whose signing keys do not live in their key files.
    pub held: BTreeMap<&'static str, Held>,
    /// What all programs have in their environment.
    pub env: Vec<(String, String)>,
    /// What else `signer init` is told.
    pub init_with: String,
    /// What it said on stderr.
    pub init_told: String,
    /// Whether all parties only practise.
    pub rehearsal: bool,
}

/// What a role says whose signing key lives elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// To make the key.
    pub init: String,
    /// To use it.
    pub open: String,
}

impl Held {
    // The line of a role, with what its key needs.
    fn line(&self, line: &str) -> String {
        match line.split(' ').nth(1) {
            Some("init") => format!("{line} {} {}", self.init, self.open),
            Some("sign" | "allow" | "append" | "receipts" | "cosign") => {
                format!("{line} {}", self.open)
            }
            _ => line.into(),
        }
    }
}

impl Story {
    /// Makes the roles' folders.
    pub fn new(stage: &Path, aloud: bool, scrypt_log_n: u8) -> Result<Story> {
        let roles = ["signer", "log", "auditor", "relying", "usb"];
        for role in roles.iter().chain(&WITNESSES) {
            std::fs::create_dir_all(stage.join(role))?;
        }
        // Absolute, for the programs run inside the roles' folders.
        let stage = stage.canonicalize()?;
        Ok(Story {
            stage,
            aloud,
            scrypt_log_n,
            commands: 0,
            import_key: None,
            format: "sshsig",
            held: BTreeMap::new(),
            env: Vec::new(),
            init_with: String::new(),
            init_told: String::new(),
            rehearsal: false,
        })
    }

    /// A story of two rounds, Monday's and Tuesday's, with 150 documents each: its log has 302 entries,
    /// two rows of tiles, and heads of size 1, 152 and 302. `between` sees it after the first round.
    pub fn of_two_rounds(stage: &Path, between: impl FnOnce(&Story)) -> Result<Story> {
        let mut story = Story::new(stage, false, 10)?;
        let files: Vec<PathBuf> = (0..300).map(|n| format!("d{n}.txt").into()).collect();
        for file in &files {
            std::fs::write(story.at("signer").join(file), file.display().to_string())?;
        }
        story.set_up()?;
        story.round("monday", &files[..150], "1")?;
        between(&story);
        story.round("tuesday", &files[150..], "2")?;
        Ok(story)
    }

    /// A story that is set up, with documents `d0.txt`, `d1.txt` and so on at the signer.
    pub fn with_documents(stage: &Path, count: usize) -> Result<Story> {
        let mut story = Story::new(stage, false, 10)?;
        for (number, name) in Story::names(0..count).iter().enumerate() {
            std::fs::write(story.at("signer").join(name), number.to_string())?;
        }
        story.set_up()?;
        Ok(story)
    }

    /// The names of these documents.
    pub fn names(numbers: std::ops::Range<usize>) -> Vec<PathBuf> {
        numbers.map(|number| format!("d{number}.txt").into()).collect()
    }

    /// A party's name as its files have it.
    pub fn named(&self, name: &str) -> String {
        let mark = if self.rehearsal { coldlog_spec::rehearsal::PREFIX } else { "" };
        format!("{mark}{name}")
    }

    /// A role's folder.
    pub fn at(&self, role: &str) -> PathBuf {
        self.stage.join(role)
    }

    /// Says something, when aloud.
    pub fn tell(&self, text: &str) {
        if self.aloud {
            println!("{text}");
        }
    }

    /// Runs a command on a machine and expects an exit code.
    pub fn expect(&mut self, role: &str, line: &str, code: i32) -> Result<Ran> {
        let line = &self.held.get(role).map_or_else(|| line.to_owned(), |held| held.line(line));
        self.tell(&format!("{role}$ {line}"));
        let ran = run_with(&self.at(role), line, &self.env)?;
        self.commands += 1;
        let lines: Vec<&str> = ran.out.lines().chain(ran.err.lines()).collect();
        let shown = 14;
        for text in lines.iter().take(shown) {
            self.tell(&format!("    {text}"));
        }
        if lines.len() > shown {
            self.tell(&format!("    ... and {} more lines", lines.len() - shown));
        }
        if ran.code != code {
            bail!(
                "{role}$ {line}: exit code {}, expected {code}\n{}{}",
                ran.code,
                ran.out,
                ran.err
            );
        }
        Ok(ran)
    }

    /// Runs a command that must succeed.
    pub fn run(&mut self, role: &str, line: &str) -> Result<Ran> {
        self.expect(role, line, 0)
    }

    /// Carries a file from one machine to another, through `usb/`.
    pub fn carry(&self, from: &str, file: &str, to: &str) -> Result<()> {
        let name = Path::new(file).file_name().context("a file name")?;
        let stick = self.at("usb").join(name);
        copy(&self.at(from).join(file), &stick)?;
        copy(&stick, &self.at(to).join(name))?;
        let size = std::fs::metadata(&stick)?.len();
        let size = if stick.is_dir() { "a folder".into() } else { format!("{size} bytes") };
        self.tell(&format!("  [usb] {} ({size}): {from} -> {to}", name.to_string_lossy()));
        Ok(())
    }

    /// Makes every role's keys, the policy, and the log's permission for the signer.
    pub fn set_up(&mut self) -> Result<()> {
        self.tell(
            "\n== The auditor makes an age identity; the signer will seal every record to it",
        );
        let recipient = self.run("auditor", "verifier identity -o auditor.key")?.out;
        self.tell("\n== The signer makes its key, its journal and its genesis");
        write_private(&self.at("signer").join("passphrase"), "a ceremony, not a secret\n")?;
        let log_n = self.scrypt_log_n;
        let mut line = format!(
            "signer init --name signer.example/releases --operator Ada --operator Grace --auditor {} --scrypt-log-n {log_n} --passphrase-file passphrase",
            recipient.trim()
        );
        let rehearsal = if self.rehearsal { " --rehearsal" } else { "" };
        line.push_str(rehearsal);
        if let Some(key) = &self.import_key {
            line.push_str(&format!(" --import-ssh-key {key}"));
        }
        line.push_str(&self.init_with);
        let Ran { out: made, err, .. } = self.run("signer", &line)?;
        self.init_told = err;
        let fingerprint = made.lines().find_map(|line| line.strip_prefix("fingerprint  "));
        let fingerprint = fingerprint.context("signer init prints a fingerprint")?.to_owned();
        self.tell("\n== The log and the witnesses make theirs; the policy names them all");
        let line = format!("log init --origin log.example/releases --unencrypted{rehearsal}");
        self.run("log", &line)?;
        let mut policy = std::fs::read_to_string(self.at("log").join("coldlog-log/log.policy"))?;
        for witness in WITNESSES {
            let line =
                format!("witness init --name {witness}.example/witness --unencrypted{rehearsal}");
            self.run(witness, &line)?;
            let lines = self.at(witness).join("coldlog-witness/witness.policy");
            policy.push_str(&std::fs::read_to_string(lines)?);
        }
        let members: Vec<String> =
            WITNESSES.iter().map(|w| self.named(&format!("{w}.example/witness"))).collect();
        policy.push_str(&format!(
            "group two-of-three 2 {}\nquorum two-of-three\n",
            members.join(" ")
        ));
        std::fs::write(self.at("log").join("policy"), policy)?;
        for role in ["signer", "auditor", "relying"].iter().chain(&WITNESSES) {
            self.carry("log", "policy", role)?;
        }
        for witness in WITNESSES {
            self.run(witness, "witness add-log policy")?;
        }
        self.tell(
            "\n== The log's operator allows the signer, after hearing the fingerprint by telephone",
        );
        self.carry("signer", "coldlog-signer/genesis.cbor", "log")?;
        self.run("log", &format!("log allow genesis.cbor --fingerprint {fingerprint}"))?;
        Ok(())
    }

    /// Signs some of the documents, and appends them to the log.
    pub fn append(&mut self, name: &str, documents: std::ops::Range<usize>) -> Result<()> {
        self.sign(name, &Story::names(documents), "1")?;
        self.run("signer", &format!("signer export -o {name}.batch.cbor"))?;
        self.carry("signer", &format!("{name}.batch.cbor"), "log")?;
        self.run("log", &format!("log append {name}.batch.cbor"))?;
        Ok(())
    }

    /// A log that went two ways after its first round of ten: one side grows by the story's own signer, the
    /// other one, in the folder that is returned, by a copy of it that signed other documents.
    pub fn forked(stage: &Path) -> Result<(Story, PathBuf)> {
        let mut story = Story::with_documents(stage, 60)?;
        story.append("monday", 0..10)?;
        let (twin, signer) = (stage.join("twin"), stage.join("twin-signer"));
        copy(&story.at("log"), &twin)?;
        copy(&story.at("signer"), &signer)?;
        Story::recover_log(&twin)?;
        Story::reopen(&signer)?;
        story.append("tuesday", 10..20)?;
        let line = "--operator Ada --version 2 --purpose x --passphrase-file passphrase";
        let files: Vec<String> =
            Story::names(20..45).iter().map(|file| file.display().to_string()).collect();
        story.run("twin-signer", &format!("signer sign {} {line}", files.join(" ")))?;
        story.run("twin-signer", "signer export -o other.batch.cbor")?;
        copy(&signer.join("other.batch.cbor"), &twin.join("other.batch.cbor"))?;
        story.run("twin", "log append other.batch.cbor")?;
        Ok((story, twin))
    }

    /// Signs files and carries them all the way to proofs; returns the tail that was written down.
    pub fn round(&mut self, name: &str, files: &[PathBuf], version: &str) -> Result<String> {
        self.tell(&format!("\n== {name}: {} documents are signed, offline", files.len()));
        let tail = self.sign(name, files, version)?;
        self.run("signer", &format!("signer export -o {name}.batch.cbor"))?;
        self.carry("signer", &format!("{name}.batch.cbor"), "log")?;
        self.tell(
            "\n== The log verifies and appends; the witnesses cosign what extends what they saw",
        );
        self.run("log", &format!("log append {name}.batch.cbor"))?;
        self.cosign(name)?;
        self.tell(
            "\n== The receipts go back; the signer verifies all of them and writes the proofs",
        );
        self.run(
            "log",
            &format!("log receipts {name}.batch.cbor -o {name}.receipts.cbor --policy policy"),
        )?;
        self.carry("log", &format!("{name}.receipts.cbor"), "signer")?;
        self.run("signer", &format!("signer import {name}.receipts.cbor --policy policy"))?;
        Ok(tail)
    }

    /// Signs files; returns the tail.
    pub fn sign(&mut self, name: &str, files: &[PathBuf], version: &str) -> Result<String> {
        let list: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
        std::fs::write(self.at("signer").join(format!("{name}.list")), list)?;
        let mut line = format!(
            "signer sign --files-from {name}.list --operator Ada --version {version} --purpose release --passphrase-file passphrase"
        );
        if self.format != "sshsig" {
            line.push_str(&format!(" --format {}", self.format));
        }
        let out = self.run("signer", &line)?.out;
        let tail = out.rsplit_once("tail: ").context("signer sign prints the tail")?.1;
        Ok(tail.trim().to_owned())
    }

    /// Lets a copy of a signer's folder sign, with the tail that the journal itself tells: what an
    /// operator with the paper does, honest or not.
    pub fn reopen(folder: &Path) -> Result<()> {
        let status = run(folder, "signer status")?.out;
        let tail = status.split("tail ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let line = format!("signer reopen --tail {}", tail.context("status tells the tail")?);
        let ran = run(folder, &line)?;
        ensure!(ran.code == 0, "{line}: {}", ran.err);
        Ok(())
    }

    /// Lets a copy of a log's folder sign, by its own newest head: what an operator does who has asked
    /// everybody else, or a dishonest one who has not.
    pub fn recover_log(folder: &Path) -> Result<()> {
        let ran = run(folder, "log recover --newest coldlog-log/public/checkpoint")?;
        ensure!(ran.code == 0, "log recover: {}", ran.err);
        Ok(())
    }

    /// Lets a copy of a witness's folder cosign: what an operator does who knows of no newer head.
    pub fn recover_witness(folder: &Path) -> Result<()> {
        let ran = run(folder, "witness recover --nothing-newer")?;
        ensure!(ran.code == 0, "witness recover: {}", ran.err);
        Ok(())
    }

    /// The same of a mirror's.
    pub fn recover_mirror(folder: &Path) -> Result<()> {
        let ran = run(folder, "mirror recover --nothing-newer")?;
        ensure!(ran.code == 0, "mirror recover: {}", ran.err);
        Ok(())
    }

    /// Has the newest head cosigned by all witnesses.
    pub fn cosign(&mut self, name: &str) -> Result<()> {
        self.run("log", &format!("log witness-request -o {name}.witness-request.cbor"))?;
        for witness in WITNESSES {
            self.carry("log", &format!("{name}.witness-request.cbor"), witness)?;
            let answer = format!("{name}-{witness}.witness-response.cbor");
            self.run(witness, &format!("witness cosign {name}.witness-request.cbor -o {answer}"))?;
            self.carry(witness, &answer, "log")?;
        }
        let answers: Vec<String> =
            WITNESSES.iter().map(|w| format!("{name}-{w}.witness-response.cbor")).collect();
        self.run("log", &format!("log add-cosignatures {} --policy policy", answers.join(" ")))?;
        Ok(())
    }
}

/// The documents below a folder, as paths relative to it; hidden folders and build products left out.
pub fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let skip = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let hidden = name.starts_with('.') && entry.depth() > 0;
        hidden || (entry.file_type().is_dir() && (name == "target" || name == "coldlog-ceremony"))
    };
    let mut found = Vec::new();
    for entry in
        walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|e| !skip(e))
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let ours = [".sig", ".minisig", ".proof"].iter().any(|end| name.ends_with(end));
        // What no list of names can hold, and no single quotes: a person types these commands.
        let line = entry.path().to_str().is_some_and(|path| !path.contains(['\n', '\'']));
        if entry.file_type().is_file() && !ours && line {
            found.push(entry.path().strip_prefix(folder)?.to_path_buf());
        }
    }
    ensure!(
        found.len() >= 20,
        "{} holds {} documents; the story needs 20 at least",
        folder.display(),
        found.len()
    );
    Ok(found)
}
