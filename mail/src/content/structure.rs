//! What a header block says of the structure of its part: whether it has parts, and by what they are told apart. Reads no
//! more than that (RFC 2045 § 5.1, RFC 2231 § 3). No I/O.

use super::encoding::Encoding;

/// What a part is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// Content.
    Leaf,
    /// Parts between delimiters with one of these boundaries: several where the header block has several.
    Multipart(Vec<Vec<u8>>),
    /// A message.
    Message,
}

/// What a header block says.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// What the part is made of.
    pub what: Shape,
    /// How it is encoded; if that is said more than once, any that hides something.
    pub encoding: Encoding,
}

/// Reads a header block.
pub fn shape(block: &[u8]) -> Said {
    let (mut boundaries, mut message) = (Vec::new(), false);
    let mut encoding = Encoding::Identity;
    for (name, value) in fields(block) {
        if name.eq_ignore_ascii_case(b"content-type") {
            let value = unfolded(value);
            let value = value.trim_ascii();
            if starts_with(value, b"multipart/") {
                boundaries.extend(boundary(value).filter(|b| !b.is_empty()));
            }
            message |=
                starts_with(value, b"message/rfc822") || starts_with(value, b"message/global");
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            let read = Encoding::read(&unfolded(value));
            if read != Encoding::Identity {
                encoding = read;
            }
        }
    }
    let what = match (boundaries.is_empty(), message) {
        (false, _) => Shape::Multipart(boundaries),
        (true, true) => Shape::Message,
        (true, false) => Shape::Leaf,
    };
    Said { what, encoding }
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

fn unfolded(value: &[u8]) -> Vec<u8> {
    let ends = |b: &u8| matches!(b, b'\r' | b'\n');
    value.iter().copied().filter(|b| !ends(b)).collect()
}

/// The boundary among the parameters, also in pieces (`boundary*0=`); the first where there are several.
fn boundary(value: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = Vec::new();
    for (name, value) in parameters(value) {
        let name = name.to_ascii_lowercase();
        match name.as_slice() {
            b"boundary" => return Some(value),
            name if name.starts_with(b"boundary*") => pieces.extend(value),
            _ => {}
        }
    }
    Some(pieces).filter(|pieces| !pieces.is_empty())
}

/// Parameters with their values out of quotes.
fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
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
        match shape(format!("X: y\r\nContent-Type: {value}\r\n\r\n").as_bytes()).what {
            Shape::Multipart(mut boundaries) => boundaries.remove(0),
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn boundaries_are_found_in_every_writing() {
        for value in [
            "multipart/mixed; boundary=b-1",
            "Multipart/Mixed;\r\n\tcharset=\"a;boundary=c\"; BOUNDARY=\"b-1\"",
            "multipart/mixed; boundary = \"b\\-1\" ; x",
            "multipart/mixed; boundary*0=b-; boundary*1=1",
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
            assert_eq!(said.what, Shape::Leaf, "{value}");
        }
    }

    #[test]
    fn an_encoding_that_hides_counts_wherever_it_stands() {
        let block = b"Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n";
        let said = shape(block);
        assert_eq!(
            (said.what, said.encoding),
            (Shape::Message, Encoding::Base64)
        );
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
