//! What servers say to a login they refuse, made fit for the client.

/// Longest text of a server that is passed on.
const LONGEST: usize = 512;

/// A server's refusal of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SMTP: the code and the enhanced code, `535 5.7.8`; empty for the others.
    pub code: String,
    /// What it said.
    pub text: String,
}

/// Text of a server on one line: what is not printable ASCII becomes `?`, and it ends after 512 bytes.
pub fn words(text: &[u8]) -> String {
    let printable = |byte: &u8| {
        if (b' '..=b'~').contains(byte) {
            char::from(*byte)
        } else {
            '?'
        }
    };
    text.trim_ascii()
        .iter()
        .take(LONGEST)
        .map(printable)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(words(b" a\r\nb\0\xff "), "a??b??");
        assert_eq!(words(&[b'x'; 600]).len(), 512);
    }
}
