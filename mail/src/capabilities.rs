//! What servers can do: the keywords they list, and what lists have in common.

use std::sync::Arc;

/// The keywords one server lists, each with its parameters: `AUTH PLAIN LOGIN`, `SIZE 1000`, `LITERAL+`. Every session asks
/// for those of the pool: a clone copies none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Arc<[String]>);

impl FromIterator<String> for Offers {
    fn from_iter<I: IntoIterator<Item = String>>(lines: I) -> Self {
        Offers(lines.into_iter().collect())
    }
}

impl Offers {
    /// Reads keywords with their parameters. What is not printable ASCII is passed over.
    pub fn read<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let text = |line: &'l [u8]| {
            let printable = !line.is_empty() && line.iter().all(|b| (b' '..=b'~').contains(b));
            let text = str::from_utf8(line.trim_ascii()).ok()?;
            printable.then(|| text.to_owned())
        };
        lines.into_iter().filter_map(text).collect()
    }

    /// The parameters of a keyword, in any case; `None` if it is not listed.
    pub fn find(&self, keyword: &str) -> Option<&str> {
        self.0.iter().find_map(|line| {
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
        let old = self.0.iter().filter_map(|line| {
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
        self.0.iter().map(String::as_str)
    }

    /// Those of these keywords that are listed.
    #[must_use]
    pub fn only(&self, keywords: &[&str]) -> Offers {
        let wanted = |line: &&String| {
            let first = line.split(' ').next().unwrap_or(line);
            keywords
                .iter()
                .any(|keyword| keyword.eq_ignore_ascii_case(first))
        };
        Offers(self.0.iter().filter(wanted).cloned().collect())
    }

    /// What both list; of two sizes the smaller, of mechanisms those of both.
    #[must_use]
    pub fn common(&self, other: &Offers) -> Offers {
        let both = |line: &String| {
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
                _ => return Some(line.clone()),
            };
            Some(format!("{keyword} {smaller}"))
        };
        Offers(self.0.iter().filter_map(both).collect())
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
