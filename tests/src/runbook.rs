//! The printed runbook, made from `docs/ceremony.md`: one page a phase, a row a step, with columns for the
//! time and for initials; in earnest, and to practise with.
//!
//! What the page may hold is little, and anything else is an error: `#` the title, `##` a printed page, `###`
//! a step (`3.2 Title`) or a form, paragraphs, lists, tables, and fenced blocks. `____` is a line to write on.

use anyhow::{Context, Result, bail};
use coldlog_spec::rehearsal::PREFIX;
use std::fmt::Write;
use std::path::Path;

/// Where the source is, and what is made of it.
pub const SOURCE: &str = "docs/ceremony.md";
/// The printed page, in earnest.
pub const PRINTED: &str = "docs/ceremony.html";
/// The printed page to practise with.
pub const TO_PRACTISE: &str = "docs/ceremony-rehearsal.html";

/// The parties of the runbook, as they begin their names.
const PARTIES: [&str; 6] =
    ["signer.example/", "log.example/", "w1.example/", "w2.example/", "w3.example/", "$w.example/"];

/// The source as it is followed in a rehearsal: the names are marked, and the commands say what they are.
pub fn rehearsed(source: &str) -> String {
    let mut text = source.replace(" init --", " init --rehearsal --");
    text = text.replace("verifier check ", "verifier check --rehearsal ");
    for party in PARTIES {
        text = text.replace(party, &format!("{PREFIX}{party}"));
    }
    text
}

/// Both printed pages, each with its path in the repository.
pub fn made(repository: &Path) -> Result<[(&'static str, String); 2]> {
    let path = repository.join(SOURCE);
    let source = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok([(PRINTED, page(&source, false)?), (TO_PRACTISE, page(&rehearsed(&source), true)?)])
}

/// Writes both.
pub fn make(repository: &Path) -> Result<()> {
    for (path, text) in made(repository)? {
        let path = repository.join(path);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The numbers of the steps, in the order of the source.
pub fn steps(source: &str) -> Vec<String> {
    let titles = source.lines().filter_map(|line| line.strip_prefix("### "));
    titles.filter_map(|title| Some(step_of(title)?.0.to_owned())).collect()
}

// `3.2 Title`
fn step_of(title: &str) -> Option<(&str, &str)> {
    let (number, rest) = title.split_once(' ')?;
    let digits = number
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (digits && number.contains('.')).then_some((number, rest))
}

const STYLE: &str = "
@page { size: A4; margin: 14mm 12mm; }
body { font: 10.5pt/1.35 serif; margin: 0 auto; max-width: 190mm; }
h1 { font-size: 18pt; } h2 { font-size: 15pt; border-bottom: 1pt solid; }
section { break-after: page; } section:last-of-type { break-after: auto; }
pre, code { font-family: monospace; font-size: 8.5pt; }
pre { background: #f2f2f2; padding: 2mm; white-space: pre-wrap; overflow-wrap: anywhere; margin: 1mm 0; }
table { border-collapse: collapse; width: 100%; } td, th { border: .5pt solid; padding: 1.5mm; vertical-align: top; text-align: left; }
tr.step { break-inside: avoid; } td.number { width: 9mm; font-weight: bold; } td.time, td.initials { width: 17mm; }
tr.form td { height: 9mm; }
.blank { display: inline-block; min-width: 45mm; border-bottom: .5pt solid; height: 1em; }
.box { display: inline-block; width: 3mm; height: 3mm; border: .7pt solid; margin-right: 2mm; }
ul { padding-left: 5mm; margin: 1mm 0; } li.check { list-style: none; }
.rehearsal { position: fixed; top: 0; left: 0; right: 0; text-align: center; font: bold 13pt sans-serif; background: #000; color: #fff; }
.rehearsal + main { margin-top: 10mm; }
";

/// A printed page.
fn page(source: &str, rehearsal: bool) -> Result<String> {
    let title = source.lines().next().and_then(|line| line.strip_prefix("# "));
    let title = title.context("the first line is the title")?;
    let (mark, banner) = match rehearsal {
        true => {
            ("REHEARSAL: ", "<div class=\"rehearsal\">REHEARSAL: nothing real is made here</div>\n")
        }
        false => ("", ""),
    };
    let mut html = format!(
        "<!DOCTYPE html>\n<!-- Made from {SOURCE} by `cargo runbook`: change that. -->\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{mark}{}</title>\n<style>{STYLE}</style></head><body>\n{banner}<main>\n<section>\n",
        inline(title)
    );
    let mut writer = Writer { html: &mut html, in_steps: false };
    let mut lines = source.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.is_empty() {
            continue;
        } else if let Some(fence) = line.strip_prefix("```") {
            let mut code = block(line, &mut lines, |next| next == "```");
            lines.next().with_context(|| format!("line {}: the block does not end", at + 1))?;
            code.remove(0);
            writer.code(fence, &code);
        } else if line.starts_with('#') {
            writer.heading(line).with_context(|| format!("line {}", at + 1))?;
        } else if line.starts_with('|') {
            writer.table(&block(line, &mut lines, |next| !next.starts_with('|')));
        } else if line.starts_with("- ") {
            writer.list(&block(line, &mut lines, str::is_empty));
        } else {
            writer.paragraph(&block(line, &mut lines, str::is_empty));
        }
    }
    writer.end_steps();
    html.push_str("</section>\n</main></body></html>\n");
    Ok(html)
}

type Numbered<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>;

// The lines that belong to the one that was read.
fn block<'a>(
    first: &'a str,
    lines: &mut Numbered<'a>,
    ends: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let mut block = vec![first];
    while let Some((_, next)) = lines.next_if(|(_, next)| !ends(next)) {
        block.push(next);
    }
    block
}

struct Writer<'a> {
    html: &'a mut String,
    in_steps: bool,
}

impl Writer<'_> {
    fn put(&mut self, text: impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.html, "{text}");
    }

    fn end_steps(&mut self) {
        if std::mem::take(&mut self.in_steps) {
            self.put("</td><td class=\"time\"></td><td class=\"initials\"></td></tr></table>");
        }
    }

    fn heading(&mut self, line: &str) -> Result<()> {
        let (level, title) = line.split_once(' ').context("a heading has a space")?;
        if let Some((number, title)) = step_of(title).filter(|_| level == "###") {
            if !self.in_steps {
                self.put("<table><tr><th>step</th><th>what</th><th>time (UTC)</th><th>initials</th></tr>");
            } else {
                self.put("</td><td class=\"time\"></td><td class=\"initials\"></td></tr>");
            }
            self.in_steps = true;
            self.put(format!(
                "<tr class=\"step\"><td class=\"number\">{number}</td><td><b>{}</b>",
                inline(title)
            ));
            return Ok(());
        }
        self.end_steps();
        let title = inline(title);
        match level {
            "#" => self.put(format!("<h1>{title}</h1>")),
            "##" => self.put(format!("</section>\n<section>\n<h2>{title}</h2>")),
            "###" => self.put(format!("<h3>{title}</h3>")),
            _ => bail!("a heading has one to three signs"),
        }
        Ok(())
    }

    fn code(&mut self, fence: &str, lines: &[&str]) {
        let kind = if fence.starts_with("console") { "console" } else { "typed" };
        self.put(format!("<pre class=\"{kind}\">{}</pre>", escape(&lines.join("\n"))));
    }

    fn list(&mut self, lines: &[&str]) {
        self.put("<ul>");
        let mut items: Vec<String> = Vec::new();
        for line in lines {
            match (line.strip_prefix("- "), items.last_mut()) {
                (Some(item), _) => items.push(item.into()),
                (None, Some(last)) => last.push_str(&format!(" {}", line.trim_start())),
                (None, None) => {}
            }
        }
        for item in items {
            match item.strip_prefix("[ ] ") {
                Some(item) => {
                    let item = inline(item);
                    self.put(format!("<li class=\"check\"><span class=\"box\"></span>{item}</li>"));
                }
                None => self.put(format!("<li>{}</li>", inline(&item))),
            }
        }
        self.put("</ul>");
    }

    fn table(&mut self, lines: &[&str]) {
        self.put("<table>");
        for (at, line) in lines.iter().enumerate() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            // The line under the head.
            if cells.iter().all(|cell| !cell.is_empty() && cell.bytes().all(|byte| byte == b'-')) {
                continue;
            }
            let tag = if at == 0 { "th" } else { "td" };
            let class = if cells.contains(&"____") { " class=\"form\"" } else { "" };
            let cells = cells.iter().map(|cell| match *cell {
                "____" => format!("<{tag}></{tag}>"),
                cell => format!("<{tag}>{}</{tag}>", inline(cell)),
            });
            let cells: String = cells.collect();
            self.put(format!("<tr{class}>{cells}</tr>"));
        }
        self.put("</table>");
    }

    fn paragraph(&mut self, lines: &[&str]) {
        self.put(format!("<p>{}</p>", inline(&lines.join(" "))));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

// `code`, **strong**, [a link](to), and lines to write on.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        if at % 2 == 1 {
            html.push_str(&format!("<code>{part}</code>"));
            continue;
        }
        for (at, part) in part.split("**").enumerate() {
            let part = links(part).replace("____", "<span class=\"blank\"></span>");
            html.push_str(&if at % 2 == 1 { format!("<b>{part}</b>") } else { part });
        }
    }
    html
}

fn links(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(label, after)| {
            let (to, after) = after.split_once(')')?;
            Some((label, to, after))
        });
        let Some((label, to, after)) = link else { break };
        html.push_str(&format!("{before}<a href=\"{to}\">{label}</a>"));
        rest = after;
    }
    html + rest
}
