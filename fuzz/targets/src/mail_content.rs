//! Any bytes as a message under a policy.

use std::sync::LazyLock;

use alb_conf::{MailFrom, MailPolicy, MailVerdict};
use alb_mail::content::{Outline, Prescan, Rules, Violation, judge};

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    Rules::read(&MailPolicy {
        deny_extensions: vec!["exe".to_owned().into()],
        deny_types: vec!["video/*".to_owned().into()],
        encrypted: MailVerdict::Deny.into(),
        mismatched: MailVerdict::Deny.into(),
        bad_headers: MailVerdict::Deny.into(),
        from: Some(MailFrom::default().into()),
        ..MailPolicy::default()
    })
});

/// Seen to have the same structure, or refused, however the bytes arrive; what is kept is bounded, and can be judged.
pub fn mail_prescan(bytes: &[u8]) {
    // Lines end whole nearly always: what is behind the first that does not is not looked at.
    let whole: Vec<u8> = match bytes.first() {
        Some(b'\n') => bytes.to_vec(),
        _ => bytes
            .split(|b| *b == b'\n')
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..]),
    };
    let outline = scan(&whole, usize::MAX);
    for size in [1, 2, 7, 255, 256, 257] {
        assert_eq!(scan(&whole, size), outline, "in pieces of {size} bytes");
    }
    if let Ok(outline) = outline {
        assert!(outline.headers.len() <= 256 * 1024 && outline.parts.len() <= 1000);
        let _ = judge(&outline, &RULES, "alice@gov.example");
    }
}

fn scan(bytes: &[u8], size: usize) -> Result<Outline, Violation> {
    let mut prescan = Prescan::default();
    for piece in bytes.chunks(size) {
        prescan.feed(piece)?;
    }
    prescan.finish()
}
