//! The alerts and the dashboard that come with the product.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sbc_user::admin::Metric;
use serde_json::Value;

fn packaging(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging")).join(path)
}

fn promtool(arguments: [&str; 2], path: &Path) -> Result<()> {
    let output = Command::new("promtool").args(arguments).arg(path).output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    Ok(())
}

#[test]
fn every_alert_is_raised_by_what_it_is_for_and_none_by_a_gateway_that_is_well() -> Result<()> {
    promtool(["check", "rules"], &packaging("prometheus/sbc.rules.yml"))?;
    promtool(["test", "rules"], &packaging("prometheus/sbc.rules.test.yml"))
}

/// The names in a text that look like metrics.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
    words.filter(|word| word.starts_with("sbc_") || word.starts_with("process_")).collect()
}

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if matches!(name.as_str(), "expr" | "query" | "definition") => {
                        found.push(text.to_owned());
                    }
                    Some(_) | None => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn alerts_and_dashboard_ask_for_nothing_but_metrics_that_there_are() -> Result<()> {
    let listed: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let rules = fs::read_to_string(packaging("prometheus/sbc.rules.yml"))?;
    let asked = rules.lines().filter(|line| !line.trim_start().starts_with('#'));
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(packaging("grafana/sbc.json"))?)?;
    let mut asked: Vec<_> = asked.map(str::to_owned).collect();
    let of_rules = asked.len();
    queries(&dashboard, &mut asked);
    ensure!(asked.len() > of_rules + 15, "the dashboard asks for next to nothing");
    for text in &asked {
        let unknown: Vec<_> = metrics(text).difference(&listed).copied().collect();
        ensure!(unknown.is_empty(), "{unknown:?} in {text}");
    }
    Ok(())
}

#[test]
fn every_panel_of_the_dashboard_has_a_title_a_place_and_queries() -> Result<()> {
    let text = fs::read_to_string(packaging("grafana/sbc.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut numbers = BTreeSet::new();
    for panel in panels {
        ensure!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        ensure!(numbers.insert(panel["id"].as_u64().context("no id")?), "{panel}");
        let place = &panel["gridPos"];
        let (x, width) = (place["x"].as_u64(), place["w"].as_u64());
        ensure!(x.zip(width).is_some_and(|(x, width)| x + width <= 24), "{panel}");
        if panel["type"] != "row" {
            ensure!(panel["targets"].as_array().is_some_and(|it| !it.is_empty()), "{panel}");
        }
    }
    Ok(())
}
