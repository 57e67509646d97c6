//! The commands of POP3 before login. No I/O.

/// A command that may come before login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// CAPA (RFC 2449)
    Capa,
    /// STLS (RFC 2595)
    Stls,
    /// USER with a name.
    User(&'l [u8]),
    /// PASS with all that follows, spaces included.
    Pass(&'l [u8]),
    /// APOP with name and digest.
    Apop(&'l [u8], &'l [u8]),
    /// AUTH without a mechanism: which ones are there?
    Mechanisms,
    /// AUTH with the mechanism and the initial response (RFC 5034).
    Auth(&'l [u8], Option<&'l [u8]>),
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// UTF8 (RFC 6856)
    Utf8,
    /// LANG with a tag (RFC 6856); without one the languages are asked for.
    Lang(Option<&'l str>),
    /// Nothing that is known before login.
    Unknown,
    /// A known command with wrong arguments.
    Malformed,
}

/// Reads a line without its end.
pub fn parse(line: &[u8]) -> Command<'_> {
    let (verb, rest) = match line.iter().position(|b| *b == b' ') {
        Some(space) => (&line[..space], Some(&line[space + 1..])),
        None => (line, None),
    };
    let alone = |command| {
        if rest.is_none_or(|r| r.trim_ascii().is_empty()) {
            command
        } else {
            Command::Malformed
        }
    };
    match verb.to_ascii_uppercase().as_slice() {
        b"CAPA" => alone(Command::Capa),
        b"STLS" => alone(Command::Stls),
        b"NOOP" => alone(Command::Noop),
        b"QUIT" => alone(Command::Quit),
        b"UTF8" => alone(Command::Utf8),
        b"USER" => rest
            .filter(|name| !name.is_empty())
            .map_or(Command::Malformed, Command::User),
        b"PASS" => rest.map_or(Command::Malformed, Command::Pass),
        b"APOP" => rest.and_then(apop).unwrap_or(Command::Malformed),
        b"AUTH" => rest.map_or(Command::Mechanisms, auth),
        b"LANG" => rest.map_or(Command::Lang(None), lang),
        _ => Command::Unknown,
    }
}

fn apop(rest: &[u8]) -> Option<Command<'_>> {
    let space = rest.iter().rposition(|b| *b == b' ')?;
    let (name, digest) = (&rest[..space], &rest[space + 1..]);
    (!name.is_empty() && !digest.is_empty()).then_some(Command::Apop(name, digest))
}

fn auth(rest: &[u8]) -> Command<'_> {
    let mut words = rest.split(|b| *b == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Command::Mechanisms,
        (Some(mechanism), initial, None) => Command::Auth(mechanism, initial),
        _ => Command::Malformed,
    }
}

/// A language tag as RFC 5646 forms them: it is repeated to the server.
fn lang(rest: &[u8]) -> Command<'_> {
    let sound = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*');
    match std::str::from_utf8(rest) {
        Ok(tag) if !tag.is_empty() && tag.len() <= 64 && rest.iter().all(sound) => {
            Command::Lang(Some(tag))
        }
        _ => Command::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_password_may_have_spaces() {
        assert_eq!(parse(b"PASS  a b "), Command::Pass(b" a b "));
        assert_eq!(parse(b"pass"), Command::Malformed);
        assert_eq!(parse(b"USER alice"), Command::User(b"alice"));
    }

    #[test]
    fn auth_alone_asks_for_the_mechanisms() {
        assert_eq!(parse(b"AUTH"), Command::Mechanisms);
        assert_eq!(parse(b"AUTH PLAIN"), Command::Auth(b"PLAIN", None));
        assert_eq!(parse(b"AUTH PLAIN ="), Command::Auth(b"PLAIN", Some(b"=")));
        assert_eq!(parse(b"AUTH PLAIN a b"), Command::Malformed);
    }

    #[test]
    fn stls_takes_no_argument() {
        assert_eq!(parse(b"STLS now"), Command::Malformed);
        assert_eq!(parse(b"STLS"), Command::Stls);
    }

    #[test]
    fn what_is_repeated_to_the_server_is_one_word() {
        assert_eq!(parse(b"LANG en-GB"), Command::Lang(Some("en-GB")));
        assert_eq!(parse(b"LANG en\rUSER x"), Command::Malformed);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }
}
