use std::time::SystemTime;

use proptest::prelude::*;

use super::*;

const ALL: [Mechanism; 10] = [
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::External,
    Mechanism::XOauth2,
    Mechanism::OauthBearer,
    Mechanism::CramMd5,
    Mechanism::ScramSha1,
    Mechanism::ScramSha256,
    Mechanism::Ntlm,
    Mechanism::Gssapi,
];

fn exchange(mechanism: Mechanism) -> Exchange {
    let challenge = Challenge::new("mx.example", SystemTime::UNIX_EPOCH, 7);
    Exchange::new(mechanism, Rules::default(), Some(challenge))
}

fn done(step: Result<Step, Failure>) -> Credentials {
    match step {
        Ok(Step::Done(credentials)) => credentials,
        other => panic!("not done: {other:?}"),
    }
}

fn asked(step: Result<Step, Failure>) -> String {
    match step {
        Ok(Step::Continue(challenge)) => challenge,
        other => panic!("nothing asked: {other:?}"),
    }
}

#[test]
fn plain_comes_with_the_command_or_after_an_empty_challenge() {
    let read = done(exchange(Mechanism::Plain).begin(Some(b"AHRpbQBwdw==")));
    assert_eq!(read.user, "tim");
    let mut later = exchange(Mechanism::Plain);
    assert_eq!(asked(later.begin(None)), "");
    assert_eq!(done(later.respond(b"AHRpbQBwdw==")).user, "tim");
}

#[test]
fn login_prompts_as_clients_expect() {
    let mut prompted = exchange(Mechanism::Login);
    assert_eq!(asked(prompted.begin(None)), "VXNlcm5hbWU6");
    assert_eq!(asked(prompted.respond(b"dGlt")), "UGFzc3dvcmQ6");
    let read = done(prompted.respond(b"cHc="));
    assert!(matches!(read.proof, Proof::Password(password) if password.is(b"pw")));
}

#[test]
fn login_takes_the_name_with_the_command() {
    let mut named = exchange(Mechanism::Login);
    assert_eq!(asked(named.begin(Some(b"dGlt"))), "UGFzc3dvcmQ6");
    assert_eq!(done(named.respond(b"cHc=")).user, "tim");
}

#[test]
fn external_may_name_nobody() {
    assert_eq!(
        done(exchange(Mechanism::External).begin(Some(b"="))).user,
        ""
    );
    let mut later = exchange(Mechanism::External);
    assert_eq!(asked(later.begin(None)), "");
    assert_eq!(done(later.respond(b"")).user, "");
    assert_eq!(
        done(exchange(Mechanism::External).begin(Some(b"dGlt"))).user,
        "tim"
    );
}

#[test]
fn cram_md5_is_asked_first() {
    let mut cram = exchange(Mechanism::CramMd5);
    assert_eq!(asked(cram.begin(None)), "PDcuMEBteC5leGFtcGxlPg==");
    // `tim b913a602c7eda7a495b4e6e7334d3890`
    let read = done(cram.respond(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"));
    assert!(
        matches!(read.proof, Proof::CramMd5 { challenge, .. } if challenge == "<7.0@mx.example>")
    );
    let early = exchange(Mechanism::CramMd5).begin(Some(b"dGlt"));
    assert_eq!(early.err(), Some(Failure::Malformed));
}

#[test]
fn a_star_gives_up_every_mechanism() {
    for mechanism in ALL {
        let mut exchange = exchange(mechanism);
        asked(exchange.begin(None));
        assert_eq!(exchange.respond(b"*").err(), Some(Failure::Cancelled));
        assert_eq!(exchange.respond(b"dGlt").err(), Some(Failure::Malformed));
    }
}

#[test]
fn a_star_is_no_initial_response() {
    let step = exchange(Mechanism::Plain).begin(Some(b"*"));
    assert_eq!(step.err(), Some(Failure::BadBase64));
}

#[test]
fn scram_names_its_user_and_keeps_its_message() {
    let first = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
    let read = done(exchange(Mechanism::ScramSha256).begin(Some(encode(first).as_bytes())));
    assert_eq!(read.user, "user");
    assert!(matches!(read.proof, Proof::PassThrough { initial, .. } if initial.is(first)));
    let other =
        exchange(Mechanism::ScramSha256).begin(Some(encode(b"n,a=root,n=user,r=x").as_bytes()));
    assert_eq!(other.err(), Some(Failure::OtherIdentity));
}

proptest! {
    #[test]
    fn whatever_comes_ends_without_a_name_that_breaks_a_line(
        pick in 0..ALL.len(),
        initial in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..64)),
        lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..4),
        wrap in any::<bool>(),
    ) {
        let line = |bytes: &Vec<u8>| if wrap { encode(bytes).into_bytes() } else { bytes.clone() };
        let mut exchange = exchange(ALL[pick]);
        let mut step = exchange.begin(initial.as_ref().map(line).as_deref());
        for bytes in &lines {
            if let Ok(Step::Continue(_)) = step {
                step = exchange.respond(&line(bytes));
            }
        }
        if let Ok(Step::Done(credentials)) = step {
            prop_assert!(!credentials.user.chars().any(char::is_control));
            prop_assert!(credentials.authzid.is_none());
        }
    }

    #[test]
    fn every_name_and_password_survive_plain_and_login(user in "[^\\p{C}]{1,40}", password in "[^\0\r\n]{0,40}") {
        let message = format!("\0{user}\0{password}");
        let read = done(exchange(Mechanism::Plain).begin(Some(encode(message.as_bytes()).as_bytes())));
        prop_assert_eq!(&read.user, &user);
        prop_assert!(matches!(read.proof, Proof::Password(secret) if secret.is(password.as_bytes())));
        let mut login = exchange(Mechanism::Login);
        asked(login.begin(Some(encode(user.as_bytes()).as_bytes())));
        let read = done(login.respond(encode(password.as_bytes()).as_bytes()));
        prop_assert!(matches!(read.proof, Proof::Password(secret) if secret.is(password.as_bytes())));
    }
}
