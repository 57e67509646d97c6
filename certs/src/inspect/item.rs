//! A description: one list of fields, printed for people or as JSON.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// One described object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is, as in "certificate".
    pub kind: String,
    /// Its facts in reading order, named in lower case.
    pub fields: Vec<(&'static str, Value)>,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl Item {
    pub(super) fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            fields: Vec::new(),
        }
    }

    pub(super) fn text(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, Value::Text(value.to_string())));
        self
    }

    /// A list; left out if it is empty.
    pub(super) fn list<T: ToString>(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if !values.is_empty() {
            self.fields.push((name, Value::List(values)));
        }
        self
    }

    /// A fact that may be missing.
    pub(super) fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.kind)?;
        let width = self
            .fields
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or(0);
        for (name, value) in &self.fields {
            let lines = match value {
                Value::Text(text) => std::slice::from_ref(text),
                Value::List(lines) => lines,
            };
            for (index, line) in lines.iter().enumerate() {
                let name = if index == 0 { name } else { "" };
                writeln!(f, "  {name:width$}  {line}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        map.serialize_entry("kind", &self.kind)?;
        for (name, value) in &self.fields {
            map.serialize_entry(&name.replace(' ', "_"), value)?;
        }
        map.end()
    }
}
