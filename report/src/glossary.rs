//! The terms that a reader of a report may not know.

use crate::model::Term;

const TERMS: [(&str, &str); 26] = [
    ("Auditor", "Somebody whose key opens the sealed records, and who reads them to check them."),
    (
        "Checkpoint",
        "A tree head as a short text that the log signs and witnesses cosign: the log's name, the number of entries, the root hash.",
    ),
    (
        "Commitment",
        "A fingerprint of a sealed record that is public. It fixes what the record says, but does not tell it.",
    ),
    (
        "Consistency proof",
        "A short proof that a later tree head only added entries to an earlier one: nothing before was changed or removed.",
    ),
    (
        "Cosignature",
        "A witness's signature, with its time, on a checkpoint: it has seen that the log only grew.",
    ),
    ("Entry", "One line of the log: a statement, at a place that never changes."),
    (
        "Finding",
        "Something that is not as the rules or the policy demand, with an identifier that stays the same in every report.",
    ),
    (
        "Hash",
        "A fingerprint of data, here SHA-256: whoever changes the data cannot keep the fingerprint.",
    ),
    ("Inclusion proof", "A short proof that an entry is in the log below a certain tree head."),
    (
        "Journal",
        "The signer's own list of all its records, numbered without gaps and chained, so that a missing one shows.",
    ),
    ("Leaf", "An entry as the tree has it: the hash of its bytes."),
    (
        "Log",
        "A list to which entries are only ever added, and whose operator can prove that it kept to this.",
    ),
    ("Mirror", "A copy of the log elsewhere, which was checked when it was made."),
    (
        "Not before, not after",
        "The bounds of the time of a signature. Witnesses give them; the signing machine's own clock is a claim only.",
    ),
    ("Operator", "The person who made a signature, as the record names them."),
    (
        "Policy",
        "The file that says whom a verifier trusts: which logs, which witnesses, and how many of them.",
    ),
    (
        "Proof file",
        "The file beside a document that shows, without a network, that its signature is logged.",
    ),
    ("Quorum", "How many witnesses must have cosigned a checkpoint before a verifier believes it."),
    (
        "Receipt",
        "The log's signed answer that an entry is in it: an inclusion proof with the tree head that it leads to.",
    ),
    (
        "Record",
        "What the signer noted of one signature: who, what, when, why, on which machine. It is sealed to the auditors.",
    ),
    ("Root hash", "The one hash that stands for the whole tree of all entries."),
    (
        "Signer",
        "The offline machine that has the signing key and makes a record of each use of it.",
    ),
    (
        "Statement",
        "What the signer puts into the log for each record: the commitment, the number in the journal, a signature.",
    ),
    (
        "Tile",
        "A part of the tree as a file; the log is published as tiles and can be read from any web server.",
    ),
    (
        "Tree head",
        "The number of entries and the root hash at one time; it stands for all that the log says.",
    ),
    (
        "Witness",
        "Somebody independent of the log who remembers its tree heads and cosigns only what extends the last one.",
    ),
];

/// The glossary that fits every report, in the order of the alphabet.
pub fn default() -> Vec<Term> {
    let terms = TERMS.iter();
    terms.map(|(term, meaning)| Term { term: (*term).into(), meaning: (*meaning).into() }).collect()
}
