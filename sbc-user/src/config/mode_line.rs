use sbc_common::Mode;
use serde::Deserialize;
use toml::Spanned;

/// The keys of the configuration that say where its mode stands, or would stand.
#[derive(Deserialize)]
struct Beginning {
    version: Spanned<u32>,
    mode: Option<Spanned<String>>,
}

/// The text of a configuration with another mode in it, and every other byte as it is. Where there is no mode, it
/// gets a line of its own after the version.
pub fn with_mode(text: &str, mode: Mode) -> Result<String, toml::de::Error> {
    let beginning: Beginning = toml::from_str(text)?;
    let (before, line, after) = match beginning.mode {
        Some(present) if present.as_ref() == mode.name() => return Ok(text.to_owned()),
        Some(present) => {
            let (before, after) = around(text, present.span().start, present.span().end);
            (before, format!("\"{}\"", mode.name()), after)
        }
        None => {
            let rest = text.get(beginning.version.span().end..).unwrap_or_default();
            // An integer ends in its line, and a comment behind it too.
            let end = rest.find('\n').map_or(text.len(), |end| text.len() - rest.len() + end + 1);
            let (before, after) = around(text, end, end);
            let newline = if before.ends_with("\r\n") { "\r\n" } else { "\n" };
            let begin = if before.ends_with('\n') { "" } else { newline };
            (before, format!("{begin}mode = \"{}\"{newline}", mode.name()), after)
        }
    };
    Ok([before, &line, after].concat())
}

fn around(text: &str, start: usize, end: usize) -> (&str, &str) {
    (text.get(..start).unwrap_or(text), text.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mode_is_changed_and_nothing_else_is() {
        for (text, expected) in [
            (
                "version = 1\nmode = \"observe\" # at first\n",
                "version = 1\nmode = \"enforce\" # at first\n",
            ),
            ("mode=\t'observe'\r\nversion = 1\r\n", "mode=\t\"enforce\"\r\nversion = 1\r\n"),
            ("version = 1\n\"mode\" = '''observe'''", "version = 1\n\"mode\" = \"enforce\""),
            (
                "\u{feff}version = 1\nmode = \"observe\"\n",
                "\u{feff}version = 1\nmode = \"enforce\"\n",
            ),
            ("version = 1\nmode = \"enforce\"", "version = 1\nmode = \"enforce\""),
            ("version = 1\nmode = 'enforce'", "version = 1\nmode = 'enforce'"),
            (
                "version = 1 # mode = \"observe\"\n\n[users]\n",
                "version = 1 # mode = \"observe\"\nmode = \"enforce\"\n\n[users]\n",
            ),
            ("version = 1\r\n[users]\r\n", "version = 1\r\nmode = \"enforce\"\r\n[users]\r\n"),
            ("version = 1", "version = 1\nmode = \"enforce\"\n"),
            (
                "# ä\nversion = 1\n[kernel]\nmode = \"observe\"\n",
                "# ä\nversion = 1\nmode = \"enforce\"\n[kernel]\nmode = \"observe\"\n",
            ),
        ] {
            assert_eq!(with_mode(text, Mode::Enforce).unwrap(), expected);
        }
        for text in
            ["", "mode = \"observe\"", "version = 1\nmode = 3\n", "version = 1\nversion = 1\n"]
        {
            assert!(with_mode(text, Mode::Enforce).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_surrounds_the_mode_stays_byte_for_byte(
            comment in "[ -~äß]{0,20}",
            (gap, newline) in ("[ \t]{0,3}", prop_oneof![Just("\n"), Just("\r\n")]),
            is_first in any::<bool>(),
        ) {
            let version = format!("version{gap}= 1 #{comment}{newline}");
            let line = |mode: &str| format!("mode{gap}={gap}\"{mode}\"{gap}#{comment}{newline}{newline}");
            let rest = format!("[a]{gap}#{comment}{newline}mode = \"observe\"{newline}");
            let text = |mode: &str| {
                if is_first { line(mode) + &version + &rest } else { version.clone() + &line(mode) + &rest }
            };
            prop_assert_eq!(with_mode(&text("observe"), Mode::Enforce).unwrap(), text("enforce"));
            prop_assert_eq!(with_mode(&text("enforce"), Mode::Observe).unwrap(), text("observe"));
        }
    }
}
