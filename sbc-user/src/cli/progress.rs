use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

/// What is shown of long work whose end is known.
const BOUNDED: &str = "{wide_bar} {percent:>3} %, {eta} left";
/// What is shown where it is not.
const UNBOUNDED: &str = "{spinner} {pos} {msg}";

/// Progress through so many bytes, on standard error where that is a terminal and standard output is none: lines of the answer
/// would go through it.
pub(super) fn through_bytes(length: u64) -> ProgressBar {
    if io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    styled(ProgressBar::new(length), BOUNDED)
}

/// Progress through things that are counted, on standard error where that is a terminal.
pub(super) fn counting(what: &'static str) -> ProgressBar {
    styled(ProgressBar::no_length(), UNBOUNDED).with_message(what)
}

/// A bar hides itself where standard error is no terminal.
fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_ones() {
        for template in [BOUNDED, UNBOUNDED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
