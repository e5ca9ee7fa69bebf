//! Every example of a configuration is one that `sbc check` finds nothing wrong with, after the commands that it tells its reader
//! to type.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/config/examples");

/// Each example, and what `sbc check` says of it.
const EXAMPLES: [(&str, &str); 8] = [
    ("dns-trunk.toml", "ok (1 listeners, 1 peers, 0 users, enforce)"),
    ("ipsec-site.toml", "ok (1 listeners, 2 peers, 0 users, enforce)"),
    ("observe-only.toml", "ok (2 listeners, 1 peers, 0 users, observe)"),
    ("pbx-keeps-the-passwords.toml", "ok (2 listeners, 0 peers, users of the upstream, enforce)"),
    ("phones-behind-nat.toml", "ok (3 listeners, 1 peers, 1 users, enforce)"),
    ("several-carriers.toml", "ok (3 listeners, 3 peers, 0 users, enforce)"),
    ("single-trunk.toml", "ok (2 listeners, 1 peers, 0 users, observe)"),
    ("teams-like-tls-trunk.toml", "ok (1 listeners, 1 peers, 0 users, enforce)"),
];

/// What stands before a command in a comment.
const TYPED: &str = "#   $ ";

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs a line of a shell in which `sbc` is the program under test, and answers what it asks for with a password.
fn run(line: &str, directory: &Path) -> Output {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_sbc"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", line]).current_dir(directory).env("PATH", path);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    // Who asks for nothing does not read it.
    let _ = child.stdin.take().unwrap().write_all(b"correct horse\n");
    child.wait_with_output().unwrap()
}

#[test]
fn every_example_passes_the_check_after_the_commands_in_it() {
    for (name, expected) in EXAMPLES {
        let text = fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(name);
        fs::write(&path, &text).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix(TYPED)) {
            let output = run(line, scratch.path());
            assert!(output.status.success(), "{name}: {line}: {}", said(&output));
        }
        let output = run(&format!("sbc check --config {name}"), scratch.path());
        let told = said(&output);
        assert!(output.status.success(), "{name}: {told}");
        // Warnings come first; what a reload would change is of the machine and not of the example.
        assert_eq!(told.lines().next(), Some(&*format!("{name}: {expected}")), "{told}");
    }
}

#[test]
fn what_is_refused_is_told_from_what_nobody_could_read() {
    let scratch = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(format!("{FOLDER}/observe-only.toml")).unwrap();
    fs::write(scratch.path().join("wrong.toml"), text.replace("\"observe\"", "\"obsevre\""))
        .unwrap();
    for (name, status) in [("wrong.toml", 1), ("absent.toml", 2)] {
        let output = run(&format!("sbc check --config {name}"), scratch.path());
        assert_eq!(output.status.code(), Some(status), "{name}: {}", said(&output));
    }
    assert_eq!(run("sbc chekc", scratch.path()).status.code(), Some(2));
}

#[test]
fn there_is_no_other_example() {
    let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    let tested: BTreeSet<String> = EXAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, tested);
}
