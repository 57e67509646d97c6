//! Builds envelopes from the layouts of the standards, independently of the code that opens them.

use alb_certs::der::{self, tag};
use alb_certs::envelope::{self, Form, Sm2Cipher};
use alb_certs::issue::Pair;
use alb_certs::oid::{self, Oid};
use alb_certs::pem;
use alb_certs::{Key, PublicKey};
use openssl::symm::{Cipher, Crypter, Mode, encrypt};

pub const PASSWORD: &[u8] = b"golden";

/// What opens a sample.
#[derive(Clone, Copy)]
pub enum Recipient {
    Signing,
    Temporary,
    Password,
}

pub struct Sample {
    pub name: &'static str,
    pub form: Form,
    pub recipient: Recipient,
    pub bytes: Vec<u8>,
}

/// One sample of every form and variant in the field.
pub fn samples(pair: &Pair, temporary: &Key) -> Vec<Sample> {
    let sign = &pair.sign.certificate.public_key;
    let key = &pair.encrypt.key;
    let envelope = envelope::seal_enveloped_key(sign, key).unwrap();
    let response =
        envelope::seal_csr_response(&pair.sign.certificate, &pair.encrypt.certificate, key)
            .unwrap();
    let returned = cfca_returned(temporary, key);
    let file = envelope::seal_cfca_file(key, &pair.encrypt.certificate, PASSWORD).unwrap();
    let signing = |name, form, bytes| Sample {
        name,
        form,
        recipient: Recipient::Signing,
        bytes,
    };
    vec![
        signing(
            "enveloped-key.pem",
            Form::EnvelopedKey,
            pem::encode("SM2 ENVELOPED KEY", &envelope).into_bytes(),
        ),
        signing(
            "enveloped-key.b64",
            Form::EnvelopedKey,
            openssl::base64::encode_block(&envelope).into_bytes(),
        ),
        signing("enveloped-key.der", Form::EnvelopedKey, envelope),
        signing(
            "enveloped-key-64.der",
            Form::EnvelopedKey,
            enveloped_key_64(sign, key),
        ),
        signing("csr-response.der", Form::CsrResponse, response),
        signing(
            "csr-response-explicit.der",
            Form::CsrResponse,
            csr_response_explicit(pair),
        ),
        signing(
            "cms-signed.der",
            Form::Cms,
            cms(pair, Some(key), &key.sm2_secret().unwrap()[..]),
        ),
        signing(
            "cms-enveloped.der",
            Form::Cms,
            cms(pair, None, &key.to_pkcs8().unwrap()),
        ),
        signing("skf.bin", Form::Skf, skf(sign, key, false)),
        signing("skf-right-aligned.bin", Form::Skf, skf(sign, key, true)),
        signing("sdf.bin", Form::Sdf, sdf(sign, key, 4, 16)),
        signing("sdf-long.bin", Form::Sdf, sdf(sign, key, 8, 255)),
        Sample {
            name: "cfca-returned.txt",
            form: Form::CfcaReturned,
            recipient: Recipient::Temporary,
            bytes: returned,
        },
        Sample {
            name: "cfca.sm2",
            form: Form::CfcaFile,
            recipient: Recipient::Password,
            bytes: openssl::base64::encode_block(&file).into_bytes(),
        },
    ]
}

const SESSION: [u8; 16] = *b"a session key 16";

/// SM4-ECB without padding.
fn sm4(data: &[u8]) -> Vec<u8> {
    let mut crypter = Crypter::new(Cipher::sm4_ecb(), Mode::Encrypt, &SESSION, None).unwrap();
    crypter.pad(false);
    let mut out = vec![0; data.len() + 16];
    let length = crypter.update(data, &mut out).unwrap();
    out.truncate(length);
    out
}

/// A number right-aligned in 64 bytes.
fn field(number: &[u8]) -> Vec<u8> {
    [&vec![0; 64 - number.len()][..], number].concat()
}

/// SM2EnvelopedKey with the key as a token's 64-byte field, and "SM4" with NULL as its algorithm.
fn enveloped_key_64(sign: &PublicKey, key: &Key) -> Vec<u8> {
    der::sequence([
        der::sequence([der::object_id(&oid::SM4), der::null()]),
        Sm2Cipher::encrypt(sign, &SESSION).unwrap().to_der(),
        der::bit_string(&key.public_key().unwrap().sm2_point().unwrap()),
        der::bit_string(&sm4(&field(&key.sm2_secret().unwrap()[..]))),
    ])
}

/// CSRResponse with `[0]` and `[1]` EXPLICIT.
fn csr_response_explicit(pair: &Pair) -> Vec<u8> {
    let envelope =
        envelope::seal_enveloped_key(&pair.sign.certificate.public_key, &pair.encrypt.key).unwrap();
    let set = |certificate: &[u8]| der::set_of([certificate.to_vec()]);
    der::sequence([
        set(pair.sign.certificate.der()),
        der::explicit(0, envelope),
        der::explicit(1, set(pair.encrypt.certificate.der())),
    ])
}

/// GM/T 0010 enveloped data, or signed in the name of the encryption certificate and enveloped.
pub fn cms(pair: &Pair, signer_key: Option<&Key>, content: &[u8]) -> Vec<u8> {
    let iv = [3; 16];
    let encrypted = encrypt(Cipher::sm4_cbc(), &SESSION, Some(&iv), content).unwrap();
    let recipient = der::sequence([
        der::integer(1),
        issuer_and_serial(&pair.sign.certificate),
        identifier(&oid::SM2_ENCRYPT),
        der::octet_string(
            &Sm2Cipher::encrypt(&pair.sign.certificate.public_key, &SESSION)
                .unwrap()
                .to_der(),
        ),
    ]);
    let info = der::sequence([
        der::object_id(&oid::GM_DATA),
        der::sequence([der::object_id(&oid::SM4_CBC), der::octet_string(&iv)]),
        der::element(tag::context(0), &encrypted),
    ]);
    let mut parts = vec![der::integer(1), der::set_of([recipient])];
    if signer_key.is_some() {
        parts.push(der::set_of([identifier(&oid::SM3)]));
    }
    parts.push(info);
    if let Some(key) = signer_key {
        parts.push(der::element(
            tag::context_constructed(0),
            pair.encrypt.certificate.der(),
        ));
        parts.push(der::set_of([signer(pair, key, content)]));
    }
    let kind = if signer_key.is_some() {
        oid::GM_SIGNED_ENVELOPED
    } else {
        oid::GM_ENVELOPED
    };
    der::sequence([
        der::object_id(&kind),
        der::explicit(0, der::sequence(parts)),
    ])
}

fn signer(pair: &Pair, key: &Key, content: &[u8]) -> Vec<u8> {
    der::sequence([
        der::integer(1),
        issuer_and_serial(&pair.encrypt.certificate),
        identifier(&oid::SM3),
        identifier(&oid::SM2_SIGN),
        der::octet_string(&key.sign(content).unwrap()),
    ])
}

fn issuer_and_serial(certificate: &alb_certs::Certificate) -> Vec<u8> {
    der::sequence([
        certificate.issuer.to_der(),
        der::unsigned(certificate.serial.bytes()),
    ])
}

fn identifier(oid: &Oid) -> Vec<u8> {
    der::sequence([der::object_id(oid)])
}

/// ECCCIPHERBLOB / ECCCipher with room for `room` bytes of ciphertext.
fn blob_cipher(sign: &PublicKey, room: usize) -> Vec<u8> {
    let cipher = Sm2Cipher::encrypt(sign, &SESSION).unwrap();
    let mut text = cipher.text.clone();
    text.resize(room, 0);
    [
        field(&cipher.x),
        field(&cipher.y),
        cipher.hash.to_vec(),
        16u32.to_le_bytes().to_vec(),
        text,
    ]
    .concat()
}

/// ECCPUBLICKEYBLOB / ECCrefPublicKey.
fn blob_public_key(key: &Key) -> Vec<u8> {
    let point = key.public_key().unwrap().sm2_point().unwrap();
    [
        256u32.to_le_bytes().to_vec(),
        field(&point[1..33]),
        field(&point[33..]),
    ]
    .concat()
}

fn skf(sign: &PublicKey, key: &Key, right_aligned: bool) -> Vec<u8> {
    let secret = key.sm2_secret().unwrap();
    let encrypted = if right_aligned {
        field(&sm4(&secret[..]))
    } else {
        sm4(&field(&secret[..]))
    };
    let head = [1u32, 0x401, 256].map(u32::to_le_bytes).concat();
    [head, encrypted, blob_public_key(key), blob_cipher(sign, 16)].concat()
}

fn sdf(sign: &PublicKey, key: &Key, width: usize, room: usize) -> Vec<u8> {
    let word = |value: u64| value.to_le_bytes()[..width].to_vec();
    let encrypted = sm4(&field(&key.sm2_secret().unwrap()[..]));
    [
        word(1),
        word(0x401),
        blob_cipher(sign, room),
        blob_public_key(key),
        encrypted,
    ]
    .concat()
}

/// The key CFCA returns: a header of 64 digits, the length, and base64 with commas.
fn cfca_returned(temporary: &Key, key: &Key) -> Vec<u8> {
    let point = key.public_key().unwrap().sm2_point().unwrap();
    let plain = [&point[1..], &key.sm2_secret().unwrap()[..]].concat();
    let cipher = Sm2Cipher::encrypt(&temporary.public_key().unwrap(), &plain).unwrap();
    let c1c3c2 = [&cipher.x[..], &cipher.y, &cipher.hash, &cipher.text].concat();
    let base64 = openssl::base64::encode_block(&der::sequence([
        der::integer(1),
        der::octet_string(&c1c3c2),
    ]));
    let (first, second) = base64.split_at(76);
    let body = format!("{first},{second}");
    format!("{:016}{:016}{:032}{:016}{body}", 1, 1, 0, body.len()).into_bytes()
}
