//! SM2 executes the same instructions and touches the same addresses whatever the private key and the nonce are.

mod trace;

use std::hint::black_box;
use std::process::ExitCode;

use alb_gm::sm2::{DEFAULT_ID, Own, Peer, PrivateKey, RandomError, Role, agree};
use trace::{Operation, leaky_operations, mark, telling_secrets};

fn main() -> ExitCode {
    let operation = |name, run| Operation {
        name,
        run,
        secrets: telling_secrets,
        leaks: false,
    };
    let [branch, index] = leaky_operations();
    trace::main(&[
        branch,
        index,
        operation("sm2 public key", public_key),
        operation("sm2 sign", sign),
        operation("sm2 decrypt", decrypt),
        operation("sm2 key exchange", exchange),
    ])
}

fn key(secret: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_bytes(secret).expect("key")
}

/// The same bytes for every draw.
fn constant(bytes: [u8; 32]) -> impl FnMut(&mut [u8]) -> Result<(), RandomError> {
    move |out| {
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

fn public_key(secret: &[u8; 32]) {
    mark();
    let key = key(black_box(secret));
    mark();
    black_box(key);
}

/// The secret is the private key and, turned around, the nonce.
fn sign(secret: &[u8; 32]) {
    let mut nonce = *secret;
    nonce.reverse();
    nonce[0] &= 0x7f;
    let key = key(secret);
    let mut random = constant(nonce);
    mark();
    let signature = key.sign_digest(&[0x77; 32], &mut random);
    mark();
    black_box(signature).expect("signature");
}

fn decrypt(secret: &[u8; 32]) {
    let key = key(secret);
    let ciphertext = key
        .public()
        .encrypt(&[0x33; 48], &mut constant([0x21; 32]))
        .expect("ciphertext");
    mark();
    let message = key.decrypt(&ciphertext);
    mark();
    black_box(message).expect("message");
}

fn exchange(secret: &[u8; 32]) {
    let (key, ephemeral) = (key(secret), key(secret));
    let (peer_key, peer_ephemeral) = (self::key(&[0x11; 32]), self::key(&[0x12; 32]));
    let own = Own {
        key: &key,
        ephemeral: &ephemeral,
        id: DEFAULT_ID,
    };
    let peer = Peer {
        key: peer_key.public(),
        ephemeral: peer_ephemeral.public(),
        id: DEFAULT_ID,
    };
    let mut out = [0; 48];
    mark();
    let confirmation = agree(Role::Initiator, &own, &peer, &mut out);
    mark();
    black_box(confirmation).expect("agreement");
}
