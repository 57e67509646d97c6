//! Verifies a certificate: chain, usage, time, names, revocation. Reports everything it finds, not only the first.
//!
//! TLS itself verifies through Tongsuo; this is the same judgement in sentences.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::error::Result;
use crate::extension::{AltName, KeyUsage};
use crate::finding::Finding;
use crate::oid::Oid;
use crate::time::Time;

/// What a certificate is held against.
pub struct Policy<'a> {
    /// Trusted authorities.
    pub anchors: &'a [Certificate],
    /// Certificates that may stand between.
    pub intermediates: &'a [Certificate],
    /// Revocation lists; with none, revocation is not checked.
    pub lists: &'a [Crl],
    /// The time that counts.
    pub at: Time,
    /// The extended key usage it must have.
    pub purpose: Option<Oid>,
    /// The DNS name or IP address it must be for.
    pub host: Option<&'a str>,
    /// The key usage of which it must have a bit.
    pub usage: Option<KeyUsage>,
}

/// How it went.
#[derive(Debug)]
pub struct Verdict {
    /// From the certificate to the trusted authority, as far as it could be built.
    pub chain: Vec<Certificate>,
    /// What was found; it verifies if there is no error among it.
    pub findings: Vec<Finding>,
}

/// A chain longer than this is refused: nobody has one.
const MAX_CHAIN: usize = 10;

/// Verifies one certificate.
pub fn verify(certificate: &Certificate, policy: &Policy<'_>) -> Result<Verdict> {
    let mut findings = leaf_findings(certificate, policy);
    let (chain, broken) = build_chain(certificate, policy)?;
    findings.extend(broken);
    for (depth, one) in chain.iter().enumerate() {
        findings.extend(time_finding(one, policy.at));
        if depth > 0 {
            findings.extend(authority_findings(one, depth - 1));
        }
    }
    for pair in chain.windows(2) {
        findings.extend(revocation_finding(&pair[0], &pair[1], policy)?);
    }
    Ok(Verdict { chain, findings })
}

/// Whether a certificate is for this DNS name or IP address (RFC 6125 §6.4, without the common name).
pub fn matches_host(certificate: &Certificate, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    certificate
        .extensions
        .names
        .iter()
        .any(|name| match (name, address) {
            (AltName::Ip(ip), Some(address)) => *ip == address,
            (AltName::Dns(pattern), None) => matches_dns(pattern, host),
            _ => false,
        })
}

fn matches_dns(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        // A wildcard stands for exactly one label.
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn leaf_findings(certificate: &Certificate, policy: &Policy<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let extensions = &certificate.extensions;
    if let Some(host) = policy.host
        && !matches_host(certificate, host)
    {
        let names: Vec<_> = extensions.names.iter().map(AltName::to_string).collect();
        let has = if names.is_empty() {
            "it has no alternative names at all".to_owned()
        } else {
            format!("it is for {}", names.join(", "))
        };
        findings.push(Finding::error(format!(
            "`{}` is not for `{host}`: {has}",
            certificate.subject
        )));
    }
    if let Some(purpose) = &policy.purpose
        && !extensions.purposes.is_empty()
        && !extensions.purposes.contains(purpose)
    {
        let has: Vec<_> = extensions
            .purposes
            .iter()
            .map(|one| one.name().map_or_else(|| one.to_string(), str::to_owned))
            .collect();
        let wanted = purpose.name().unwrap_or("the purpose asked for");
        findings.push(Finding::error(format!(
            "`{}` is for {}, not for {wanted}",
            certificate.subject,
            has.join(", ")
        )));
    }
    if let (Some(wanted), Some(usage)) = (policy.usage, extensions.key_usage)
        && !usage.intersects(wanted)
    {
        findings.push(
            Finding::error(format!(
                "the key usage of `{}` is {usage}; one of {wanted} is needed",
                certificate.subject
            ))
            .help("signing and encryption certificate may be exchanged"),
        );
    }
    findings
}

fn time_finding(certificate: &Certificate, at: Time) -> Option<Finding> {
    let validity = certificate.validity;
    if at > validity.not_after {
        return Some(
            Finding::error(format!(
                "`{}` expired on {}",
                certificate.subject, validity.not_after
            ))
            .help("renew it"),
        );
    }
    (at < validity.not_before).then(|| {
        Finding::error(format!(
            "`{}` is not valid before {}",
            certificate.subject, validity.not_before
        ))
        .help("check the clock of this machine")
    })
}

/// `below` counts the intermediates between this authority and the certificate.
fn authority_findings(certificate: &Certificate, below: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let extensions = &certificate.extensions;
    if !certificate.is_authority() && certificate.version >= 3 {
        findings.push(Finding::error(format!(
            "`{}` signed another certificate and is no authority (no CA:TRUE)",
            certificate.subject
        )));
    }
    if extensions
        .key_usage
        .is_some_and(|usage| !usage.intersects(KeyUsage::CERTIFICATE_SIGN))
    {
        findings.push(Finding::error(format!(
            "the key usage of the authority `{}` lacks keyCertSign",
            certificate.subject
        )));
    }
    if extensions
        .path_length
        .is_some_and(|limit| limit < below as u64)
    {
        findings.push(Finding::error(format!(
            "more intermediates stand below `{}` than it allows",
            certificate.subject
        )));
    }
    findings
}

fn build_chain(
    certificate: &Certificate,
    policy: &Policy<'_>,
) -> Result<(Vec<Certificate>, Option<Finding>)> {
    let mut chain = vec![certificate.clone()];
    let mut current = certificate;
    while !policy.anchors.contains(current) {
        let Some(issuer) = find_issuer(current, policy)? else {
            return Ok((chain, Some(no_issuer(current, policy)?)));
        };
        if chain.len() == MAX_CHAIN {
            return Ok((
                chain,
                Some(Finding::error(format!(
                    "the chain is longer than {MAX_CHAIN} certificates"
                ))),
            ));
        }
        chain.push(issuer.clone());
        current = issuer;
    }
    Ok((chain, None))
}

fn find_issuer<'a>(
    certificate: &Certificate,
    policy: &Policy<'a>,
) -> Result<Option<&'a Certificate>> {
    for candidate in policy.anchors.iter().chain(policy.intermediates) {
        if candidate.subject == certificate.issuer
            && candidate != certificate
            && certificate.is_signed_by(&candidate.public_key)?
        {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn no_issuer(certificate: &Certificate, policy: &Policy<'_>) -> Result<Finding> {
    if certificate.is_self_issued() && certificate.is_signed_by(&certificate.public_key)? {
        return Ok(Finding::error(format!(
            "`{}` signed itself and is not trusted",
            certificate.subject
        ))
        .help("trust it with `--ca`, if that is meant"));
    }
    let namesake = policy
        .anchors
        .iter()
        .chain(policy.intermediates)
        .any(|one| one.subject == certificate.issuer);
    Ok(if namesake {
        Finding::error(format!("`{}` is not signed by the `{}` that is given, but by another of that name", certificate.subject, certificate.issuer))
            .help("the authority was renewed or imitated; compare the key identifiers with `alb cert show`")
    } else {
        Finding::error(format!("nobody knows the issuer of `{}`: `{}`", certificate.subject, certificate.issuer))
            .help("give the authority with `--ca`, and intermediates with `--chain` or in the certificate's file")
    })
}

fn revocation_finding(
    certificate: &Certificate,
    issuer: &Certificate,
    policy: &Policy<'_>,
) -> Result<Option<Finding>> {
    if policy.lists.is_empty() {
        return Ok(None);
    }
    let mut newest: Option<&Crl> = None;
    for list in policy
        .lists
        .iter()
        .filter(|list| list.issuer == certificate.issuer)
    {
        let newer = newest.is_none_or(|other| list.this_update > other.this_update);
        if newer && list.is_signed_by(&issuer.public_key)? {
            newest = Some(list);
        }
    }
    let Some(list) = newest else {
        return Ok(Some(Finding::warning(format!(
            "no list of `{}` is given, so whether `{}` is revoked is unknown",
            certificate.issuer, certificate.subject
        ))));
    };
    if let Some(entry) = list.find(&certificate.serial) {
        return Ok(Some(Finding::error(format!(
            "`{}` was revoked on {} ({})",
            certificate.subject,
            entry.at,
            entry.reason.name()
        ))));
    }
    let outdated = list.next_update.filter(|next| *next < policy.at);
    Ok(outdated.map(|next| {
        Finding::error(format!(
            "the list of `{}` was due to be replaced on {next}",
            list.issuer
        ))
        .help("fetch the current list")
    }))
}
