//! Every property on every message of the corpora: what a fuzzer found once stays mended.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use std::fs;
use std::path::{Path, PathBuf};

use sbc_properties::ALL;

/// How large a committed corpus may be.
const MOST_FILES: usize = 300;
const MOST_BYTES: usize = 300 * 1024;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let name = folder.display();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{name} is empty");
    inputs
}

/// Runs a property; its panic is told with the file.
fn run(name: &str, property: fn(&[u8]), path: &Path, bytes: &[u8]) {
    let outcome = std::panic::catch_unwind(|| property(bytes));
    assert!(outcome.is_ok(), "{name} does not hold for {}", path.display());
}

#[test]
fn holds_for_every_input_that_a_fuzzer_kept() {
    for (name, property) in ALL {
        for (path, bytes) in inputs(&repository().join("fuzz/corpus").join(name)) {
            run(name, property, &path, &bytes);
        }
    }
}

#[test]
fn holds_for_every_torture_message() {
    for rfc in ["rfc4475", "rfc5118"] {
        for (path, bytes) in inputs(&repository().join("tests/corpus").join(rfc)) {
            for (name, property) in ALL {
                run(name, property, &path, &bytes);
            }
        }
    }
}

/// Nothing but `cargo xtask fuzz` builds the targets, so they are to hold nothing that could go wrong.
#[test]
fn every_target_is_its_property_and_no_more() {
    for (name, _) in ALL {
        let target = repository().join(format!("fuzz/targets/{name}.rs"));
        let call =
            format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sbc_properties::{name}(bytes));");
        assert_eq!(fs::read_to_string(target).unwrap(), format!("#![no_main]\n\n{call}\n"));
    }
}

#[test]
fn every_target_has_a_corpus_that_is_small() {
    for (name, _) in ALL {
        let inputs = inputs(&repository().join("fuzz/corpus").join(name));
        let bytes: usize = inputs.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(inputs.len() <= MOST_FILES && bytes <= MOST_BYTES, "{name}: {bytes} bytes");
    }
}
