//! The reference pages of the daemon are rendered from the code; `UPDATE_REFERENCE=1` rewrites
//! them.

use std::{env, fs, io};

use sbc_user::screening::Outcome;
use sbc_user::transport::Refusal;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference");

const OUTCOMES: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/screening/outcome.rs. -->

# Outcomes

Every message that the daemon receives meets exactly one of these.

| outcome | what it means |
|---|---|
";

const REFUSALS: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/transport/refusal.rs. -->

# Refusals

Every TCP or TLS connection that the daemon refuses is counted as one of these. One whose peer
closed it, fell silent or did not read just ends.

| refusal | what it means |
|---|---|
";

#[test]
fn the_page_of_outcomes_says_what_the_code_says() -> io::Result<()> {
    let rows = Outcome::ALL.iter().map(|outcome| (outcome.name(), outcome.description()));
    check("outcomes.md", OUTCOMES, rows)
}

#[test]
fn the_page_of_refusals_says_what_the_code_says() -> io::Result<()> {
    let rows = Refusal::ALL.iter().map(|refusal| (refusal.name(), refusal.description()));
    check("refusals.md", REFUSALS, rows)
}

fn check(
    page: &str,
    head: &str,
    rows: impl Iterator<Item = (&'static str, &'static str)>,
) -> io::Result<()> {
    let rows = rows
        .map(|(name, description)| format!("| `{name}` | {} |\n", description.replace('|', "\\|")));
    let rendered = head.to_owned() + &rows.collect::<String>();
    let path = format!("{FOLDER}/{page}");
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, &rendered)?;
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == rendered,
        "docs/reference/{page} is not up to date; \
         `UPDATE_REFERENCE=1 cargo test -p sbc-user --test reference` writes it"
    );
    Ok(())
}
