//! Why a value could not be read, kept in parts so that [`Fault::describe`] can put it in the operator's words.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use super::place::Place;
use crate::diagnostic::Diagnostic;
use crate::suggest::{list, nearest, suggest};

/// A value that does not fit its place.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where it is; `None` until the error has passed the node it came from.
    pub(super) place: Option<Place>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    WrongType {
        seen: String,
        expected: String,
    },
    WrongValue {
        seen: String,
        expected: String,
    },
    Other(String),
}

impl Fault {
    /// The same fault, found at `place` unless an inner node has already said where.
    pub(super) fn at(mut self, place: impl FnOnce() -> Place) -> Self {
        self.place.get_or_insert_with(place);
        self
    }

    /// What the operator is told.
    pub(super) fn describe(&self) -> Diagnostic {
        let (span, section, key) = match &self.place {
            Some(place) => (place.span.clone(), place.section(), place.key()),
            None => (0..0, "the file".to_owned(), "the file"),
        };
        match &self.kind {
            Kind::UnknownKey { key, known } => {
                let (message, others) = match section.as_str() {
                    "" => (format!("unknown section `{key}`"), "the sections are"),
                    section => (
                        format!("unknown key `{key}` in `{section}`"),
                        "the keys here are",
                    ),
                };
                Diagnostic::error(span, message).help(suggest(key, known.iter().copied(), others))
            }
            Kind::MissingKey(missing) => {
                Diagnostic::error(span, format!("`{key}` has no `{missing}`"))
                    .label(format!("`{missing}` is required"))
            }
            Kind::UnknownWord { word, known } => {
                let words = || known.iter().copied();
                let found = Diagnostic::error(span, format!("`{key}` cannot be `{word}`"));
                found
                    .label(format!("expected {}", list(words())))
                    .help_if(nearest(word, words()))
            }
            Kind::WrongType { seen, expected } | Kind::WrongValue { seen, expected } => {
                Diagnostic::error(span, format!("`{key}` cannot be {seen}"))
                    .label(format!("expected {expected}"))
            }
            // Types of this crate write `what was seen: expected what`.
            Kind::Other(text) => match text.split_once(": expected ") {
                Some((seen, expected)) => {
                    Diagnostic::error(span, seen).label(format!("expected {expected}"))
                }
                None => Diagnostic::error(span, text),
            },
        }
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(text: T) -> Self {
        Kind::Other(text.to_string()).into()
    }

    fn invalid_type(seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Kind::WrongType {
            seen: kind_of(seen),
            expected: in_words(expected),
        }
        .into()
    }

    fn invalid_value(seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let seen = match seen {
            Unexpected::Str(text) => format!("`{text}`"),
            Unexpected::Signed(number) => format!("`{number}`"),
            Unexpected::Unsigned(number) => format!("`{number}`"),
            other => kind_of(other),
        };
        Kind::WrongValue {
            seen,
            expected: in_words(expected),
        }
        .into()
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Kind::UnknownWord {
            word: word.to_owned(),
            known,
        }
        .into()
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Kind::UnknownKey {
            key: key.to_owned(),
            known,
        }
        .into()
    }

    fn missing_field(key: &'static str) -> Self {
        Kind::MissingKey(key).into()
    }
}

impl From<Kind> for Fault {
    fn from(kind: Kind) -> Self {
        Self { place: None, kind }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe().message)
    }
}

impl std::error::Error for Fault {}

/// The type of a value in TOML's words.
fn kind_of(seen: Unexpected<'_>) -> String {
    match seen {
        Unexpected::Bool(_) => "a boolean".to_owned(),
        Unexpected::Signed(_) | Unexpected::Unsigned(_) => "a number".to_owned(),
        Unexpected::Float(_) => "a fraction".to_owned(),
        Unexpected::Str(_) => "a string".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// What serde expects in TOML's words; the types of this crate already use them.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a sequence" => "an array, `[…]`".to_owned(),
        "a map" => "a table, `{ … }`".to_owned(),
        "i64" => "a whole number".to_owned(),
        "path string" => "a path".to_owned(),
        text if text.starts_with("struct ") => "a table, `{ … }`".to_owned(),
        _ => text,
    }
}
