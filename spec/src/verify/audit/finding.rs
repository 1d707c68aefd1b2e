//! What an audit finds: each finding is data, of one of the kinds of this table.

use crate::cose::Claims;
use crate::hash::Hash;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    #[default]
    Note,
    /// Something could not be checked, or is odd.
    Warning,
    /// Somebody broke a rule, or left out what was due.
    High,
    /// Something was forged, altered or hidden.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Severity; 4] =
        [Severity::Note, Severity::Warning, Severity::High, Severity::Critical];

    /// Its name in reports and rules.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident $name:literal $severity:ident $expected:literal;)+) => {
        /// The kinds of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            /// All kinds, in the order in which an audit looks.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)+];

            /// Its name in reports, rules and files.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)+ }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Kind::$kind => Severity::$severity,)+ }
            }

            /// What was expected instead.
            pub fn expected(self) -> &'static str {
                match self { $(Kind::$kind => $expected,)+ }
            }
        }
    };
}

kinds! {
    /// The newest head is not the log's.
    HeadSignature "head-signature" Critical "a head signed by a key of the log that the policy names";
    /// Too few witnesses cosigned the newest head.
    HeadQuorum "head-quorum" High "a head cosigned by the policy's quorum";
    /// A published head that cannot be read, or stands under another size.
    HeadMalformed "head-malformed" Warning "a signed checkpoint of the size that its name says";
    /// A published head that the log did not sign.
    HeadForged "head-forged" Critical "a published head signed by the log";
    /// A head that somebody remembers, or the log publishes, and that is not of this history.
    HeadMisfit "head-misfit" Critical "one history: every head is one of this tree";
    /// The log is shorter than a head that is remembered.
    HeadWithdrawn "head-withdrawn" Critical "a log at least as long as every head that is remembered";
    /// A witness cosigned a longer head earlier than a shorter one.
    HeadTime "head-time" Warning "times of a witness that grow with the head";
    /// A bundle of entries is not there.
    BundleMissing "bundle-missing" High "a bundle of entries in full";
    /// A bundle of entries cannot be read.
    BundleMalformed "bundle-malformed" High "a bundle of entries, each with its length";
    /// A bundle of sealed records is not there.
    SealedMissing "sealed-missing" Warning "a bundle of sealed records in full";
    /// A bundle of sealed records cannot be read.
    SealedMalformed "sealed-malformed" Warning "a bundle of sealed records, each with its length";
    /// A tile is not there.
    TileMissing "tile-missing" Warning "a tile of the tree";
    /// A tile is not what its entries hash to.
    TileDiffers "tile-differs" Critical "the hashes of the entries below the tile";
    /// The entries have another root than the head.
    RootDiffers "root-differs" Critical "the root of the cosigned head";
    /// An entry that is no statement.
    StatementMalformed "statement-malformed" Critical "a signed statement in canonical bytes";
    /// A statement that its key did not sign.
    StatementSignature "statement-signature" Critical "a signature by the key that the statement names";
    /// A statement by a key that the journal never had.
    StatementKey "statement-key" Critical "a statement by a key of its journal";
    /// A statement by a key that had been given up, or was not yet in force.
    KeyNotInForce "key-not-in-force" Critical "a statement by the key in force at its place";
    /// A journal that begins otherwise than with a genesis.
    NoGenesis "no-genesis" High "a genesis before the first statement of a journal";
    /// Numbers of a journal are not in the log.
    NumberMissing "number-missing" Critical "the next number of the journal";
    /// A number of a journal is in the log twice.
    NumberRepeated "number-repeated" Critical "each number of a journal once";
    /// A statement does not follow the one before.
    ChainBroken "chain-broken" Critical "the hash of the statement before";
    /// A key event that changes nothing it should.
    KeyEventInvalid "key-event-invalid" Critical "a key event that the journal can take";
    /// A statement after the end of its journal.
    AfterEnd "after-end" Critical "nothing after the end of a journal";
    /// A statement after its key was revoked outside of the journal.
    AfterRevocation "after-revocation" Critical "nothing by a key that is revoked";
    /// A revocation outside of the journal that does not hold.
    RevocationInvalid "revocation-invalid" High "a revocation by the key that it revokes";
    /// A key was revoked.
    KeyRevoked "key-revoked" Note "";
    /// A statement names a head that is not of this log's history.
    ForeignHead "foreign-head" Critical "a known head of this log's history";
    /// What the log's own rules refuse is in it.
    NotAdmitted "not-admitted" High "an entry that the log's own rules let in";
    /// A statement of the log itself that does not hold.
    LogStatement "log-statement" Critical "a statement signed by the log, in the clear";
    /// Statements of the log itself are missing, or there twice.
    LogOrder "log-order" High "the next statement of the log's own journal";
    /// A sealed record is missing, or is no age file.
    SealedForm "sealed-form" High "a sealed record, an age file";
    /// A sealed record that none of the identities opens.
    RecordClosed "record-closed" Warning "a record that is sealed to the auditor";
    /// A record that is not the one to which its statement commits.
    RecordDiffers "record-differs" Critical "the record to which its statement commits";
    /// A record that cannot be read.
    RecordMalformed "record-malformed" High "a record in canonical bytes";
    /// A record of another kind than its statement.
    RecordKind "record-kind" Critical "a record of the kind that its statement says";
    /// A document signature that is none, or by another key.
    DocumentSignature "document-signature" Critical "a document signature by the key of the record";
    /// A document signature that the signer did not find good.
    NotVerified "not-verified" High "a signature that the signer verified before it released it";
    /// An operator whom the journal does not name.
    OperatorUnknown "operator-unknown" High "an operator whom the journal names";
    /// Fewer approvals than the genesis demands.
    ApprovalsMissing "approvals-missing" High "the approvals that the journal demands";
    /// An approval that does not hold.
    ApprovalInvalid "approval-invalid" Critical "approvals of this very signature";
    /// An approval that an earlier record used.
    ApprovalReused "approval-reused" High "an approval for one signature";
    /// The second factor was not given.
    FactorMissing "factor-missing" High "the second factor that the journal demands";
    /// A claimed time before the head that the record names.
    TimeBeforeHead "time-before-head" High "a time after the head that the record names";
    /// A claimed time after a head that covers the record.
    TimeAfterLogging "time-after-logging" High "a time before a head that covers the record";
    /// The signer's clock was known to be wrong.
    ClockWrong "clock-wrong" Warning "a clock that goes on";
    /// The signer noted that its clock was odd.
    ClockOdd "clock-odd" Note "a clock that goes on";
    /// The journal does not reach the tail that was written down.
    TailWithheld "tail-withheld" Critical "a journal as long as its tail on paper";
    /// The journal has another record at the tail that was written down.
    TailForked "tail-forked" Critical "the record of the tail on paper";
    /// A document in use that no record names.
    DocumentUnlogged "document-unlogged" High "a record of every document in use";
    /// A document in use with other bytes than its record.
    DocumentDiffers "document-differs" Critical "the bytes that were signed";
    /// A signature in use that is in no record.
    SignatureUnlogged "signature-unlogged" Critical "a record of every signature in use";
    /// A document in use whose record has a finding.
    DocumentDoubtful "document-doubtful" High "a record without a finding";
    /// The journal of who read records is broken.
    AccessBroken "access-broken" Critical "each access follows the one before";
    /// Records were opened by somebody whom nobody names.
    AccessUnknown "access-unknown" High "a reader who is named";
}

impl Kind {
    /// From its name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The entry, where it is of one.
    pub index: Option<u64>,
    /// Of which kind.
    pub kind: Kind,
    /// The signer's name, and the journal's.
    pub journal: Option<(String, String)>,
    /// The number in the journal.
    pub sequence: Option<u64>,
    /// The file, where it is of one: a path below the log, or a document.
    pub file: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// SHA-256 of the evidence file, where there is one.
    pub evidence: Option<Hash>,
}

impl Finding {
    /// Of a kind, with what its table says was expected.
    pub fn new(kind: Kind, found: impl std::fmt::Display) -> Finding {
        Finding {
            index: None,
            kind,
            journal: None,
            sequence: None,
            file: None,
            expected: kind.expected().into(),
            found: found.to_string(),
            evidence: None,
        }
    }

    /// At an entry.
    pub fn at(mut self, index: u64) -> Finding {
        self.index = Some(index);
        self
    }

    /// In a file.
    pub fn in_file(mut self, file: impl Into<String>) -> Finding {
        self.file = Some(file.into());
        self
    }

    /// In a journal, at a number.
    pub fn of(mut self, claims: &Claims, sequence: u64) -> Finding {
        self.journal = Some((claims.issuer.clone(), claims.subject.clone()));
        self.sequence = Some(sequence);
        self
    }

    /// What was expected, more exactly.
    pub fn expected(mut self, expected: impl std::fmt::Display) -> Finding {
        self.expected = expected.to_string();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| Kind::from_name(kind.name()) == Some(*kind)));
        assert!(Severity::ALL.iter().all(|one| Severity::from_name(one.name()) == Some(*one)));
    }
}
