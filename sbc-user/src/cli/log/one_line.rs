use std::fmt::Write as _;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Keeps each event on its line: what strangers wrote begins no other, and gives a terminal no orders.
#[derive(Clone)]
pub(super) struct OneLine<W> {
    pub(super) writer: W,
    pub(super) kept: Kept,
}

/// What stays of control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Nothing,
    /// The colours that the subscriber writes.
    Colours,
    /// Nothing, and the line stays JSON.
    Json,
}

pub(super) struct OneLineWriter<W> {
    writer: W,
    kept: Kept,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLineWriter { writer: self.writer.make_writer(), kept: self.kept }
    }
}

impl<W: Write> Write for OneLineWriter<W> {
    /// The subscriber writes an event in one piece.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = self.kept.line(text.strip_suffix('\n').unwrap_or(&text));
        self.writer.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What the subscriber begins and ends its colours with.
const COLOURS: [&str; 9] = ["[0m", "[1m", "[2m", "[3m", "[31m", "[32m", "[33m", "[34m", "[35m"];

impl Kept {
    fn line(self, text: &str) -> String {
        let mut line = String::with_capacity(text.len() + 1);
        for (place, letter) in text.char_indices() {
            if !letter.is_control() || self == Self::Colours && is_colour(text, place) {
                line.push(letter);
            } else if self == Self::Json {
                // They can stand only in strings.
                let _ = write!(line, "\\u{:04x}", u32::from(letter));
            } else {
                line.extend(letter.escape_default());
            }
        }
        line.push('\n');
        line
    }
}

fn is_colour(text: &str, place: usize) -> bool {
    let rest = text.get(place..).and_then(|rest| rest.strip_prefix('\u{1b}'));
    rest.is_some_and(|rest| COLOURS.iter().any(|colour| rest.starts_with(colour)))
}
