//! Every implementation of SM4 and GHASH against published vectors.

use alb_gm::sm4::{Backend, Block, Key, cbc, ccm, gcm::GcmKey};

/// GB/T 32907-2016 annex A: key and plaintext are the same.
const KEY: [u8; 16] = [
    0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10,
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

fn keys() -> impl Iterator<Item = Key> {
    Backend::available().map(|backend| Key::with_backend(&KEY, backend).unwrap())
}

#[test]
fn one_block_of_gb_t_32907() {
    for key in keys() {
        let mut block = [KEY];
        key.encrypt_blocks(&mut block);
        assert_eq!(
            block[0][..],
            hex("681EDF34D206965E86B3E94F536E4246"),
            "{key:?}"
        );
        key.decrypt_blocks(&mut block);
        assert_eq!(block[0], KEY, "{key:?}");
    }
}

#[test]
fn a_million_rounds_of_gb_t_32907() {
    for key in keys() {
        // CBC of zeros encrypts the chaining value again and again: the shortest way through every implementation.
        let mut chain: Block = KEY;
        for _ in 0..1000 {
            cbc::encrypt(&key, &mut chain, &mut [[0; 16]; 1000]);
        }
        assert_eq!(
            chain[..],
            hex("595298C7C6FD271F0402F804C33D3F66"),
            "{key:?}"
        );
    }
}

struct Rfc8998 {
    iv: Vec<u8>,
    additional: Vec<u8>,
    text: Vec<u8>,
}

fn rfc8998() -> Rfc8998 {
    Rfc8998 {
        iv: hex("00001234567800000000ABCD"),
        additional: hex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"),
        text: [0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA]
            .iter()
            .flat_map(|byte| [*byte; 8])
            .collect(),
    }
}

#[test]
fn gcm_of_rfc_8998_a_1() {
    let Rfc8998 {
        iv,
        additional,
        text,
    } = rfc8998();
    for backend in Backend::available() {
        let key = GcmKey::with_backend(&KEY, backend).unwrap();
        let mut data = text.clone();
        let tag = key.seal(&iv, &additional, &mut data).unwrap();
        assert_eq!(
            data,
            hex(concat!(
                "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735",
                "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
            )),
            "{backend:?}"
        );
        assert_eq!(
            tag[..],
            hex("83DE3541E4C2B58177E065A9BF7B62EC"),
            "{backend:?}"
        );
        key.open(&iv, &additional, &mut data, &tag).unwrap();
        assert_eq!(data, text, "{backend:?}");
    }
}

#[test]
fn ccm_of_rfc_8998_a_2() {
    let Rfc8998 {
        iv,
        additional,
        text,
    } = rfc8998();
    let parameters = ccm::Parameters::new(16, 12).unwrap();
    for key in keys() {
        let (mut data, mut tag) = (text.clone(), [0; 16]);
        ccm::seal(&key, parameters, &iv, &additional, &mut data, &mut tag).unwrap();
        assert_eq!(
            data,
            hex(concat!(
                "48AF93501FA62ADBCD414CCE6034D895DDA1BF8F132F042098661572E7483094",
                "FD12E518CE062C98ACEE28D95DF4416BED31A2F04476C18BB40C84A74B97DC5B"
            )),
            "{key:?}"
        );
        assert_eq!(tag[..], hex("16842D4FA186F56AB33256971FA110F4"), "{key:?}");
        ccm::open(&key, parameters, &iv, &additional, &mut data, &tag).unwrap();
        assert_eq!(data, text, "{key:?}");
    }
}
