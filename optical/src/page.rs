//! One page that shows an animation by itself: no script, no network, nothing beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEFORE: &str = "data:image/gif;base64,";

/// The page; the texts are plain.
pub fn to_html(animation: &[u8], title: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("<p>{}</p>\n", plain(line))).collect();
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
html {{ background: white; color: black; text-align: center; font: 1rem sans-serif }}
body {{ margin: 0 }}
img {{ display: block; margin: auto; width: min(100vw, 100vh - 5rem); image-rendering: pixelated }}
p {{ margin: .2rem }}
</style>
<img alt="Animated QR codes" src="{BEFORE}{animation}">
{lines}"#,
        title = plain(title),
        animation = STANDARD.encode(animation),
    )
}

/// The animation of such a page.
pub fn from_html(page: &str) -> Option<Vec<u8>> {
    let (_, rest) = page.split_once(BEFORE)?;
    let (animation, _) = rest.split_once('"')?;
    STANDARD.decode(animation).ok()
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_animation_back_and_asks_nobody_for_anything() {
        let page = to_html(b"GIF89a and so on", "a <b> & \"c\"", &["<script>".into()]);
        assert_eq!(from_html(&page).unwrap(), b"GIF89a and so on");
        for word in ["<script", "http:", "https:", "//", "url(", "@import", "<link", "<iframe"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
        assert_eq!(from_html("<p>"), None);
        assert_eq!(from_html(&format!("{BEFORE}???\"")), None);
    }
}
