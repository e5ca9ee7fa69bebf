use std::collections::HashSet;

use sbc_common::{Action, Reason};

use crate::fixture::Datapath;
use crate::rows::{self, Row};

#[test]
fn every_row_meets_its_reason_in_the_kernel_and_on_the_host() {
    let mut datapath = Datapath::load();
    let failures = failures(&rows::all(), |row| {
        datapath.apply(&row.policy);
        datapath.judge_all(&row.before);
        let (verdict, action) = datapath.judge(&row.frame).map_err(|wrong| wrong.to_string())?;
        let reason = verdict.reason;
        if (reason, action) == (row.expected, row.expected.action()) {
            return Ok(());
        }
        Err(format!("{} ({}), not {}", reason.name(), action.name(), row.expected.name()))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn observe_mode_reaches_the_same_reason_for_every_row_and_passes_it() {
    let mut datapath = Datapath::load();
    let failures = failures(&rows::all(), |row| {
        datapath.apply(&row.policy.clone().observing());
        datapath.judge_all(&row.before);
        let (verdict, action) = datapath.judge(&row.frame).map_err(|wrong| wrong.to_string())?;
        let reason = verdict.reason;
        if (reason, action) == (row.expected, Action::Pass) {
            return Ok(());
        }
        Err(format!("{} ({}), not {}", reason.name(), action.name(), row.expected.name()))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_reason_has_a_row() {
    let met: HashSet<Reason> = rows::all().iter().map(|row| row.expected).collect();
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .filter(|reason| !met.contains(reason))
        .map(|reason| reason.name())
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn row_names_are_unique() {
    let mut seen = HashSet::new();
    let repeated: Vec<_> = rows::all()
        .into_iter()
        .map(|row| row.name)
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    assert!(repeated.is_empty(), "{repeated:?}");
}

fn failures(rows: &[Row], mut check: impl FnMut(&Row) -> Result<(), String>) -> Vec<String> {
    rows.iter()
        .filter_map(|row| check(row).err().map(|wrong| format!("{}: {wrong}", row.name)))
        .collect()
}
