//! Reads extensions. What is present but malformed is an error, never a missing extension.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AltName, KeyUsage};
use crate::der::{Element, Reader, tag};
use crate::error::{Error, Result};
use crate::oid::{self, Oid};

/// One extension as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Which one.
    pub oid: Oid,
    /// Whether a reader that does not know it must refuse the certificate.
    pub critical: bool,
    /// The content of its OCTET STRING.
    pub value: Vec<u8>,
}

/// The extensions of a certificate, a list or a request, with the known ones understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// All of them, in order.
    pub all: Vec<Extension>,
    /// Key usage.
    pub key_usage: Option<KeyUsage>,
    /// Extended key usage; empty if absent.
    pub purposes: Vec<Oid>,
    /// Subject alternative names; empty if absent.
    pub names: Vec<AltName>,
    /// `cA` of the basic constraints; `None` if absent.
    pub authority: Option<bool>,
    /// `pathLenConstraint`.
    pub path_length: Option<u64>,
    /// Subject key identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// Authority key identifier, if by key.
    pub authority_key_id: Option<Vec<u8>>,
    /// Where the revocation lists are.
    pub crl_urls: Vec<String>,
    /// Where the OCSP responders are.
    pub ocsp_urls: Vec<String>,
    /// Number of a revocation list.
    pub crl_number: Option<u64>,
}

impl Extensions {
    /// Reads `SEQUENCE OF Extension`, whose content `list` reads.
    pub fn parse(mut list: Reader<'_>) -> Result<Self> {
        let mut extensions = Self::default();
        while !list.is_empty() {
            let extension = parse_extension(list.sequence()?)?;
            if extensions.all.iter().any(|seen| seen.oid == extension.oid) {
                let name = extension
                    .oid
                    .name()
                    .map_or_else(|| extension.oid.to_string(), str::to_owned);
                return Err(list.wrong(format!(
                    "the extension `{name}` twice (RFC 5280 §4.2 forbids it)"
                )));
            }
            extensions.understand(&extension)?;
            extensions.all.push(extension);
        }
        Ok(extensions)
    }

    fn understand(&mut self, extension: &Extension) -> Result<()> {
        let value = &extension.value;
        let oid = &extension.oid;
        if *oid == oid::KEY_USAGE {
            self.key_usage = Some(key_usage(value)?);
        } else if *oid == oid::EXTENDED_KEY_USAGE {
            self.purposes = purposes(value)?;
        } else if *oid == oid::SUBJECT_ALT_NAME {
            self.names = alt_names(value)?;
        } else if *oid == oid::BASIC_CONSTRAINTS {
            let mut content = Reader::whole_sequence(value, "basic constraints")?;
            self.authority = Some(content.peek() == Some(tag::BOOLEAN) && content.boolean()?);
            self.path_length = if content.is_empty() {
                None
            } else {
                Some(content.small()?)
            };
        } else if *oid == oid::SUBJECT_KEY_ID {
            self.subject_key_id = Some(
                Reader::new(value, "a subject key identifier")
                    .octets()?
                    .to_vec(),
            );
        } else if *oid == oid::AUTHORITY_KEY_ID {
            let mut content = Reader::whole_sequence(value, "an authority key identifier")?;
            self.authority_key_id = content
                .optional(tag::context(0))?
                .map(|id| id.content.to_vec());
        } else if *oid == oid::CRL_DISTRIBUTION {
            self.crl_urls = crl_urls(value)?;
        } else if *oid == oid::AUTHORITY_INFO {
            self.ocsp_urls = ocsp_urls(value)?;
        } else if *oid == oid::CRL_NUMBER {
            self.crl_number = Some(Reader::new(value, "a CRL number").small()?);
        }
        Ok(())
    }
}

fn parse_extension(mut content: Reader<'_>) -> Result<Extension> {
    let oid = content.object_id()?;
    let critical = content.peek() == Some(tag::BOOLEAN) && content.boolean()?;
    let value = content.octets()?.to_vec();
    content.end()?;
    Ok(Extension {
        oid,
        critical,
        value,
    })
}

fn key_usage(value: &[u8]) -> Result<KeyUsage> {
    let content = Reader::new(value, "a key usage")
        .expect(tag::BIT_STRING)?
        .content;
    match *content {
        [unused, first] if unused < 8 => Ok(KeyUsage(u16::from(first.reverse_bits()))),
        [unused, first, second] if unused < 8 => Ok(KeyUsage(
            u16::from(first.reverse_bits()) | u16::from(second.reverse_bits()) << 8,
        )),
        [0] => Ok(KeyUsage(0)),
        _ => Err(Error::malformed(
            "a key usage",
            "a BIT STRING of another size than 0 to 9 bits",
        )),
    }
}

fn purposes(value: &[u8]) -> Result<Vec<Oid>> {
    let mut list = Reader::whole_sequence(value, "an extended key usage")?;
    let mut purposes = Vec::new();
    while !list.is_empty() {
        purposes.push(list.object_id()?);
    }
    Ok(purposes)
}

fn alt_names(value: &[u8]) -> Result<Vec<AltName>> {
    let mut list = Reader::whole_sequence(value, "subject alternative names")?;
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(alt_name(&list.any()?)?);
    }
    Ok(names)
}

fn alt_name(element: &Element<'_>) -> Result<AltName> {
    const DNS: u8 = tag::context(2);
    const IP: u8 = tag::context(7);
    match (element.tag, element.content) {
        (DNS, name) if name.is_ascii() => Ok(AltName::Dns(ascii(name))),
        (DNS, name) => Err(Error::malformed(
            "a DNS name",
            format!("bytes that are not ASCII: `{}`", name.escape_ascii()),
        )),
        (IP, address) => match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
            (Ok(v4), _) => Ok(AltName::Ip(IpAddr::V4(Ipv4Addr::from(v4)))),
            (_, Ok(v6)) => Ok(AltName::Ip(IpAddr::V6(Ipv6Addr::from(v6)))),
            _ => Err(Error::malformed(
                "an IP address",
                format!("{} bytes where 4 or 16 belong", address.len()),
            )),
        },
        (0x81, mail) => Ok(AltName::Other(format!("email:{}", ascii(mail)))),
        (0x86, uri) => Ok(AltName::Other(format!("URI:{}", ascii(uri)))),
        (tag, _) => Ok(AltName::Other(format!("a name of kind [{}]", tag & 0x1f))),
    }
}

fn crl_urls(value: &[u8]) -> Result<Vec<String>> {
    let mut points = Reader::whole_sequence(value, "CRL distribution points")?;
    let mut urls = Vec::new();
    while !points.is_empty() {
        let mut point = points.sequence()?;
        let Some(name) = point.optional(tag::context_constructed(0))? else {
            continue;
        };
        let Some(full) = name
            .reader("CRL distribution points")
            .optional(tag::context_constructed(0))?
        else {
            continue;
        };
        let mut names = full.reader("CRL distribution points");
        while !names.is_empty() {
            urls.extend(uri(&names.any()?));
        }
    }
    Ok(urls)
}

fn ocsp_urls(value: &[u8]) -> Result<Vec<String>> {
    let mut accesses = Reader::whole_sequence(value, "an authority information access")?;
    let mut urls = Vec::new();
    while !accesses.is_empty() {
        let mut access = accesses.sequence()?;
        let method = access.object_id()?;
        let location = access.any()?;
        if method == oid::OCSP {
            urls.extend(uri(&location));
        }
    }
    Ok(urls)
}

fn uri(name: &Element<'_>) -> Option<String> {
    (name.tag == tag::context(6)).then(|| ascii(name.content))
}

/// Text for people: bytes that could fool a terminal are escaped.
fn ascii(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use super::*;
    use crate::der;
    use proptest::prelude::*;

    fn parse(extensions: &[Vec<u8>]) -> Result<Extensions> {
        let bytes = extensions.concat();
        Extensions::parse(Reader::new(&bytes, "extensions"))
    }

    #[test]
    fn what_is_written_is_understood() {
        let names = vec![
            AltName::Dns("a.test".into()),
            AltName::Ip("::1".parse().unwrap()),
        ];
        let read = parse(&[
            write::key_usage(KeyUsage::ENCRYPT),
            write::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
            write::alt_names(&names),
            write::authority(Some(2)),
            write::subject_key_id(b"own"),
            write::authority_key_id(b"issuer"),
            write::crl_distribution("http://ca.test/crl"),
            write::ocsp_access("http://ca.test/ocsp"),
            write::crl_number(70_000),
        ])
        .unwrap();
        assert_eq!(read.key_usage, Some(KeyUsage::ENCRYPT));
        assert_eq!(read.purposes, [oid::SERVER_AUTH, oid::CLIENT_AUTH]);
        assert_eq!(read.names, names);
        assert_eq!((read.authority, read.path_length), (Some(true), Some(2)));
        assert_eq!(read.subject_key_id.as_deref(), Some(&b"own"[..]));
        assert_eq!(read.authority_key_id.as_deref(), Some(&b"issuer"[..]));
        assert_eq!(read.crl_urls, ["http://ca.test/crl"]);
        assert_eq!(read.ocsp_urls, ["http://ca.test/ocsp"]);
        assert_eq!(read.crl_number, Some(70_000));
    }

    #[test]
    fn a_repeated_extension_is_refused() {
        let usage = write::key_usage(KeyUsage::SIGN);
        assert!(parse(&[usage.clone(), usage]).is_err());
    }

    #[test]
    fn key_usage_of_nine_bits_is_read() {
        let value = der::named_bits(1 << 8 | 1 << 4);
        assert_eq!(
            key_usage(&value).unwrap().names(),
            ["keyAgreement", "decipherOnly"]
        );
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(which in 0usize..9, value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let oid = [oid::KEY_USAGE, oid::EXTENDED_KEY_USAGE, oid::SUBJECT_ALT_NAME, oid::BASIC_CONSTRAINTS,
                oid::SUBJECT_KEY_ID, oid::AUTHORITY_KEY_ID, oid::CRL_DISTRIBUTION, oid::AUTHORITY_INFO, oid::CRL_NUMBER][which].clone();
            let _ = Extensions::default().understand(&Extension { oid, critical: false, value });
        }
    }
}
