//! The commands of IMAP before login. No I/O.

use zeroize::Zeroizing;

use super::Piece;
use super::arguments::Arguments;
use super::assembler::tag_of;

/// Limits of ID (RFC 2971 § 3.3), which Dovecot enforces by closing.
const MOST_PAIRS: usize = 30;
const LONGEST_KEY: usize = 30;
const LONGEST_VALUE: usize = 1024;

/// What a client says of itself: keys and values.
pub type Pairs = Vec<(String, Option<String>)>;

/// A command that may come before login.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// STARTTLS
    Starttls,
    /// ID, without the keys that only proxies may send (`x-…`).
    Id(Pairs),
    /// LOGIN with name and password.
    Login(Vec<u8>, Zeroizing<Vec<u8>>),
    /// AUTHENTICATE with the mechanism and the initial response.
    Authenticate(Vec<u8>, Option<Zeroizing<Vec<u8>>>),
    /// Nothing that is known before login.
    Unknown,
    /// A known command with wrong arguments.
    Malformed,
}

/// Reads a whole command: its tag, if it has a proper one, and what is asked.
pub fn parse(pieces: &[Piece]) -> (Option<String>, Command) {
    let Some(Piece::Text(first)) = pieces.first() else {
        return (None, Command::Unknown);
    };
    let Some(tag) = tag_of(first) else {
        return (None, Command::Malformed);
    };
    let mut arguments = Arguments::new(pieces);
    let verb = skip_tag(&mut arguments, tag).and_then(|()| arguments.atom());
    let Some(verb) = verb else {
        return (Some(tag.to_owned()), Command::Malformed);
    };
    let read = read(&verb.to_ascii_uppercase(), &mut arguments);
    (Some(tag.to_owned()), read.unwrap_or(Command::Malformed))
}

fn skip_tag(arguments: &mut Arguments<'_>, tag: &str) -> Option<()> {
    tag.bytes().try_for_each(|byte| arguments.symbol(byte))?;
    arguments.space()
}

fn read(verb: &[u8], arguments: &mut Arguments<'_>) -> Option<Command> {
    let command = match verb {
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::Starttls,
        b"ID" => {
            arguments.space()?;
            Command::Id(pairs(arguments)?)
        }
        b"LOGIN" => {
            arguments.space()?;
            let user = arguments.astring()?;
            arguments.space()?;
            Command::Login(user, Zeroizing::new(arguments.astring()?))
        }
        b"AUTHENTICATE" => {
            arguments.space()?;
            let mechanism = arguments.atom()?.to_vec();
            let initial = match arguments.end() {
                Some(()) => None,
                None => {
                    arguments.space()?;
                    Some(Zeroizing::new(arguments.atom()?.to_vec()))
                }
            };
            Command::Authenticate(mechanism, initial)
        }
        _ => return Some(Command::Unknown),
    };
    arguments.end()?;
    Some(command)
}

fn pairs(arguments: &mut Arguments<'_>) -> Option<Pairs> {
    if arguments.symbol(b'(').is_none() {
        return arguments.nstring()?.is_none().then(Vec::new);
    }
    let mut pairs = Pairs::new();
    let mut count = 0;
    while arguments.symbol(b')').is_none() {
        if count > 0 {
            arguments.space()?;
        }
        let key = text(arguments.nstring()??)?;
        arguments.space()?;
        let value = match arguments.nstring()? {
            Some(value) => Some(text(value)?),
            None => None,
        };
        count += 1;
        let fits =
            key.len() <= LONGEST_KEY && value.as_ref().is_none_or(|v| v.len() <= LONGEST_VALUE);
        if count > MOST_PAIRS || !fits {
            return None;
        }
        // Servers that trust the gateway believe these: a client must not say them (`x-originating-ip`).
        let of_proxies = key
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        if !of_proxies {
            pairs.push((key, value));
        }
    }
    Some(pairs)
}

/// Keys and values that are passed on have no control characters.
fn text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::{Assembler, Progress};
    use bytes::BytesMut;
    use proptest::prelude::*;

    fn command(bytes: &[u8]) -> (Option<String>, Command) {
        let (mut assembler, mut buffer) = (Assembler::default(), BytesMut::from(bytes));
        loop {
            match assembler.advance(&mut buffer) {
                Progress::Whole(pieces) => return parse(&pieces),
                Progress::GoAhead => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn names_and_passwords_come_in_three_forms() {
        let login = |user: &str, password: &str| {
            let password = Zeroizing::new(password.as_bytes().to_vec());
            (Some("a".to_owned()), Command::Login(user.into(), password))
        };
        assert_eq!(command(b"a login alice pw]\r\n"), login("alice", "pw]"));
        assert_eq!(
            command(b"a LOGIN \"al\\\"ice\" \"p w\"\r\n"),
            login("al\"ice", "p w")
        );
        assert_eq!(
            command(b"a LOGIN {5+}\r\nalice {2}\r\np\n\r\n"),
            login("alice", "p\n")
        );
        assert_eq!(command(b"a LOGIN alice\r\n").1, Command::Malformed);
        assert_eq!(command(b"a LOGIN alice pw x\r\n").1, Command::Malformed);
        assert_eq!(command(b"a LOGIN \"alice pw\r\n").1, Command::Malformed);
    }

    #[test]
    fn authenticate_may_have_an_initial_response() {
        let initial = |text: &str| Some(Zeroizing::new(text.as_bytes().to_vec()));
        assert_eq!(
            command(b"a AUTHENTICATE PLAIN\r\n").1,
            Command::Authenticate(b"PLAIN".to_vec(), None)
        );
        assert_eq!(
            command(b"a AUTHENTICATE PLAIN =\r\n").1,
            Command::Authenticate(b"PLAIN".to_vec(), initial("="))
        );
        assert_eq!(
            command(b"a AUTHENTICATE PLAIN AGE+/w==\r\n").1,
            Command::Authenticate(b"PLAIN".to_vec(), initial("AGE+/w=="))
        );
    }

    #[test]
    fn id_drops_what_only_proxies_may_say() {
        let line = b"a ID (\"name\" \"mutt\" \"X-Originating-IP\" \"1.2.3.4\" \"os\" NIL)\r\n";
        let pairs = vec![
            ("name".to_owned(), Some("mutt".to_owned())),
            ("os".to_owned(), None),
        ];
        assert_eq!(command(line).1, Command::Id(pairs));
        assert_eq!(command(b"a ID NIL\r\n").1, Command::Id(Vec::new()));
        assert_eq!(
            command(b"a ID (\"k\" {3+}\r\na\rb)\r\n").1,
            Command::Malformed
        );
    }

    #[test]
    fn a_bad_tag_is_no_tag() {
        assert_eq!(command(b"* NOOP\r\n"), (None, Command::Malformed));
        assert_eq!(
            command(b"a SELECT INBOX\r\n"),
            (Some("a".into()), Command::Unknown)
        );
        assert_eq!(command(b"a\r\n"), (Some("a".into()), Command::Malformed));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-zA-Z(){}\" \\\\+*=0-9]{0,60}") {
            let piece = Piece::Text(text.into_bytes().into());
            let _ = parse(&[piece.clone(), Piece::Literal(b"x".to_vec().into()), piece]);
        }
    }
}
