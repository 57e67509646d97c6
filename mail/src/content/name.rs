//! Names of attachments, as the systems that open them read them. No I/O.

/// The ending of a name, in lower case; empty without one. Characters that are not seen, or that turn the order of others
/// round, do not count; nor do dots and spaces at the end, directories, and streams (`:`), which Windows drops.
pub fn extension(name: &str) -> String {
    let seen: String = name.chars().filter(|c| !is_unseen(*c)).collect();
    let file = seen.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = file.split(':').next().unwrap_or_default();
    let file = file.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    match file.rsplit_once('.') {
        Some((_, ending)) => ending.trim().to_lowercase(),
        None => String::new(),
    }
}

/// Control characters, those of bidirectional writing, and those without width.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ending_is_what_would_be_opened() {
        for (name, ending) in [
            ("report.pdf", "pdf"),
            ("invoice.pdf.EXE", "exe"),
            ("invoice.pdf        .exe", "exe"),
            ("evil.exe. . ", "exe"),
            ("evil.exe\u{202e}", "exe"),
            ("evil.e\u{200b}xe", "exe"),
            ("ann\u{202e}gpj.exe", "exe"),
            ("evil.exe::$DATA", "exe"),
            ("..\\..\\evil.exe", "exe"),
            ("a.exe/readme", ""),
            ("evil.ex\0e", "exe"),
            ("evil. exe", "exe"),
            ("报告.docx", "docx"),
            ("README", ""),
            (".", ""),
        ] {
            assert_eq!(extension(name), ending, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn an_ending_has_no_dot_and_nothing_unseen(name in ".*") {
            let ending = extension(&name);
            prop_assert!(!ending.contains(['.', '/', '\\', ':']) && !ending.chars().any(char::is_control));
        }
    }
}
