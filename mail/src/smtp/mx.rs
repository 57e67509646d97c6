//! Mail from other servers: whose mail is taken, and which servers it goes to. No I/O.

use std::sync::Arc;

use alb_conf::MailMx;

use crate::service::{Pool, Service};

/// Refusals, as the reply says them.
pub const DENIED: &str = "550 5.7.1 Relay access denied";
pub const ANOTHER_POOL: &str = "452 4.5.3 Too many recipients";

/// The servers for a recipient.
///
/// # Errors
///
/// [`DENIED`] for a domain that no mail is taken for, and for addresses by which servers once passed mail on: source
/// routes (`@a,@b:c@d`), the percent hack (`user%other@here`) and bang paths (`other!user`).
pub fn pool_for<'s>(
    service: &'s Service,
    mx: &MailMx,
    path: &[u8],
) -> Result<&'s Arc<Pool>, &'static str> {
    let domain = domain_of(path).ok_or(DENIED)?;
    let taken = mx
        .relay_domains
        .iter()
        .any(|pattern| matches(pattern, &domain));
    match taken {
        true => Ok(servers_of(service, &domain)),
        false => Err(DENIED),
    }
}

/// The servers of a domain: its own, or those of the nearest `*.` above it.
fn servers_of<'s>(service: &'s Service, domain: &str) -> &'s Arc<Pool> {
    let parents = domain
        .match_indices('.')
        .map(|(at, _)| format!("*{}", &domain[at..]));
    let names = std::iter::once(domain.to_owned()).chain(parents);
    let mut found = names.filter_map(|name| service.domains.get(&name));
    found.next().unwrap_or(&service.pool)
}

/// The domain of a plain address, in lower case.
fn domain_of(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?;
    let (local, domain) = text.rsplit_once('@')?;
    let routed = local.is_empty() || local.contains(['%', '!', '@', ':', ',']);
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let plain = !routed && !domain.is_empty() && domain.chars().all(sound);
    plain.then(|| domain.trim_end_matches('.').to_lowercase())
}

/// Whether a domain is the pattern, or below one that begins with `*.`.
fn matches(pattern: &str, domain: &str) -> bool {
    let pattern = pattern.to_lowercase();
    match pattern.strip_prefix('*') {
        Some(suffix) => suffix.len() > 1 && domain.len() > suffix.len() && domain.ends_with(suffix),
        None => pattern == domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_have_a_domain() {
        assert_eq!(
            domain_of(b"alice@Gov.Example"),
            Some("gov.example".to_owned())
        );
        for routed in [
            "a%other@gov.example",
            "@x:a@gov.example",
            "other!a@gov.example",
            "a@b@gov.example",
            "alice",
            "@gov.example",
            "a@[1.2.3.4]",
            "a@",
        ] {
            assert_eq!(domain_of(routed.as_bytes()), None, "{routed}");
        }
    }

    #[test]
    fn a_star_takes_what_is_below_only() {
        assert!(matches("gov.example", "gov.example") && matches("*.gov.example", "a.gov.example"));
        assert!(
            !matches("*.gov.example", "gov.example") && !matches("gov.example", "xgov.example")
        );
        assert!(!matches("*", "any.example") && !matches("*.", "any."));
    }
}
