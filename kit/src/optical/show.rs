//! Codes in a terminal's window, one after the other, until a key is pressed.

use super::{Show, Shown};
use crate::terminal::say;
use anyhow::{Context, Result, bail};
use coldlog_optical::code::{self, Version};
use coldlog_optical::screen;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, QueueSelector, Termios};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    columns: usize,
    rows: usize,
}

impl Window {
    fn now() -> Result<Window> {
        let size = termios::tcgetwinsize(std::io::stdout()).context("the window has no size")?;
        Ok(Window { columns: size.ws_col.into(), rows: size.ws_row.into() })
    }

    /// The largest code that it shows.
    pub(super) fn version(self) -> Result<Version> {
        let Window { columns, rows } = self;
        match Version::within(screen::room(columns, rows)) {
            Some(version) => Ok(version),
            None => {
                let side = Version::SMALLEST.modules() + 2 * code::QUIET;
                let needed = side.div_ceil(2) + screen::WORDS;
                bail!(
                    "the window has {columns} columns and {rows} rows, the smallest QR code takes {side} and {needed}: make it larger, or its letters smaller, or use another target of --qr"
                )
            }
        }
    }

    fn shows(self, version: Version) -> bool {
        version.modules() + 2 * code::QUIET <= screen::room(self.columns, self.rows)
    }
}

/// The window, if codes can be shown there.
pub(super) fn window_of(show: &Show) -> Result<Window> {
    if !std::io::stdout().is_terminal() {
        bail!(
            "--qr terminal shows codes in a window, and stdout is none: use another target of --qr"
        );
    }
    if show.loops.is_none() {
        // It would never end.
        File::open("/dev/tty").context("no keyboard to end it with: say --loops")?;
    }
    let window = Window::now()?;
    window.version()?;
    Ok(window)
}

/// Shows codes until a key is pressed, or for so many rounds.
pub(super) fn run(shown: &Shown, loops: Option<u64>) -> Result<()> {
    let frames = u64::from(shown.transfer.frames());
    let mut number = 0;
    {
        let keys = Keys::open();
        let screen = Screen::open()?;
        let mut window = None;
        while loops.is_none_or(|loops| number < frames.saturating_mul(loops)) {
            let until = Instant::now() + Duration::from_secs(1) / u32::from(shown.fps);
            let now = Window::now()?;
            let changed = window.replace(now) != Some(now);
            // A round shows other codes than the one before: what was missed is not missed again.
            if screen.draw(shown, number, now, changed)? {
                number += 1;
            }
            if keys.as_ref().is_some_and(|keys| keys.pressed(until)) {
                break;
            }
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }
    shown.lines().into_iter().for_each(say);
    say(format!("{number} codes were shown"));
    Ok(())
}

/// A window of its own, which gives back what stood there.
struct Screen;

impl Screen {
    fn open() -> Result<Screen> {
        write("\x1b[?1049h\x1b[?25l")?;
        Ok(Screen)
    }

    // Whether the code was shown.
    fn draw(&self, shown: &Shown, number: u64, window: Window, changed: bool) -> Result<bool> {
        let mut text = String::from(if changed { "\x1b[2J\x1b[H" } else { "\x1b[H" });
        let fits = window.shows(shown.version);
        if fits {
            let code = code::draw(&shown.transfer.frame(number), shown.version)?;
            text.push_str(&screen::to_text(&code, window.columns));
            let frames = u64::from(shown.transfer.frames());
            let words = format!(
                "{} {}: code {} of {frames}, round {}; any key ends it",
                shown.kind,
                shown.transfer.head().transfer,
                number % frames + 1,
                number / frames + 1
            );
            text.extend(words.chars().take(window.columns));
        } else {
            text.push_str("The window is too small now: make it larger, or press any key.");
        }
        text.push_str("\x1b[K");
        // Terminals that know of it show the picture when it is whole.
        write(&format!("\x1b[?2026h{text}\x1b[?2026l"))?;
        Ok(fits)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write("\x1b[?25h\x1b[?1049l");
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to the terminal")
}

/// The keyboard: keys are seen at once and not shown, ctrl-c among them, so that the window is given back.
struct Keys {
    terminal: File,
    before: Termios,
}

impl Keys {
    fn open() -> Option<Keys> {
        let terminal = File::open("/dev/tty").ok()?;
        let before = termios::tcgetattr(&terminal).ok()?;
        let mut seen = before.clone();
        seen.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        termios::tcsetattr(&terminal, OptionalActions::Now, &seen).ok()?;
        Some(Keys { terminal, before })
    }

    fn pressed(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return false };
        let mut terminal = [PollFd::new(&self.terminal, PollFlags::IN)];
        poll(&mut terminal, Some(&left)).is_ok_and(|ready| ready > 0)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // What was typed is not for the shell.
        let _ = termios::tcflush(&self.terminal, QueueSelector::IFlush);
        let _ = termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
