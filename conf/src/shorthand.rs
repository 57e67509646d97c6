//! Values that may be written short (a string or a number) or as a table with all their keys.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// What was written: the type that owns the shape decides whether it means something.
pub(crate) enum Shorthand<T> {
    Text(String),
    Number(i64),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shorthand<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShorthandVisitor(PhantomData))
    }
}

struct ShorthandVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ShorthandVisitor<T> {
    type Value = Shorthand<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a short form or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Shorthand::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Shorthand::Number(number))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(table)).map(Shorthand::Table)
    }
}

/// The schema of a value with the short form `Short` and the long form `Long`.
pub(crate) fn schema<Short: JsonSchema, Long: JsonSchema>(
    generator: &mut SchemaGenerator,
    description: &str,
) -> Schema {
    let (short, long) = (
        generator.subschema_for::<Short>(),
        Long::json_schema(generator),
    );
    json_schema!({ "description": description, "anyOf": [short, long] })
}
