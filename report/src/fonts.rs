//! The fonts of the PDF, which are part of the program, and what they can show.

use std::fmt::Write;
use std::sync::LazyLock;
use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;

// Those that `report.typ` names. What the first lacks is looked for in the second.
const FAMILIES: [&str; 2] = ["Libertinus Serif", "DejaVu Sans Mono"];

/// The fonts, and their book.
pub(crate) struct Fonts {
    pub(crate) book: LazyHash<FontBook>,
    pub(crate) fonts: Vec<Font>,
}

/// They are parsed once.
pub(crate) static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
    let all = typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data)));
    let fonts: Vec<Font> =
        all.filter(|font| FAMILIES.contains(&font.info().family.as_str())).collect();
    Fonts { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts }
});

/// Whether the PDF can show a text as it is.
pub(crate) fn shows(text: &str) -> bool {
    text.chars().all(shows_letter)
}

/// A text with the letters that the PDF cannot show by their code points.
pub(crate) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if shows_letter(c) {
            safe.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", c.escape_unicode());
        }
    }
    safe
}

// Scripts that are written from left to right, a letter a character: others need shaping, from which a
// reader of the PDF could not always get the characters back, and PDF/UA and PDF/A forbid that.
fn shows_letter(c: char) -> bool {
    let simple = matches!(c, ' '..='~' | '\u{a0}'..='\u{24f}' | '\u{300}'..='\u{36f}'
        | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{2070}'..='\u{209c}' | '\u{20a0}'..='\u{20bf}'
        | '\u{2100}'..='\u{22ff}' | '\u{2500}'..='\u{25ff}');
    // Every face of a family has to have it: the bold one has to show it, too.
    let in_family = |family: &str| {
        let mut faces = FONTS.fonts.iter().filter(|font| font.info().family == family);
        faces.all(|font| font.info().coverage.contains(c.into()))
    };
    c.is_ascii_graphic() || c == ' ' || simple && FAMILIES.into_iter().any(in_family)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_europe_are_shown_and_what_is_not_is_shown_by_its_code_point() {
        assert!(super::shows("Zoë Łukasiewicz, Ωμέγα, Юлия – „2 €“ … → e\u{301}"));
        assert_eq!(super::safe("a中\u{5d0}😀"), "a\\u{4e2d}\\u{5d0}\\u{1f600}");
    }
}
