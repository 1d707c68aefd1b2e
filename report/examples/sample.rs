//! Writes sample reports to look at: `cargo run -p coldlog-report --example sample -- FOLDER`

#[path = "../tests/sample/mod.rs"]
mod sample;

use coldlog_report::{Report, render};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    let samples = [
        ("quarter", sample::quarter()),
        ("empty", Report::default()),
        ("hostile", sample::hostile()),
        ("large", sample::with_findings(5_000)),
    ];
    for (name, report) in samples {
        let start = Instant::now();
        let files = render(&report)?;
        std::fs::write(folder.join(format!("{name}.html")), &files.html)?;
        std::fs::write(folder.join(format!("{name}.pdf")), &files.pdf)?;
        println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
