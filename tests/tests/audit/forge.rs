//! A log made by hand: what no honest program would write can be planted in it.

use coldlog_kit::seal;
use coldlog_spec::approval::{Approval, ApprovalPolicy, Approver, Carried, Request, Requested};
use coldlog_spec::checkpoint::{Checkpoint, HeadKeys, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::document::{DocumentHasher, SignatureFile};
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::factor::{Factor, SecondFactor};
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, KeyEvent};
use coldlog_spec::merkle::{Frontier, leaf_hash};
use coldlog_spec::mldsa;
use coldlog_spec::record::{Disclosure, Document, Operation, Record, Scheme, Signature};
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, head_path, sealed_path};
use coldlog_spec::verify::own;
use std::path::Path;

pub(crate) const LOG: &str = "log.example/test";
/// When everything began. POSIX seconds.
pub(crate) const BEGAN: u64 = 1_780_000_000;
/// The size of the head that records name.
pub(crate) const KNOWN: u64 = 2;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn head_keys(name: &str, seed: u8) -> HeadKeys {
    HeadKeys {
        name: name.into(),
        ed25519: key(seed),
        mldsa: mldsa::SecretKey::from_seed(&[seed; 32]),
    }
}

fn witnesses() -> Vec<HeadKeys> {
    (0..3).map(|n| head_keys(&format!("w{n}.example"), 10 + n)).collect()
}

pub(crate) fn claims() -> Claims {
    Claims { issuer: "signer.example".into(), subject: "journal".into() }
}

/// What the genesis demands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demands {
    Nothing,
    Approvals,
    Totp,
}

/// A log that is being made.
pub(crate) struct Forge {
    pub(crate) entries: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) signer: SecretKey,
    /// The next number, and the statement before.
    pub(crate) next: u64,
    pub(crate) previous: Option<Hash>,
    pub(crate) known: Option<KnownHead>,
    pub(crate) recipient: String,
    pub(crate) identity: String,
    pub(crate) genesis: Hash,
    salt: u64,
}

pub(crate) fn document(number: u64) -> Vec<u8> {
    format!("document {number}\n").into_bytes()
}

impl Forge {
    /// A log of its rules, a genesis, and so many documents.
    pub(crate) fn new(demands: Demands, documents: u64) -> Forge {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let recipient = seal::write_identity(&path).unwrap().to_string();
        let mut forge = Forge {
            entries: Vec::new(),
            signer: key(1),
            next: 0,
            previous: None,
            known: None,
            recipient,
            identity: std::fs::read_to_string(&path).unwrap(),
            genesis: Hash([0; 32]),
            salt: 0,
        };
        let (genesis, sealed) = forge.genesis_of(demands);
        forge.genesis = genesis.leaf();
        let rules = format!(
            "coldlog-rules/1\nsigner signer.example journal {}\nlargest-sealed 2500\n",
            genesis.leaf()
        );
        let rules = Rules::parse(rules.as_bytes()).unwrap();
        let own = forge.own(2, 0, None, Payload::Rules(rules));
        forge.entries.push((own.bytes().to_vec(), Vec::new()));
        forge.take(&genesis, sealed);
        let head = forge.head(KNOWN, BEGAN + 10, 2, 3);
        forge.known = Some(KnownHead {
            origin: LOG.into(),
            size: KNOWN,
            root: head.checkpoint.root,
            note: Hash::of(&head.encode()),
        });
        for number in 0..documents {
            let record = forge.record(number);
            forge.sign(record);
        }
        forge
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn genesis_of(&mut self, demands: Demands) -> (Statement, Vec<u8>) {
        let approvals = match demands {
            Demands::Approvals => {
                let approver = |(name, seed): (&str, u8)| Approver {
                    name: name.into(),
                    key: key(seed).public(),
                };
                ApprovalPolicy::new(1, [("Ben", 21), ("Cleo", 22)].map(approver).into()).unwrap()
            }
            _ => ApprovalPolicy::default(),
        };
        let operation = Operation::Genesis {
            operators: vec!["Ada".into(), "Bob".into()],
            approvals,
            second_factor: (demands == Demands::Totp).then_some(SecondFactor::Totp),
        };
        let record = Record { operation, ..self.record(0) };
        let (disclosure, sealed) = self.disclose(record);
        let event = Event::Genesis {
            key: *self.signer.public().as_bytes(),
            recipients: vec![self.recipient.clone()],
            recovers: None,
        };
        let event = KeyEvent { event, commitment: Hash::of(&disclosure) };
        (self.statement(Payload::KeyEvent(event)), sealed)
    }

    pub(crate) fn own(
        &self,
        seed: u8,
        sequence: u64,
        previous: Option<Hash>,
        payload: Payload,
    ) -> Statement {
        let position = Position { sequence, previous, head: None };
        Statement::sign(&key(seed), &own::claims(LOG), &position, payload).unwrap()
    }

    pub(crate) fn record(&self, number: u64) -> Record {
        let bytes = document(number);
        let digest = DocumentHasher::digest(Scheme::Sshsig, &bytes);
        let signature = SignatureFile::sign(&self.signer, &digest, "").unwrap().encode();
        Record {
            time: BEGAN + 20 + number,
            operator: "Ada".into(),
            purpose: "test".into(),
            device: "vault".into(),
            clock: None,
            approved: Carried::default(),
            factors: vec![Factor::Named("passphrase".into())],
            operation: Operation::Sign {
                document: Document {
                    name: format!("document-{number}"),
                    version: "1".into(),
                    media_type: "text/plain".into(),
                    size: digest.size,
                    sha256: digest.sha256,
                },
                signature: Signature {
                    scheme: Scheme::Sshsig,
                    key: *self.signer.public().as_bytes(),
                    bytes: signature,
                    verified: true,
                },
            },
        }
    }

    /// The bytes of a disclosure, and the same sealed.
    pub(crate) fn disclose(&mut self, record: Record) -> (Vec<u8>, Vec<u8>) {
        self.salt += 1;
        let mut salt = [7; 32];
        salt[..8].copy_from_slice(&self.salt.to_be_bytes());
        let bytes = Disclosure { salt, record }.encode();
        let sealed = self.sealed(&bytes);
        (bytes, sealed)
    }

    pub(crate) fn sealed(&self, bytes: &[u8]) -> Vec<u8> {
        let recipients = seal::parse_recipients(std::slice::from_ref(&self.recipient)).unwrap();
        seal::seal(bytes, &recipients).unwrap()
    }

    pub(crate) fn position(&self) -> Position {
        Position { sequence: self.next, previous: self.previous, head: self.known.clone() }
    }

    pub(crate) fn statement(&self, payload: Payload) -> Statement {
        Statement::sign(&self.signer, &claims(), &self.position(), payload).unwrap()
    }

    /// The next statement of the journal.
    pub(crate) fn take(&mut self, statement: &Statement, sealed: Vec<u8>) {
        self.next = statement.position.sequence + 1;
        self.previous = Some(statement.leaf());
        self.entries.push((statement.bytes().to_vec(), sealed));
    }

    /// An entry that is none of the journal's own.
    pub(crate) fn plant(&mut self, entry: Vec<u8>, sealed: Vec<u8>) {
        self.entries.push((entry, sealed));
    }

    /// The next record.
    pub(crate) fn sign(&mut self, record: Record) {
        let (disclosure, sealed) = self.disclose(record);
        let statement = self.statement(Payload::Commitment(Hash::of(&disclosure)));
        self.take(&statement, sealed);
    }

    /// The next key event.
    pub(crate) fn event(&mut self, event: Event, name: &str) {
        let operation =
            Operation::KeyEvent { event: name.into(), operators: None, approvals: None };
        let (disclosure, sealed) = self.disclose(Record { operation, ..self.record(0) });
        let event = KeyEvent { event, commitment: Hash::of(&disclosure) };
        let statement = self.statement(Payload::KeyEvent(event));
        self.take(&statement, sealed);
    }

    /// Hands the journal over to another key; `consented` at which position.
    pub(crate) fn rotate(&mut self, to: u8, consented: &Position) {
        let operation =
            Operation::KeyEvent { event: "rotation".into(), operators: None, approvals: None };
        let (disclosure, sealed) = self.disclose(Record { operation, ..self.record(0) });
        let (old, commitment) = (self.signer.public(), Hash::of(&disclosure));
        let event = KeyEvent::rotation(&old, &key(to), &claims(), consented, commitment).unwrap();
        let statement = self.statement(Payload::KeyEvent(event));
        self.take(&statement, sealed);
        self.signer = key(to);
    }

    /// A record's approval by Ben, of a request that is told apart by its id.
    pub(crate) fn approve(&self, record: Record, id: u8) -> Record {
        let Operation::Sign { document, .. } = &record.operation else { panic!("no document") };
        let request = Request {
            claims: claims(),
            genesis: self.genesis,
            id: Hash([id; 32]),
            operator: record.operator.clone(),
            purpose: record.purpose.clone(),
            made: record.time,
            expires: record.time + 3600,
            documents: vec![Requested::from(document)],
        };
        let path = request.path(0);
        let approval = Approval::sign(&key(21), request, BEGAN + 15, true).unwrap().bare();
        Record { approved: Carried { approvals: vec![approval], index: 0, path }, ..record }
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        let mut frontier = Frontier::default();
        let entries = self.entries.iter().take(size as usize);
        entries.for_each(|(entry, _)| frontier.push(leaf_hash(entry)));
        frontier.root()
    }

    /// A head by a key of the log's name, cosigned by so many witnesses.
    pub(crate) fn head(&self, size: u64, time: u64, seed: u8, by: usize) -> SignedCheckpoint {
        self.head_of(size, self.root(size), time, seed, by)
    }

    pub(crate) fn head_of(
        &self,
        size: u64,
        root: Hash,
        time: u64,
        seed: u8,
        by: usize,
    ) -> SignedCheckpoint {
        let checkpoint = Checkpoint { origin: LOG.into(), size, root };
        let mut head = head_keys(LOG, seed).sign_head(&checkpoint, time).unwrap();
        for witness in witnesses().iter().take(by) {
            let lines = witness.cosign(&head, time).unwrap();
            head.note.signatures.extend(lines);
        }
        head
    }

    /// Writes the log as it is published, the policy and the auditor's identity.
    pub(crate) fn publish(&self, folder: &Path) {
        let public = folder.join("public");
        let size = self.size();
        let put = |path: &str, bytes: &[u8]| {
            let path = public.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let mut row: Vec<Hash> = Vec::new();
        for (number, chunk) in self.entries.chunks(WIDTH as usize).enumerate() {
            let (mut entries, mut sealed) = (Vec::new(), Vec::new());
            for (entry, record) in chunk {
                assert!(tile::push_entry(&mut entries, entry));
                assert!(tile::push_entry(&mut sealed, record));
                row.push(leaf_hash(entry));
            }
            let (number, width) = (number as u64, chunk.len() as u64);
            put(&entries_path(number, width), &entries);
            put(&sealed_path(number, width), &sealed);
        }
        let mut level = 0;
        while !row.is_empty() {
            for (index, hashes) in row.chunks(WIDTH as usize).enumerate() {
                let tile = Tile { level, index: index as u64, width: hashes.len() as u64 };
                put(&tile.path(), &tile::encode_tile(hashes));
            }
            let full = row.chunks_exact(WIDTH as usize);
            row = full.filter_map(tile::fold).collect();
            level += 1;
        }
        put(&head_path(KNOWN), &self.head(KNOWN, BEGAN + 10, 2, 3).encode());
        let newest = self.head(size, BEGAN + 100_000, 2, 3).encode();
        put(&head_path(size), &newest);
        put("checkpoint", &newest);
        std::fs::write(folder.join("policy"), policy()).unwrap();
        coldlog_tests::write_private(&folder.join("auditor.key"), &self.identity).unwrap();
    }
}

fn policy() -> String {
    let mut text = String::new();
    for key in head_keys(LOG, 2).log_verifiers() {
        text += &format!("log {}\n", key.encode());
    }
    for (n, witness) in witnesses().iter().enumerate() {
        let [ed25519, mldsa] = witness.witness_verifiers();
        text += &format!(
            "witness w{n}a {}\nwitness w{n}b {}\ngroup w{n} any w{n}a w{n}b\n",
            ed25519.encode(),
            mldsa.encode()
        );
    }
    text + "group two 2 w0 w1 w2\nquorum two\n"
}
