//! Dots at the beginnings of lines, as they are on the way after DATA (RFC 5321 § 4.5.2): taken away from what has come,
//! added to what goes. No I/O.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// Takes the dots away, and the last line.
#[derive(Debug, Default)]
pub struct Unstuffer {
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Dot,
    End,
    Text,
}

impl Unstuffer {
    /// The content of these bytes of a message whose line ends are sound.
    pub fn take(&mut self, bytes: &[u8]) -> BytesMut {
        let mut out = BytesMut::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            match (self.place, first) {
                (Place::Start, b'.') => {
                    self.place = Place::Dot;
                    rest = &rest[1..];
                    continue;
                }
                // Only the last line is a dot alone.
                (Place::Dot, b'\r') | (Place::End, _) => {
                    self.place = Place::End;
                    return out;
                }
                _ => {}
            }
            let end = memchr(b'\n', rest).map(|at| at + 1);
            let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()));
            out.extend_from_slice(piece);
            self.place = match end {
                Some(_) => Place::Start,
                None => Place::Text,
            };
            rest = behind;
        }
        out
    }
}

/// Adds the dots.
#[derive(Debug, Default)]
pub struct Stuffer {
    /// The last byte that has gone was not the end of a line.
    within: bool,
}

impl Stuffer {
    /// What goes for these bytes.
    pub fn add(&mut self, bytes: Bytes) -> Bytes {
        let dots = (!self.within && bytes.first() == Some(&b'.'))
            || memchr::memmem::find(&bytes, b"\n.").is_some();
        let stuffed = match dots {
            true => self.stuffed(&bytes),
            false => bytes,
        };
        if let Some(last) = stuffed.last() {
            self.within = *last != b'\n';
        }
        stuffed
    }

    /// What goes at the end.
    pub fn end(&self) -> &'static [u8] {
        match self.within {
            true => b"\r\n.\r\n",
            false => b".\r\n",
        }
    }

    fn stuffed(&self, bytes: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(bytes.len() + 64);
        let mut within = self.within;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            if !within && line.first() == Some(&b'.') {
                out.extend_from_slice(b".");
            }
            out.extend_from_slice(line);
            within = false;
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dots_go_and_come_back() {
        let mut unstuffer = Unstuffer::default();
        assert_eq!(
            &unstuffer.take(b"..a\r\n.b\r\n...\r\n.")[..],
            b".a\r\nb\r\n..\r\n"
        );
        assert_eq!(&unstuffer.take(b"\r\n")[..], b"");
    }

    proptest! {
        #[test]
        fn what_is_stuffed_in_pieces_is_unstuffed_in_others(lines in prop::collection::vec(prop::sample::select(vec!["a\r\n", ".\r\n", "..\r\n", ".b\r\n", "\r\n"]), 0..12),
            one in 0usize..40, two in 0usize..40) {
            let whole = lines.concat().into_bytes();
            let cut = one.min(whole.len());
            let mut stuffer = Stuffer::default();
            let mut wire = Vec::new();
            for piece in [&whole[..cut], &whole[cut..]] {
                wire.extend_from_slice(&stuffer.add(Bytes::copy_from_slice(piece)));
            }
            wire.extend_from_slice(stuffer.end());
            prop_assert!(wire.ends_with(b".\r\n"));
            let cut = two.min(wire.len());
            let mut unstuffer = Unstuffer::default();
            let back = [unstuffer.take(&wire[..cut]), unstuffer.take(&wire[cut..])].concat();
            prop_assert_eq!(back, whole);
        }
    }
}
