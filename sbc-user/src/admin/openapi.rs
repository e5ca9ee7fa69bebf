//! The description of the API, rendered from the types that it answers with; `UPDATE_REFERENCE=1` rewrites it.

use std::borrow::Cow;
use std::{env, fs};

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::answer::PATHS;
use super::api::{
    DropsAnswer, Explanation, HistoryAnswer, PeersAnswer, Problem, StatusAnswer, VocabularyAnswer,
    WithoutTrust,
};
use crate::border::DaemonStatus;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/openapi.json");

impl JsonSchema for WithoutTrust<'_> {
    fn schema_name() -> Cow<'static, str> {
        "DaemonStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = DaemonStatus::json_schema(generator);
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut).unwrap();
        properties.remove("trust").unwrap();
        let required = schema.get_mut("required").and_then(Value::as_array_mut).unwrap();
        required.retain(|name| name != "trust");
        schema
    }
}

fn described() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = Contract::Serialize;
    });
    let mut schemas = settings.into_generator();
    let address = json!({
        "name": "address", "in": "query", "required": true, "schema": {"type": "string"},
        "description": "An address, or an address and port: 198.51.100.7:5060, [2001:db8::7]:5060.",
    });
    let limit = json!({
        "name": "limit", "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        "description": "How many, at most.",
    });
    let status = schemas.subschema_for::<StatusAnswer<'static>>();
    let peers = schemas.subschema_for::<PeersAnswer<'static>>();
    let drops = schemas.subschema_for::<DropsAnswer>();
    let explanation = schemas.subschema_for::<Explanation>();
    let history = schemas.subschema_for::<HistoryAnswer>();
    let vocabulary = schemas.subschema_for::<VocabularyAnswer>();
    let problem = schemas.subschema_for::<Problem>();
    let text = || json_schema!({"type": "string"});
    let object = || json_schema!({"type": "object"});
    let asked = |what: &str, parameters: &[&Value], kind: &str, schema: Schema| {
        let refused = |why: &str| {
            let schema = json!({"application/json": {"schema": problem}});
            json!({"description": why, "content": schema})
        };
        let mut responses = json!({
            "200": {"description": "The answer.", "content": {kind: {"schema": schema}}},
            "401": refused("The token is missing or wrong."),
            "421": refused("The request is for a host that is none of ours."),
            "503": refused("The filter's tables cannot be read."),
        });
        if !parameters.is_empty() {
            responses["400"] = refused("A parameter cannot be read.");
        }
        json!({"get": {"summary": what, "parameters": parameters, "responses": responses}})
    };
    let json = "application/json";
    let paths: Map<String, Value> = [
        ("/metrics", asked("The metrics for Prometheus, format 0.0.4.", &[], "text/plain", text())),
        ("/api/v1/status", asked("The state of both halves.", &[], json, status)),
        ("/api/v1/peers", asked("The peers, and what they have proven.", &[], json, peers)),
        ("/api/v1/drops", asked("Samples of what was dropped last.", &[&limit], json, drops)),
        ("/api/v1/explain", asked("What is known of a source.", &[&address], json, explanation)),
        ("/api/v1/history", asked("Counters of the last minutes.", &[], json, history)),
        ("/api/v1/vocabulary", asked("What the names of counters mean.", &[], json, vocabulary)),
        ("/api/v1/openapi.json", asked("This description.", &[], json, object())),
    ]
    .map(|(path, item)| (path.to_owned(), item))
    .into_iter()
    .collect();
    let mut definitions = Value::Object(schemas.take_definitions(true));
    close(&mut definitions);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SBC admin listener",
            "version": "1",
            "description": "Rendered by sbc-user/src/admin/openapi.rs from the types of the answers. \
                            Only GET is answered; nothing is changed.",
        },
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

/// A field that is not described is a mistake of the description.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_description_says_what_the_code_says() {
    let rendered = serde_json::to_string_pretty(&described()).unwrap() + "\n";
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(PAGE, &rendered).unwrap();
    }
    assert!(
        fs::read_to_string(PAGE).unwrap_or_default() == rendered,
        "docs/reference/openapi.json is not up to date; \
         `UPDATE_REFERENCE=1 cargo test -p sbc-user --lib admin::openapi` writes it"
    );
}

#[test]
fn every_path_is_described() {
    let described = described();
    let mut paths: Vec<_> = described["paths"].as_object().unwrap().keys().cloned().collect();
    let mut expected = PATHS.to_vec();
    paths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paths, expected);
}
