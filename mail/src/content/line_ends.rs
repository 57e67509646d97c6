//! Whether lines end with CRLF: a message that has come by DATA has been seen to, one that has come in chunks has not.
//! No I/O.

/// Looks at a message, piece by piece.
#[derive(Debug, Default)]
pub struct LineEnds {
    /// The last byte was a carriage return.
    returned: bool,
}

/// Half a line end, or NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsound;

impl LineEnds {
    /// Looks at any bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Unsound> {
        let mut pieces = bytes.split_inclusive(|b| *b == b'\n');
        pieces.try_for_each(|piece| self.piece(piece))
    }

    /// Looks at a line, or at a part of one.
    pub fn piece(&mut self, piece: &[u8]) -> Result<(), Unsound> {
        let mut text = piece;
        if self.returned && text.first() != Some(&b'\n') {
            return Err(Unsound);
        }
        if let Some(before) = text.strip_suffix(b"\n") {
            let whole = before.last().map_or(self.returned, |b| *b == b'\r');
            if !whole {
                return Err(Unsound);
            }
            text = before;
        }
        let before = text.strip_suffix(b"\r").unwrap_or(text);
        self.returned = before.len() < text.len() && piece.last() != Some(&b'\n');
        match memchr::memchr2(b'\r', 0, before) {
            Some(_) => Err(Unsound),
            None => Ok(()),
        }
    }

    /// The message is over.
    pub fn finish(&self) -> Result<(), Unsound> {
        match self.returned {
            true => Err(Unsound),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look(pieces: &[&[u8]]) -> Result<(), Unsound> {
        let mut ends = LineEnds::default();
        pieces.iter().try_for_each(|piece| ends.feed(piece))?;
        ends.finish()
    }

    #[test]
    fn lines_end_with_both() {
        assert_eq!(look(&[b"a\r\nb\r\n", b"\r", b"\nc"]), Ok(()));
        for half in [&b"a\n"[..], b"a\rb", b"a\r", b"\n", b"a\r\r\n", b"\0"] {
            assert_eq!(look(&[half]), Err(Unsound), "{half:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(bytes in prop::collection::vec(prop::sample::select(vec![b'a', b'\r', b'\n', 0]), 0..20), cut in 0usize..20) {
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(look(&[&bytes]), look(&[one, two]));
        }
    }
}
