//! The client's side of SCRAM (RFC 5802, RFC 7677), without a bound channel.

use openssl::base64::{decode_block, encode_block};
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// What the client says of channels: it does not bind to any.
const HEAD: &str = "n,,";

/// A client that proves that it knows a password, and has the server prove that it does, too.
pub struct Scram {
    digest: MessageDigest,
    password: &'static str,
    bare: String,
    /// What the server will have to prove with.
    signature: Vec<u8>,
}

impl Scram {
    /// `SCRAM-SHA-1` or `SCRAM-SHA-256`.
    pub fn new(mechanism: &str, user: &str, password: &'static str) -> Self {
        let digest = match mechanism {
            "SCRAM-SHA-1" => MessageDigest::sha1(),
            "SCRAM-SHA-256" => MessageDigest::sha256(),
            other => panic!("no SCRAM: {other}"),
        };
        Self {
            digest,
            password,
            bare: format!("n={user},r=rOprNGfwEbeRWgbNEkqO"),
            signature: Vec::new(),
        }
    }

    /// The first message, in base64.
    pub fn first(&self) -> String {
        encode_block(format!("{HEAD}{}", self.bare).as_bytes())
    }

    /// The answer to the server's first message, both in base64.
    pub fn proof(&mut self, challenge: &str) -> String {
        let challenge = decoded(challenge);
        let field = |name: &str| {
            let mut fields = challenge.split(',');
            let found = fields.find_map(|field| field.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {challenge:?}"))
        };
        let (nonce, salt) = (field("r="), decode_block(field("s=")).expect("a salt"));
        let rounds = field("i=").parse().expect("a number");
        let mut salted = vec![0; self.digest.size()];
        pbkdf2_hmac(
            self.password.as_bytes(),
            &salt,
            rounds,
            self.digest,
            &mut salted,
        )
        .expect("a key");
        let without_proof = format!("c={},r={nonce}", encode_block(HEAD.as_bytes()));
        let message = format!("{},{challenge},{without_proof}", self.bare);
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = hash(self.digest, &client_key).expect("a digest");
        let signature = self.hmac(&stored_key, message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server_key = self.hmac(&salted, b"Server Key");
        self.signature = self.hmac(&server_key, message.as_bytes());
        encode_block(format!("{without_proof},p={}", encode_block(&proof)).as_bytes())
    }

    /// Fails the test unless this is the server's proof.
    pub fn check(&self, challenge: &str) {
        let expected = format!("v={}", encode_block(&self.signature));
        assert_eq!(decoded(challenge), expected);
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let key = PKey::hmac(key).expect("a key");
        let mut signer = Signer::new(self.digest, &key).expect("a signer");
        signer.update(message).expect("a message");
        signer.sign_to_vec().expect("a signature")
    }
}

fn decoded(text: &str) -> String {
    let bytes = decode_block(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    String::from_utf8(bytes).expect("text")
}
