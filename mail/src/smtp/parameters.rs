//! Paths and parameters of MAIL and RCPT (RFC 5321 § 4.1.1.2 and 3). No I/O.

use super::command::{Command, parse};
use crate::capabilities::Offers;

/// The argument of MAIL or RCPT, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'l> {
    /// The path without its angle brackets; empty for `<>`.
    pub path: &'l [u8],
    /// What is behind it.
    parameters: &'l [u8],
}

/// Why an argument is not passed on, as the reply says it.
pub type Refused = &'static str;

const MALFORMED: Refused = "501 5.5.4 Malformed path";
pub const NOT_OFFERED: Refused = "555 5.5.4 Unsupported parameter";
const TOO_LARGE: Refused = "552 5.3.4 Message too large";

impl<'l> Argument<'l> {
    /// Reads what stands behind `FROM:` or `TO:`.
    pub fn read(argument: &'l [u8]) -> Result<Self, Refused> {
        let rest = argument.strip_prefix(b"<").ok_or(MALFORMED)?;
        let end = end_of_path(rest).ok_or(MALFORMED)?;
        let (path, parameters) = (&rest[..end], &rest[end + 1..]);
        let apart = parameters.first().is_none_or(|b| *b == b' ');
        match apart && !path.iter().any(u8::is_ascii_control) {
            true => Ok(Argument { path, parameters }),
            false => Err(MALFORMED),
        }
    }

    /// Whether every parameter of MAIL was offered, and the size it announces fits.
    pub fn check_mail(&self, offers: &Offers, max_size: u64) -> Result<(), Refused> {
        for (name, value) in self.parameters() {
            let offered = match name.to_ascii_uppercase().as_slice() {
                b"SIZE" => {
                    check_size(value, max_size)?;
                    offers.has("SIZE")
                }
                b"BODY" => match value.to_ascii_uppercase().as_slice() {
                    b"7BIT" | b"8BITMIME" => offers.has("8BITMIME"),
                    b"BINARYMIME" => offers.has("BINARYMIME") && offers.has("CHUNKING"),
                    _ => false,
                },
                b"SMTPUTF8" => offers.has("SMTPUTF8") && value.is_empty(),
                b"RET" | b"ENVID" => offers.has("DSN"),
                // RFC 4954 § 5: whom a server trusts may name another author. The client is not trusted with that.
                b"AUTH" => value == b"<>",
                _ => false,
            };
            if !offered {
                return Err(NOT_OFFERED);
            }
        }
        Ok(())
    }

    /// Whether every parameter of RCPT was offered.
    pub fn check_rcpt(&self, offers: &Offers) -> Result<(), Refused> {
        let of_dsn = |name: &[u8]| {
            name.eq_ignore_ascii_case(b"NOTIFY") || name.eq_ignore_ascii_case(b"ORCPT")
        };
        match self
            .parameters()
            .all(|(name, _)| of_dsn(name) && offers.has("DSN"))
        {
            true => Ok(()),
            false => Err(NOT_OFFERED),
        }
    }

    fn parameters(&self) -> impl Iterator<Item = (&'l [u8], &'l [u8])> {
        let words = self
            .parameters
            .split(|b| *b == b' ')
            .filter(|word| !word.is_empty());
        words.map(|word| match word.iter().position(|b| *b == b'=') {
            Some(at) => (&word[..at], &word[at + 1..]),
            None => (word, &word[word.len()..]),
        })
    }
}

fn check_size(value: &[u8], max_size: u64) -> Result<(), Refused> {
    let size: Option<u64> = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    match size {
        Some(size) if size <= max_size => Ok(()),
        Some(_) => Err(TOO_LARGE),
        None => Err(MALFORMED),
    }
}

/// Whether a server that offers this knows the parameters of a MAIL or RCPT that has been checked.
pub fn understood(line: &[u8], offers: &Offers) -> bool {
    match parse(line) {
        Command::Mail(argument) => {
            Argument::read(argument).is_ok_and(|read| read.check_mail(offers, u64::MAX).is_ok())
        }
        Command::Rcpt(argument) => {
            Argument::read(argument).is_ok_and(|read| read.check_rcpt(offers).is_ok())
        }
        _ => false,
    }
}

/// The path in a MAIL or RCPT that has been checked.
pub fn path(line: &[u8]) -> &[u8] {
    match parse(line) {
        Command::Mail(argument) | Command::Rcpt(argument) => {
            Argument::read(argument).map_or(&[], |read| read.path)
        }
        _ => &[],
    }
}

/// The closing bracket outside of quotes.
fn end_of_path(rest: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            b'<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(argument: &str, offers: &[&str]) -> Result<(), Refused> {
        let offers = Offers::read(offers.iter().map(|line| line.as_bytes()));
        Argument::read(argument.as_bytes())?.check_mail(&offers, 1000)
    }

    #[test]
    fn a_path_may_have_quoted_brackets() {
        let read = Argument::read(b"<\"a>b\\\"c\"@d> SIZE=1").expect("a path");
        assert_eq!(read.path, b"\"a>b\\\"c\"@d");
        for bad in [&b"a@b"[..], b"<a@b", b"<a@b>x", b"<a<b>", b""] {
            assert_eq!(Argument::read(bad), Err(MALFORMED), "{bad:?}");
        }
    }

    #[test]
    fn only_what_was_offered_passes() {
        assert_eq!(mail("<a@b> SIZE=1000", &["SIZE"]), Ok(()));
        assert_eq!(mail("<a@b> SIZE=1001", &["SIZE"]), Err(TOO_LARGE));
        assert_eq!(mail("<a@b> SIZE=x", &["SIZE"]), Err(MALFORMED));
        assert_eq!(mail("<a@b> BODY=8BITMIME", &[]), Err(NOT_OFFERED));
        assert_eq!(
            mail("<a@b> body=8bitmime RET=HDRS", &["8BITMIME", "DSN"]),
            Ok(())
        );
        assert_eq!(mail("<a@b> AUTH=bob", &["AUTH PLAIN"]), Err(NOT_OFFERED));
        assert_eq!(mail("<> AUTH=<>", &[]), Ok(()));
        assert_eq!(mail("<a@b> X=1", &["X"]), Err(NOT_OFFERED));
    }

    proptest! {
        #[test]
        fn no_argument_makes_it_panic(argument in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(read) = Argument::read(&argument) {
                let _ = read.check_mail(&Offers::default(), 10);
            }
        }
    }
}
