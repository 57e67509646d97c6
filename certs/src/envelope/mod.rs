//! Encryption keys as authorities return them: wrapped to the key that asked, in one of half a dozen forms.
//!
//! [`open`] detects the form and unwraps the key. It then proves that the key is the right one: the point
//! d·G must be the public key in the envelope, and [`Opened::check_certificate`] holds it against the certificate.

mod blob;
mod carrier;
mod cfca;
mod cms;
mod csr_response;
mod enveloped_key;
mod sm2_cipher;

use zeroize::Zeroizing;

pub use carrier::unpack;
pub use cfca::seal_file as seal_cfca_file;
pub use csr_response::seal as seal_csr_response;
pub use enveloped_key::seal as seal_enveloped_key;
pub use sm2_cipher::Sm2Cipher;

use crate::certificate::Certificate;
use crate::der::{Reader, tag};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::oid;

/// How a key was wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// SM2EnvelopedKey (GM/T 0009 §7.4, GB/T 35276 §7.4).
    EnvelopedKey,
    /// CSRResponse (GM/T 0092 §8).
    CsrResponse,
    /// Enveloped, or signed and enveloped, data (GM/T 0010).
    Cms,
    /// The key CFCA returns for a request with a temporary key.
    CfcaReturned,
    /// CFCA's `.sm2` file: key and certificate under a password.
    CfcaFile,
    /// ENVELOPEDKEYBLOB of a token (GM/T 0016 §6.4.10).
    Skf,
    /// EnvelopedKeyBlob of a card (GM/T 0018).
    Sdf,
}

impl Form {
    /// What the form is called, and where it is defined.
    pub fn name(self) -> &'static str {
        match self {
            Self::EnvelopedKey => "SM2EnvelopedKey (GM/T 0009)",
            Self::CsrResponse => "CSRResponse (GM/T 0092)",
            Self::Cms => "enveloped data (GM/T 0010)",
            Self::CfcaReturned => "key returned by CFCA",
            Self::CfcaFile => "CFCA .sm2 file",
            Self::Skf => "SKF ENVELOPEDKEYBLOB (GM/T 0016)",
            Self::Sdf => "SDF EnvelopedKeyBlob (GM/T 0018)",
        }
    }

    /// Whether it opens with a password; the others open with the private key they are wrapped to.
    pub fn needs_password(self) -> bool {
        self == Self::CfcaFile
    }
}

/// What an envelope is opened with.
pub enum Opener<'a> {
    /// The private key it is wrapped to: the signing key, or CFCA's temporary key.
    Key(&'a Key),
    /// The password of a `.sm2` file.
    Password(&'a [u8]),
}

/// An opened envelope.
#[derive(Debug)]
pub struct Opened {
    /// The form it had.
    pub form: Form,
    /// The encryption key.
    pub key: Key,
    /// Signing certificates that came with it.
    pub sign_certificates: Vec<Certificate>,
    /// Encryption certificates that came with it.
    pub encrypt_certificates: Vec<Certificate>,
    /// Who signed the envelope, where the form has a signature and it verifies.
    pub signed_by: Option<Certificate>,
}

impl Opened {
    /// Fails unless `certificate` certifies the unwrapped key.
    pub fn check_certificate(&self, certificate: &Certificate) -> Result<()> {
        if self.key.public_key()? == certificate.public_key {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the key in the {} is not the one certified for `{}` (serial number {}); is it the answer to another request, or the signing certificate?",
            self.form.name(),
            certificate.subject,
            certificate.serial
        )))
    }

    fn new(form: Form, key: Key) -> Self {
        Self {
            form,
            key,
            sign_certificates: Vec::new(),
            encrypt_certificates: Vec::new(),
            signed_by: None,
        }
    }
}

/// Tells the form of unpacked bytes (see [`unpack`]).
pub fn detect(bytes: &[u8]) -> Result<Form> {
    if let Some(form) = blob::detect(bytes) {
        return Ok(form);
    }
    let mut content = Reader::whole_sequence(bytes, "an envelope")?;
    let first_tag = content.peek();
    let first = content.any().ok();
    match (first_tag, first, content.peek()) {
        (Some(tag::SET), ..) => Ok(Form::CsrResponse),
        (Some(tag::OBJECT_ID), ..) => Ok(Form::Cms),
        (Some(tag::SEQUENCE), Some(first), Some(tag::SEQUENCE))
            if first.content.first() == Some(&tag::OBJECT_ID) =>
        {
            Ok(Form::EnvelopedKey)
        }
        (Some(tag::SEQUENCE), _, Some(tag::OCTET_STRING)) => Err(Error::malformed(
            "an envelope",
            "an encrypted private key (PKCS#8); use it as it is, or see `alb cert convert`",
        )),
        (Some(tag::INTEGER), _, Some(tag::SEQUENCE)) if is_data(content.clone()) => {
            Ok(Form::CfcaFile)
        }
        (Some(tag::INTEGER), _, Some(tag::OCTET_STRING))
            if content
                .clone()
                .any()
                .is_ok_and(|inner| inner.content.len() > 96) =>
        {
            Ok(Form::CfcaReturned)
        }
        (Some(tag::INTEGER), ..) => Err(Error::malformed(
            "an envelope",
            "a private key that is not wrapped; use it as it is, or see `alb cert convert`",
        )),
        _ => Err(Error::malformed(
            "an envelope",
            "another structure; `alb cert show` may know it",
        )),
    }
}

/// Opens an envelope of any form, in any packing.
pub fn open(file: &[u8], opener: &Opener<'_>) -> Result<Opened> {
    let bytes = unpack(file)?;
    let form = detect(&bytes)?;
    match (form, opener) {
        (Form::EnvelopedKey, Opener::Key(key)) => {
            Ok(Opened::new(form, enveloped_key::open(&bytes, key)?))
        }
        (Form::CsrResponse, Opener::Key(key)) => csr_response::open(&bytes, key),
        (Form::Cms, Opener::Key(key)) => cms::open(&bytes, key),
        (Form::CfcaReturned, Opener::Key(key)) => {
            Ok(Opened::new(form, cfca::open_returned(&bytes, key)?))
        }
        (Form::Skf, Opener::Key(key)) => Ok(Opened::new(form, blob::open_skf(&bytes, key)?)),
        (Form::Sdf, Opener::Key(key)) => Ok(Opened::new(form, blob::open_sdf(&bytes, key)?)),
        (Form::CfcaFile, Opener::Password(password)) => cfca::open_file(&bytes, password),
        (_, Opener::Key(_)) => Err(Error::Refused(format!(
            "a {} opens with its password, not with a key",
            form.name()
        ))),
        (_, Opener::Password(_)) => Err(Error::Refused(format!(
            "a {} opens with the private key it is wrapped to, not with a password",
            form.name()
        ))),
    }
}

/// The certificates in an envelope, as far as they can be read without opening it.
pub fn certificates(form: Form, bytes: &[u8]) -> Result<Vec<Certificate>> {
    match form {
        Form::CsrResponse => csr_response::certificates_of(bytes),
        Form::CfcaFile => cfca::certificate_of(bytes).map(|certificate| vec![certificate]),
        _ => Ok(Vec::new()),
    }
}

/// A secret number d against the point it must have.
fn key_of(secret: &[u8], point: Option<&[u8]>) -> Result<Key> {
    let mut number = Zeroizing::new([0; 32]);
    let (zeros, digits) = secret.split_at(secret.len().saturating_sub(32));
    if digits.len() != 32 || zeros.iter().any(|&byte| byte != 0) {
        return Err(Error::malformed(
            "an SM2 private key",
            format!("a number of {} bytes where 32 belong", secret.len()),
        ));
    }
    number.copy_from_slice(digits);
    let key = Key::from_sm2_secret(&number)?;
    match (key.public_key()?.sm2_point(), point) {
        (Some(own), Some(point)) if own[..] != *point => {
            Err(Error::Refused("the unwrapped key does not belong to the public key in the envelope; the envelope is damaged, or for another key".to_owned()))
        }
        _ => Ok(key),
    }
}

/// Whether the next element is a SEQUENCE that begins with the identifier of GM data.
fn is_data(mut content: Reader<'_>) -> bool {
    content
        .sequence()
        .and_then(|mut inner| inner.object_id())
        .is_ok_and(|kind| kind == oid::GM_DATA)
}
