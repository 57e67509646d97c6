//! The arguments of an IMAP command: atoms, quoted strings, literals, lists (RFC 3501 § 9). No I/O.

use super::Piece;

/// A place in a command.
pub(super) struct Arguments<'p> {
    pieces: &'p [Piece],
    /// Of the text at the front of `pieces`.
    offset: usize,
}

impl<'p> Arguments<'p> {
    /// At the beginning of a command.
    pub(super) fn new(pieces: &'p [Piece]) -> Self {
        Arguments { pieces, offset: 0 }
    }

    /// Skips one space.
    pub(super) fn space(&mut self) -> Option<()> {
        self.symbol(b' ')
    }

    /// Skips this character.
    pub(super) fn symbol(&mut self, symbol: u8) -> Option<()> {
        (self.rest().first() == Some(&symbol)).then(|| self.offset += 1)
    }

    /// Nothing may follow, but spaces that clients forget.
    pub(super) fn end(&self) -> Option<()> {
        (self.pieces.len() <= 1 && self.rest().iter().all(|b| *b == b' ')).then_some(())
    }

    /// A word without special characters.
    pub(super) fn atom(&mut self) -> Option<&'p [u8]> {
        let rest = self.rest();
        let end = rest
            .iter()
            .position(|b| !is_atom_char(*b))
            .unwrap_or(rest.len());
        self.offset += end;
        (end > 0).then_some(&rest[..end])
    }

    /// An atom, a quoted string or a literal.
    pub(super) fn astring(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest();
        if rest.is_empty() {
            let Some(Piece::Literal(bytes)) = self.pieces.get(1) else {
                return None;
            };
            self.pieces = &self.pieces[2..];
            self.offset = 0;
            return Some(bytes.to_vec());
        }
        match rest[0] {
            b'"' => self.quoted(),
            // `]` is allowed here, though not in an atom.
            _ => {
                let end = rest
                    .iter()
                    .position(|b| !is_atom_char(*b) && *b != b']')
                    .unwrap_or(rest.len());
                self.offset += end;
                (end > 0).then(|| rest[..end].to_vec())
            }
        }
    }

    /// A string, or nothing (`NIL`).
    pub(super) fn nstring(&mut self) -> Option<Option<Vec<u8>>> {
        let is_quoted = self.rest().first() == Some(&b'"');
        let is_literal = self.rest().is_empty();
        let text = self.astring()?;
        match (is_quoted || is_literal, text.eq_ignore_ascii_case(b"NIL")) {
            (true, _) => Some(Some(text)),
            (false, true) => Some(None),
            (false, false) => None,
        }
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest();
        let (mut text, mut at) = (Vec::new(), 1);
        loop {
            match (rest.get(at)?, rest.get(at + 1)) {
                (b'"', _) => {
                    self.offset += at + 1;
                    return Some(text);
                }
                (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                    text.push(*escaped);
                    at += 2;
                }
                (b'\\', _) => return None,
                (byte, _) => {
                    text.push(*byte);
                    at += 1;
                }
            }
        }
    }

    fn rest(&self) -> &'p [u8] {
        match self.pieces.first() {
            Some(Piece::Text(text)) => &text[self.offset..],
            _ => &[],
        }
    }
}

fn is_atom_char(byte: u8) -> bool {
    (b'!'..=b'~').contains(&byte) && !b"(){%*\"\\]".contains(&byte)
}
