//! SM4 per implementation and record size, against Tongsuo's own: `cargo bench -p alb-gm --bench sm4`.
//!
//! Megabytes per second of one core's CPU time. Every message is whole: IV, additional data and tag are in the time,
//! the key schedule is not (it has its own line).

mod common;

use alb_gm::sm4::{Backend, Key, cbc, ccm, ctr, gcm::GcmKey};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

const KEY: [u8; 16] = *b"a bench key, 16.";
const SIZES: [usize; 5] = [64, 256, 1024, 4096, 16384];

fn main() {
    println!(
        "{:24}{}",
        "MB/s of CPU time",
        SIZES.map(|size| format!("{size:>9} B")).concat()
    );
    let wanted = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with('-'));
    for (name, ours) in MODES {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        for backend in Backend::available() {
            row(&format!("{name} {}", backend.name()), |data| {
                ours(backend, data)
            });
        }
        row(&format!("{name} Tongsuo"), |data| tongsuo(name, data));
    }
    for backend in Backend::available() {
        let time = common::time(|| Key::with_backend(&KEY, backend));
        let gcm = common::time(|| GcmKey::with_backend(&KEY, backend));
        println!(
            "key schedule {}: {time:.0} ns, with GHASH {gcm:.0} ns",
            backend.name()
        );
    }
}

/// Measures one mode on a buffer.
type Measure = fn(Backend, &mut [u8]) -> f64;

const MODES: [(&str, Measure); 6] = [
    ("SM4-GCM", gcm),
    ("SM4-CCM", ccm),
    ("SM4-CTR", ctr),
    ("SM4-CBC", cbc_encrypt),
    ("SM4-CBC decrypt", cbc_decrypt),
    ("SM4-ECB", ecb),
];

/// Megabytes (10⁶) per second of CPU time.
fn throughput(bytes: usize, work: impl FnMut()) -> f64 {
    bytes as f64 * 1e3 / common::time(work)
}

fn row(name: &str, measure: impl Fn(&mut [u8]) -> f64) {
    let figures = SIZES.map(|size| format!("{:>11.0}", measure(&mut vec![0x5A; size])));
    println!("{name:32}{}", figures.concat());
}

fn key(backend: Backend) -> Key {
    Key::with_backend(&KEY, backend).expect("an available backend")
}

fn gcm(backend: Backend, data: &mut [u8]) -> f64 {
    let key = GcmKey::with_backend(&KEY, backend).expect("an available backend");
    throughput(data.len(), || {
        key.seal(&[1; 12], &[2; 13], data).expect("a short message");
    })
}

fn ccm(backend: Backend, data: &mut [u8]) -> f64 {
    let key = key(backend);
    let parameters = ccm::Parameters::new(16, 12).expect("parameters of TLS");
    throughput(data.len(), || {
        ccm::seal(&key, parameters, &[1; 12], &[2; 13], data, &mut [0; 16])
            .expect("a short message");
    })
}

fn ctr(backend: Backend, data: &mut [u8]) -> f64 {
    let key = key(backend);
    throughput(data.len(), || ctr::Stream::new([1; 16]).apply(&key, data))
}

fn cbc_encrypt(backend: Backend, data: &mut [u8]) -> f64 {
    let key = key(backend);
    throughput(data.len(), || {
        cbc::encrypt(&key, &mut [1; 16], data.as_chunks_mut().0)
    })
}

fn cbc_decrypt(backend: Backend, data: &mut [u8]) -> f64 {
    let key = key(backend);
    throughput(data.len(), || {
        cbc::decrypt(&key, &mut [1; 16], data.as_chunks_mut().0)
    })
}

fn ecb(backend: Backend, data: &mut [u8]) -> f64 {
    let key = key(backend);
    throughput(data.len(), || key.encrypt_blocks(data.as_chunks_mut().0))
}

/// Tongsuo's default provider, on a context that keeps its key.
fn tongsuo(mode: &str, data: &mut [u8]) -> f64 {
    let name = mode.trim_end_matches(" decrypt");
    let cipher = Cipher::fetch(None, name, Some("provider=default")).expect("Tongsuo has SM4");
    let iv = (cipher.iv_length() > 0).then(|| vec![1; cipher.iv_length()]);
    let mut context = CipherCtx::new().expect("a context");
    let decrypt = mode.ends_with("decrypt");
    let start = |context: &mut CipherCtx, key: Option<&[u8]>| {
        let cipher = key.map(|_| &*cipher);
        let started = if decrypt {
            context.decrypt_init(cipher, key, iv.as_deref())
        } else {
            context.encrypt_init(cipher, key, iv.as_deref())
        };
        started.expect("key and IV fit");
    };
    start(&mut context, Some(&KEY));
    context.set_padding(false);
    let mut out = vec![0; data.len() + 16];
    // CCM's tag is 12 bytes unless told before the key.
    let tag = if mode == "SM4-CCM" { 12 } else { 16 };
    let aead = mode == "SM4-GCM" || mode == "SM4-CCM";
    throughput(data.len(), || {
        start(&mut context, None);
        if mode == "SM4-CCM" {
            context.set_data_len(data.len()).expect("a length");
        }
        if aead {
            context
                .cipher_update(&[2; 13], None)
                .expect("additional data");
        }
        context
            .cipher_update(data, Some(&mut out))
            .expect("an update");
        if aead {
            context.cipher_final(&mut out).expect("an end");
            context.tag(&mut [0; 16][..tag]).expect("a tag");
        }
    })
}
