//! What is said to an IMAP server at the login, and how its answers are read.

use super::*;

fn offers(banner: &str) -> Offers {
    capability_code(banner.as_bytes()).unwrap_or_default()
}

#[test]
fn capabilities_are_read_from_the_greeting() {
    let offers = offers("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready");
    assert!(offers.has("sasl-ir") && offers.has_word("AUTH", "PLAIN"));
    assert!(capability_code(b"* OK ready").is_none());
}

#[test]
fn login_uses_literals_for_what_cannot_be_quoted() {
    let attempt = Attempt::by_login(b"al\"ice", "pässword".as_bytes());
    assert_eq!(*attempt.command, b"L LOGIN \"al\\\"ice\" {9}\r\n".to_vec());
    assert_eq!(*attempt.rest[0], "pässword\r\n".as_bytes().to_vec());
}

#[test]
fn a_message_goes_with_the_command_only_where_that_is_offered() {
    let with = Attempt::by_sasl(
        "PLAIN",
        b"x",
        &offers("* OK [CAPABILITY SASL-IR AUTH=PLAIN] x"),
    )
    .expect("offered");
    assert_eq!(*with.command, b"L AUTHENTICATE PLAIN eA==\r\n".to_vec());
    let without = Attempt::by_sasl("PLAIN", b"x", &offers("* OK [CAPABILITY AUTH=PLAIN] x"))
        .expect("offered");
    assert_eq!(*without.command, b"L AUTHENTICATE PLAIN\r\n".to_vec());
    assert!(Attempt::by_sasl("XOAUTH2", b"x", &offers("* OK [CAPABILITY AUTH=PLAIN] x")).is_err());
}

#[test]
fn a_refusal_for_the_moment_is_not_one_of_the_credentials() {
    assert!(matches!(
        refused(b" [UNAVAILABLE] later"),
        Failed::Declined(_)
    ));
    assert!(matches!(
        refused(b" [INUSE] locked"),
        Failed::Unavailable(_)
    ));
    assert!(matches!(
        refused(b" [AUTHENTICATIONFAILED] no"),
        Failed::Rejected(_)
    ));
}
