//! What servers can do: the keywords they list, and what lists have in common.

use std::sync::Arc;

/// The keywords one server lists, each with its parameters: `AUTH PLAIN LOGIN`, `SIZE 1000`, `LITERAL+`. Every session asks
/// for those of the pool: a clone copies none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Arc<Lines>);

/// All lines in one piece, with where each ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    text: String,
    ends: Vec<usize>,
}

impl<L: AsRef<str>> FromIterator<L> for Offers {
    fn from_iter<I: IntoIterator<Item = L>>(lines: I) -> Self {
        let mut all = Lines::default();
        for line in lines {
            all.text += line.as_ref();
            all.ends.push(all.text.len());
        }
        Offers(Arc::new(all))
    }
}

impl Offers {
    /// Reads keywords with their parameters. What is not printable ASCII is passed over.
    pub fn read<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let text = |line: &'l [u8]| {
            // Without a way out in the middle it is done for many bytes at once.
            let printable = line
                .iter()
                .fold(true, |all, b| all & (b' '..=b'~').contains(b));
            let text = str::from_utf8(line.trim_ascii()).ok()?;
            (printable && !line.is_empty()).then_some(text)
        };
        lines.into_iter().filter_map(text).collect()
    }

    /// The parameters of a keyword, in any case; `None` if it is not listed.
    pub fn find(&self, keyword: &str) -> Option<&str> {
        self.iter().find_map(|line| {
            let (first, rest) = line.split_at_checked(keyword.len())?;
            let ends = rest.is_empty() || rest.starts_with(' ');
            (ends && first.eq_ignore_ascii_case(keyword)).then(|| rest.get(1..).unwrap_or_default())
        })
    }

    /// Whether a keyword is listed.
    pub fn has(&self, keyword: &str) -> bool {
        self.find(keyword).is_some()
    }

    /// Whether the parameters of a keyword have this word; also in the old form `AUTH=PLAIN LOGIN`.
    pub fn has_word(&self, keyword: &str, word: &str) -> bool {
        let old = self.iter().filter_map(|line| {
            let (first, rest) = line.split_at_checked(keyword.len())?;
            first
                .eq_ignore_ascii_case(keyword)
                .then(|| rest.strip_prefix('='))?
        });
        let mut words = self
            .find(keyword)
            .into_iter()
            .chain(old)
            .flat_map(str::split_whitespace);
        words.any(|listed| listed.eq_ignore_ascii_case(word))
    }

    /// Whether a SASL mechanism is listed, in the words of any of the three protocols.
    pub fn has_mechanism(&self, name: &str) -> bool {
        self.has_word("AUTH", name) || self.has_word("SASL", name)
    }

    /// Every keyword with its parameters.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let Lines { text, ends } = &*self.0;
        let mut start = 0;
        ends.iter().map(move |end| {
            let line = &text[start..*end];
            start = *end;
            line
        })
    }

    /// Those of these keywords that are listed.
    #[must_use]
    pub fn only(&self, keywords: &[&str]) -> Offers {
        let wanted = |line: &&str| {
            let first = line.split(' ').next().unwrap_or(line);
            keywords
                .iter()
                .any(|keyword| keyword.eq_ignore_ascii_case(first))
        };
        self.iter().filter(wanted).collect()
    }

    /// What both list; of two sizes the smaller, of mechanisms those of both.
    #[must_use]
    pub fn common(&self, other: &Offers) -> Offers {
        let both = |line: &str| {
            let (keyword, mine) = line.split_once(' ').unwrap_or((line, ""));
            let theirs = other.find(keyword)?;
            let smaller = match (mine.parse::<u64>(), theirs.parse::<u64>()) {
                // RFC 1870 § 4: 0 is no limit.
                (Ok(0), Ok(size)) | (Ok(size), Ok(0)) => size,
                (Ok(mine), Ok(theirs)) => mine.min(theirs),
                _ if is_mechanisms(keyword) => {
                    let words = mine.split_whitespace();
                    let both = words.filter(|word| other.has_word(keyword, word));
                    return Some(format!("{keyword} {}", both.collect::<Vec<_>>().join(" ")));
                }
                _ => return Some(line.to_owned()),
            };
            Some(format!("{keyword} {smaller}"))
        };
        self.iter().filter_map(both).collect()
    }
}

/// Whether the words behind a keyword are mechanisms.
fn is_mechanisms(keyword: &str) -> bool {
    keyword.eq_ignore_ascii_case("AUTH") || keyword.eq_ignore_ascii_case("SASL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(lines: &[&str]) -> Offers {
        Offers::read(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn words_are_found_in_both_forms_of_auth() {
        assert!(offers(&["AUTH PLAIN login"]).has_word("auth", "LOGIN"));
        assert!(offers(&["AUTH=PLAIN LOGIN"]).has_word("AUTH", "PLAIN"));
        assert!(offers(&["AUTH=PLAIN", "AUTH=LOGIN"]).has_word("AUTH", "LOGIN"));
        assert!(!offers(&["AUTH PLAIN"]).has_word("AUTH", "LOGIN"));
    }

    #[test]
    fn what_is_common_has_the_smaller_size() {
        let one = offers(&["SIZE 1000", "8BITMIME", "DSN"]);
        let other = offers(&["dsn", "SIZE 500"]);
        assert_eq!(one.common(&other), offers(&["SIZE 500", "DSN"]));
        assert_eq!(one.common(&offers(&["SIZE 0"])), offers(&["SIZE 1000"]));
    }

    #[test]
    fn what_is_common_has_the_mechanisms_of_both() {
        let one = offers(&["AUTH PLAIN LOGIN SCRAM-SHA-256"]);
        let common = one.common(&offers(&["auth scram-sha-256 plain"]));
        assert_eq!(common, offers(&["AUTH PLAIN SCRAM-SHA-256"]));
        assert!(common.has_mechanism("plain") && !common.has_mechanism("LOGIN"));
        assert!(offers(&["SASL NTLM"]).has_mechanism("NTLM"));
    }
}
