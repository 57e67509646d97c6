//! The commands of SMTP (RFC 5321 § 4.1). No I/O.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// HELO with the client's name.
    Helo(&'l str),
    /// EHLO with the client's name.
    Ehlo(&'l str),
    /// STARTTLS
    Starttls,
    /// AUTH with the mechanism and the initial response.
    Auth(&'l [u8], Option<&'l [u8]>),
    /// MAIL; what stands behind `FROM:`.
    Mail(&'l [u8]),
    /// RCPT; what stands behind `TO:`.
    Rcpt(&'l [u8]),
    /// DATA
    Data,
    /// BDAT (RFC 3030): so many bytes follow, and whether they are the last.
    Bdat(u64, bool),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// HELP
    Help,
    /// VRFY
    Vrfy,
    /// Any other verb.
    Other(&'l [u8]),
    /// A known verb with wrong arguments.
    Malformed,
    /// BDAT whose size cannot be read: what follows it cannot be told from commands.
    LostSize,
}

/// Reads a line without its end. Control characters have no place in it: servers part words at some of them (Postfix at tabs),
/// and would see a parameter that nobody has looked at.
pub fn parse(line: &[u8]) -> Command<'_> {
    let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (verb, rest) = (&line[..end], line[end..].trim_ascii());
    let alone = |command| {
        if rest.is_empty() {
            command
        } else {
            Command::Malformed
        }
    };
    let odd = line.iter().any(u8::is_ascii_control);
    match verb.to_ascii_uppercase().as_slice() {
        b"BDAT" if odd => Command::LostSize,
        _ if odd => Command::Malformed,
        b"EHLO" => name(rest).map_or(Command::Malformed, Command::Ehlo),
        b"HELO" => name(rest).map_or(Command::Malformed, Command::Helo),
        b"STARTTLS" => alone(Command::Starttls),
        b"AUTH" => auth(rest),
        b"MAIL" => behind(rest, b"FROM:").map_or(Command::Malformed, Command::Mail),
        b"RCPT" => behind(rest, b"TO:").map_or(Command::Malformed, Command::Rcpt),
        b"DATA" => alone(Command::Data),
        b"BDAT" => bdat(rest),
        b"RSET" => alone(Command::Rset),
        b"NOOP" => Command::Noop,
        b"QUIT" => alone(Command::Quit),
        b"HELP" => Command::Help,
        b"VRFY" => Command::Vrfy,
        _ => Command::Other(verb),
    }
}

/// A domain or an address literal; it is repeated to the server, so it has only their characters.
fn name(rest: &[u8]) -> Option<&str> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(b);
    let sound = !rest.is_empty() && rest.len() <= 255 && rest.iter().all(allowed);
    sound.then(|| std::str::from_utf8(rest).ok())?
}

fn auth(rest: &[u8]) -> Command<'_> {
    let mut words = rest.split(|b| *b == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(mechanism), initial, None) => Command::Auth(mechanism, initial),
        _ => Command::Malformed,
    }
}

fn behind<'l>(rest: &'l [u8], word: &[u8]) -> Option<&'l [u8]> {
    let (first, behind) = rest.split_at_checked(word.len())?;
    first
        .eq_ignore_ascii_case(word)
        .then(|| behind.trim_ascii())
}

fn bdat(rest: &[u8]) -> Command<'_> {
    let mut words = rest.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let digits = words
        .next()
        .filter(|word| word.iter().all(u8::is_ascii_digit));
    let size = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let last = match words.next() {
        None => Some(false),
        Some(word) if word.eq_ignore_ascii_case(b"LAST") => Some(true),
        Some(_) => None,
    };
    match (size, last, words.next()) {
        (Some(size), Some(last), None) => Command::Bdat(size, last),
        _ => Command::LostSize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn verbs_are_read_in_any_case() {
        assert_eq!(parse(b"ehlo mail.example"), Command::Ehlo("mail.example"));
        assert_eq!(parse(b"EHLO [IPv6:::1]"), Command::Ehlo("[IPv6:::1]"));
        assert_eq!(
            parse(b"mail from: <a@b> SIZE=1"),
            Command::Mail(b"<a@b> SIZE=1")
        );
        assert_eq!(parse(b"RCPT TO:<a@b>"), Command::Rcpt(b"<a@b>"));
        assert_eq!(parse(b"XCLIENT LOGIN=bob"), Command::Other(b"XCLIENT"));
    }

    #[test]
    fn a_name_has_nothing_that_could_be_more_than_a_name() {
        for bad in [
            &b"EHLO"[..],
            b"EHLO a b",
            b"EHLO a\rb",
            b"EHLO a=b",
            b"EHLO \xc3\xa4",
        ] {
            assert_eq!(parse(bad), Command::Malformed, "{bad:?}");
        }
    }

    #[test]
    fn words_are_parted_by_spaces_alone() {
        for odd in [
            &b"MAIL FROM:<a@b> RET=FULL\tAUTH=bob"[..],
            b"RCPT TO:<a@b> NOTIFY=NEVER\x0bX=1",
            b"MAIL\tFROM:<a@b>",
            b"NOOP\x0cXCLIENT",
            b"XFORWARD\tNAME=x",
        ] {
            assert_eq!(parse(odd), Command::Malformed, "{odd:?}");
        }
    }

    #[test]
    fn starttls_and_data_take_no_argument() {
        assert_eq!(parse(b"STARTTLS now"), Command::Malformed);
        assert_eq!(parse(b"DATA x"), Command::Malformed);
        assert_eq!(parse(b"DATA "), Command::Data);
    }

    #[test]
    fn the_size_of_a_chunk_is_read_or_lost() {
        assert_eq!(parse(b"BDAT 86 LAST"), Command::Bdat(86, true));
        assert_eq!(parse(b"bdat 0"), Command::Bdat(0, false));
        for lost in [
            &b"BDAT"[..],
            b"BDAT -1",
            b"BDAT 18446744073709551616",
            b"BDAT 1 2",
            b"BDAT 1 LAST x",
            b"BDAT 1\t",
        ] {
            assert_eq!(parse(lost), Command::LostSize, "{lost:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }
}
