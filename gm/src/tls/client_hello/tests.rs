//! Hellos built by hand, cut, spoilt and made up.

use super::*;
use proptest::prelude::*;

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), prefixed(data)].concat()
}

fn codes(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// The handshake message of a hello.
fn message(hello: &ClientHello, with_extensions: bool) -> Vec<u8> {
    let name = hello.sni.as_deref().unwrap_or_default();
    let alpn: Vec<u8> = hello
        .alpn
        .iter()
        .flat_map(|n| [&[n.len() as u8], n.as_bytes()].concat())
        .collect();
    let extensions = [
        extension(
            SERVER_NAME,
            &prefixed(&[&[0][..], &prefixed(name.as_bytes())].concat()),
        ),
        extension(0x1234, b"unknown"),
        extension(SUPPORTED_GROUPS, &prefixed(&codes(&hello.groups))),
        extension(ALPN, &prefixed(&alpn)),
    ];
    let mut body = [&hello.versions[0].to_be_bytes()[..], &[7; 32], &[0]].concat();
    body.extend(prefixed(&codes(&hello.suites)));
    body.extend([1, 0]);
    if with_extensions {
        body.extend(prefixed(&extensions.concat()));
    }
    [&[CLIENT_HELLO, 0][..], &prefixed(&body)].concat()
}

/// Puts a message into records of at most `size` bytes.
fn records(version: u16, message: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[HANDSHAKE][..], &version.to_be_bytes(), &prefixed(part)].concat();
    message.chunks(size).flat_map(record).collect()
}

fn hellos() -> impl Strategy<Value = ClientHello> {
    let name = proptest::option::of("[a-z]{1,20}(\\.[a-z0-9-]{1,20}){0,3}");
    let plain = |n: &u16| !is_grease(*n);
    let numbers = proptest::collection::vec(any::<u16>().prop_filter("grease", plain), 1..40);
    let version = prop_oneof![Just(0x0101), Just(0x0301), Just(0x0303)];
    (
        version,
        numbers.clone(),
        name,
        proptest::collection::vec("[a-z0-9/.]{1,12}", 1..4),
        numbers,
    )
        .prop_map(|(version, suites, sni, alpn, groups)| ClientHello {
            record_version: version,
            versions: vec![version],
            suites,
            sni,
            alpn,
            groups,
        })
}

proptest! {
    #[test]
    fn a_hello_is_read_back_however_it_is_cut_into_records(hello in hellos(), size in 1usize..600) {
        let bytes = records(hello.record_version, &message(&hello, true), size);
        prop_assert_eq!(ClientHello::parse(&bytes), Ok(Some(hello)));
    }

    #[test]
    fn every_beginning_of_a_hello_asks_for_more(hello in hellos(), size in 1usize..600) {
        let bytes = records(hello.record_version, &message(&hello, true), size);
        for end in 0..bytes.len() {
            prop_assert_eq!(ClientHello::parse(&bytes[..end]), Ok(None));
        }
    }

    #[test]
    fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..600), tls: bool) {
        let mut bytes = bytes;
        let _ = ClientHello::parse(&bytes);
        bytes.splice(0..0, [HANDSHAKE, if tls { 3 } else { 1 }, 1, 0, 200, CLIENT_HELLO, 0, 0, 190]);
        let _ = ClientHello::parse(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_no_panic(hello in hellos(), place: prop::sample::Index, bit in 0u32..8) {
        let mut bytes = records(hello.record_version, &message(&hello, true), 300);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let _ = ClientHello::parse(&bytes);
    }
}

#[test]
fn a_hello_of_the_standard_has_no_extensions() {
    let hello = ClientHello {
        record_version: 0x0101,
        versions: vec![0x0101],
        suites: vec![0xE053, 0xE013],
        ..ClientHello::default()
    };
    let bytes = records(0x0101, &message(&hello, false), 600);
    assert_eq!(ClientHello::parse(&bytes), Ok(Some(hello.clone())));
    assert!(hello.is_tlcp());
}

#[test]
fn an_endless_hello_is_given_up() {
    let message = [&[CLIENT_HELLO, 0, 0x7F, 0xFF][..], &[0; MAX_LENGTH]].concat();
    let bytes = records(0x0303, &message, 1);
    assert_eq!(
        ClientHello::parse(&bytes[..MAX_LENGTH]),
        Err(NotAHello::TooLong)
    );
    let huge = [HANDSHAKE, 3, 1, 0, 4, CLIENT_HELLO, 0xFF, 0, 0];
    assert_eq!(ClientHello::parse(&huge), Err(NotAHello::TooLong));
}

#[test]
fn names_are_compared_in_lower_case_without_the_final_dot() {
    let name = |sni: &[u8]| server_name(&[&[0][..], &prefixed(sni)].concat());
    assert_eq!(name(b"WWW.Example.COM."), Some("www.example.com".into()));
    assert_eq!(name(b"two words"), None);
    assert_eq!(name(b"line\nbreak"), None);
    assert_eq!(name(b""), None);
}

#[test]
fn http_is_recognised_at_its_first_word() {
    assert_eq!(ClientHello::parse(b"GE"), Ok(None));
    assert_eq!(
        ClientHello::parse(b"GET / HTTP/1.1\r\n"),
        Err(NotAHello::Http)
    );
    assert_eq!(
        ClientHello::parse(b"GEX"),
        Err(NotAHello::Foreign { first: b'G' })
    );
}
