//! Clients that use HTTP/2 to have the gateway work or remember far more than they send: each is sent away or held
//! back, costs little memory, and nobody else notices.

use std::net::SocketAddr;
use std::time::Duration;

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::raw;
use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::stopwatch::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONFIGURATION: &str = r#"
[daemon]
workers = 1
[[http]]
listen = ["$web"]
max_header_size = "16KiB"
http2 = { max_streams = 32 }
[[site]]
route = [{ path = "/", proxy = "app" }]
[upstream.app]
peers = ["$origin"]
"#;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const MIB: usize = 1024 * 1024;

// RFC 9113 §6: types of frames; §7: codes of errors.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: u32 = 11;

/// `GET http://x/`: three entries of the static table, and a literal (RFC 7541 appendix A, §6.2.2).
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 1, b'x'];

/// The gateway under attack, and what it has at the beginning.
struct Target {
    alb: Alb,
    origin: Echo,
    memory: u64,
}

impl Target {
    async fn start() -> Self {
        let origin = Echo::start("origin").await;
        let place = Alb::new().place("origin", origin.address());
        let alb = place.start(CONFIGURATION).await;
        let target = Self {
            memory: alb.resident_memory(),
            alb,
            origin,
        };
        target.serves_others().await;
        target
    }

    fn address(&self) -> SocketAddr {
        self.alb.address("web")
    }

    async fn serves_others(&self) {
        let answer = raw::exchange(
            self.address(),
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Others are served, and the attack has not left more than a little memory behind.
    async fn is_unharmed(&self) {
        self.serves_others().await;
        let grown = self.alb.resident_memory().saturating_sub(self.memory);
        assert!(grown < 16 * MIB as u64, "{grown} bytes more than before");
    }
}

async fn attacker(target: &Target) -> TcpStream {
    let mut stream = TcpStream::connect(target.address())
        .await
        .expect("a connection");
    stream.write_all(PREFACE).await.expect("the preface");
    stream
        .write_all(&frame(SETTINGS, 0, 0, &[]))
        .await
        .expect("settings");
    stream
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short frame")
        .to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The frames up to the end of the connection: their types and payloads.
async fn frames(mut stream: TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    // A connection that is closed over unread bytes is reset: what came before counts.
    let _ = within("the end of the connection", stream.read_to_end(&mut bytes)).await;
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, next)) = tail.split_at_checked(length) else {
            break;
        };
        frames.push((*kind, payload.to_vec()));
        rest = next;
    }
    frames
}

/// The code of the GOAWAY among these frames.
fn farewell(frames: &[(u8, Vec<u8>)]) -> Option<u32> {
    let (_, payload) = frames.iter().rfind(|(kind, _)| *kind == GOAWAY)?;
    payload.get(4..8)?.try_into().ok().map(u32::from_be_bytes)
}

/// Writes the same bytes until the gateway ends the connection, takes no more for a second, or has taken `most`;
/// returns how much it has taken.
async fn flood(stream: &mut TcpStream, bytes: &[u8], most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        match tokio::time::timeout(Duration::from_secs(1), stream.write(bytes)).await {
            Ok(Ok(written)) if written == bytes.len() => taken += written,
            // The rest of a frame that was cut must follow before the next one.
            Ok(Ok(written)) => {
                taken += written;
                let rest = stream.write_all(&bytes[written..]);
                match tokio::time::timeout(Duration::from_secs(1), rest).await {
                    Ok(Ok(())) => taken += bytes.len() - written,
                    _ => break,
                }
            }
            _ => break,
        }
    }
    taken
}

/// CVE-2023-44487.
#[tokio::test]
async fn streams_that_are_reset_as_fast_as_they_are_opened_end_the_connection() {
    let target = Target::start().await;
    let mut stream = attacker(&target).await;
    let mut attack = Vec::new();
    for number in 0..10_000 {
        let id = 2 * number + 1;
        attack.extend(frame(HEADERS, END_STREAM | END_HEADERS, id, GET));
        attack.extend(frame(RST_STREAM, 0, id, &CANCEL));
    }
    let _ = within("the attack", stream.write_all(&attack)).await;
    assert_eq!(farewell(&frames(stream).await), Some(ENHANCE_YOUR_CALM));
    let asked = target.origin.requests();
    assert!(asked < 1_000, "{asked} requests reached the origin");
    target.is_unharmed().await;
}

/// CVE-2024-27316 and its kin: a head without end.
#[tokio::test]
async fn a_head_that_is_continued_for_ever_ends_the_connection() {
    let target = Target::start().await;
    let mut stream = attacker(&target).await;
    let field = [&[0, 1, b'x', 100][..], &[b'a'; 100]].concat();
    let head = frame(HEADERS, END_STREAM, 1, GET);
    stream.write_all(&head).await.expect("a head");
    let more = frame(CONTINUATION, 0, 1, &field.repeat(150));
    let taken = flood(&mut stream, &more, 64 * MIB).await;
    assert!(taken < 16 * MIB, "{taken} bytes of a head were taken");
    assert!(
        !frames(stream)
            .await
            .iter()
            .any(|(kind, _)| *kind == HEADERS)
    );
    assert_eq!(target.origin.requests(), 1, "only the honest one");
    target.is_unharmed().await;
}

/// Twelve KiB that decode to 32 MiB: a large field, put into the table once and then named by one byte each time.
#[tokio::test]
async fn a_head_that_grows_when_it_is_unpacked_reaches_nobody() {
    let target = Target::start().await;
    let mut stream = attacker(&target).await;
    let mut block = GET.to_vec();
    // Literal with indexing: name `x`, value of 3,900 bytes (127 + 3,773 as a prefixed integer, RFC 7541 §5.1).
    block.extend([0x40, 1, b'x', 0x7f, 0xbd, 0x1d]);
    block.extend([b'a'; 3_900]);
    block.extend([0xbe; 8_192]);
    let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
    stream.write_all(&head).await.expect("a head");
    assert_eq!(farewell(&frames(stream).await), Some(ENHANCE_YOUR_CALM));
    assert_eq!(target.origin.requests(), 1, "only the honest one");
    target.is_unharmed().await;
}

/// CVE-2019-9512 and CVE-2019-9515: each frame wants an answer that the client does not read.
#[tokio::test]
async fn answers_that_are_not_read_are_not_piled_up() {
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let target = Target::start().await;
        let mut stream = attacker(&target).await;
        let burst = frame(kind, 0, 0, payload).repeat(1_000);
        flood(&mut stream, &burst, 32 * MIB).await;
        target.is_unharmed().await;
    }
}
