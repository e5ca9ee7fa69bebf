//! What stands on the terminal.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

use anyhow::{Error, Result, bail};

use super::record::{Check, Record, Step};

/// Columns of a paragraph.
const TEXT_WIDTH: usize = 84;

/// Columns of a check: what it is about at the left, the value at the right.
const CHECK_WIDTH: usize = 78;

/// Tells the story, and keeps the record.
pub(super) struct Narrator {
    has_colours: bool,
    /// Whether the last line was a check, so that the next one follows without a gap.
    is_checking: bool,
    record: Record,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Dim,
    Green,
    Red,
}

impl Narrator {
    pub(super) fn new() -> Self {
        let has_colours = io::stdout().is_terminal();
        Self { has_colours, is_checking: false, record: Record::default() }
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    pub(super) fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, name: &'static str) {
        let title = format!("{}. {name}", self.record.steps.len());
        self.record.steps.push(Step { name, checks: Vec::new() });
        self.begin();
        write_line(&self.paint(Colour::Bold, &title));
    }

    /// A paragraph; its lines are broken here.
    pub(super) fn say(&mut self, text: &str) {
        self.begin();
        let mut line = String::new();
        for word in text.split_whitespace() {
            if line.len() + 1 + word.len() > TEXT_WIDTH {
                write_line(&format!("  {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        write_line(&format!("  {line}"));
    }

    /// Something to look at, with its own lines.
    pub(super) fn show(&mut self, text: &str) {
        self.begin();
        for line in text.trim_end().lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            write_line(&self.paint(Colour::Dim, &format!("{indent}{line}")));
        }
    }

    /// Checks that something is what it has to be.
    pub(super) fn check(
        &mut self,
        what: &str,
        want: impl Display,
        got: impl Display,
    ) -> Result<()> {
        let (want, got) = (want.to_string(), got.to_string());
        let ok = want == got;
        self.judge(Check { what: what.to_owned(), want, got, ok })
    }

    /// Checks a count that a retransmission may raise.
    pub(super) fn check_at_least(&mut self, what: &str, want: u64, got: u64) -> Result<()> {
        let ok = got >= want;
        let (want, got) = (format!("at least {want}"), got.to_string());
        self.judge(Check { what: what.to_owned(), want, got, ok })
    }

    /// Why the story ends early.
    pub(super) fn fail(&mut self, error: &Error) {
        self.begin();
        write_line(&format!("  {}", self.paint(Colour::Red, &format!("{error:#}"))));
    }

    /// The last line.
    pub(super) fn end(&mut self, ending: &str) {
        self.begin();
        write_line(&format!("demo: {ending}"));
    }

    fn judge(&mut self, check: Check) -> Result<()> {
        let Check { what, want, got, ok } = &check;
        if !self.is_checking {
            self.begin();
            self.is_checking = true;
        }
        let failure = format!("{what}: expected {want}, seen {got}");
        if *ok {
            let room = CHECK_WIDTH.saturating_sub(what.len() + 1);
            write_line(&format!("  {}  {what} {got:>room$}", self.paint(Colour::Green, "ok")));
        } else {
            write_line(&format!("  {}  {failure}", self.paint(Colour::Red, "FAILED")));
        }
        let is_met = *ok;
        if let Some(step) = self.record.steps.last_mut() {
            step.checks.push(check);
        }
        if sbc_tests::is_interrupted() {
            bail!("interrupted");
        }
        if !is_met {
            bail!(failure);
        }
        Ok(())
    }

    /// The gap before everything but a further check.
    fn begin(&mut self) {
        self.is_checking = false;
        write_line("");
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.has_colours || text.is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Bold => 1,
            Colour::Dim => 2,
            Colour::Green => 32,
            Colour::Red => 31,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn write_line(text: &str) {
    // Whoever stops reading can still learn the ending from the exit code.
    let _ = writeln!(io::stdout(), "{text}");
}
