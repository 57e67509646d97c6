//! What a header block says of the structure of its part: whether it has parts, and by what they are told apart. Reads no
//! more than that (RFC 2045 § 5.1, RFC 2231 § 3). No I/O.

use super::encoding::Encoding;

/// What a part is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// Content.
    Leaf,
    /// Parts between delimiters with this boundary.
    Multipart(Vec<u8>),
    /// A message.
    Message,
}

/// What a header block says.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// What the part is made of.
    pub what: Shape,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// A header block that readers read differently: some would see parts where others see none, or other parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Reads a header block.
///
/// # Errors
///
/// It can be read in more than one way.
pub fn shape(block: &[u8]) -> Result<Said, Ambiguous> {
    let kind = only(block, b"content-type")?.unwrap_or_default();
    let encoding = match only(block, b"content-transfer-encoding")? {
        Some(value) => encoding(&value)?,
        None => Encoding::Identity,
    };
    let what = match media(&kind)? {
        Media::Multipart => boundary(&kind)?.map_or(Shape::Leaf, Shape::Multipart),
        Media::Message => Shape::Message,
        Media::Other => Shape::Leaf,
    };
    // Some end a header block at a line that is no field, or blank: what follows would be parts to them.
    match what != Shape::Leaf && !raw_fields(block).all(is_field) {
        true => Err(Ambiguous),
        false => Ok(Said { what, encoding }),
    }
}

/// The value of a field without its folds; the same several times is no harm.
fn only(block: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, Ambiguous> {
    let named = fields(block).filter(|(its, _)| its.eq_ignore_ascii_case(name));
    let mut values = named.map(|(_, value)| unfolded(value).trim_ascii().to_vec());
    let Some(first) = values.next() else {
        return Ok(None);
    };
    match values.all(|value| value.eq_ignore_ascii_case(&first)) {
        true => Ok(Some(first)),
        false => Err(Ambiguous),
    }
}

/// What matters of a type.
#[derive(Clone, Copy)]
enum Media {
    Multipart,
    Message,
    Other,
}

/// The type at the beginning of a value. Comments and spaces within it are read by some.
fn media(value: &[u8]) -> Result<Media, Ambiguous> {
    let kinds: [(&[u8], Media); 3] = [
        (b"multipart/", Media::Multipart),
        (b"message/rfc822", Media::Message),
        (b"message/global", Media::Message),
    ];
    let plain = plain(value);
    for (word, media) in kinds {
        match (starts_with(value, word), starts_with(&plain, word)) {
            (true, _) => return Ok(media),
            (false, true) => return Err(Ambiguous),
            (false, false) => {}
        }
    }
    Ok(Media::Other)
}

fn encoding(value: &[u8]) -> Result<Encoding, Ambiguous> {
    let read = Encoding::read(value);
    match read == Encoding::read(&plain(value)) {
        true => Ok(read),
        false => Err(Ambiguous),
    }
}

/// A value without comments and spaces, up to its parameters.
fn plain(value: &[u8]) -> Vec<u8> {
    let (mut plain, mut depth) = (Vec::new(), 0u32);
    for byte in value.split(|b| *b == b';').next().unwrap_or_default() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b' ' | b'\t' => {}
            _ if depth == 0 => plain.push(*byte),
            _ => {}
        }
    }
    plain
}

fn is_field(raw: &[u8]) -> bool {
    let blank = |line: &[u8]| line.trim_ascii().is_empty();
    let mut lines = raw.split_inclusive(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    // The empty line is the block's own end.
    first == b"\r\n" || first.contains(&b':') && !lines.any(blank)
}

/// How many fields of this name a header block has.
pub fn field_count(block: &[u8], name: &[u8]) -> usize {
    let named = |(its, _): &(&[u8], &[u8])| its.eq_ignore_ascii_case(name);
    fields(block).filter(named).count()
}

/// The fields of a header block with their names; lines without a colon are passed over. Values keep their folds.
pub fn fields(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw_fields(block).filter_map(|field| {
        let colon = memchr::memchr(b':', field)?;
        Some((field[..colon].trim_ascii(), &field[colon + 1..]))
    })
}

/// The fields of a header block as they stand there, each with its continuation lines; all of the block, in order.
pub fn raw_fields(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, behind) = rest.split_at(end);
        rest = behind;
        Some(field)
    })
}

fn starts_with(value: &[u8], word: &[u8]) -> bool {
    let start = value.get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// A value without line ends.
pub fn unfolded(value: &[u8]) -> Vec<u8> {
    let ends = |b: &u8| matches!(b, b'\r' | b'\n');
    value.iter().copied().filter(|b| !ends(b)).collect()
}

/// The boundary among the parameters; spaces at its end count for nobody (RFC 2046 § 5.1.1). Encoded and in pieces (RFC
/// 2231) it is read by few.
fn boundary(value: &[u8]) -> Result<Option<Vec<u8>>, Ambiguous> {
    let mut found = None;
    for (name, value) in parameters(value) {
        let name = name.to_ascii_lowercase();
        if name.starts_with(b"boundary*") {
            return Err(Ambiguous);
        }
        if name == b"boundary" {
            let value = value.trim_ascii_end().to_vec();
            if found
                .replace(value.clone())
                .is_some_and(|first| first != value)
            {
                return Err(Ambiguous);
            }
        }
    }
    Ok(found.filter(|boundary| !boundary.is_empty()))
}

/// Parameters with their values out of quotes; comments are not known.
pub fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    let mut rest = behind_semicolon(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let equals = memchr::memchr2(b'=', b';', text)?;
        let name = text[..equals].trim_ascii();
        if text[equals] == b';' {
            rest = Some(&text[equals + 1..]);
            return Some((name, Vec::new()));
        }
        let (value, end) = word(text[equals + 1..].trim_ascii_start());
        rest = behind_semicolon(end);
        Some((name, value))
    })
}

fn behind_semicolon(text: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b';', text).map(|at| &text[at + 1..])
}

/// A value, quoted or not, and what is behind it.
fn word(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text
            .iter()
            .position(|b| matches!(b, b';' | b' ' | b'\t' | b'('));
        let (value, rest) = text.split_at(end.unwrap_or(text.len()));
        return (value.to_vec(), rest);
    };
    let (mut value, mut escaped) = (Vec::new(), false);
    for (at, byte) in quoted.iter().enumerate() {
        match byte {
            _ if escaped => {
                value.push(*byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => return (value, &quoted[at + 1..]),
            _ => value.push(*byte),
        }
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn multipart(value: &str) -> Vec<u8> {
        match shape(format!("X: y\r\nContent-Type: {value}\r\n\r\n").as_bytes()) {
            Ok(Said {
                what: Shape::Multipart(boundary),
                ..
            }) => boundary,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn boundaries_are_found_in_every_writing() {
        for value in [
            "multipart/mixed; boundary=b-1",
            "Multipart/Mixed;\r\n\tcharset=\"a;boundary=c\"; BOUNDARY=\"b-1\"",
            "multipart/mixed; boundary = \"b\\-1\" ; x",
            "multipart/mixed; boundary=\"b-1  \"",
            "multipart/mixed; boundary=b-1; boundary=b-1",
            "multipart/mixed; a; boundary=b-1 (comment)",
        ] {
            assert_eq!(multipart(value), b"b-1", "{value}");
        }
    }

    #[test]
    fn what_has_no_boundary_has_no_parts() {
        for value in [
            "multipart/mixed",
            "multipart/mixed; boundary=\"\"",
            "text/plain; boundary=b",
        ] {
            let said = shape(format!("Content-Type: {value}\r\n\r\n").as_bytes());
            assert_eq!(said.map(|said| said.what), Ok(Shape::Leaf), "{value}");
        }
    }

    #[test]
    fn what_readers_read_differently_is_not_read() {
        for block in [
            "Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit",
            "Content-Transfer-Encoding: (c) base64",
            "Content-Type: message/rfc822\r\nContent-Type: multipart/mixed; boundary=b",
            "Content-Type: (c) multipart/mixed; boundary=b",
            "Content-Type: multipart /mixed; boundary=b",
            "Content-Type: message/(c)rfc822",
            "Content-Type: multipart/mixed; boundary=x; boundary=y",
            "Content-Type: multipart/mixed; boundary*=us-ascii''b%2D1",
            "Content-Type: multipart/mixed; boundary*0=b-; boundary*1=1",
            "Content-Type: multipart/mixed; boundary=b\r\n \r\nX: y",
            "Content-Type: multipart/mixed; boundary=b\r\nno field",
            "no field\r\nContent-Type: message/rfc822",
        ] {
            let said = shape(format!("{block}\r\n\r\n").as_bytes());
            assert_eq!(said, Err(Ambiguous), "{block}");
        }
        for block in [
            "Content-Type: text/plain\r\nContent-Type: TEXT/plain",
            "Content-Type: text/plain charset=utf-8",
            "Content-Transfer-Encoding: base64 (really)",
            "Subject: x\r\n \r\nX: y",
        ] {
            let said = shape(format!("{block}\r\n\r\n").as_bytes());
            assert_eq!(said.map(|said| said.what), Ok(Shape::Leaf), "{block}");
        }
    }

    #[test]
    fn fields_keep_their_folds_and_all_of_the_block() {
        let block = b"A: 1\r\n 2\r\nno field\r\nb : 3\r\n\r\n";
        let raw: Vec<_> = raw_fields(block).collect();
        assert_eq!(raw.concat(), block);
        let names: Vec<_> = fields(block).map(|(name, _)| name).collect();
        assert_eq!(names, [b"A", b"b"]);
    }

    proptest! {
        #[test]
        fn no_block_makes_it_panic(block in prop::collection::vec(prop::sample::select(b"ContentType:multipart/;boundary=\"\\* \r\n".to_vec()), 0..120)) {
            let _ = shape(&[b"Content-Type: multipart/mixed;".as_slice(), &block].concat());
            prop_assert_eq!(raw_fields(&block).map(<[u8]>::len).sum::<usize>(), block.len());
        }
    }
}
