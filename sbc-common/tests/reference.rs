//! The reference page of reasons is rendered from the code; `UPDATE_REFERENCE=1` rewrites it.

use std::path::Path;
use std::{env, fs};

use sbc_common::Reason;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/reasons.md");

const HEAD: &str = "\
<!-- Rendered by sbc-common/tests/reference.rs from sbc-common/src/reason.rs. -->

# Reasons

Every frame that the filter judges meets exactly one of these. In observe mode every frame passes and
is counted under the same reason.

| reason | action | what it means | what to do |
|---|---|---|---|
";

#[test]
fn the_page_of_reasons_says_what_the_code_says() {
    let rendered = render();
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::create_dir_all(Path::new(PAGE).parent().unwrap()).unwrap();
        fs::write(PAGE, &rendered).unwrap();
    }
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        page == rendered,
        "docs/reference/reasons.md is not up to date; \
         `UPDATE_REFERENCE=1 cargo test -p sbc-common --test reference` writes it"
    );
}

fn render() -> String {
    let rows = Reason::ALL.iter().map(|reason| {
        let (name, action) = (reason.name(), reason.action().name());
        let [meaning, remedy] =
            [reason.description(), reason.remedy()].map(|text| text.replace('|', "\\|"));
        format!("| `{name}` | {action} | {meaning} | {remedy} |\n")
    });
    HEAD.to_owned() + &rows.collect::<String>()
}
