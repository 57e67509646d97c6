//! One certificate by itself.

use crate::certificate::Certificate;
use crate::extension::{AltName, KeyUsage};
use crate::finding::Finding;
use crate::oid;
use crate::time::{DAY, Time};

/// Browsers refuse server certificates that hold longer (CA/Browser Forum BR §6.3.2).
const BROWSER_LIMIT: i64 = 398 * DAY;
/// From here on an expiring certificate is worth a warning.
const SOON: i64 = 30 * DAY;

/// Checks an end-entity certificate.
pub fn lint_certificate(certificate: &Certificate, now: Time) -> Vec<Finding> {
    let mut findings = lint_any(certificate, now);
    if certificate.is_authority() {
        findings.push(
            Finding::error(format!(
                "`{}` is an authority's certificate, where a server's or client's belongs",
                certificate.subject
            ))
            .help("issue one from it with `alb cert ca issue`"),
        );
        return findings;
    }
    findings.extend(usage(certificate));
    findings.extend(purpose(certificate));
    findings.extend(names(certificate));
    if certificate.extensions.authority == Some(false) {
        findings.push(Finding::note(
            "it has explicit, empty basic constraints, over which GmSSL stumbles",
        ));
    }
    findings
}

/// Checks an authority's certificate.
pub fn lint_authority(certificate: &Certificate, now: Time) -> Vec<Finding> {
    let mut findings = lint_any(certificate, now);
    if !certificate.is_authority() {
        findings.push(Finding::error(format!(
            "`{}` signed a certificate and is no authority (no CA:TRUE)",
            certificate.subject
        )));
    }
    match certificate.extensions.key_usage {
        Some(usage) if !usage.intersects(KeyUsage::CERTIFICATE_SIGN) => {
            findings.push(Finding::error(format!(
                "the key usage of the authority `{}` lacks keyCertSign",
                certificate.subject
            )));
        }
        None => findings.push(Finding::warning(format!(
            "the authority `{}` has no key usage (RFC 5280 §4.2.1.3 demands it)",
            certificate.subject
        ))),
        Some(_) => (),
    }
    findings
}

/// What holds for every certificate: version, serial number, algorithms, dates.
fn lint_any(certificate: &Certificate, now: Time) -> Vec<Finding> {
    let mut findings = Vec::new();
    let subject = &certificate.subject;
    if certificate.version != 3 {
        findings.push(Finding::error(format!(
            "`{subject}` is of version {}, and current software wants 3",
            certificate.version
        )));
    }
    if certificate.serial.bytes().is_empty() || certificate.serial.bytes().len() > 20 {
        findings.push(Finding::warning(
            "the serial number is zero or longer than 20 bytes (RFC 5280 §4.1.2.2)",
        ));
    }
    findings.extend(algorithm(certificate));
    findings.extend(dates(certificate, now));
    findings
}

fn algorithm(certificate: &Certificate) -> Option<Finding> {
    let weak = [oid::RSA_WITH_SHA1, oid::RSA_WITH_MD5, oid::ECDSA_WITH_SHA1];
    let algorithm = certificate.signature_algorithm();
    if weak.contains(algorithm) {
        let name = algorithm.name().unwrap_or_default();
        return Some(
            Finding::error(format!("it is signed with {name}, which peers refuse"))
                .help("have it issued again with SM3 or SHA-256"),
        );
    }
    let key = certificate.public_key.pkey();
    (key.id() == openssl::pkey::Id::RSA && key.bits() < 2048).then(|| {
        Finding::error(format!(
            "its RSA key has {} bits, and 2048 are the least",
            key.bits()
        ))
        .help("make a new key with `alb cert key`")
    })
}

fn dates(certificate: &Certificate, now: Time) -> Option<Finding> {
    let validity = certificate.validity;
    let left = validity.not_after.unix() - now.unix();
    let subject = &certificate.subject;
    if validity.not_after < validity.not_before {
        return Some(Finding::error(format!("`{subject}` ends before it begins")));
    }
    if left < 0 {
        return Some(
            Finding::error(format!("`{subject}` expired on {}", validity.not_after))
                .help("renew it"),
        );
    }
    if now < validity.not_before {
        return Some(Finding::error(format!(
            "`{subject}` is not valid before {}",
            validity.not_before
        )));
    }
    (left < SOON).then(|| {
        Finding::warning(format!("`{subject}` expires in {} days", left / DAY)).help("renew it")
    })
}

fn usage(certificate: &Certificate) -> Option<Finding> {
    let is_sm2 = certificate.public_key.is_sm2();
    match certificate.extensions.key_usage {
        None if is_sm2 => Some(Finding::error("it has no key usage, without which Tongsuo refuses it in TLCP").help("have it issued with digitalSignature, or as an encryption certificate")),
        None => Some(Finding::note("it has no key usage, so its key may be used for anything")),
        Some(usage) if is_sm2 && usage.intersects(KeyUsage::SIGN) && usage.intersects(KeyUsage::ENCRYPT) => {
            Some(Finding::warning(format!("its key usage mixes signing and encryption ({usage}); TLCP wants two certificates")).help("issue a pair with `alb cert ca issue`"))
        }
        Some(usage) if !usage.intersects(KeyUsage(KeyUsage::SIGN.0 | KeyUsage::ENCRYPT.0)) => {
            Some(Finding::error(format!("its key usage ({usage}) allows no handshake")))
        }
        Some(_) => None,
    }
}

fn purpose(certificate: &Certificate) -> Option<Finding> {
    let purposes = &certificate.extensions.purposes;
    let handshake = [oid::SERVER_AUTH, oid::CLIENT_AUTH, oid::OCSP_SIGNING];
    if purposes.is_empty() {
        return Some(Finding::note(
            "it has no extended key usage; some peers want serverAuth or clientAuth",
        ));
    }
    (!handshake.iter().any(|one| purposes.contains(one)))
        .then(|| Finding::error("its extended key usage allows neither servers nor clients"))
}

/// Names matter for servers.
fn names(certificate: &Certificate) -> Vec<Finding> {
    let extensions = &certificate.extensions;
    if !extensions.purposes.contains(&oid::SERVER_AUTH) {
        return Vec::new();
    }
    let mut findings: Vec<_> = extensions.names.iter().filter_map(dns_finding).collect();
    if extensions.names.is_empty() {
        findings.push(
            Finding::error(
                "a server's certificate without alternative names: browsers ignore the common name",
            )
            .help("have it issued with DNS names or IP addresses"),
        );
    }
    if certificate.validity.not_after.unix() - certificate.validity.not_before.unix()
        > BROWSER_LIMIT
    {
        findings.push(Finding::note(
            "it holds longer than 398 days, which browsers refuse from public authorities",
        ));
    }
    findings
}

fn dns_finding(name: &AltName) -> Option<Finding> {
    let AltName::Dns(name) = name else {
        return None;
    };
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if plain.parse::<std::net::IpAddr>().is_ok() {
        return Some(
            Finding::error(format!(
                "the address `{name}` is written as a DNS name, which never matches"
            ))
            .help("issue it with `--ip`"),
        );
    }
    if plain.contains('*') {
        return Some(Finding::error(format!(
            "the wildcard in `{name}` is not the whole first label, and never matches"
        )));
    }
    (!plain.split('.').all(label_ok)).then(|| {
        Finding::warning(format!(
            "`{name}` is not a host name (letters, digits and `-` between dots)"
        ))
    })
}
