//! What is shipped.

/// How a program finds the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// It has it inside, and runs where nothing else is.
    Static,
    /// From the system. Needed to load a PKCS#11 module, and for whatever resolves host names there.
    Dynamic,
}

/// A program of a release.
#[derive(Debug)]
pub struct Program {
    /// Its name, which is its file's name as well.
    pub name: &'static str,
    /// The crate that it is built from.
    pub package: &'static str,
    /// The Debian package that installs it.
    pub debian: &'static str,
    /// How it is linked.
    pub linking: Linking,
    /// A feature that it is built with; where the crate has no such feature, it is not built.
    pub feature: Option<&'static str>,
    /// What it is, in one line, for the package's description.
    pub summary: &'static str,
    /// What it does, in whole sentences.
    pub about: &'static str,
}

impl Program {
    /// The name of its file in a folder that holds all programs.
    pub fn file(&self) -> String {
        self.feature.map_or(self.name.into(), |feature| format!("{}-{feature}", self.name))
    }

    /// What cargo is told of features. The defaults are for dynamic programs: what a static one cannot do is
    /// among them.
    pub fn features(&self) -> Vec<&'static str> {
        let mut told = self.feature.map_or(Vec::new(), |feature| vec!["--features", feature]);
        if self.linking == Linking::Static {
            told.push("--no-default-features");
        }
        told
    }

    /// Whether it lies in the release by itself as well: one file to carry to an offline machine.
    pub fn is_bare(&self) -> bool {
        self.linking == Linking::Static
    }
}

/// The feature of the signer that loads a token's module, for which it must be dynamic.
pub const PKCS11: &str = "pkcs11";

/// All programs.
pub const PROGRAMS: [Program; 6] = [
    Program {
        name: "verifier",
        package: "coldlog-verifier",
        debian: "coldlog-verifier",
        linking: Linking::Static,
        feature: None,
        summary: "checks proofs that signatures were logged",
        about: "The verifier checks documents, proofs, tree heads and whole journals, offline; it trusts nothing but the policy that it is given.",
    },
    Program {
        name: "signer",
        package: "coldlog-signer",
        debian: "coldlog-signer",
        linking: Linking::Static,
        feature: None,
        summary: "offline signer that records every signature",
        about: "The signer is for a machine without a network: it records each signature durably before it releases it. This build needs nothing else on the machine; it cannot load PKCS#11 modules.",
    },
    Program {
        name: "signer",
        package: "coldlog-signer",
        debian: "coldlog-signer-pkcs11",
        linking: Linking::Dynamic,
        feature: Some(PKCS11),
        summary: "offline signer, for keys in PKCS#11 tokens",
        about: "The signer is for a machine without a network: it records each signature durably before it releases it. This build loads the PKCS#11 module of a hardware token.",
    },
    Program {
        name: "log",
        package: "coldlog-log",
        debian: "coldlog-log",
        linking: Linking::Dynamic,
        feature: None,
        summary: "transparency log for the signatures of offline keys",
        about: "The log verifies batches of records, appends them to a Merkle tree that any web server can publish, and answers with receipts.",
    },
    Program {
        name: "witness",
        package: "coldlog-witness",
        debian: "coldlog-witness",
        linking: Linking::Dynamic,
        feature: None,
        summary: "cosigns tree heads that extend the last one seen",
        about: "The witness remembers the newest head of each log that it watches, and cosigns only what extends it (C2SP tlog-witness).",
    },
    Program {
        name: "mirror",
        package: "coldlog-mirror",
        debian: "coldlog-mirror",
        linking: Linking::Dynamic,
        feature: None,
        summary: "holds every byte of a log and cosigns what it can serve",
        about: "The mirror keeps a copy of a log and cosigns only heads that it can serve whole (C2SP tlog-mirror).",
    },
];
