//! docs/configuration.md: its tables of keys are those of the schema, and its examples are right.
//!
//! `ALB_WRITE_DOCS=1 cargo test -p alb-conf --test documentation` writes the tables anew.

mod common;

use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value;

const KEYS: &str = "<!-- keys: ";
const END: &str = "<!-- end -->";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md")
}

fn schema() -> Value {
    serde_json::from_str(&alb_conf::schema()).unwrap()
}

/// The document with every table of keys written from the schema.
fn written(document: &str, schema: &Value) -> String {
    let mut parts = document.split(KEYS);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").expect("a marker ends in ` -->`");
        let (_, behind) = rest
            .split_once(END)
            .expect("a table ends in `<!-- end -->`");
        out += &format!("{KEYS}{name} -->\n{}{END}{behind}", table(name, schema));
    }
    out
}

fn table(name: &str, schema: &Value) -> String {
    let definition = form_with_keys(&schema["$defs"][name])
        .unwrap_or_else(|| panic!("no table `{name}` in the schema"));
    let required = definition["required"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut rows = String::from("| key | value | default | meaning |\n|---|---|---|---|\n");
    for (key, property) in definition["properties"].as_object().unwrap() {
        let default = match property.get("default") {
            _ if required.contains(&Value::from(key.as_str())) => "required".to_owned(),
            Some(Value::Object(_)) | None => "–".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let meaning = format!(
            "{}{}",
            text(&property["description"]),
            words(property, schema)
        );
        rows += &format!(
            "| `{key}` | {} | {default} | {} |\n",
            kind(property, schema),
            meaning.replace('|', "\\|")
        );
    }
    rows
}

/// The object form of a definition that may also have a short form.
fn form_with_keys(definition: &Value) -> Option<&Value> {
    let forms = definition["anyOf"].as_array().into_iter().flatten();
    std::iter::once(definition)
        .chain(forms)
        .find(|form| form["properties"].is_object())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn referred<'s>(property: &'s Value, schema: &'s Value) -> Option<(&'s str, &'s Value)> {
    let name = property["$ref"].as_str()?.strip_prefix("#/$defs/")?;
    Some((name, &schema["$defs"][name]))
}

/// The type of a value in the words of the document.
fn kind(property: &Value, schema: &Value) -> String {
    match referred(property, schema) {
        Some(("Time", _)) => return "duration".to_owned(),
        Some(("Size", _)) => return "size".to_owned(),
        Some(("Peer", _)) => return "peer".to_owned(),
        Some(("KeyFile", _)) => return "path or table".to_owned(),
        Some(("Return", _)) => return "status or table".to_owned(),
        Some((_, definition)) if definition["oneOf"].is_array() => return "word".to_owned(),
        Some(_) => return "table".to_owned(),
        None => {}
    }
    match text(&property["type"]) {
        "array" => format!("list of {}s", kind(&property["items"], schema)),
        "object" => format!(
            "table of {}s",
            kind(&property["additionalProperties"], schema)
        ),
        "integer" => match (&property["minimum"], &property["maximum"]) {
            (low, Value::Null) => format!("number, {low} or more"),
            (low, high) => format!("number, {low} to {high}"),
        },
        "" if property["anyOf"].is_array() => "word or number".to_owned(),
        other => other.to_owned(),
    }
}

/// The words a value may be, with their meanings.
fn words(property: &Value, schema: &Value) -> String {
    let inner = [
        property,
        &property["items"],
        &property["additionalProperties"],
    ];
    let Some((_, definition)) = inner
        .into_iter()
        .find_map(|property| referred(property, schema))
    else {
        return String::new();
    };
    let words = definition["oneOf"].as_array().into_iter().flatten();
    words
        .map(|word| {
            format!(
                "<br>`{}`: {}",
                text(&word["const"]),
                text(&word["description"])
            )
        })
        .collect()
}

#[test]
fn the_tables_of_the_document_are_those_of_the_schema() {
    let document = fs::read_to_string(file()).unwrap();
    let written = written(&document, &schema());
    if env::var_os("ALB_WRITE_DOCS").is_some() {
        fs::write(file(), &written).unwrap();
    }
    let wrong = document
        .lines()
        .zip(written.lines())
        .find(|(is, must_be)| is != must_be);
    let advice = "run `ALB_WRITE_DOCS=1 cargo test -p alb-conf --test documentation`";
    assert!(
        document == written || env::var_os("ALB_WRITE_DOCS").is_some(),
        "{advice}: {wrong:#?}"
    );
}

#[test]
fn every_table_of_the_language_is_in_the_document() {
    let document = fs::read_to_string(file()).unwrap();
    for (name, definition) in schema()["$defs"].as_object().unwrap() {
        let documented = document.contains(&format!("{KEYS}{name} -->"));
        assert_eq!(documented, form_with_keys(definition).is_some(), "{name}");
    }
}

#[test]
fn the_examples_of_the_document_are_right() {
    let document = fs::read_to_string(file()).unwrap();
    let examples = document
        .split("```toml\n")
        .skip(1)
        .map(|part| part.split("```").next().unwrap());
    let mut count = 0;
    for example in examples {
        // An example shows a part: what it refers to stands elsewhere.
        let elsewhere = |finding: &String| {
            finding.contains(" unknown ") && finding.contains("| no `[")
                || finding.contains("warning: ")
        };
        let wrong: Vec<_> = common::findings(example)
            .into_iter()
            .filter(|finding| !elsewhere(finding))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?} in\n{example}");
        count += 1;
    }
    assert!(count >= 6, "only {count} examples found");
}
