//! The report as a PDF: tagged for screen readers (PDF/UA-1), fit for archives (PDF/A-2a), its fonts
//! embedded. It is set by Typst, whose whole world here is one template, the content as JSON, which the
//! template only ever shows and never reads as markup, and the fonts.

use crate::content::{Block, Cell, Column, Content, Line, Plot, Table};
use crate::fonts::{self, FONTS};
use crate::plot::{Drawing, LETTERS, Shape, WIDTH};
use crate::text;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

const TEMPLATE: &str = include_str!("report.typ");

/// The report does not become a PDF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the report does not become a PDF: expected one that conforms to PDF/UA-1 and PDF/A-2a, found: {0}; make the HTML page only, and tell us which text it was"
)]
pub struct PdfError(pub String);

/// The PDF.
///
/// # Errors
/// When it does not conform to its standards.
pub fn render(content: &Content) -> Result<Vec<u8>, PdfError> {
    let data = to_json(content).to_string().into_bytes();
    let ident = hex(&Sha256::digest(&data));
    let world = Folder::new(data)?;
    let document = typst::compile::<PagedDocument>(&world).output.map_err(|why| error(&why))?;
    let standards = PdfStandards::new(&[PdfStandard::Ua_1, PdfStandard::A_2a]);
    let options = PdfOptions {
        ident: Smart::Custom(ident),
        creator: Smart::Custom(Some(concat!("Coldlog ", env!("CARGO_PKG_VERSION")).into())),
        timestamp: timestamp(content.made),
        standards: standards.map_err(|why| PdfError(why.message().to_string()))?,
        ..PdfOptions::default()
    };
    let pdf = typst_pdf::pdf(&document, &options).map_err(|why| error(&why));
    // What Typst remembers of a document is of no use for the next one.
    typst::comemo::evict(0);
    pdf
}

fn timestamp(seconds: u64) -> Option<Timestamp> {
    let [year, month, day, hour, minute, second] = text::parts(seconds);
    // Each of them but the year is below 60.
    let date = Datetime::from_ymd_hms(
        year.into(),
        month as u8,
        day as u8,
        hour as u8,
        minute as u8,
        second as u8,
    );
    date.map(Timestamp::new_utc)
}

fn error(all: &[SourceDiagnostic]) -> PdfError {
    PdfError(all.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join("; "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// All that the template can see.
struct Folder {
    library: LazyHash<Library>,
    template: Source,
    data: (FileId, Bytes),
}

impl Folder {
    fn new(data: Vec<u8>) -> Result<Folder, PdfError> {
        let id = |name| {
            let path = VirtualPath::new(name).map_err(|why| PdfError(why.to_string()))?;
            Ok(RootedPath::new(VirtualRoot::Project, path).intern())
        };
        Ok(Folder {
            library: LazyHash::new(Library::default()),
            template: Source::new(id("report.typ")?, TEMPLATE.into()),
            data: (id("data.json")?, Bytes::new(data)),
        })
    }
}

impl World for Folder {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }
    fn book(&self) -> &LazyHash<FontBook> {
        &FONTS.book
    }
    fn main(&self) -> FileId {
        self.template.id()
    }
    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() {
            Ok(self.template.clone())
        } else {
            Err(FileError::AccessDenied)
        }
    }
    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.data.0 { Ok(self.data.1.clone()) } else { Err(FileError::AccessDenied) }
    }
    fn font(&self, index: usize) -> Option<Font> {
        FONTS.fonts.get(index).cloned()
    }
    // The same model gives the same bytes, whatever day it is.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

fn to_json(content: &Content) -> Value {
    json!({
        "title": fonts::safe(&content.title),
        "subtitle": pieces(&content.subtitle),
        "running": pieces(&content.running),
        "author": fonts::safe(&content.author),
        "letters": LETTERS,
        "blocks": content.blocks.iter().map(block).collect::<Value>(),
    })
}

fn block(block: &Block) -> Value {
    match block {
        // The outline takes a heading's text as it is.
        Block::Heading { level, text } => {
            json!({"kind": "heading", "level": level, "text": fonts::safe(text)})
        }
        Block::Paragraph(text) => json!({"kind": "paragraph", "text": pieces(text)}),
        Block::Note(text) => json!({"kind": "note", "text": pieces(text)}),
        Block::List(texts) => json!({"kind": "list", "points": all_pieces(texts)}),
        Block::Code(lines) => json!({"kind": "code", "lines": all_pieces(lines)}),
        Block::Table(table) => to_table(table),
        Block::Plot(plot) => to_plot(plot),
    }
}

fn to_table(table: &Table) -> Value {
    let column = |column: &Column| json!({"name": column.name, "share": column.share, "numbers": column.numbers});
    let line = |line: &Line| json!({"text": pieces(&line.text), "style": line.style.name()});
    let cells = table.rows.iter().flat_map(|row| {
        let whole = fits_a_page(row);
        row.iter().map(
            move |cell| json!({"whole": whole, "lines": cell.iter().map(line).collect::<Value>()}),
        )
    });
    json!({
        "kind": "table",
        "caption": pieces(&table.caption),
        "columns": table.columns.iter().map(column).collect::<Value>(),
        "cells": cells.collect::<Value>(),
    })
}

// A row goes over to the next page as a whole, unless it could be too long for any.
fn fits_a_page(row: &[Cell]) -> bool {
    let letters = row.iter().flatten().map(|line| line.text.chars().count());
    row.iter().all(|cell| cell.len() <= 12) && letters.sum::<usize>() <= 800
}

fn to_plot(plot: &Plot) -> Value {
    let Drawing { height, shapes } = &plot.drawing;
    let shape = |shape: &Shape| match shape {
        Shape::Line { from, to } => json!({"kind": "line", "from": from, "to": to}),
        Shape::Bar { at, size } => json!({"kind": "bar", "at": at, "size": size}),
        Shape::Text { at, anchor, text } => {
            json!({"kind": "text", "at": at, "anchor": anchor.name(), "text": fonts::safe(text)})
        }
    };
    json!({
        "kind": "plot",
        "title": pieces(&plot.title),
        "description": fonts::safe(&plot.description),
        "width": WIDTH,
        "height": height,
        "shapes": shapes.iter().map(shape).collect::<Value>(),
    })
}

fn all_pieces(texts: &[String]) -> Value {
    texts.iter().map(|text| pieces(text)).collect()
}

/// The longest word that stays whole, and where a longer one may be broken: without a character that
/// somebody who copies a hash from the PDF would copy with it.
const WORD: usize = 16;
const PIECE: usize = 4;

// A text as the template takes it: a string or, with words that are longer than a narrow column, the
// pieces between which a line may end.
fn pieces(text: &str) -> Value {
    let text = fonts::safe(text);
    let mut pieces = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let letters = word.chars().count();
        let plain = word.chars().all(|c| c.is_alphabetic() || c == ' ');
        let whole = letters <= if plain { WORD + WORD / 2 } else { WORD };
        for (place, c) in word.chars().enumerate() {
            if !whole && place > 0 && place % PIECE == 0 && !text::is_mark(c) && c != ' ' {
                pieces.push(String::new());
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(c);
            }
        }
    }
    if pieces.len() == 1 { json!(pieces.concat()) } else { json!(pieces) }
}
