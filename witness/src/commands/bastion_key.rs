//! `witness bastion-key`: what a bastion's operator has to know of this witness (C2SP https-bastion).

use crate::place;
use coldlog_kit::exit::Outcome;
use coldlog_kit::report::{self, Report};
use coldlog_web::BackendKey;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// Where a witness keeps it. It is not the witness's key: whoever has it can get between a bastion and the
/// witness, and cosign nothing.
pub const FILE: &str = "bastion.key";

/// Runs the command.
pub fn run(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        place::must_be_home(home)?;
        let key = BackendKey::load_or_make(&home.join(FILE))?;
        let hash = key.hash().to_hex();
        let mut public = String::new();
        for byte in key.public() {
            write!(public, "{byte:02x}")?;
        }
        let fields = json!({"key_hash": hash, "public_key": public});
        let text = vec![
            format!("key hash    {hash}"),
            format!("public key  {public}"),
            format!(
                "Give the key hash to the bastion's operator: this witness is then at https://BASTION/{hash}"
            ),
        ];
        Ok(Report { text, fields })
    })
}
