//! Reports on a log, for management and for counsel: one plain [`model`], one tree of blocks made of it
//! ([`content`]), and two files that both walk this tree: a self-contained HTML page ([`html`]) and a
//! tagged PDF ([`pdf`]). The same model gives the same bytes, so that a report can be made again and
//! compared, and its digest be signed and logged. The [`register`] carries findings from report to report.
//!
//! Nothing here reads or writes files, asks a clock or the network.

pub mod content;
mod fonts;
pub mod glossary;
pub mod html;
pub mod model;
pub mod pdf;
pub mod plot;
pub mod register;
pub mod text;

pub use model::Report;

/// Both files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The HTML page.
    pub html: String,
    /// The PDF.
    pub pdf: Vec<u8>,
}

/// Makes both files of a report.
///
/// # Errors
/// When the PDF does not conform to its standards; see [`pdf::PdfError`].
pub fn render(report: &Report) -> Result<Files, pdf::PdfError> {
    let content = content::of(report);
    Ok(Files { html: html::render(&content), pdf: pdf::render(&content)? })
}
