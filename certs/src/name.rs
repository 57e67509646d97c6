//! Distinguished names: what a certificate calls its subject and its issuer.

use std::fmt;

use crate::der::{self, Element, Reader, tag};
use crate::error::{Error, Result};
use crate::oid::{self, Oid};

/// The attributes that can be written, by the keyword `/`- or comma-separated subjects use.
const KEYWORDS: &[(&str, Oid)] = &[
    ("CN", oid::COMMON_NAME),
    ("C", oid::COUNTRY),
    ("ST", oid::STATE),
    ("L", oid::LOCALITY),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("serialNumber", oid::SERIAL_NUMBER),
    ("emailAddress", oid::EMAIL),
];

/// A distinguished name, most general attribute first, as in `C=CN, O=Example, CN=portal.example.cn`.
///
/// A name that was read keeps its bytes: re-encoding could change a string type, and with it the name.
#[derive(Debug, Clone)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<(Oid, String)>,
}

impl Name {
    /// A name of a common name only.
    pub fn common(common_name: impl Into<String>) -> Self {
        Self::new(vec![(oid::COMMON_NAME, common_name.into())])
    }

    /// Parses `C=CN, O=Example, CN=portal`. A text without `=` is a common name.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.contains('=') {
            return Ok(Self::common(text.trim()));
        }
        let attributes: Result<Vec<_>> = text.split(',').map(parse_attribute).collect();
        attributes.map(Self::new)
    }

    /// Reads an RDNSequence.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let mut sequence = Reader::whole_sequence(der, "a distinguished name")?;
        let mut attributes = Vec::new();
        while !sequence.is_empty() {
            let mut relative = sequence.set()?;
            while !relative.is_empty() {
                let mut attribute = relative.sequence()?;
                attributes.push((attribute.object_id()?, text_of(&attribute.any()?)));
            }
        }
        Ok(Self {
            der: der.to_vec(),
            attributes,
        })
    }

    /// The last common name.
    pub fn common_name(&self) -> Option<&str> {
        self.attributes
            .iter()
            .rev()
            .find(|(oid, _)| *oid == oid::COMMON_NAME)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it has no attribute.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The RDNSequence in DER.
    pub fn to_der(&self) -> Vec<u8> {
        self.der.clone()
    }

    fn new(attributes: Vec<(Oid, String)>) -> Self {
        let relative = |(oid, value): &(Oid, String)| {
            der::set_of([der::sequence([
                der::object_id(oid),
                attribute_value(oid, value),
            ])])
        };
        Self {
            der: der::sequence(attributes.iter().map(relative)),
            attributes,
        }
    }
}

/// Names are the same if their attributes are, whatever string type they are written in (RFC 5280 §7.1).
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.attributes == other.attributes
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (oid, value)) in self.attributes.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // A certificate comes from anybody: control characters could fool the terminal.
            let value: String = value
                .chars()
                .map(|c| {
                    if c.is_control() {
                        char::REPLACEMENT_CHARACTER
                    } else {
                        c
                    }
                })
                .collect();
            match oid.name() {
                Some(name) => write!(f, "{separator}{name}={value}")?,
                None => write!(f, "{separator}{oid}={value}")?,
            }
        }
        Ok(())
    }
}

/// The text of an attribute, whatever its string type.
fn text_of(value: &Element<'_>) -> String {
    match value.tag {
        tag::BMP_STRING => {
            let units = value
                .content
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units)
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        tag::TELETEX_STRING => value.content.iter().map(|&byte| char::from(byte)).collect(),
        _ => String::from_utf8_lossy(value.content).into_owned(),
    }
}

/// Country and serial number are PrintableString and e-mail IA5String (RFC 5280 appendix A); the rest is UTF-8.
fn attribute_value(oid: &Oid, value: &str) -> Vec<u8> {
    if *oid == oid::COUNTRY || *oid == oid::SERIAL_NUMBER {
        der::element(tag::PRINTABLE_STRING, value.as_bytes())
    } else if *oid == oid::EMAIL {
        der::element(tag::IA5_STRING, value.as_bytes())
    } else {
        der::utf8(value)
    }
}

fn parse_attribute(text: &str) -> Result<(Oid, String)> {
    let (keyword, value) = text.split_once('=').ok_or_else(|| {
        Error::Refused(format!(
            "`{}` in a subject has no `=`; write `C=CN, O=Example, CN=name`",
            text.trim()
        ))
    })?;
    let (keyword, value) = (keyword.trim(), value.trim());
    let known = KEYWORDS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(keyword));
    let Some((_, oid)) = known else {
        let names: Vec<_> = KEYWORDS.iter().map(|(name, _)| *name).collect();
        return Err(Error::Refused(format!(
            "unknown attribute `{keyword}` in a subject; known are {}",
            names.join(", ")
        )));
    };
    if *oid == oid::COUNTRY && !(value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()))
    {
        return Err(Error::Refused(format!(
            "the country `{value}` is not two letters, as in `C=CN`"
        )));
    }
    if value.is_empty() {
        return Err(Error::Refused(format!(
            "the attribute `{keyword}` of a subject is empty"
        )));
    }
    Ok((oid.clone(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_prints_as_it_was_written() {
        let name = Name::parse("C=CN, O=示例, CN=portal.example.cn").unwrap();
        assert_eq!(name.to_string(), "C=CN, O=示例, CN=portal.example.cn");
        assert_eq!(name.common_name(), Some("portal.example.cn"));
    }

    #[test]
    fn a_name_that_was_read_keeps_its_bytes() {
        let printable = der::element(tag::PRINTABLE_STRING, b"Root");
        let der = der::sequence([der::set_of([der::sequence([
            der::object_id(&oid::COMMON_NAME),
            printable,
        ])])]);
        let name = Name::from_der(&der).unwrap();
        assert_eq!(name.to_der(), der);
        assert_eq!(name, Name::common("Root"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let name = Name::from_der(&Name::common("a\x1b[31m").to_der()).unwrap();
        assert_eq!(name.to_string(), "CN=a\u{fffd}[31m");
    }

    #[test]
    fn wrong_subjects_are_refused_with_a_remedy() {
        for text in ["XX=1", "C=China", "CN=", "CN=a, b"] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }
}
