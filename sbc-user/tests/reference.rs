//! The reference page of outcomes is rendered from the code; `UPDATE_REFERENCE=1` rewrites it.

use std::{env, fs};

use sbc_user::screening::Outcome;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/outcomes.md");

const HEAD: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/screening/outcome.rs. -->

# Outcomes

Every message that the daemon receives meets exactly one of these.

| outcome | what it means |
|---|---|
";

#[test]
fn the_page_of_outcomes_says_what_the_code_says() {
    let rows = Outcome::ALL.iter().map(|outcome| {
        format!("| `{}` | {} |\n", outcome.name(), outcome.description().replace('|', "\\|"))
    });
    let rendered = HEAD.to_owned() + &rows.collect::<String>();
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(PAGE, &rendered).unwrap();
    }
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        page == rendered,
        "docs/reference/outcomes.md is not up to date; \
         `UPDATE_REFERENCE=1 cargo test -p sbc-user --test reference` writes it"
    );
}
