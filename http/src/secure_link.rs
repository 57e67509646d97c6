//! Signed links: made by who knows the secret, judged here. In the form of nginx's `secure_link_md5`, and with HMAC-SM3.
//!
//! Pure: the time is passed in, nothing is read but the secret's file when the configuration is built.

use std::io::Read;
use std::net::IpAddr;

use alb_conf::{Diagnostic, LinkAlgorithm, LinkPart};
use alb_core::digest::md5;
use alb_core::sm3::HmacSm3;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How links are signed and judged.
pub struct SecureLink {
    seal: Seal,
    /// A link must have an end.
    expires: bool,
    signature_argument: String,
    expires_argument: String,
}

enum Seal {
    /// MD5 over these parts.
    Md5(Vec<Part>),
    /// HMAC-SM3, its key absorbed, over these parts, each ended by a newline. Only a path can have a newline in it, so
    /// no two sets of parts read the same.
    Sm3(Box<HmacSm3>, Vec<LinkPart>),
}

/// A part of the text that MD5 is taken of.
enum Part {
    Text(String),
    Told(LinkPart),
    Secret(Zeroizing<Vec<u8>>),
}

/// What a link is for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The path, decoded and normalised.
    pub uri: &'a [u8],
    /// The host without its port, in lower case.
    pub host: &'a str,
    /// Who asks, where the link is for one client.
    pub client_ip: Option<IpAddr>,
}

/// What a link is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was made by who knows the secret, and has not expired.
    Valid,
    /// It was, and has expired.
    Expired,
    /// It was not.
    Wrong,
}

impl SecureLink {
    /// Reads the secret and takes the expression apart.
    ///
    /// # Errors
    ///
    /// The secret cannot be read, or is empty.
    pub fn build(written: &alb_conf::SecureLink) -> Result<Self, Diagnostic> {
        let secret = secret(written)?;
        let parts = || written.sign.iter().map(|part| **part);
        let (seal, expires) = match (written.algorithm, &written.expression) {
            (LinkAlgorithm::HmacSm3, _) => {
                let fresh = Box::new(HmacSm3::new(&secret));
                let seal = Seal::Sm3(fresh, parts().collect());
                (seal, parts().any(|part| part == LinkPart::Expires))
            }
            (LinkAlgorithm::Md5, None) => {
                // As nginx's manual has it: `$secure_link_expires$uri$remote_addr secret`.
                let told = parts().map(Part::Told);
                let end = [Part::Text(" ".into()), Part::Secret(secret)];
                let expires = parts().any(|part| part == LinkPart::Expires);
                (Seal::Md5(told.chain(end).collect()), expires)
            }
            (LinkAlgorithm::Md5, Some(expression)) => {
                let parts = taken_apart(expression, &secret);
                let expires = |part: &Part| matches!(part, Part::Told(LinkPart::Expires));
                let expires = parts.iter().any(expires);
                (Seal::Md5(parts), expires)
            }
        };
        Ok(Self {
            seal,
            expires,
            signature_argument: written.signature_argument.to_string(),
            expires_argument: written.expires_argument.to_string(),
        })
    }

    /// The arguments that make a link to `subject`, until `expires` in seconds since 1970. `None` if the library forbids
    /// MD5.
    pub fn sign(&self, subject: Subject<'_>, expires: u64) -> Option<String> {
        let end = expires.to_string();
        let signature = base64url(&self.signature(subject, &end)?);
        Some(match self.expires {
            true => format!(
                "{}={signature}&{}={end}",
                self.signature_argument, self.expires_argument
            ),
            false => format!("{}={signature}", self.signature_argument),
        })
    }

    /// Judges a link to `subject` by the query it came with; `now` in seconds since 1970.
    pub fn judge(&self, subject: Subject<'_>, query: &str, now: u64) -> Verdict {
        let end = match self.expires {
            true => argument(query, &self.expires_argument).unwrap_or_default(),
            false => "",
        };
        let digits = end.bytes().all(|byte| byte.is_ascii_digit());
        let expires = match (self.expires, end.parse::<u64>()) {
            (false, _) => u64::MAX,
            (true, Ok(expires)) if digits && expires > 0 => expires,
            _ => return Verdict::Wrong,
        };
        let told = argument(query, &self.signature_argument).unwrap_or_default();
        let Some(right) = self.signature(subject, end) else {
            return Verdict::Wrong;
        };
        let right = base64url(&right);
        let same: bool = right
            .as_bytes()
            .ct_eq(told.trim_end_matches('=').as_bytes())
            .into();
        match same {
            false => Verdict::Wrong,
            true if expires < now => Verdict::Expired,
            true => Verdict::Valid,
        }
    }

    fn signature(&self, subject: Subject<'_>, expires: &str) -> Option<Vec<u8>> {
        match &self.seal {
            Seal::Md5(parts) => {
                let ip = address(subject);
                let bytes = |part: &'_ Part| -> Zeroizing<Vec<u8>> {
                    Zeroizing::new(match part {
                        Part::Text(text) => text.clone().into_bytes(),
                        Part::Secret(secret) => secret.to_vec(),
                        Part::Told(told) => said(*told, subject, expires, &ip).to_vec(),
                    })
                };
                let parts: Vec<_> = parts.iter().map(bytes).collect();
                let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
                md5(&parts).map(|digest| digest.to_vec())
            }
            Seal::Sm3(fresh, parts) => {
                let (mut mac, ip) = (HmacSm3::clone(fresh), address(subject));
                for part in parts {
                    mac.update(said(*part, subject, expires, &ip));
                    mac.update(b"\n");
                }
                Some(mac.finish().to_vec())
            }
        }
    }
}

/// Says nothing of the secret.
impl std::fmt::Debug for SecureLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecureLink")
    }
}

fn address(subject: Subject<'_>) -> String {
    subject
        .client_ip
        .map_or_else(String::new, |ip| ip.to_string())
}

fn said<'a>(part: LinkPart, subject: Subject<'a>, expires: &'a str, ip: &'a str) -> &'a [u8] {
    match part {
        LinkPart::Expires => expires.as_bytes(),
        LinkPart::Uri => subject.uri,
        LinkPart::ClientIp => ip.as_bytes(),
        LinkPart::Host => subject.host.as_bytes(),
    }
}

fn taken_apart(expression: &str, secret: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (text, variable) in alb_conf::SecureLink::variables(expression) {
        parts.push(Part::Text(text.to_owned()));
        match variable {
            "expires" => parts.push(Part::Told(LinkPart::Expires)),
            "uri" => parts.push(Part::Told(LinkPart::Uri)),
            "client_ip" => parts.push(Part::Told(LinkPart::ClientIp)),
            "host" => parts.push(Part::Told(LinkPart::Host)),
            "secret" => parts.push(Part::Secret(Zeroizing::new(secret.to_vec()))),
            // Another name has been refused.
            _ => {}
        }
    }
    parts
}

/// Longest secret that is read from a file.
const LONGEST_SECRET: u64 = 4096;

/// The secret as written, or the first line of its file.
fn secret(written: &alb_conf::SecureLink) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    if let Some(secret) = &written.secret {
        return Ok(Zeroizing::new(secret.0.as_bytes().to_vec()));
    }
    let Some(path) = &written.secret_file else {
        return Err(Diagnostic::of_file("`secure_link` without a secret"));
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(&**path)
        .and_then(|file| file.take(LONGEST_SECRET).read_to_end(&mut bytes));
    if let Err(error) = read {
        let message = format!("cannot read the secret `{}`: {error}", path.display());
        return Err(Diagnostic::error(path.span(), message));
    }
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let end = end.unwrap_or(bytes.len());
    bytes.truncate(end);
    if bytes.is_empty() {
        let message = format!("the first line of `{}` is empty", path.display());
        return Err(Diagnostic::error(path.span(), message).help("write the secret into it"));
    }
    Ok(bytes)
}

/// The first argument of this name, as it came; the name in any case, as in nginx.
fn argument<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value)
}

/// RFC 4648 § 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let padded = [
            group[0],
            *group.get(1).unwrap_or(&0),
            *group.get(2).unwrap_or(&0),
        ];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for letter in 0..=group.len() {
            let index = bits >> (18 - 6 * letter) & 0x3f;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(change: impl FnOnce(&mut alb_conf::SecureLink)) -> SecureLink {
        let mut written = alb_conf::SecureLink {
            secret: Some(alb_conf::LinkSecret("secret".into()).into()),
            ..alb_conf::SecureLink::default()
        };
        change(&mut written);
        SecureLink::build(&written).expect("a secret")
    }

    fn subject(uri: &str) -> Subject<'_> {
        Subject {
            uri: uri.as_bytes(),
            host: "a.cn",
            client_ip: Some(IpAddr::from([127, 0, 0, 1])),
        }
    }

    #[test]
    fn base64url_gives_the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn the_md5_form_is_that_of_nginxs_manual() {
        // echo -n '2147483647/s/link127.0.0.1 secret' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =
        let md5 = link(|written| {
            written.algorithm = LinkAlgorithm::Md5;
            written.sign.push(LinkPart::ClientIp.into());
            written.signature_argument = "md5".to_owned().into();
        });
        let arguments = md5.sign(subject("/s/link"), 2_147_483_647).expect("MD5");
        assert_eq!(arguments, "md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647");
    }

    #[test]
    fn a_link_is_for_what_it_was_signed_for_until_its_end() {
        let every = [
            LinkPart::Uri,
            LinkPart::ClientIp,
            LinkPart::Host,
            LinkPart::Expires,
        ];
        for algorithm in [LinkAlgorithm::HmacSm3, LinkAlgorithm::Md5] {
            let link = link(|written| {
                written.algorithm = algorithm;
                written.sign = every.map(Into::into).to_vec();
            });
            let query = link.sign(subject("/a"), 1000).expect("signed");
            let judge = |subject, query: &str, now| link.judge(subject, query, now);
            assert_eq!(judge(subject("/a"), &query, 1000), Verdict::Valid);
            assert_eq!(
                judge(subject("/a"), &format!("x=1&{query}&y"), 999),
                Verdict::Valid
            );
            assert_eq!(
                judge(subject("/a"), &query.replace("&", "=&"), 999),
                Verdict::Valid
            );
            assert_eq!(judge(subject("/a"), &query, 1001), Verdict::Expired);
            let host = Subject {
                host: "b.cn",
                ..subject("/a")
            };
            let ip = Subject {
                client_ip: None,
                ..subject("/a")
            };
            for other in [subject("/b"), host, ip] {
                assert_eq!(judge(other, &query, 1), Verdict::Wrong);
            }
            for broken in [
                query.replace("1000", "1001"),
                query.replace("=1000", "=+1000"),
                query.replace("=1000", "="),
                query.replace("expires", "expired"),
                query.replacen("signature=", "signature=A", 1),
                query[1..].to_owned(),
                String::new(),
            ] {
                assert_eq!(judge(subject("/a"), &broken, 1), Verdict::Wrong, "{broken}");
            }
        }
    }

    #[test]
    fn a_link_without_an_end_lasts() {
        let link = link(|written| written.sign = vec![LinkPart::Uri.into()]);
        let query = link.sign(subject("/a"), 0).expect("signed");
        assert!(!query.contains("expires"));
        assert_eq!(link.judge(subject("/a"), &query, u64::MAX), Verdict::Valid);
    }

    #[test]
    fn an_expression_is_nginxs_with_other_names() {
        let form = |expression: &str| {
            link(|written| {
                written.algorithm = LinkAlgorithm::Md5;
                written.expression = Some(expression.to_owned().into());
            })
        };
        let usual = link(|written| written.algorithm = LinkAlgorithm::Md5);
        let same = form("$expires$uri $secret");
        assert_eq!(same.sign(subject("/a"), 7), usual.sign(subject("/a"), 7));
        let other = form("$secret$uri$expires");
        assert_ne!(other.sign(subject("/a"), 7), usual.sign(subject("/a"), 7));
    }
}
