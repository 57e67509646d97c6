//! Headers as others send them, and whatever else may arrive.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn v1(line: &str) -> Result<Option<(Header, usize)>, Malformed> {
    parse(line.as_bytes())
}

#[test]
fn a_line_of_version_1_tells_both_ends() {
    let line = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
    let (header, length) = v1(&format!("{line}GET / HTTP/1.1\r\n"))
        .expect("good")
        .expect("whole");
    assert_eq!(length, line.len());
    let expected = Header::of(
        Transport::Stream,
        at("192.168.0.1:56324"),
        at("192.168.0.11:443"),
    );
    assert_eq!(header, expected);
    let (header, _) = v1("PROXY TCP6 ::1 2001:db8::2 65535 0\r\n")
        .expect("good")
        .expect("whole");
    assert_eq!(header.addresses.expect("known").source, at("[::1]:65535"));
}

#[test]
fn unknown_says_nothing_whatever_follows_it() {
    for line in [
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    ] {
        assert_eq!(v1(line), Ok(Some((Header::default(), line.len()))));
    }
}

#[test]
fn the_longest_line_is_107_bytes() {
    let most = format!("PROXY UNKNOWN {}\r\n", "x".repeat(91));
    assert_eq!(most.len(), 107);
    assert!(v1(&most).expect("good").is_some());
    assert_eq!(
        v1(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(92))),
        Err(Malformed::TooLong)
    );
    assert_eq!(
        v1(&format!("PROXY UNKNOWN {}", "x".repeat(93))),
        Err(Malformed::TooLong)
    );
}

#[test]
fn lines_that_are_not_quite_right_are_refused() {
    for (line, fault) in [
        ("GET / HTTP/1.1\r\n", Malformed::Missing),
        ("PROXIED", Malformed::Missing),
        ("proxy UNKNOWN\r\n", Malformed::Missing),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", Malformed::Line),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rx", Malformed::Line),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", Malformed::Line),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", Malformed::Line),
        ("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Line),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", Malformed::Value),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", Malformed::Value),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", Malformed::Value),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", Malformed::Value),
        ("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Value),
        ("PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n", Malformed::Value),
        ("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", Malformed::Kind),
    ] {
        assert_eq!(v1(line), Err(fault), "{line}");
    }
}

/// A header of version 2 with this command, family and rest.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [v2::SIGNATURE, &[command, family], &length, rest].concat()
}

const ENDS: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x04, 0xd2, 0x01, 0xbb];

#[test]
fn a_header_of_version_2_tells_both_ends_and_the_tls_before() {
    let common_name = [0x22, 0, 2, b'c', b'n'];
    let version = [0x21, 0, 7, b'T', b'L', b'S', b'v', b'1', b'.', b'3'];
    let tls = [&[0x20, 0, 20, 0x07, 0, 0, 0, 0][..], &version, &common_name].concat();
    let rest = [
        &ENDS[..],
        &[0x05, 0, 2, b'i', b'd'],
        &[0x04, 0, 1, 0],
        &tls,
        &[0xea, 0, 0],
    ]
    .concat();
    let bytes = v2(0x21, 0x11, &rest);
    let (header, length) = parse(&bytes).expect("good").expect("whole");
    assert_eq!(length, bytes.len());
    let known = header.addresses.expect("known");
    assert_eq!(
        (known.source, known.destination),
        (at("192.0.2.1:1234"), at("198.51.100.2:443"))
    );
    assert_eq!(header.unique_id.as_deref(), Some(&b"id"[..]));
    let tls = header.tls.expect("tls");
    assert!(tls.active && tls.certificate_on_connection && tls.verified);
    assert_eq!(
        (tls.version.as_deref(), tls.common_name.as_deref()),
        (Some("TLSv1.3"), Some("cn"))
    );
}

#[test]
fn local_and_unspecified_headers_tell_nobody() {
    for bytes in [
        v2(0x20, 0x11, &ENDS),
        v2(0x21, 0, &[]),
        v2(0x21, 0x31, &[0; 216]),
    ] {
        let (header, length) = parse(&bytes).expect("good").expect("whole");
        assert_eq!((header.addresses, length), (None, bytes.len()));
    }
}

#[test]
fn headers_that_are_not_quite_right_are_refused() {
    let long_id = [&ENDS[..], &[0x05, 0, 129], &[b'x'; 129]].concat();
    for (bytes, fault) in [
        (v2(0x11, 0x11, &ENDS), Malformed::Kind),
        (v2(0x22, 0x11, &ENDS), Malformed::Kind),
        (v2(0x21, 0x41, &ENDS), Malformed::Kind),
        (v2(0x21, 0x13, &ENDS), Malformed::Kind),
        (v2(0x21, 0x11, &ENDS[..11]), Malformed::Truncated),
        (v2(0x21, 0x21, &ENDS), Malformed::Truncated),
        (
            v2(0x21, 0x11, &[&ENDS[..], &[0x01, 0, 9, 0]].concat()),
            Malformed::Truncated,
        ),
        (
            v2(0x21, 0x11, &[&ENDS[..], &[0x20, 0, 1, 0]].concat()),
            Malformed::Truncated,
        ),
        (
            v2(0x21, 0x11, &[&ENDS[..], &[0x02, 0, 1, 0xff]].concat()),
            Malformed::Value,
        ),
        (
            v2(0x21, 0x11, &[&ENDS[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat()),
            Malformed::Checksum,
        ),
        (
            v2(0x21, 0x11, &[&ENDS[..], &[0x03, 0, 3, 1, 2, 3]].concat()),
            Malformed::Value,
        ),
        (v2(0x21, 0x11, &long_id), Malformed::Value),
        (
            [v2::SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(),
            Malformed::TooLong,
        ),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Malformed::Missing),
    ] {
        assert_eq!(parse(&bytes), Err(fault), "{bytes:02x?}");
    }
}

#[test]
fn a_flipped_bit_breaks_the_checksum_or_the_form() {
    let header = Header {
        authority: Some("portal.example.cn".into()),
        ..Header::of(
            Transport::Stream,
            at("192.0.2.1:1234"),
            at("198.51.100.2:443"),
        )
    };
    let mut bytes = Vec::new();
    header.write_v2(&mut bytes);
    assert_eq!(parse(&bytes), Ok(Some((header.clone(), bytes.len()))));
    // The last seven bytes are the checksum's own entry.
    for bit in 0..(bytes.len() - 7) * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(Some((read, _))) = parse(&flipped) {
            // PROXY made LOCAL: all of it is discarded, the checksum too.
            assert_eq!(read, Header::default(), "bit {bit}");
        }
    }
}

#[test]
fn ends_of_different_families_are_told_in_ipv6() {
    let header = Header::of(Transport::Stream, at("192.0.2.1:1"), at("[2001:db8::1]:2"));
    let mut line = Vec::new();
    header.write_v1(&mut line);
    assert_eq!(line, b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n");
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from);
    let v6 = (any::<[u8; 16]>(), any::<u16>()).prop_map(SocketAddr::from);
    prop_oneof![v4, v6]
}

fn words() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[ -~]{0,40}")
}

fn tls() -> impl Strategy<Value = Tls> {
    (any::<[bool; 4]>(), proptest::array::uniform5(words())).prop_map(
        |(
            [
                active,
                certificate_on_connection,
                certificate_in_session,
                verified,
            ],
            texts,
        )| {
            let [
                version,
                common_name,
                cipher,
                signature_algorithm,
                key_algorithm,
            ] = texts;
            Tls {
                active,
                certificate_on_connection,
                certificate_in_session,
                verified,
                version,
                common_name,
                cipher,
                signature_algorithm,
                key_algorithm,
            }
        },
    )
}

fn header() -> impl Strategy<Value = Header> {
    let transport = prop_oneof![Just(Transport::Stream), Just(Transport::Datagram)];
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=128));
    let ends = (transport, address(), address());
    (ends, bytes(), words(), bytes(), proptest::option::of(tls())).prop_map(
        |((transport, source, destination), alpn, authority, unique_id, tls)| Header {
            alpn,
            authority,
            unique_id,
            tls,
            ..Header::of(transport, source, destination)
        },
    )
}

/// The same header as it arrives: both ends in one family.
fn arrived(mut header: Header) -> Header {
    if let Some(known) = &mut header.addresses {
        (known.source, known.destination) = known.in_one_family();
    }
    header
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_no_more_is_taken(header in header(), rest in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = Vec::new();
        header.write_v2(&mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(parse(&bytes), Ok(Some((arrived(header.clone()), length))));
        for end in 0..length {
            prop_assert_eq!(parse(&bytes[..end]), Ok(None), "after {} bytes", end);
        }
        let mut line = Vec::new();
        header.write_v1(&mut line);
        for end in 0..line.len() {
            prop_assert_eq!(parse(&line[..end]), Ok(None), "after {} bytes", end);
        }
        let (read, _) = parse(&line).expect("good").expect("whole");
        if header.addresses.is_some_and(|known| known.transport == Transport::Stream) {
            prop_assert_eq!(read.addresses, arrived(header).addresses);
        }
    }

    #[test]
    fn whatever_arrives_is_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), command in 0x20..0x22u8, family in any::<u8>()) {
        let _ = parse(&bytes);
        let _ = parse(&v2(command, family, &bytes));
        let _ = parse(&[v1::PREFIX, &bytes[..]].concat());
    }
}
