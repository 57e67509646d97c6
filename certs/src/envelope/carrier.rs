//! What an envelope travels in: binary, PEM, base64, hexadecimal, or CFCA's text with its header.

use std::borrow::Cow;

use openssl::base64;

use crate::error::{Error, Result};
use crate::pem;

/// The binary content of a file.
pub fn unpack(file: &[u8]) -> Result<Cow<'_, [u8]>> {
    let Some(text) = std::str::from_utf8(file)
        .ok()
        .map(str::trim)
        .filter(|text| looks_like_text(text))
    else {
        return Ok(Cow::Borrowed(file));
    };
    if text.contains("-----BEGIN") {
        return from_pem(text).map(Cow::Owned);
    }
    let compact: String = without_cfca_header(text)?
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != ',')
        .collect();
    if let Some(bytes) = from_hex(&compact) {
        return Ok(Cow::Owned(bytes));
    }
    let bytes = base64::decode_block(&compact);
    bytes.map(Cow::Owned).map_err(|_| {
        Error::malformed(
            "an envelope",
            "text that is neither PEM, base64 nor hexadecimal",
        )
    })
}

/// Binary DER and blobs begin with bytes no text has, or have them soon.
fn looks_like_text(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() || c.is_ascii_whitespace())
}

fn from_pem(text: &str) -> Result<Vec<u8>> {
    let mut blocks = pem::decode_all(text)?;
    if blocks.len() == 1 {
        return Ok(blocks.remove(0).content);
    }
    let labels: Vec<_> = blocks.into_iter().map(|block| block.label).collect();
    Err(Error::malformed(
        "an envelope",
        format!("PEM with {}; one block is expected", pem::describe(&labels)),
    ))
}

/// CFCA's header: 64 digits, then the length of what follows in 16.
fn without_cfca_header(text: &str) -> Result<&str> {
    const HEADER: &str = "0000000000000001000000000000000100000000000000000000000000000000";
    let Some(rest) = text.strip_prefix(HEADER) else {
        return Ok(text);
    };
    let wrong = |found: String| Error::malformed("a key returned by CFCA", found);
    let (length, body) = rest
        .split_at_checked(16)
        .ok_or_else(|| wrong("it ends within its header".to_owned()))?;
    let stated: usize = length
        .parse()
        .map_err(|_| wrong(format!("`{length}` where the length belongs")))?;
    if stated != body.len() {
        return Err(wrong(format!(
            "{} characters where its header says {stated}; it was cut or extended",
            body.len()
        )));
    }
    Ok(body)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit_pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let digits = text.as_bytes();
    let all_digits = digits.iter().all(u8::is_ascii_hexdigit) && digits.len().is_multiple_of(2);
    if all_digits {
        digits.chunks(2).map(digit_pair).collect()
    } else {
        None
    }
}
