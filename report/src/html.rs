//! The report as one HTML page: no script, nothing loaded, its own style and no other. It has light and
//! dark colours and prints.

use crate::content::{Block, Column, Content, Line, Plot, Style, Table};
use crate::plot::{Drawing, LETTERS, Shape, WIDTH};
use crate::text;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("report.css");

/// The page.
pub fn render(content: &Content) -> String {
    let mut page = Page { out: head(content), sections: 0, plots: 0 };
    page.out += &contents(&content.blocks);
    page.out += "<main id=\"content\">\n";
    let mut open = false;
    for (place, block) in content.blocks.iter().enumerate() {
        if let Block::Heading { level: 1, .. } = block {
            page.out += if open { "</section>\n" } else { "" };
            page.out += &format!("<section aria-labelledby=\"section-{}\">\n", page.sections + 1);
            open = true;
        }
        page.block(block, content.blocks.get(place + 1));
    }
    page.out += if open { "</section>\n" } else { "" };
    page.out += &format!("</main>\n<footer><p>{}</p></footer>\n", escape(&content.running));
    page.out += "</body>\n</html>\n";
    page.out
}

// Everything before the navigation. The policy allows the one style by its hash and nothing else.
fn head(content: &Content) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let title = escape(&content.title);
    format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"referrer\" content=\"no-referrer\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"author\" content=\"{author}\">
<meta name=\"date\" content=\"{made}\">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<a class=\"skip\" href=\"#content\">Skip to the report</a>
<header>
<h1>{title}</h1>
<p>{subtitle}</p>
</header>
",
        author = escape(&content.author),
        made = text::time(content.made),
        subtitle = escape(&content.subtitle),
    )
}

fn contents(blocks: &[Block]) -> String {
    let mut out = String::from(
        "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ul>\n",
    );
    let mut section = 0;
    for block in blocks {
        if let Block::Heading { level: 1, text } = block {
            section += 1;
            out += &format!("<li><a href=\"#section-{section}\">{}</a></li>\n", escape(text));
        }
    }
    out + "</ul>\n</nav>\n"
}

struct Page {
    out: String,
    sections: usize,
    plots: usize,
}

impl Page {
    fn block(&mut self, block: &Block, next: Option<&Block>) {
        match block {
            Block::Heading { level: 1, text } => {
                self.sections += 1;
                let text = escape(text);
                self.out += &format!("<h2 id=\"section-{}\">{text}</h2>\n", self.sections);
            }
            Block::Heading { text, .. } => self.out += &format!("<h3>{}</h3>\n", escape(text)),
            Block::Paragraph(text) => {
                // What introduces a command stays with it on paper.
                let class =
                    if matches!(next, Some(Block::Code(_))) { " class=\"lead\"" } else { "" };
                self.out += &format!("<p{class}>{}</p>\n", escape(text));
            }
            Block::Note(text) => {
                self.out += &format!("<p class=\"note\" role=\"note\">{}</p>\n", escape(text));
            }
            Block::List(texts) => {
                let points = texts.iter().map(|text| format!("<li>{}</li>\n", escape(text)));
                self.out += &format!("<ul>\n{}</ul>\n", points.collect::<String>());
            }
            Block::Table(table) => self.table(table),
            Block::Plot(plot) => self.plot(plot),
            Block::Code(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
                self.out += &format!("<pre><code>{}</code></pre>\n", lines.join("\n"));
            }
        }
    }

    fn table(&mut self, table: &Table) {
        let caption = escape(&table.caption);
        self.out += &format!("<table>\n<caption>{caption}</caption>\n<colgroup>");
        // Widths by classes: the page's own policy forbids style attributes.
        let all: usize = table.columns.iter().map(|column| usize::from(column.share)).sum();
        for column in &table.columns {
            let percent = usize::from(column.share) * 20 / all.max(1) * 5;
            self.out += &format!("<col class=\"w{percent}\">");
        }
        self.out += "</colgroup>\n<thead><tr>";
        for column in &table.columns {
            let class = number_class(column);
            self.out += &format!("<th scope=\"col\"{class}>{}</th>", escape(column.name));
        }
        self.out += "</tr></thead>\n<tbody>\n";
        for row in &table.rows {
            self.out += "<tr>";
            for (place, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
                let lines: String = cell.iter().map(cell_line).collect();
                let class = number_class(column);
                self.out += &match place {
                    0 => format!("<th scope=\"row\"{class}>{lines}</th>"),
                    _ => format!("<td{class}>{lines}</td>"),
                };
            }
            self.out += "</tr>\n";
        }
        self.out += "</tbody>\n</table>\n";
    }

    fn plot(&mut self, plot: &Plot) {
        self.plots += 1;
        let (n, title) = (self.plots, escape(&plot.title));
        self.out += &format!(
            "<figure>\n<figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-labelledby=\"plot-{n} plot-{n}-text\">\n<title id=\"plot-{n}\">{title}</title>\n<desc id=\"plot-{n}-text\">{}</desc>\n{}</svg>\n</figure>\n",
            plot.drawing.height,
            escape(&plot.description),
            shapes(&plot.drawing)
        );
    }
}

fn number_class(column: &Column) -> &'static str {
    if column.numbers { " class=\"number\"" } else { "" }
}

fn cell_line(line: &Line) -> String {
    let text = escape(&line.text);
    match line.style {
        Style::Plain => format!("<div>{text}</div>"),
        Style::Strong => format!("<div><strong>{text}</strong></div>"),
        Style::Code => format!("<div><code>{text}</code></div>"),
    }
}

fn shapes(drawing: &Drawing) -> String {
    let mut out = String::new();
    for shape in &drawing.shapes {
        out += &match shape {
            Shape::Line { from: (x1, y1), to: (x2, y2) } => {
                format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>\n")
            }
            Shape::Bar { at: (x, y), size: (width, height) } => {
                format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n")
            }
            Shape::Text { at: (x, y), anchor, text } => {
                // A text stands on its baseline, a third of its letters below the middle.
                let (y, anchor, text) = (y + LETTERS / 3.0, anchor.name(), escape(text));
                format!("<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
            }
        };
    }
    out
}

/// A text for an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}
