//! The sentences of the standard (C2SP tlog-witness, where nothing else is said) that the cases test.

pub(super) const POST: &str = "The request MUST be an HTTP POST.";
pub(super) const KEEP_ALIVE: &str =
    "Clients SHOULD use, and witnesses SHOULD support, HTTP keep-alive HTTP connections.";
pub(super) const BODY: &str = "The request body MUST be a sequence of an old size line, zero or more consistency proof lines, and an empty line, followed by a checkpoint.";
pub(super) const NEWLINES: &str = "Each line MUST terminate in a newline character (U+000A).";
pub(super) const OLD_LINE: &str = "The old size line MUST consist of the string `old`, a single space (0x20), and the tree size of the previous checkpoint encoded as an ASCII decimal with no leading zeroes.";
pub(super) const PROOF_LINE: &str =
    "Each consistency proof line MUST encode a single hash in base64.";
pub(super) const PROOF_LINES: &str =
    "The client MUST NOT send more than 63 consistency proof lines.";
pub(super) const NOTE: &str = "signed-note: Signed notes MUST be valid UTF-8 and MUST NOT contain any ASCII control characters (those below U+0020) other than newline.";
pub(super) const NOTE_LINES: &str = "signed-note: A signed note consists of a text ending in newline (U+000A), followed by a blank line (only a newline), followed by one or more signature lines.";
pub(super) const SIXTEEN: &str = "signed-note: Verifiers MUST accept at least up to 16 signatures. Remember that post-quantum signatures can be up to nearly 5kB in size.";
pub(super) const CHECKPOINT: &str = "tlog-checkpoint: The first line is the origin, the second line is the tree size, the ASCII decimal representation of the number of leaves in the tree, with no leading zeroes, the third line is the base64 encoding of the root.";
pub(super) const EXTENSION_LINES: &str = "tlog-cosignature: Extension lines MAY be included in the checkpoint by the log, and if present MUST be included in the cosigned message.";

pub(super) const SIGNATURE: &str = "The witness MUST verify the checkpoint signature against the public key(s) it trusts for the checkpoint origin.";
pub(super) const UNKNOWN_KEYS: &str = "It MUST ignore signatures from unknown keys.";
pub(super) const UNKNOWN_ORIGIN: &str =
    "If the checkpoint origin is unknown, the witness MUST respond with a 404 Not Found.";
pub(super) const UNTRUSTED: &str = "The witness MUST respond with a 403 Forbidden if no signature from a trusted key for the origin is present.";
pub(super) const FAILING: &str = "The witness MUST respond with a 403 Forbidden if a signature line's key name and ID match a trusted key but the signature itself fails to verify.";

pub(super) const OLD_LARGER: &str = "The old size MUST be equal to or lower than the checkpoint size. Otherwise, the witness MUST respond with a 400 Bad Request.";
pub(super) const CONFLICT: &str = "The witness MUST check that the old size matches the size of the latest checkpoint it cosigned. If it doesn't match, the witness MUST respond with a 409 Conflict. The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a newline (U+000A). The response MUST have a Content-Type of text/x.tlog.size.";
pub(super) const NEVER_COSIGNED: &str = "The witness MUST check that the old size matches the size of the latest checkpoint it cosigned for the checkpoint's origin (or zero if it never cosigned a checkpoint for that origin).";
pub(super) const EMPTY_ROOT: &str = "A checkpoint of size zero MUST have the root hash of the empty tree. Otherwise, the witness MUST respond with a 422 Unprocessable Entity.";
pub(super) const NO_PROOF: &str = "If the proof is not empty when the old size is zero, the witness MUST respond with a 422 Unprocessable Entity.";
pub(super) const PROOF: &str = "If a Merkle Consistency Proof doesn't verify, the witness MUST respond with a 422 Unprocessable Entity.";
pub(super) const SAME_SIZE: &str = "If the old size matches the checkpoint size, the witness MUST check that the root hashes are also identical. If they don't match, the witness MUST respond with a 422 Unprocessable Entity.";
pub(super) const MAY_LOG: &str = "The witness MAY log the request even if the checkpoint fails one of the consistency checks above (but MUST NOT cosign the checkpoint).";

pub(super) const SUCCESS: &str = "If all the checks above pass, the witness MUST update its record of the latest cosigned checkpoint and respond with a 200 Success.";
pub(super) const LINES: &str = "The response body MUST be a sequence of one or more note signature lines, each starting with the em dash (U+2014) and ending with a newline character (U+000A).";
pub(super) const COSIGNATURES: &str =
    "The signatures MUST be cosignatures from the witness key(s) on the checkpoint.";
pub(super) const TIMESTAMP: &str =
    "The cosignature MUST NOT omit the timestamp, i.e. the timestamp MUST NOT be zero.";
pub(super) const TIME: &str = "tlog-cosignature: `timestamp` is the time at which the cosignature was generated, as a POSIX timestamp.";
pub(super) const PERSIST: &str = "The witness MUST persist the new checkpoint before responding.";
pub(super) const ATOMIC: &str = "Checking the old size against the latest checkpoint and persisting the new checkpoint must be performed atomically.";

pub(super) const SUBTREE: &str = "sign-subtree: If the request is valid, the consistency proof verifies, and the checkpoint is validly signed by the witness, the witness MUST respond with a 200 Success. The response body MUST be a sequence of one or more note signature lines for the subtree. If the cosignature format supports timestamps, the timestamp MUST be zero.";
pub(super) const SUBTREE_ANY_KEY: &str = "sign-subtree: The witness MUST verify that the checkpoint includes a valid cosignature from one of its own keys.";
pub(super) const SUBTREE_KEYS: &str = "sign-subtree: The cosignature format MUST support subtree cosigning. The signatures SHOULD be ML-DSA-44 cosignatures.";
pub(super) const SUBTREE_RANGE: &str = "sign-subtree: The half-open interval [start, end) MUST be a valid subtree, and end MUST be less than or equal to the checkpoint size. If the request is invalid according to the rules above, the witness MUST respond with a 400 Bad Request.";
pub(super) const SUBTREE_BODY: &str = "sign-subtree: The request body MUST be a sequence of a subtree range line, a subtree hash line, zero or more consistency proof lines, and an empty line, followed by a reference checkpoint. If the request is invalid according to the rules above, the witness MUST respond with a 400 Bad Request.";
pub(super) const SUBTREE_PROOF: &str = "sign-subtree: If the Merkle Consistency Proof doesn't verify, the witness MUST respond with a 422 Unprocessable Entity.";
pub(super) const SUBTREE_ORIGIN: &str = "sign-subtree: If the checkpoint origin is unknown, the witness MUST respond with a 404 Not Found.";
pub(super) const SUBTREE_COSIGNED: &str = "sign-subtree: If the witness can't verify the checkpoint, it MUST respond with a 403 Forbidden.";

pub(super) const MONITOR: &str = "A witness SHOULD serve a recent checkpoint for each log it cosigned. It MUST include the cosignature(s) from the witness's key(s) that were returned from add-checkpoint and the cosignature from the log key(s) that the witness verified.";
pub(super) const MONITOR_NEVER: &str = "If the witness has never cosigned a checkpoint for that log, it MUST respond with a 404 Not Found instead.";
pub(super) const MONITOR_HASH: &str =
    "The origin hash is the SHA-256 hash of the log's origin, hex encoded, in lowercase.";
pub(super) const MONITOR_GET: &str = "The request MUST be an HTTP GET.";
