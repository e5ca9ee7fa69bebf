//! The manual pages: what clap knows of the commands, what only examples tell, and `sbc.toml(5)`.

mod configuration;
mod examples;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, Ending};
use examples::{EXAMPLES, Example};

const MANUAL: &str = "SBC manual";

/// A page of the manual.
#[derive(Debug)]
pub struct Page {
    /// With its section, as in `sbc-run.1`.
    pub name: String,
    /// Its text, for man(7).
    pub text: Vec<u8>,
}

/// All pages: `sbc(1)`, one of each command and of each of its own commands, and `sbc.toml(5)`.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = vec![configuration::page()];
    add_pages(&command, "sbc", &mut pages)?;
    Ok(pages)
}

/// Writes all pages into a directory that is there.
pub(super) fn write_pages(directory: &Path) -> anyhow::Result<()> {
    for page in pages()? {
        let path = directory.join(&page.name);
        fs::write(&path, page.text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// `topic` is the command whose examples are shown: those of `sbc user` for `sbc user add` too.
fn add_pages(command: &clap::Command, topic: &str, pages: &mut Vec<Page>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let topic = if topic == "sbc" { below.get_name() } else { topic };
        add_pages(below, topic, pages)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone());
    // Not the title that `man` writes: it leaves out the empty date, so that what follows takes its place.
    let mut text = title(name, 1).into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    text.extend(more(name, topic).into_bytes());
    pages.push(Page { name: format!("{name}.1"), text });
    Ok(())
}

/// Without a date: the same source makes the same page.
fn title(name: &str, section: u8) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {} {section} \"\" \"sbc {version}\" \"{MANUAL}\"\n", escaped(name))
}

/// What follows what clap knows.
fn more(name: &str, topic: &str) -> String {
    let mut text = String::new();
    let ours = |example: &&Example| example.topic == topic;
    let examples: Vec<_> = EXAMPLES.iter().filter(ours).collect();
    if !examples.is_empty() {
        text.push_str(".SH EXAMPLES\n");
    }
    for example in examples {
        paragraph(&mut text, example.purpose);
        verbatim(&mut text, example.lines.iter().copied());
    }
    text.push_str(".SH FILES\n");
    for (file, what) in FILES {
        tagged(&mut text, file, what);
    }
    text.push_str(".SH EXIT STATUS\n");
    for ending in Ending::ALL {
        tagged(&mut text, &(*ending as u8).to_string(), &ending.description().replace('`', ""));
    }
    text.push_str(".SH SEE ALSO\n");
    let above = name.rsplit_once('-').map(|(above, _)| format!("{above}(1)"));
    let see: Vec<_> = above.into_iter().chain(["sbc.toml(5)".to_owned()]).collect();
    let _ = writeln!(text, "{}, /usr/share/doc/sbc", escaped(&see.join(", ")));
    text
}

const FILES: [(&str, &str); 4] = [
    ("/etc/sbc/sbc.toml", "The configuration, where no other is named; see sbc.toml(5)."),
    ("/run/sbc/control.sock", "Where the daemon answers the other commands."),
    ("/run/sbc/bpf", "The BPF file system that the filter and its tables are pinned in."),
    ("/var/lib/sbc", "The routing keys of the daemon."),
];

fn paragraph(text: &mut String, words: &str) {
    leave_space(text);
    let _ = writeln!(text, "{}", escaped(words));
}

/// A heading leaves some by itself.
fn leave_space(text: &mut String) {
    let is_below_heading = text.lines().next_back().is_some_and(|line| line.starts_with(".S"));
    if !is_below_heading {
        text.push_str(".PP\n");
    }
}

fn tagged(text: &mut String, tag: &str, words: &str) {
    let _ = writeln!(text, ".TP\n{}\n{}", escaped(tag), escaped(words));
}

/// Lines as they are to be typed.
fn verbatim<'a>(text: &mut String, lines: impl IntoIterator<Item = &'a str>) {
    leave_space(text);
    text.push_str(".RS 4\n.EX\n");
    for line in lines {
        text.push_str(&escaped(line));
        text.push('\n');
    }
    text.push_str(".EE\n.RE\n");
}

/// Text that man(7) takes for nothing but text: a line that begins with a control character is none, and hyphens are
/// those that can be typed.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti");
    let escaped = escaped.replace('^', "\\(ha").replace('`', "\\(ga");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

/// Writes what a shell completes the command line with.
pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sbc", &mut script);
    // A reader that has seen enough is no failure of ours.
    match std::io::stdout().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn page(name: &str) -> String {
        let found = pages().unwrap().into_iter().find(|page| page.name == name);
        String::from_utf8(found.unwrap().text).unwrap()
    }

    #[test]
    fn every_command_has_a_page_with_an_example_and_every_example_a_command() {
        let commands: BTreeSet<_> = Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name().to_owned())
            .collect();
        let shown: BTreeSet<_> = EXAMPLES.iter().map(|example| example.topic.to_owned()).collect();
        let without: Vec<_> = commands.difference(&shown).collect();
        assert!(without.is_empty(), "cli/manual/examples.rs has no example of {without:?}");
        let gone: Vec<_> = shown.difference(&commands).filter(|topic| *topic != "sbc").collect();
        assert!(gone.is_empty(), "cli/manual/examples.rs shows {gone:?}, which there is not");
        for command in commands {
            assert!(page(&format!("sbc-{command}.1")).contains(".SH EXAMPLES"), "{command}");
        }
    }

    #[test]
    fn what_examples_show_is_what_the_command_line_takes() {
        use clap::Parser as _;
        for line in EXAMPLES.iter().flat_map(|example| example.lines) {
            let command = line.split(['|', '#']).find(|part| part.trim().starts_with("sbc "));
            let Some(command) = command else { continue };
            let words = command.split('>').next().unwrap().split('<').next().unwrap();
            let words = words.split_whitespace().map(|word| word.trim_matches('\''));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_page_of_a_command_below_another_tells_where_it_belongs() {
        let text = page("sbc-user-add.1");
        assert!(text.contains("sbc\\-user(1), sbc.toml(5)"), "{text}");
        assert!(text.contains("sbc user add alice"), "{text}");
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped(".SH a-b \\"), "\\&.SH a\\-b \\e");
        assert_eq!(escaped("'x"), "\\&'x");
    }
}
