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

impl Refusal {
    /// Whether it says that name or password are wrong. Other refusals with a code, such as too many sessions or an account
    /// that is closed, do not.
    pub fn is_of_credentials(&self) -> bool {
        if !self.code.is_empty() {
            // RFC 4954 § 6: 535 5.7.8; some servers name the class only.
            return self.code.starts_with("535");
        }
        match self.word().as_deref() {
            // RFC 5530 § 3, RFC 3206 § 4.
            None | Some("AUTHENTICATIONFAILED" | "AUTH") => true,
            Some(_) => false,
        }
    }

    /// Whether it says that the account has too many sessions, or is in use.
    pub fn is_for_now(&self) -> bool {
        matches!(
            self.word().as_deref(),
            Some("LIMIT" | "IN-USE" | "INUSE" | "LOGIN-DELAY")
        )
    }

    /// The code in brackets, in capitals.
    fn word(&self) -> Option<String> {
        let rest = self.text.strip_prefix('[')?;
        let (code, _) = rest.split_once([']', ' '])?;
        Some(code.to_ascii_uppercase())
    }
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
    fn only_wrong_credentials_count_as_guesses() {
        let is = |code: &str, text: &str| {
            let (code, text) = (code.to_owned(), text.to_owned());
            Refusal { code, text }.is_of_credentials()
        };
        assert!(is("535 5.7.8", "no") && is("535", "no"));
        assert!(!is("534 5.7.9", "too weak") && !is("550 5.7.1", "blocked"));
        assert!(is("", "[AUTHENTICATIONFAILED] no") && is("", "[auth] no") && is("", "no"));
        assert!(
            !is("", "[LIMIT] ten sessions")
                && !is("", "[IN-USE] locked")
                && !is("", "[SYS/PERM] x")
        );
    }

    #[test]
    fn control_characters_do_not_pass() {
        assert_eq!(words(b" a\r\nb\0\xff "), "a??b??");
        assert_eq!(words(&[b'x'; 600]).len(), 512);
    }
}
