//! A TLCP client that makes a mistake no proper one makes, by hand: its hello and its certificates.

use std::net::SocketAddr;

use super::raw::Raw;
use crate::pki::Pki;

/// A fatal alert `illegal_parameter` in a TLCP record (GB/T 38636 §6.3, §6.4.2): the last bytes of a refusal.
pub const ILLEGAL_PARAMETER: [u8; 7] = [21, 1, 1, 0, 2, 2, 47];

/// The handshake message `server_hello_done`, after which it is the client's turn.
const SERVER_HELLO_DONE: [u8; 4] = [14, 0, 0, 0];

/// Shows the encryption certificate of a pair where the signing one belongs, and the reverse. Returns what the server
/// said after that.
pub async fn exchanged_pair(pki: &Pki, name: &str, address: SocketAddr) -> Vec<u8> {
    let mut raw = Raw::connect(address).await;
    raw.write(record(1, &hello())).await;
    raw.read_until_bytes(&SERVER_HELLO_DONE).await;
    let certificates: Vec<u8> = ["enc", "sign"]
        .iter()
        .flat_map(|half| prefixed(&der(&pki.read(&format!("{name}-{half}.pem")))))
        .collect();
    raw.write(record(11, &prefixed(&certificates))).await;
    raw.read_to_end().await
}

/// A ClientHello of TLCP that offers ECC_SM4_GCM_SM3 (GB/T 38636 §6.4.5.2.1).
fn hello() -> Vec<u8> {
    let (version, random) = ([1, 1], [7; 32]);
    let (no_session, suites, no_compression) = ([0], [0, 2, 0xE0, 0x53], [1, 0]);
    [&version[..], &random, &no_session, &suites, &no_compression].concat()
}

/// One handshake message in one record.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind][..], &prefixed(body)].concat();
    let length = u16::try_from(message.len())
        .expect("a short message")
        .to_be_bytes();
    [&[22, 1, 1][..], &length, &message].concat()
}

/// Bytes after their length in 24 bits.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&length[1..], bytes].concat()
}

fn der(pem: &[u8]) -> Vec<u8> {
    let certificate = openssl::x509::X509::from_pem(pem).expect("a certificate");
    certificate.to_der().expect("its encoding")
}
