//! The reference pages of the daemon are rendered from the code; `UPDATE_REFERENCE=1` rewrites
//! them.

use std::{env, fs, io};

use sbc_user::admin::Metric;
use sbc_user::cli::Ending;
use sbc_user::doctor::Check;
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

const CHECKS: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/doctor/check.rs. -->

# Checks

What `sbc doctor` looks at, as `check` in JSON. Each line of it is `ok`, `unseen` (nobody could tell, mostly for want of
privilege), `warning` or `failure`, and says what to do next; it ends as [exit statuses](exit-statuses.md) say.

| check | what is looked at |
|---|---|
";

const ENDINGS: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/cli/ending.rs. -->

# Exit statuses

Every command of `sbc` ends with one of these.

| status | name | what it means |
|---|---|---|
";

#[test]
fn the_page_of_checks_says_what_the_code_says() -> io::Result<()> {
    let rows = Check::ALL.iter().map(|check| (check.name(), check.description()));
    check("checks.md", CHECKS, rows)
}

#[test]
fn the_page_of_exit_statuses_says_what_the_code_says() -> io::Result<()> {
    let rows = Ending::ALL.iter().map(|ending| {
        let status = *ending as u8;
        format!("| {status} | {} | {} |\n", ending.name(), ending.description())
    });
    check_page("exit-statuses.md", &(ENDINGS.to_owned() + &rows.collect::<String>()))
}

const METRICS: &str = "\
<!-- Rendered by sbc-user/tests/reference.rs from sbc-user/src/admin/metrics/list.rs. -->

# Metrics

What `/metrics` of the [admin listener](../operations.md#metrics-api-and-status-page) tells Prometheus. Labels are of
closed lists or of the configuration: no address and no user is one. A metric of what is not configured is absent.

| metric | kind | labels | what it tells |
|---|---|---|---|
";

#[test]
fn the_page_of_metrics_says_what_the_code_says() -> io::Result<()> {
    let rows = Metric::ALL.iter().map(|metric| {
        let labels: Vec<_> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.name(), metric.kind().name());
        let description = metric.description();
        format!("| `{name}` | {kind} | {} | {description} |\n", labels.join(", "))
    });
    check_page("metrics.md", &(METRICS.to_owned() + &rows.collect::<String>()))
}

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
    check_page(page, &(head.to_owned() + &rows.collect::<String>()))
}

fn check_page(page: &str, rendered: &str) -> io::Result<()> {
    let path = format!("{FOLDER}/{page}");
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, rendered)?;
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == rendered,
        "docs/reference/{page} is not up to date; \
         `UPDATE_REFERENCE=1 cargo test -p sbc-user --test reference` writes it"
    );
    Ok(())
}
