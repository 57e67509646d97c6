//! The example files: each passes the check, prints back to itself, and together they leave no key out.

mod common;

use alb_conf::{Loaded, load, print};
use common::{examples, installed};
use serde_json::Value;

fn accepted(name: &str, text: &str) -> (tempfile::TempDir, Loaded) {
    let (directory, file) = installed(text);
    let loaded = load(&file).unwrap_or_else(|report| panic!("{name}:\n{report}"));
    (directory, loaded)
}

#[test]
fn every_example_passes_without_a_warning() {
    for (name, text) in examples() {
        let (_directory, loaded) = accepted(&name, &text);
        assert!(loaded.warnings.is_empty(), "{name}:\n{}", loaded.report());
    }
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    for (name, text) in examples() {
        let (directory, loaded) = accepted(&name, &text);
        let printed = print(&loaded.config);
        let elsewhere = directory.path().join("www/printed.toml");
        std::fs::write(&elsewhere, &printed).unwrap();
        let again = load(&elsewhere).unwrap_or_else(|report| panic!("{name} printed:\n{report}"));
        assert_eq!(again.config, loaded.config, "{name}");
        assert_eq!(print(&again.config), printed, "{name}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let (_, text) = examples()
        .into_iter()
        .find(|(name, _)| name == "https.toml")
        .unwrap();
    let (directory, loaded) = accepted("https.toml", &text);
    let certificate = loaded.config.identity["www"].certificate.as_ref().unwrap();
    assert_eq!(**certificate, directory.path().join("tls/www.pem"));
}

/// A property of the schema as `Http.listen`, with its default.
fn properties(schema: &Value) -> Vec<(String, String, Option<Value>)> {
    let tables = schema["$defs"].as_object().unwrap().iter();
    let tables = tables.flat_map(|(table, definition)| {
        let forms = definition["anyOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([definition]);
        forms.filter_map(move |form| Some((table, form["properties"].as_object()?)))
    });
    let properties = tables.flat_map(|(table, keys)| {
        keys.iter().map(move |(key, property)| {
            (table.clone(), key.clone(), property.get("default").cloned())
        })
    });
    properties.collect()
}

/// Every `key = value` below a value, whatever table it stands in.
fn entries(value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => table.iter().for_each(|(key, value)| {
            found.push((key.clone(), value.clone()));
            entries(value, found);
        }),
        Value::Array(list) => list.iter().for_each(|value| entries(value, found)),
        _ => {}
    }
}

#[test]
fn the_reference_example_has_every_key_with_its_default() {
    let (_, text) = examples()
        .into_iter()
        .find(|(name, _)| name == "reference.toml")
        .unwrap();
    let written: Value = toml::from_str(&text).unwrap();
    let mut found = Vec::new();
    entries(&written, &mut found);
    let schema: Value = serde_json::from_str(&alb_conf::schema()).unwrap();
    for (table, key, default) in properties(&schema) {
        let values: Vec<_> = found
            .iter()
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .collect();
        assert!(
            !values.is_empty(),
            "reference.toml lacks `{key}` of {table}"
        );
        // Durations are printed in their largest unit.
        let same = |value: &&Value| match default.as_ref() {
            Some(Value::String(text)) if text == "1m" => **value == "60s",
            Some(default) => **value == *default,
            None => true,
        };
        // A table's default is that of its keys; an empty list says nothing where a value is required.
        let says_nothing =
            |default: &Value| default.is_object() || *default == Value::Array(vec![]);
        let compound = default.as_ref().is_some_and(says_nothing);
        assert!(
            compound || values.iter().any(same),
            "reference.toml does not show the default of `{key}` of {table}: {default:?}"
        );
    }
}

#[test]
fn every_table_of_the_language_refuses_unknown_keys() {
    let schema: Value = serde_json::from_str(&alb_conf::schema()).unwrap();
    let mut tables = 0;
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let forms = definition["anyOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([definition]);
        for form in forms.filter(|form| form["properties"].is_object()) {
            assert_eq!(form["additionalProperties"], false, "{name}");
            tables += 1;
        }
    }
    assert!(tables >= 15, "only {tables} tables found");
}

#[test]
fn the_schema_accepts_the_examples_and_what_is_printed() {
    let schema: Value = serde_json::from_str(&alb_conf::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in examples() {
        let (_directory, loaded) = accepted(&name, &text);
        for text in [text, print(&loaded.config)] {
            let value: Value = toml::from_str(&text).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}

#[test]
fn the_schema_refuses_what_the_check_refuses() {
    let schema: Value = serde_json::from_str(&alb_conf::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for wrong in [
        "acess = {}",
        "[daemon]\nworkers = 0",
        "[daemon]\nworker = 1",
        "[daemon]\ndrain_timeout = 10",
        "[daemon]\ndrain_timeout = \"10 parsecs\"",
        "[log]\nrotate = { sise = \"1MiB\" }",
        "[[http]]\nname = \"web\"",
        "[[http]]\nlisten = [\"0.0.0.0:80\"]\nmax_headers = 0",
        "[[http]]\nlisten = [\"0.0.0.0:80\"]\ntls = { protocols = [\"ssl3\"] }",
        "[identity.x]\nkey = { file = \"k\", pasword_file = \"p\" }",
        "[[site]]\n[[site.route]]\nreturn = 99",
        "[[site]]\n[[site.route]]\nreturn = { status = 200, bdy = \"\" }",
        "[upstream.app]\npeers = []",
        "[upstream.app]\npeers = [{ address = \"a:1\", weight = 0 }]",
        "[upstream.app]\npeers = [\"a:1\"]\nretry = { on = [\"sometimes\"] }",
    ] {
        let value: Value = toml::from_str(wrong).unwrap();
        assert!(!validator.is_valid(&value), "the schema accepts {wrong:?}");
        assert!(
            alb_conf::check_str(wrong).is_err(),
            "the check accepts {wrong:?}"
        );
    }
}
