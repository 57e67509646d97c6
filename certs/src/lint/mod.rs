//! Finds what is wrong or unwise with certificates before a peer does: usage, order, pairs, names, algorithms, dates,
//! and the known traps of authorities and browsers.

mod pair;
mod single;

pub use pair::lint_pair;
pub use single::lint_certificate;

use crate::certificate::Certificate;
use crate::error::Result;
use crate::finding::Finding;
use crate::time::Time;

/// Checks the certificates of one file, in the order in which they will be sent.
pub fn lint_chain(chain: &[Certificate], now: Time) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if let Some(leaf) = chain.first() {
        findings.extend(lint_certificate(leaf, now));
    }
    for (index, pair) in chain.windows(2).enumerate() {
        let (lower, upper) = (&pair[0], &pair[1]);
        if lower.issuer != upper.subject {
            findings.push(
                Finding::error(format!("certificate {} of the file, `{}`, is not the issuer of the one before it (`{}`)", index + 2, upper.subject, lower.issuer))
                    .help("put the certificate first, and after each its issuer; a pair's halves go into separate files"),
            );
        } else if !lower.is_signed_by(&upper.public_key)? {
            findings.push(Finding::error(format!(
                "`{}` has the right name, and did not sign `{}`",
                upper.subject, lower.subject
            )));
        } else {
            findings.extend(single::lint_authority(upper, now));
        }
    }
    if let [_, .., last] = chain
        && last.is_self_issued()
    {
        findings.push(
            Finding::note(format!(
                "the root `{}` is sent along, which peers ignore",
                last.subject
            ))
            .help("leave it out"),
        );
    }
    Ok(findings)
}
