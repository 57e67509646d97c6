//! What mail clients say before they log in, and how SMTP is cut into commands and messages.

use alb_mail::imap::{self, Assembler, Progress};
use alb_mail::pop3;
use alb_mail::smtp::reply::Reply;
use alb_mail::smtp::{self, Command, Framer, Unit};
use bytes::BytesMut;

/// Any bytes as commands of IMAP, POP3 and SMTP, and as replies of an SMTP server: understood or refused, the same in
/// any chunks.
pub fn mail_commands(bytes: &[u8]) {
    let middle = bytes.len() / 2;
    let whole = imap_commands(&[bytes]);
    assert_eq!(whole, imap_commands(&[&bytes[..middle], &bytes[middle..]]));
    for line in bytes.split(|byte| *byte == b'\n') {
        let _ = pop3::parse(line);
        let _ = smtp::parse(line);
    }
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(reply)) = Reply::take(&mut buffer) {
        assert!((200..600).contains(&reply.code));
    }
}

fn imap_commands(chunks: &[&[u8]]) -> Vec<String> {
    let (mut assembler, mut buffer, mut seen) = (Assembler::default(), BytesMut::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            match assembler.advance(&mut buffer) {
                Progress::More => break,
                Progress::GoAhead => seen.push("+".to_owned()),
                Progress::Whole(pieces) => seen.push(format!("{:?}", imap::parse(&pieces))),
                Progress::Fault(fault) => {
                    let close = fault.close;
                    seen.push(format!("{fault:?}"));
                    if close {
                        return seen;
                    }
                }
            }
        }
    }
    seen
}

/// Any bytes as an SMTP session whose server says yes to everything: the same commands and messages in any chunks, and no
/// end of a message but CRLF, dot, CRLF.
pub fn smtp_framer(bytes: &[u8]) {
    let (third, two_thirds) = (bytes.len() / 3, bytes.len() * 2 / 3);
    let chunks = [
        &bytes[..third],
        &bytes[third..two_thirds],
        &bytes[two_thirds..],
    ];
    for fix in [false, true] {
        let whole = session(&[bytes], fix);
        assert_eq!(whole, session(&chunks, fix));
        for message in whole.iter().filter_map(|unit| unit.strip_prefix(b"D")) {
            let framed = [b"\r\n", message].concat();
            let ends = framed.windows(5).filter(|w| w == b"\r\n.\r\n").count();
            assert!(ends == 1 && framed.ends_with(b"\r\n.\r\n"), "{framed:?}");
        }
    }
}

/// Commands as `C…`, whole messages as `D…`, chunks as `B…`.
fn session(chunks: &[&[u8]], fix: bool) -> Vec<Vec<u8>> {
    let (mut framer, mut buffer) = (Framer::new(fix), BytesMut::new());
    let (mut seen, mut body): (Vec<Vec<u8>>, Vec<u8>) = (Vec::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            let (kind, bytes, last) = match framer.next(&mut buffer) {
                Err(violation) => {
                    seen.push(format!("{violation:?}").into_bytes());
                    return seen;
                }
                Ok(None) => break,
                Ok(Some(Unit::Data(bytes, last))) => (b'D', bytes, last),
                Ok(Some(Unit::Chunk(bytes, last))) => (b'B', bytes, last),
                Ok(Some(Unit::Line(line))) => {
                    match smtp::parse(&line) {
                        Command::Data => framer.data(),
                        Command::Bdat(size, _) => framer.chunk(size),
                        _ => {}
                    }
                    seen.push([b"C", &line[..]].concat());
                    continue;
                }
            };
            body.extend_from_slice(&bytes);
            if last {
                seen.push([&[kind], &body[..]].concat());
                body.clear();
            }
        }
    }
    seen
}
