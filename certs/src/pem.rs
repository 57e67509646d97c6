//! PEM armour (RFC 7468): written strictly, read with tolerance for text around and between blocks.

use std::borrow::Cow;

use openssl::base64;

use crate::error::{Error, Result};

/// One block: its label, and the bytes inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands after BEGIN, as in `CERTIFICATE`.
    pub label: String,
    /// The decoded content.
    pub content: Vec<u8>,
}

/// One block in PEM, lines of 64 characters.
pub fn encode(label: &str, content: &[u8]) -> String {
    let base64 = base64::encode_block(content);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Every block of a text, in order; text outside blocks is skipped.
pub fn decode_all(text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        blocks.push(Block {
            label: label.to_owned(),
            content: decode_body(label, &body)?,
        });
    }
    Ok(blocks)
}

/// The DER inside a file that may be armoured: the first block whose label `is_wanted`, or, without armour, all of it.
pub fn unwrap<'b>(
    bytes: &'b [u8],
    expected: &'static str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Cow<'b, [u8]>> {
    let text = std::str::from_utf8(bytes).ok();
    let Some(text) = text.filter(|text| text.contains("-----BEGIN")) else {
        return Ok(Cow::Borrowed(bytes));
    };
    let blocks = decode_all(text)?;
    let labels: Vec<_> = blocks.iter().map(|block| block.label.clone()).collect();
    match blocks.into_iter().find(|block| is_wanted(&block.label)) {
        Some(block) => Ok(Cow::Owned(block.content)),
        None => Err(Error::malformed(
            expected,
            format!("PEM with {}", describe(&labels)),
        )),
    }
}

/// What a PEM text holds, for a message: "`PRIVATE KEY`, `CERTIFICATE`".
pub fn describe(labels: &[String]) -> String {
    match labels {
        [] => "no block at all".to_owned(),
        labels => labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn decode_body(label: &str, lines: &[&str]) -> Result<Vec<u8>> {
    if lines.iter().any(|line| line.contains(':')) {
        let found = format!(
            "the block `{label}` is encrypted in the old OpenSSL style (`Proc-Type`); convert it with `openssl pkcs8 -topk8`"
        );
        return Err(Error::malformed("PEM", found));
    }
    base64::decode_block(&lines.concat())
        .map_err(|_| Error::malformed("PEM", format!("the block `{label}` is not base64")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_between_blocks_is_skipped() {
        let text = format!(
            "subject: x\n{}\nissuer: y\r\n{}",
            encode("A", b"1"),
            encode("B", &[7; 100])
        );
        let blocks = decode_all(&text).unwrap();
        assert_eq!(
            blocks[0],
            Block {
                label: "A".into(),
                content: b"1".to_vec()
            }
        );
        assert_eq!(
            blocks[1],
            Block {
                label: "B".into(),
                content: vec![7; 100]
            }
        );
    }

    #[test]
    fn garbage_inside_a_block_is_an_error() {
        assert!(decode_all("-----BEGIN A-----\n@@@@\n-----END A-----").is_err());
    }

    proptest! {
        #[test]
        fn content_survives_a_round_trip(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let blocks = decode_all(&encode("X", &content)).unwrap();
            prop_assert_eq!(&blocks[0].content, &content);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(-----BEGIN [A-Z]{0,3}-----\n)?[ -~\n]{0,80}") {
            let _ = decode_all(&text);
        }
    }
}
