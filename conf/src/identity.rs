//! `[identity.NAME]`: what the gateway proves itself with.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};

use crate::Spanned;
use crate::shorthand::Shorthand;

/// What the gateway proves itself with: either an SM2 pair (`sign` and `encrypt`) or an ordinary certificate
/// (`certificate` and `key`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// The signing certificate of an SM2 pair; it also serves TLS 1.3 with SM suites.
    pub sign: Option<Pair>,
    /// The encryption certificate of an SM2 pair.
    pub encrypt: Option<Pair>,
    /// An ordinary certificate (RSA, ECDSA), PEM, followed by its chain.
    pub certificate: Option<Spanned<PathBuf>>,
    /// The key of the ordinary certificate.
    pub key: Option<KeyFile>,
}

impl Identity {
    /// Whether it is an SM2 pair; an ordinary certificate otherwise.
    pub fn is_pair(&self) -> bool {
        self.sign.is_some() || self.encrypt.is_some()
    }

    /// Every path of the identity.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        let pairs = self.sign.iter_mut().chain(&mut self.encrypt);
        let pairs = pairs
            .flat_map(|pair| std::iter::once(&mut pair.certificate).chain(pair.key.paths_mut()));
        pairs
            .chain(&mut self.certificate)
            .chain(self.key.iter_mut().flat_map(KeyFile::paths_mut))
    }
}

impl KeyFile {
    fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        std::iter::once(&mut self.file).chain(&mut self.password_file)
    }
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The certificate, PEM, followed by its chain.
    pub certificate: Spanned<PathBuf>,
    /// Its private key.
    pub key: KeyFile,
}

/// A private key: `"portal.key"`, or `{ file = "portal.key", password_file = "portal.pw" }`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFile {
    /// The key, PEM.
    pub file: Spanned<PathBuf>,
    /// File whose first line is the password of the key.
    pub password_file: Option<Spanned<PathBuf>>,
}

/// The long form of a [`KeyFile`].
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    /// The key, PEM.
    file: Spanned<PathBuf>,
    /// File whose first line is the password of the key.
    #[serde(default)]
    password_file: Option<Spanned<PathBuf>>,
}

impl<'de> Deserialize<'de> for KeyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Spanned::<Shorthand<KeyTable>>::deserialize(deserializer)?;
        let span = written.span();
        match written.into_inner() {
            Shorthand::Text(path) => Ok(Self {
                file: Spanned::new(span, path.into()),
                password_file: None,
            }),
            Shorthand::Table(KeyTable {
                file,
                password_file,
            }) => Ok(Self {
                file,
                password_file,
            }),
            Shorthand::Number(number) => Err(serde::de::Error::invalid_type(
                serde::de::Unexpected::Signed(number),
                &EXPECTED_KEY,
            )),
        }
    }
}

const EXPECTED_KEY: &str = "a path or `{ file, password_file }`";

impl Serialize for KeyFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.password_file {
            None => self.file.serialize(serializer),
            Some(_) => KeyTable {
                file: self.file.clone(),
                password_file: self.password_file.clone(),
            }
            .serialize(serializer),
        }
    }
}

impl JsonSchema for KeyFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        crate::shorthand::schema::<String, KeyTable>(
            generator,
            "A private key: its path, or a table with its password.",
        )
    }
}
