//! Known answers, each with its source.

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};

use super::{Named, Outcome, exchange, expect, refused};

/// The checks and their names.
pub(super) const ALL: &[Named] = &[
    ("SM3 (GB/T 32905 A.1)", sm3),
    ("HMAC-SM3", hmac),
    ("SM4-ECB (GB/T 32907 A.1)", sm4_ecb),
    ("SM4-CBC", sm4_cbc),
    ("SM4-CTR", sm4_ctr),
    ("SM4-GCM (RFC 8998 A.1)", sm4_gcm),
    ("SM4-CCM (RFC 8998 A.2)", sm4_ccm),
    ("SM2 verification (GB/T 32918.5 A.2)", sm2_verify),
    ("SM2 decryption (GB/T 32918.5 C.2)", sm2_decrypt),
    ("SM2 key exchange (GB/T 32918.5 B.2)", sm2_exchange),
];

/// A number written in hexadecimal, as bytes.
const fn hex<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut out, mut i) = (text.as_bytes(), [0; N], 0);
    assert!(text.len() == 2 * N, "length");
    while i < N {
        out[i] = nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]);
        i += 1;
    }
    out
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'F' => digit - b'A' + 10,
        _ => panic!("hexadecimal digit"),
    }
}

fn sm3() -> Outcome {
    let known: [u8; 32] = hex("66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0");
    let answer = digest()
        .and_then(|sm3| hash(sm3, b"abc"))
        .map_err(refused)?;
    expect(&answer, &known)
}

fn digest() -> Result<MessageDigest, ErrorStack> {
    MessageDigest::from_nid(Nid::SM3).ok_or_else(ErrorStack::get)
}

/// RFC 4231's second case over SM3; recomputed with GmSSL, gmsm and Tongsuo.
fn hmac() -> Outcome {
    let known: [u8; 32] = hex("2E87F1D16862E6D964B50A5200BF2B10B764FAA9680A296A2405F24BEC39F882");
    let answer = || {
        Signer::new(digest()?, &*PKey::hmac(b"Jefe")?)?
            .sign_oneshot_to_vec(b"what do ya want for nothing?")
    };
    expect(&answer().map_err(refused)?, &known)
}

/// Key and plaintext of GB/T 32907, A.1, and of RFC 8998.
const SM4_KEY: [u8; 16] = hex("0123456789ABCDEFFEDCBA9876543210");
const SM4_BLOCK: [u8; 16] = hex("681EDF34D206965E86B3E94F536E4246");

fn sm4_ecb() -> Outcome {
    expect(&block_mode("SM4-ECB", None, &SM4_KEY)?, &SM4_BLOCK)
}

/// One block of CBC after a vector of zeros is the block cipher.
fn sm4_cbc() -> Outcome {
    expect(
        &block_mode("SM4-CBC", Some(&[0; 16]), &SM4_KEY)?,
        &SM4_BLOCK,
    )
}

/// The key stream is the cipher of the counter.
fn sm4_ctr() -> Outcome {
    expect(
        &block_mode("SM4-CTR", Some(&SM4_KEY), &[0; 16])?,
        &SM4_BLOCK,
    )
}

/// Encrypts one block, and back.
fn block_mode(name: &str, iv: Option<&[u8]>, block: &[u8; 16]) -> Result<Vec<u8>, String> {
    let run = |encrypt: bool, data: &[u8]| -> Result<Vec<u8>, ErrorStack> {
        let cipher = Cipher::fetch(None, name, None)?;
        let (mut context, mut out) = (CipherCtx::new()?, Vec::new());
        match encrypt {
            true => context.encrypt_init(Some(&cipher), Some(&SM4_KEY), iv)?,
            false => context.decrypt_init(Some(&cipher), Some(&SM4_KEY), iv)?,
        }
        context.set_padding(false);
        context.cipher_update_vec(data, &mut out)?;
        context.cipher_final_vec(&mut out)?;
        Ok(out)
    };
    let encrypted = run(true, block).map_err(refused)?;
    match run(false, &encrypted).map_err(refused)? == block {
        true => Ok(encrypted),
        false => Err("decryption does not give back what was encrypted".to_owned()),
    }
}

fn sm4_gcm() -> Outcome {
    aead(
        "SM4-GCM",
        &hex::<80>(
            "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D83DE3541E4C2B58177E065A9BF7B62EC",
        ),
    )
}

fn sm4_ccm() -> Outcome {
    aead(
        "SM4-CCM",
        &hex::<80>(
            "48AF93501FA62ADBCD414CCE6034D895DDA1BF8F132F042098661572E7483094FD12E518CE062C98ACEE28D95DF4416BED31A2F04476C18BB40C84A74B97DC5B16842D4FA186F56AB33256971FA110F4",
        ),
    )
}

/// RFC 8998, A.1 and A.2, have everything in common but the mode. `known` ends with the tag.
fn aead(name: &str, known: &[u8; 80]) -> Outcome {
    let iv: [u8; 12] = hex("00001234567800000000ABCD");
    let additional: [u8; 20] = hex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2");
    let message: Vec<u8> = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xee, 0xaa]
        .iter()
        .flat_map(|byte| [*byte; 8])
        .collect();
    let seal = || -> Result<Vec<u8>, ErrorStack> {
        let cipher = Cipher::fetch(None, name, None)?;
        let (mut context, mut out, mut tag) = (CipherCtx::new()?, Vec::new(), [0; 16]);
        context.encrypt_init(Some(&cipher), None, None)?;
        context.set_iv_length(iv.len())?;
        if name == "SM4-CCM" {
            context.set_tag_length(tag.len())?;
        }
        context.encrypt_init(None, Some(&SM4_KEY), Some(&iv))?;
        if name == "SM4-CCM" {
            context.set_data_len(message.len())?;
        }
        context.cipher_update(&additional, None)?;
        context.cipher_update_vec(&message, &mut out)?;
        context.cipher_final_vec(&mut out)?;
        context.tag(&mut tag)?;
        out.extend_from_slice(&tag);
        Ok(out)
    };
    expect(&seal().map_err(refused)?, known)
}

/// The key of GB/T 32918.5, A.2 and C.2.
const SM2_KEY: [u8; 32] = hex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
fn sm2_key() -> Result<PKey<Private>, ErrorStack> {
    exchange::pair(&SM2_KEY)
}

fn sm2_verify() -> Outcome {
    let signature: [u8; 72] = hex(
        "3046022100F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3022100B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
    );
    let verify = |message: &[u8]| {
        Verifier::new(digest()?, &*sm2_key()?)?.verify_oneshot(&signature, message)
    };
    if !verify(b"message digest").map_err(refused)? {
        return Err("a good signature is refused".to_owned());
    }
    match verify(b"another message") {
        Ok(true) => Err("a signature of another message is accepted".to_owned()),
        Ok(false) | Err(_) => Ok(()),
    }
}

fn sm2_decrypt() -> Outcome {
    let ciphertext: [u8; 126] = hex(
        "307C022004EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73022100E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0042059983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766041321886CA989CA9C7D58087307CA93092D651EFA",
    );
    let decrypt = || -> Result<Vec<u8>, ErrorStack> {
        let (key, mut out) = (sm2_key()?, Vec::new());
        let mut context = PkeyCtx::new(&key)?;
        context.decrypt_init()?;
        context.decrypt_to_vec(&ciphertext, &mut out)?;
        Ok(out)
    };
    expect(&decrypt().map_err(refused)?, b"encryption standard")
}

fn sm2_exchange() -> Outcome {
    let pair = |bytes: &[u8; 32]| exchange::pair(bytes).map_err(refused);
    let parties = exchange::Parties {
        own: pair(&hex(
            "81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029",
        ))?,
        own_ephemeral: pair(&hex(
            "D4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3",
        ))?,
        peer: pair(&hex(
            "785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5",
        ))?,
        peer_ephemeral: pair(&hex(
            "7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6",
        ))?,
    };
    let agreed: [u8; 16] = exchange::agree(&parties).map_err(refused)?;
    expect(&agreed, &hex::<16>("6C89347354DE2484C60B4AB1FDE4C6E5"))
}
