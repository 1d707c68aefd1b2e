//! `cargo runbook`: makes the printed pages of the ceremony from `docs/ceremony.md`.

use coldlog_tests::runbook;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match runbook::make(&repository) {
        Ok(()) => {
            println!("made {} and {}", runbook::PRINTED, runbook::TO_PRACTISE);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("runbook: {why:#}");
            ExitCode::from(2)
        }
    }
}
