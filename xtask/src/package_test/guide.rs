//! What `docs/install.md` has its reader do, in order.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Lines for a shell.
    Commands(String),
    /// What has to be so, by its name.
    Check(String),
}

/// Reads the guide.
pub(super) fn steps() -> Result<Vec<Step>> {
    let path = workspace::root().join("docs/install.md");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    read(&text)
}

/// Blocks of `sh` are done, and comments that begin with `test:` name what is looked for then. There is no other kind of
/// block: a reader might take it for something to do.
fn read(text: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(check) = line.strip_prefix("<!-- test: ") {
            let check = check.strip_suffix(" -->").context("a comment has to end in its line")?;
            steps.push(Step::Check(check.to_owned()));
        } else if line == "```sh" {
            let mut block = String::new();
            loop {
                let line = lines.next().context("a block of commands does not end")?;
                if line == "```" {
                    break;
                }
                block.push_str(line);
                block.push('\n');
            }
            steps.push(Step::Commands(block));
        } else if line.starts_with("```") || line.starts_with("    ") {
            bail!("{line:?}: commands stand in blocks of `sh`");
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::{Step, read};

    #[test]
    fn blocks_and_comments_are_steps_in_their_order() {
        let steps = read("a\n```sh\nb\nc\n```\n<!-- test: d e -->\n<!-- f -->\n").unwrap();
        let expected = [Step::Commands("b\nc\n".to_owned()), Step::Check("d e".to_owned())];
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_a_reader_could_take_for_a_command_is_no_other_block() {
        for text in ["```text\na\n```", "    a", "```sh\na", "<!-- test: a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
