use std::env;
use std::fmt;
use std::io::IsTerminal;

/// Colours for a terminal, and for nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

/// What words are painted as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    Good,
    Doubtful,
    Bad,
    Aside,
}

impl Paint {
    /// For a stream: where it is a terminal, and nobody has asked for none (<https://no-color.org>).
    pub(super) fn on(stream: &impl IsTerminal) -> Self {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(stream.is_terminal() && !is_unwanted && !is_dumb)
    }

    /// No colours.
    pub(super) const PLAIN: Self = Self(false);

    /// The text in a tone.
    pub(super) fn tone<T: fmt::Display>(self, tone: Tone, text: T) -> String {
        let code = match tone {
            Tone::Good => 32,
            Tone::Doubtful => 33,
            Tone::Bad => 31,
            Tone::Aside => 2,
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_is_painted_on() {
        assert_eq!(Paint::PLAIN.tone(Tone::Bad, "dead"), "dead");
        assert_eq!(Paint(true).tone(Tone::Bad, "dead"), "\x1b[31mdead\x1b[0m");
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Paint::on(&file).tone(Tone::Good, 1), "1");
    }
}
