//! The end of a message after DATA: CRLF, a dot, CRLF, and nothing else (RFC 5321 § 4.1.1.4). No I/O.
//!
//! Servers differ in what they make of a line feed without a carriage return; a message that one of them takes for two
//! is smuggled past all checks. So such a message is refused, or made into one that all take for the same.

use bytes::{BufMut, BytesMut};
use memchr::memchr3;

/// Half a line end, or NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsound;

/// Finds the end of a message, chunk by chunk.
#[derive(Debug)]
pub struct Dots {
    place: Place,
    fix: bool,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line, and whether a CRLF of the client's own stands before it.
    Start(bool),
    /// Behind a dot at such a beginning.
    Dot,
    /// Behind that dot and a carriage return.
    DotReturn,
    /// Behind a carriage return.
    Return,
    /// In a line.
    Text,
}

impl Place {
    /// The byte before the next one, as far as it matters; `None` behind a dot that may end the message.
    fn before(self) -> Option<u8> {
        match self {
            Place::Start(_) => Some(b'\n'),
            Place::Return => Some(b'\r'),
            Place::Text => Some(b' '),
            Place::Dot | Place::DotReturn => None,
        }
    }

    /// Behind a byte that is no dot at the beginning of a line.
    fn behind(byte: u8) -> Self {
        match byte {
            b'\n' => Place::Start(true),
            b'\r' => Place::Return,
            _ => Place::Text,
        }
    }
}

/// Bytes that are looked at together: few enough to lie in the nearest cache still when they have to be looked at again.
const BLOCK: usize = 1024;

/// Whether all line ends are whole, there is no NUL, and no line begins with a dot: what nearly all of every message is.
/// Without branches, so that the compiler can look at many bytes at once.
fn is_plain(before: u8, block: &[u8]) -> bool {
    let odd = |before: u8, byte: u8| {
        ((byte == b'\n') != (before == b'\r')) | (byte == 0) | ((before == b'\n') & (byte == b'.'))
    };
    let Some((first, rest)) = block.split_first() else {
        return true;
    };
    let pairs = block.iter().zip(rest);
    let any = pairs.fold(false, |any, (before, byte)| any | odd(*before, *byte));
    !(any | odd(before, *first))
}

impl Dots {
    /// At the beginning of a message. With `fix`, half line ends are made whole instead of refused.
    pub fn new(fix: bool) -> Self {
        Dots {
            place: Place::Start(true),
            fix,
        }
    }

    /// Takes what is in the buffer: the bytes for the server, and whether they end the message. `None` for an empty
    /// buffer. What is behind the end stays in the buffer.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<(BytesMut, bool)>, Unsound> {
        if buffer.is_empty() {
            return Ok(None);
        }
        if self.fix {
            return self.mend(buffer).map(Some);
        }
        let end = self.find_end(buffer)?;
        Ok(Some((
            buffer.split_to(end.unwrap_or(buffer.len())),
            end.is_some(),
        )))
    }

    /// How many bytes belong to the message, if its end is among them.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unsound> {
        let mut at = 0;
        while at < bytes.len() {
            let block = &bytes[at..bytes.len().min(at + BLOCK)];
            if let Some(before) = self.place.before()
                && is_plain(before, block)
            {
                self.place = Place::behind(block[block.len() - 1]);
                at += block.len();
                continue;
            }
            let end = at + block.len();
            if let Some(found) = self.find_end_before(end, &mut at, bytes)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The same for what is not plain, byte by byte up to `end`.
    fn find_end_before(
        &mut self,
        end: usize,
        at: &mut usize,
        bytes: &[u8],
    ) -> Result<Option<usize>, Unsound> {
        while *at < end {
            let byte = bytes[*at];
            match (self.place, byte) {
                (Place::Start(_), b'.') => self.step(Place::Dot, at),
                (Place::Dot, b'\r') => self.step(Place::DotReturn, at),
                (Place::Return, b'\n') => self.step(Place::Start(true), at),
                (Place::DotReturn, b'\n') => return Ok(Some(*at + 1)),
                (Place::Return | Place::DotReturn, _) => return Err(Unsound),
                (Place::Start(_) | Place::Dot, _) => self.place = Place::Text,
                (Place::Text, _) => match memchr3(b'\r', b'\n', 0, &bytes[*at..end]) {
                    None => *at = end,
                    Some(found) if bytes[*at + found] == b'\r' => {
                        *at += found;
                        self.step(Place::Return, at);
                    }
                    Some(_) => return Err(Unsound),
                },
            }
        }
        Ok(None)
    }

    fn step(&mut self, place: Place, at: &mut usize) {
        self.place = place;
        *at += 1;
    }

    /// The same with half line ends made whole. A dot that would begin a line for the server only because of that is
    /// doubled, so that it can neither end the message nor be taken away.
    fn mend(&mut self, buffer: &mut BytesMut) -> Result<(BytesMut, bool), Unsound> {
        let mut out = BytesMut::with_capacity(buffer.len() + 64);
        let mut at = 0;
        while at < buffer.len() {
            let byte = buffer[at];
            if byte == 0 {
                return Err(Unsound);
            }
            at += 1;
            match (self.place, byte) {
                (Place::Start(true), b'.') => self.place = Place::Dot,
                (Place::Start(false), b'.') => self.text(&mut out, b".."),
                (Place::Dot, b'\r') => self.place = Place::DotReturn,
                (Place::Dot, b'\n') => self.mended(&mut out, b"..\r\n"),
                (Place::Dot, _) => {
                    self.text(&mut out, b".");
                    at -= 1;
                }
                (Place::DotReturn, b'\n') => {
                    out.put_slice(b".\r\n");
                    let _ = buffer.split_to(at);
                    return Ok((out, true));
                }
                (Place::DotReturn, _) => {
                    self.mended(&mut out, b"..\r\n");
                    at -= 1;
                }
                (Place::Return, b'\n') => {
                    out.put_slice(b"\r\n");
                    self.place = Place::Start(true);
                }
                (Place::Return, _) => {
                    self.mended(&mut out, b"\r\n");
                    at -= 1;
                }
                (Place::Start(_) | Place::Text, b'\r') => self.place = Place::Return,
                (Place::Start(_) | Place::Text, b'\n') => self.mended(&mut out, b"\r\n"),
                (Place::Start(_) | Place::Text, _) => self.text(&mut out, &[byte]),
            }
        }
        buffer.clear();
        Ok((out, false))
    }

    fn text(&mut self, out: &mut BytesMut, bytes: &[u8]) {
        out.put_slice(bytes);
        self.place = Place::Text;
    }

    fn mended(&mut self, out: &mut BytesMut, bytes: &[u8]) {
        out.put_slice(bytes);
        self.place = Place::Start(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message as it goes on, and what is behind its end; `None` without an end.
    type Read = Result<Option<(Vec<u8>, Vec<u8>)>, Unsound>;

    /// What becomes of a message that comes in these chunks: the bytes for the server and what is left, or a refusal.
    fn run(chunks: &[&[u8]], fix: bool) -> Read {
        let (mut dots, mut out, mut buffer) = (Dots::new(fix), Vec::new(), BytesMut::new());
        let mut ended = false;
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            if ended {
                continue;
            }
            if let Some((bytes, last)) = dots.take(&mut buffer)? {
                out.extend_from_slice(&bytes);
                ended = last;
            }
        }
        Ok(ended.then(|| (out, buffer.to_vec())))
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        let ended = run(&[b"a\r\n.b\r\n..\r\n.\r\nQUIT\r\n"], false);
        assert_eq!(
            ended,
            Ok(Some((
                b"a\r\n.b\r\n..\r\n.\r\n".to_vec(),
                b"QUIT\r\n".to_vec()
            )))
        );
        assert_eq!(
            run(&[b".\r\n"], false),
            Ok(Some((b".\r\n".to_vec(), Vec::new())))
        );
    }

    #[test]
    fn half_line_ends_are_refused_wherever_they_stand() {
        for bad in [
            &b"a\n.\nb"[..],
            b"a\r.\rb",
            b"a\n.\r\nb",
            b"a\r\n.\nb",
            b"a\r\n.\rb",
            b"\n",
            b"\rx",
            b"a\0",
        ] {
            assert_eq!(run(&[bad], false), Err(Unsound), "{bad:?}");
        }
    }

    #[test]
    fn mended_line_ends_never_end_a_message() {
        let tail = b"\r\n.\r\n";
        for (bad, mended) in [
            (&b"a\n.\nb"[..], &b"a\r\n..\r\nb"[..]),
            (b"a\r.\rb", b"a\r\n..\r\nb"),
            (b"a\n.\r\nb", b"a\r\n..\r\nb"),
            (b"a\r\n.\nb", b"a\r\n..\r\nb"),
            (b"a\r\n.\rb", b"a\r\n..\r\nb"),
            (b"a\r\n..b", b"a\r\n..b"),
        ] {
            let whole = [bad, tail].concat();
            assert_eq!(
                run(&[&whole], true),
                Ok(Some(([mended, tail].concat(), Vec::new()))),
                "{bad:?}"
            );
        }
    }

    /// A strict reader of the whole.
    fn reference(whole: &[u8]) -> Read {
        let framed = [b"\r\n", whole].concat();
        let end = framed
            .windows(5)
            .position(|w| w == b"\r\n.\r\n")
            .map(|at| at + 5);
        let message = &framed[..end.unwrap_or(framed.len())];
        for (at, byte) in message.iter().enumerate() {
            let sound = match byte {
                0 => false,
                b'\n' => at > 0 && message[at - 1] == b'\r',
                b'\r' => message.get(at + 1).is_none_or(|next| *next == b'\n'),
                _ => true,
            };
            if !sound {
                return Err(Unsound);
            }
        }
        Ok(end.map(|end| (framed[2..end].to_vec(), framed[end..].to_vec())))
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let parts =
            prop::sample::select(vec![&b"\r\n"[..], b".", b"\r", b"\n", b"a", b"\r\n.\r\n"]);
        prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    }

    /// More than is looked at together, of lines that are all right.
    fn long() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0usize..100, 0..60).prop_map(|lengths| {
            let lines = lengths
                .into_iter()
                .map(|length| [&b"a".repeat(length)[..], b"\r\n"].concat());
            lines.collect::<Vec<_>>().concat()
        })
    }

    proptest! {
        #[test]
        fn the_end_is_where_a_strict_reader_sees_it_under_any_chunking(whole in bytes(), cuts in prop::collection::vec(0usize..40, 0..4)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &whole[w[0]..w[1]]).collect();
            prop_assert_eq!(run(&chunks, false), reference(&whole));
        }

        #[test]
        fn the_end_of_a_long_message_is_where_a_strict_reader_sees_it(
            head in long(), middle in bytes(), tail in long(), end in bytes(), cut in 0usize..4000,
        ) {
            let whole = [head, middle, tail, end].concat();
            let cut = cut.min(whole.len());
            prop_assert_eq!(run(&[&whole[..cut], &whole[cut..]], false), reference(&whole));
        }

        #[test]
        fn what_is_mended_is_sound_and_has_one_end(whole in bytes(), cut in 0usize..40) {
            let cut = cut.min(whole.len());
            let mended = run(&[&whole[..cut], &whole[cut..]], true);
            prop_assert_eq!(&mended, &run(&[&whole], true));
            if let Ok(Some((out, _))) = mended {
                prop_assert_eq!(reference(&out), Ok(Some((out.clone(), Vec::new()))));
            }
        }
    }
}
