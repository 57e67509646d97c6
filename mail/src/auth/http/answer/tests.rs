use proptest::prelude::*;

use super::*;

fn read(fields: &str) -> Result<Answer, Malformed> {
    let text = format!("HTTP/1.0 200 OK\r\n{fields}\r\n");
    parse(text.as_bytes()).map(|answer| answer.expect("a whole head"))
}

#[test]
fn a_login_with_its_server_is_read() {
    let answer = read("Server: x\r\nAuth-Status: OK\r\nauth-server: 10.0.0.11\r\nAuth-Port: 143\r\nAuth-User: b\r\nAuth-Pass: p w\r\n").expect("an answer");
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(
        answer.server,
        Some("10.0.0.11:143".parse().expect("an address"))
    );
    assert_eq!(answer.user.as_deref(), Some("b"));
    assert!(answer.password.is_some_and(|password| password.is(b"p w")));
    let answer = read("Auth-Status: OK\r\nAuth-Server: [2001:db8::1]\r\nAuth-Port: 143\r\n")
        .expect("an answer");
    assert_eq!(
        answer.server,
        Some("[2001:db8::1]:143".parse().expect("an address"))
    );
}

#[test]
fn words_waits_and_codes_are_read() {
    let answer =
        read("Auth-Status: Invalid login\r\nAuth-Wait: 3\r\nAuth-Error-Code: 454 4.7.0\r\n")
            .expect("an answer");
    assert_eq!(answer.status, Status::Refused("Invalid login".into()));
    assert_eq!(answer.wait, Some(Duration::from_secs(3)));
    assert_eq!(answer.error_code.as_deref(), Some("454 4.7.0"));
    assert_eq!(
        read("Auth-Status: WAIT\r\n").expect("an answer").status,
        Status::Wait
    );
    assert_eq!(
        read("Auth-Status: ok\r\n").expect("an answer").status,
        Status::Refused("ok".into())
    );
    assert_eq!(
        read("Auth-Status: no\r\nAuth-Wait: 0\r\n")
            .expect("an answer")
            .wait,
        None
    );
}

#[test]
fn a_server_without_a_status_lets_nobody_in() {
    let server = "Auth-Server: 10.0.0.11\r\nAuth-Port: 143\r\n";
    assert_eq!(read(server).err(), Some(Malformed::NoStatus(200)));
    assert_eq!(
        read("Auth-Status: \r\n").err(),
        Some(Malformed::NoStatus(200))
    );
    let error = format!("HTTP/1.0 500 Oops\r\nAuth-Status: OK\r\n{server}\r\n");
    assert_eq!(
        parse(error.as_bytes()).err(),
        Some(Malformed::Contradiction(500))
    );
}

#[test]
fn control_characters_twins_and_nonsense_are_refused() {
    for (fields, fault) in [
        (
            "Auth-Status: OK\r\nAuth-User: a\rb\r\n",
            Malformed::Value("Auth-User"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Pass: a\0b\r\n",
            Malformed::Value("Auth-Pass"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Pass: a\r\n b\r\n",
            Malformed::Field,
        ),
        ("Auth-Status: O\u{85}K\r\n", Malformed::Value("Auth-Status")),
        (
            "Auth-Status: OK\r\nAuth-Status: no\r\n",
            Malformed::Twice("Auth-Status"),
        ),
        ("Auth-Status : OK\r\n", Malformed::Field),
        (
            "Auth-Status: OK\r\nAuth-Server: 10.0.0.11\r\n",
            Malformed::Meaning("Auth-Port"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Port: 143\r\n",
            Malformed::Meaning("Auth-Server"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Server: evil.example\r\nAuth-Port: 1\r\n",
            Malformed::Meaning("Auth-Server"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Server: 10.0.0.1\r\nAuth-Port: +14\r\n",
            Malformed::Meaning("Auth-Port"),
        ),
        (
            "Auth-Status: OK\r\nAuth-Server: 10.0.0.1\r\nAuth-Port: 0\r\n",
            Malformed::Meaning("Auth-Port"),
        ),
        (
            "Auth-Status: no\r\nAuth-Wait: -1\r\n",
            Malformed::Meaning("Auth-Wait"),
        ),
        (
            "Auth-Status: no\r\nAuth-Error-Code: 250 2.0.0\r\n",
            Malformed::Meaning("Auth-Error-Code"),
        ),
        (
            "Auth-Status: no\r\nAuth-Error-Code: 535 4.7.8\r\n",
            Malformed::Meaning("Auth-Error-Code"),
        ),
    ] {
        assert_eq!(read(fields).err(), Some(fault), "{fields:?}");
    }
    assert_eq!(
        parse(b"SMTP 220\r\n\r\n").err(),
        Some(Malformed::StatusLine)
    );
    let long = format!(
        "Auth-Status: OK\r\nAuth-Pass: {}\r\n",
        "a".repeat(MAX_VALUE + 1)
    );
    assert_eq!(read(&long).err(), Some(Malformed::Value("Auth-Pass")));
    assert_eq!(
        read(&"X: y\r\n".repeat(MAX_FIELDS + 1)).err(),
        Some(Malformed::Field)
    );
}

#[test]
fn an_answer_split_anywhere_is_not_read_before_its_end() {
    let whole =
        b"HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 10.0.0.11\r\nAuth-Port: 143\r\n\r\n";
    for end in 0..whole.len() {
        assert!(matches!(parse(&whole[..end]), Ok(None)), "{end}");
    }
    assert!(matches!(parse(whole), Ok(Some(_))));
    let bare: Vec<u8> = whole
        .iter()
        .copied()
        .filter(|byte| *byte != b'\r')
        .collect();
    assert!(matches!(parse(&bare), Ok(Some(_))));
}

proptest! {
    #[test]
    fn nothing_read_can_end_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = [b"HTTP/1.0 200 OK\r\nAuth-Status: ", &bytes[..], b"\r\nAuth-User: ", &bytes[..], b"\r\n\r\n"].concat();
        if let Ok(Some(answer)) = parse(&text) {
            let user = answer.user.unwrap_or_default();
            prop_assert!(!user.chars().any(char::is_control));
            if let Status::Refused(text) = answer.status {
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
