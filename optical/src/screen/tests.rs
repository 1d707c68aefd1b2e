use super::*;
use crate::code::{Version, draw};
use crate::frame::Kind;
use crate::picture::{Grey, lines};
use crate::sending::Outgoing;

/// What a terminal would show, each module as so many pixels.
fn pixels(text: &str, columns: usize, scale: usize) -> Grey {
    let rows: Vec<&str> = text.lines().collect();
    let (width, height) = (columns * scale, rows.len() * 2 * scale);
    let mut pixels = vec![0; width * height];
    for (row, line) in rows.iter().enumerate() {
        let (before, rest) = line.split_once("\x1b[38;5;16;48;5;231m").unwrap();
        let (ink, _) = rest.split_once("\x1b[0m").unwrap();
        for (column, c) in ink.chars().enumerate() {
            let halves = match c {
                ' ' => [255, 255],
                '\u{2580}' => [0, 255],
                '\u{2584}' => [255, 0],
                _ => [0, 0],
            };
            for y in 0..2 * scale {
                let place = (row * 2 * scale + y) * width + (before.len() + column) * scale;
                pixels[place..place + scale].fill(halves[y / scale]);
            }
        }
    }
    Grey { width, height, pixels }
}

#[test]
fn what_a_terminal_shows_is_read_whatever_its_colours() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let version = Version::within(room(columns, rows)).unwrap();
        let outgoing = Outgoing::new(Kind::Batch, &[7; 3000]).unwrap();
        let frame = outgoing.cut(version.symbol_size()).unwrap().frame(0);
        let text = to_text(&draw(&frame, version).unwrap(), columns);
        assert!(text.lines().count() + WORDS <= rows);
        assert_eq!(lines(&pixels(&text, columns, 4)), Ok(vec![frame.encode()]), "{columns}x{rows}");
    }
}

#[test]
fn a_window_has_so_much_room() {
    assert_eq!((room(80, 24), room(40, 24), room(80, 0)), (46, 40, 0));
}
