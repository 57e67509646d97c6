//! A serde deserializer over the parsed tree that knows where every value stands and leaves out what is already
//! known to be wrong, so that one description of the language, the structs, finds every fault in turn.

use std::collections::BTreeSet;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::fault::Fault;
use super::place::{Place, Step};
use crate::Span;

/// Entries that are left out, because they have been reported.
pub(super) type LeftOut = BTreeSet<Vec<Step>>;

/// A value of the tree.
#[derive(Clone)]
pub(super) struct Node<'de> {
    value: &'de DeValue<'de>,
    span: Span,
    steps: Vec<Step>,
    around: Vec<Span>,
    left_out: &'de LeftOut,
}

impl<'de> Node<'de> {
    /// The whole file.
    pub(super) fn root(tree: &'de Spanned<DeValue<'de>>, left_out: &'de LeftOut) -> Self {
        Self {
            value: tree.get_ref(),
            span: tree.span(),
            steps: Vec::new(),
            around: Vec::new(),
            left_out,
        }
    }

    fn place(&self) -> Place {
        self.place_of(self.span.clone(), None)
    }

    /// The place of an entry of this node, underlined at `span`.
    fn place_of(&self, span: Span, entry: Option<Step>) -> Place {
        let mut around = self.around.clone();
        around.push(self.span.clone());
        let steps = self.steps.iter().cloned().chain(entry).collect();
        Place {
            steps,
            span,
            around,
        }
    }

    /// An entry of this node; `None` if it is left out.
    fn child(
        &self,
        step: Step,
        key: Option<Span>,
        value: &'de Spanned<DeValue<'de>>,
    ) -> Option<Self> {
        let place = self.place_of(value.span(), Some(step));
        let around = place.around.into_iter().chain(key).collect();
        let child = Self {
            value: value.get_ref(),
            span: place.span,
            steps: place.steps,
            around,
            left_out: self.left_out,
        };
        (!self.left_out.contains(&child.steps)).then_some(child)
    }

    fn wrong_type(&self, visitor: &dyn serde::de::Expected) -> Fault {
        Fault::invalid_type(self.seen(), visitor).at(|| self.place())
    }

    fn seen(&self) -> Unexpected<'_> {
        match self.value {
            DeValue::String(text) => Unexpected::Str(text),
            DeValue::Integer(_) => Unexpected::Other("a number"),
            DeValue::Float(_) => Unexpected::Other("a fraction"),
            DeValue::Boolean(truth) => Unexpected::Bool(*truth),
            DeValue::Datetime(_) => Unexpected::Other("a date"),
            DeValue::Array(_) => Unexpected::Seq,
            DeValue::Table(_) => Unexpected::Map,
        }
    }

    fn entries(&self, table: &'de DeTable<'de>) -> Entries<'de> {
        Entries {
            node: self.clone(),
            rest: table.iter(),
            value: None,
        }
    }

    fn elements(&self, array: &'de DeArray<'de>) -> Elements<'de> {
        Elements {
            node: self.clone(),
            array,
            next: 0,
        }
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match self.value {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(Fault::custom(format!(
                        "`{number}` is too large for a number"
                    ))),
                }
            }
            DeValue::Boolean(truth) => visitor.visit_bool(*truth),
            DeValue::Array(array) => visitor.visit_seq(self.elements(array)),
            DeValue::Table(table) => visitor.visit_map(self.entries(table)),
            // No key of this language holds either.
            DeValue::Float(_) | DeValue::Datetime(_) => Err(self.wrong_type(&visitor)),
        };
        result.map_err(|fault| fault.at(|| self.place()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if is_spanned(name) {
            let span = self.span.clone();
            return visitor.visit_map(SpannedDeserializer::new(self, span));
        }
        match self.value {
            DeValue::Table(_) => self.deserialize_any(visitor),
            _ => Err(self.wrong_type(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            DeValue::String(text) => visitor
                .visit_enum(StrDeserializer::<Fault>::new(text))
                .map_err(|fault| fault.at(|| self.place())),
            _ => Err(self.wrong_type(&crate::suggest::list(words.iter().copied()).as_str())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a table.
struct Entries<'de> {
    node: Node<'de>,
    rest: toml::map::Iter<'de, Spanned<DeString<'de>>, Spanned<DeValue<'de>>>,
    value: Option<Node<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        for (key, value) in self.rest.by_ref() {
            let step = Step::Key(key.get_ref().to_string());
            let Some(child) = self.node.child(step.clone(), Some(key.span()), value) else {
                continue;
            };
            self.value = Some(child);
            let read = seed.deserialize(Key {
                text: key.get_ref(),
                span: key.span(),
            });
            return read
                .map(Some)
                .map_err(|fault| fault.at(|| self.node.place_of(key.span(), Some(step))));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let child = self
            .value
            .take()
            .ok_or_else(|| Fault::custom("a value was asked for before its key"))?;
        let place = child.place();
        seed.deserialize(child).map_err(|fault| fault.at(|| place))
    }
}

/// The elements of an array.
struct Elements<'de> {
    node: Node<'de>,
    array: &'de DeArray<'de>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        while let Some(value) = self.array.get(self.next) {
            let step = Step::Index(self.next);
            self.next += 1;
            let Some(child) = self.node.child(step, None, value) else {
                continue;
            };
            let place = child.place();
            return seed
                .deserialize(child)
                .map(Some)
                .map_err(|fault| fault.at(|| place));
        }
        Ok(None)
    }
}

/// A key of a table, alone or asked for with its place.
struct Key<'de> {
    text: &'de str,
    span: Span,
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if is_spanned(name) {
            let text = BorrowedKey(self.text);
            return visitor.visit_map(SpannedDeserializer::new(text, self.span));
        }
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The text of a key inside a spanned one.
struct BorrowedKey<'de>(&'de str);

impl<'de> IntoDeserializer<'de, Fault> for BorrowedKey<'de> {
    type Deserializer = BorrowedStrDeserializer<'de, Fault>;

    fn into_deserializer(self) -> Self::Deserializer {
        BorrowedStrDeserializer::new(self.0)
    }
}
