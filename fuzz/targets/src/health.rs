//! Any bytes as a peer's answer to a check, and as a cookie that should name a peer.

use alb_core::health::{Answer, Judgement};
use alb_core::upstream::sticky::{Key, Sticky};

/// Longer lines are refused before they end, so that what follows may change the judgement.
const SETTLED: usize = 2000;

/// Judged the same however the bytes arrive; an end always decides. No cookie opens that was not made here.
pub fn health_answer(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(SETTLED)];
    for answer in [
        Answer::Nothing,
        Answer::Contains(vec![b"PONG".to_vec(), b"\r\n".to_vec()]),
        Answer::Status(vec![200..=299, 404..=404]),
    ] {
        let whole = answer.judge(bytes, false);
        for end in 0..bytes.len() {
            match answer.judge(&bytes[..end], false) {
                Judgement::More => {}
                Judgement::Good => assert_eq!(whole, Judgement::Good, "after {end} bytes"),
                Judgement::Bad(_) => {
                    assert!(matches!(whole, Judgement::Bad(_)), "after {end} bytes")
                }
            }
        }
        assert_ne!(answer.judge(bytes, true), Judgement::More);
    }
    // Must not panic; any status is one.
    let _ = alb_http::health::serving_status(bytes);
    let key = Key::new(vec![7; 32]).expect("a key");
    let sticky = Sticky::new("app", alb_conf::Sticky::default(), key);
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(sticky.open(&text, 0), None);
}
