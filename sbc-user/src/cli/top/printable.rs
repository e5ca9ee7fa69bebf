use std::borrow::Cow;

/// The same text without what a terminal would obey: control characters, and characters that turn the direction of
/// what follows. Names of users may come from strangers.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_command) {
        return Cow::Borrowed(text);
    }
    let shown = |letter| if is_command(letter) { char::REPLACEMENT_CHARACTER } else { letter };
    Cow::Owned(text.chars().map(shown).collect())
}

fn is_command(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns || matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_would_obey_is_left() {
        assert!(matches!(printable("user zoë@example.com"), Cow::Borrowed(_)));
        for (text, expected) in [
            ("a\u{1b}[2Jb", "a\u{fffd}[2Jb"),
            ("a\u{9b}31mb", "a\u{fffd}31mb"),
            ("a\r\nb\0\u{7f}", "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}"),
            ("a\u{202e}b\u{2066}", "a\u{fffd}b\u{fffd}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
