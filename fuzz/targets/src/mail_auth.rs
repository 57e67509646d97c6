//! Any bytes as an exchange of SASL, and as the answer of a service that decides about logins.

use alb_mail::auth::{Answer, Status, parse_answer};
use alb_mail::sasl::{Challenge, Exchange, Mechanism, Rules, Step, ntlm};

const MECHANISMS: [&str; 10] = [
    "PLAIN",
    "LOGIN",
    "EXTERNAL",
    "XOAUTH2",
    "OAUTHBEARER",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "NTLM",
    "GSSAPI",
];

/// The first byte picks the mechanism, the rest are lines of the client, the first of them its initial response unless
/// it is `-`. Whoever comes out has a name that ends no line and acts for nobody else.
pub fn mail_sasl(bytes: &[u8]) {
    let Some((pick, rest)) = bytes.split_first() else {
        return;
    };
    let name = MECHANISMS[usize::from(*pick) % MECHANISMS.len()];
    let mechanism = Mechanism::from_name(name.as_bytes()).expect("a mechanism");
    let challenge = Challenge::new("mx.example", std::time::SystemTime::UNIX_EPOCH, 7);
    let mut exchange = Exchange::new(mechanism, Rules::default(), Some(challenge));
    let mut lines = rest.split(|byte| *byte == b'\n');
    let mut step = exchange.begin(lines.next().filter(|line| *line != b"-"));
    for line in lines {
        match step {
            Ok(Step::Continue(_)) => step = exchange.respond(line),
            _ => break,
        }
    }
    if let Ok(Step::Done(credentials)) = step {
        assert!(!credentials.user.chars().any(char::is_control));
        assert!(credentials.authzid.is_none());
        // A name that is made of the password is printed: it is a name.
        let printed = format!("{credentials:?}").replace(&credentials.user, "");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    if let Ok(user) = ntlm::user(rest) {
        assert!(!user.chars().any(char::is_control));
    }
}

/// Whatever the service says: not yet whole, refused, or an answer that ends no line. What is settled stays settled when
/// more arrives, and nobody is let in without `Auth-Status`.
pub fn mail_auth_answer(bytes: &[u8]) {
    let whole = parse_answer(bytes);
    for end in 0..bytes.len().min(2048) {
        if let Ok(Some(answer)) = parse_answer(&bytes[..end]) {
            let Ok(Some(later)) = &whole else {
                panic!("taken back: {answer:?}");
            };
            assert_eq!(answer.status, later.status);
            assert_eq!(answer.server, later.server);
        }
    }
    if let Ok(Some(answer)) = whole {
        check(&answer, bytes);
    }
}

fn check(answer: &Answer, bytes: &[u8]) {
    let texts = [&answer.user, &answer.pool, &answer.error_code];
    for text in texts.into_iter().flatten() {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    match &answer.status {
        Status::Refused(text) => assert!(!text.chars().any(char::is_control)),
        Status::Ok | Status::Wait => {}
    }
    let lower = bytes.to_ascii_lowercase();
    assert!(lower.windows(11).any(|window| window == b"auth-status"));
}
