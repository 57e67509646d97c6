//! xtext (RFC 3461 § 4): any bytes as printable ASCII without `+`, `=` and spaces.

use std::fmt::Write;

/// The text in xtext.
pub fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' => write(&mut out, byte),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => write(&mut out, byte),
        }
    }
    out
}

fn write(out: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(out, "+{byte:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_be_taken_for_syntax_is_encoded() {
        assert_eq!(xtext("alice@gov.example"), "alice@gov.example");
        assert_eq!(xtext("a b=c+d\r\n"), "a+20b+3Dc+2Bd+0D+0A");
    }

    proptest! {
        #[test]
        fn the_outcome_is_one_word(text in ".*") {
            let out = xtext(&text);
            prop_assert!(out.bytes().all(|b| (b'!'..=b'~').contains(&b) && b != b'='));
        }
    }
}
