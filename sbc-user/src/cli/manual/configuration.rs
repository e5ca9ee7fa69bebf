//! `sbc.toml(5)`, made of the file that has every key.

use std::fmt::Write as _;

use super::{Page, escaped, paragraph, title, verbatim};

/// Every key, with what it means.
const REFERENCE: &str = include_str!("../../../../packaging/sbc.toml");

const BEFORE: &str = "\
.SH NAME
sbc.toml \\- configuration of the session border controller
.SH SYNOPSIS
/etc/sbc/sbc.toml
.SH DESCRIPTION
One file in TOML says what
.BR sbc (1)
protects, who may pass, and on what proof.
A key that there is not is an error, and so is a value that is not accepted;
.B sbc check
names it.
Relative paths start at the directory of the file.
.PP
What follows is a configuration with every key.
A value that is shown is an example where the key has to be there, and else the default or, where the text says so,
what one may write.
A line that begins with # is one that may be left out.
.SH KEYS
";

const AFTER: &str = "\
.SH FILES
.TP
/etc/sbc/sbc.toml
The configuration that the units of systemd use.
.TP
/usr/share/doc/sbc/examples
The same text as a file, a users file, and tables for PostgreSQL.
.SH SEE ALSO
sbc(1), sbc\\-check(1), sbc\\-run(1), sbc\\-load(1)
";

pub(super) fn page() -> Page {
    let mut text = title("sbc.toml", 5) + BEFORE;
    for block in REFERENCE.split("\n\n") {
        let lines: Vec<&str> = block.lines().collect();
        if let Some(table) = lines.iter().find_map(|line| table(line)) {
            let _ = writeln!(text, ".SS {}", escaped(table));
        }
        let code = lines.iter().position(|line| is_code(line)).unwrap_or(lines.len());
        let (prose, code) = lines.split_at(code);
        let prose = prose.iter().map(|line| line.trim_start_matches('#').trim());
        // An empty comment line begins a paragraph.
        for words in prose.collect::<Vec<_>>().split(|line| line.is_empty()) {
            if !words.is_empty() {
                paragraph(&mut text, &words.join(" "));
            }
        }
        if !code.is_empty() {
            verbatim(&mut text, code.iter().copied());
        }
    }
    text.push_str(AFTER);
    Page { name: "sbc.toml.5".to_owned(), text: text.into_bytes() }
}

/// The table that a line begins, also one that may be left out.
fn table(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    let name = line.split_inclusive(']').next().filter(|_| line.starts_with('['))?;
    Some(if line.starts_with("[[") { line.get(..name.len() + 1)? } else { name })
}

/// Says whether a line is no prose: a key, or one that may be left out.
fn is_code(line: &str) -> bool {
    let Some(comment) = line.strip_prefix("# ") else { return !line.starts_with('#') };
    let key = comment.split(" = ").next().filter(|key| key.len() < comment.len());
    comment.starts_with('[') || key.is_some_and(|key| !key.contains([' ', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_reference_has_a_heading_and_every_key_its_line() {
        let text = String::from_utf8(page().text).unwrap();
        for heading in [".SS [interface.outside]\n", ".SS [[peer]]\n", ".SS [users]\n"] {
            assert!(text.contains(heading), "{heading}");
        }
        let keys = REFERENCE.lines().filter(|line| is_code(line) && !line.is_empty());
        for key in keys {
            assert!(text.contains(&format!("\n{}\n", escaped(key))), "{key}");
        }
    }

    #[test]
    fn prose_is_told_from_keys_that_may_be_left_out() {
        for (line, is_key) in [
            ("mode = \"observe\"", true),
            ("# crls = [\"a.pem\"]", true),
            ("# [dns]", true),
            ("# Who is asked for names", false),
            ("# With require = [\"dns\"]", false),
            ("#", false),
        ] {
            assert_eq!(is_code(line), is_key, "{line}");
        }
    }
}
