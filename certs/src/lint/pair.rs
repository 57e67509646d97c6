//! The two halves of a TLCP pair held against each other (GB/T 38636 §6.4.5.3; what four implementations accept).

use crate::certificate::Certificate;
use crate::extension::KeyUsage;
use crate::finding::Finding;

/// Checks a signing and an encryption certificate as a pair.
pub fn lint_pair(sign: &Certificate, encrypt: &Certificate) -> Vec<Finding> {
    let mut findings = usages(sign, encrypt);
    for (half, certificate) in [("signing", sign), ("encryption", encrypt)] {
        if !certificate.public_key.is_sm2() {
            findings.push(Finding::error(format!(
                "the {half} certificate has a key of kind {}, and TLCP wants SM2",
                certificate.public_key.describe()
            )));
        }
    }
    if sign.subject != encrypt.subject {
        findings.push(
            Finding::error(format!(
                "the halves have different subjects: `{}` and `{}`; GmSSL refuses them",
                sign.subject, encrypt.subject
            ))
            .help("they may belong to different pairs"),
        );
    }
    if sign.issuer != encrypt.issuer {
        findings.push(Finding::error(format!(
            "the halves have different issuers: `{}` and `{}`",
            sign.issuer, encrypt.issuer
        )));
    }
    if sign.extensions.names != encrypt.extensions.names {
        findings.push(Finding::warning(
            "the halves have different alternative names; peers check one, the other, or both",
        ));
    }
    if sign.public_key == encrypt.public_key {
        findings.push(
            Finding::error(
                "both halves have the same key: whoever escrows the encryption key can sign",
            )
            .help("make two keys; the authority makes the encryption key"),
        );
    }
    if sign.validity.not_after != encrypt.validity.not_after {
        findings.push(Finding::note(format!(
            "the halves end at different times: {} and {}",
            sign.validity.not_after, encrypt.validity.not_after
        )));
    }
    findings
}

fn usages(sign: &Certificate, encrypt: &Certificate) -> Vec<Finding> {
    let usage = |certificate: &Certificate| certificate.extensions.key_usage;
    let (Some(sign), Some(encrypt)) = (usage(sign), usage(encrypt)) else {
        return vec![Finding::error(
            "a half has no key usage, without which Tongsuo refuses it in TLCP",
        )];
    };
    if encrypt.intersects(KeyUsage::SIGN) && !sign.intersects(KeyUsage::SIGN) {
        return vec![
            Finding::error("the halves are exchanged: the first encrypts and the second signs")
                .help("name the signing certificate first"),
        ];
    }
    let mut findings = Vec::new();
    if !sign.intersects(KeyUsage::SIGN) {
        findings.push(Finding::error(format!(
            "the signing certificate's key usage ({sign}) does not allow to sign"
        )));
    }
    if !encrypt.intersects(KeyUsage::ENCRYPT) {
        findings.push(Finding::error(format!(
            "the encryption certificate's key usage ({encrypt}) does not allow to encrypt"
        )));
    } else if !encrypt.intersects(KeyUsage::KEY_ENCIPHERMENT) {
        findings.push(Finding::warning(
            "the encryption certificate lacks keyEncipherment, which GmSSL wants",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::issue::{Ca, Leaf, Pair};
    use crate::lint::{lint_certificate, lint_chain};
    use crate::time::Time;

    fn authority() -> Ca {
        Ca::root(Algorithm::Sm2, "Root")
            .unwrap()
            .intermediate("Issuing")
            .unwrap()
    }

    fn pair(ca: &Ca, name: &str) -> Pair {
        ca.issue_pair(&Leaf::server(name)).unwrap()
    }

    fn messages(findings: Vec<Finding>) -> String {
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn what_we_issue_passes() {
        let pair = pair(&authority(), "a.test");
        assert_eq!(
            messages(lint_pair(&pair.sign.certificate, &pair.encrypt.certificate)),
            ""
        );
        for half in [&pair.sign, &pair.encrypt] {
            let chain: Vec<_> = std::iter::once(half.certificate.clone())
                .chain(half.chain.clone())
                .collect();
            assert_eq!(messages(lint_chain(&chain, Time::now()).unwrap()), "");
        }
    }

    #[test]
    fn exchanged_and_foreign_halves_are_named() {
        let ca = authority();
        let (first, second) = (pair(&ca, "a.test"), pair(&ca, "b.test"));
        let exchanged = lint_pair(&first.encrypt.certificate, &first.sign.certificate);
        assert!(messages(exchanged).contains("exchanged"));
        let foreign = messages(lint_pair(
            &first.sign.certificate,
            &second.encrypt.certificate,
        ));
        assert!(
            foreign.contains("different subjects")
                && foreign.contains("different alternative names"),
            "{foreign}"
        );
        let doubled = messages(lint_pair(&first.sign.certificate, &first.sign.certificate));
        assert!(
            doubled.contains("same key") && doubled.contains("does not allow to encrypt"),
            "{doubled}"
        );
    }

    #[test]
    fn faults_of_one_certificate_are_named() {
        let ca = authority();
        for (leaf, expected) in [
            (Leaf::server("a_b.test"), "not a host name"),
            (Leaf::server("10.0.0.1"), "written as a DNS name"),
            (Leaf::server("w*.a.test"), "wildcard"),
            (
                Leaf::server("a.test").key_usage(KeyUsage(0b11111)),
                "mixes signing and encryption",
            ),
            (
                Leaf::server("a.test").valid(crate::issue::Validity::days(3)),
                "expires in",
            ),
            (
                Leaf::new(crate::name::Name::common("a"), crate::issue::Role::Server),
                "without alternative names",
            ),
        ] {
            let issued = ca.issue(Algorithm::Sm2, &leaf).unwrap();
            let found = messages(lint_certificate(&issued.certificate, Time::now()));
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    #[test]
    fn a_chain_in_the_wrong_order_is_named() {
        let ca = authority();
        let pair = pair(&ca, "a.test");
        let chain = [pair.sign.certificate, pair.encrypt.certificate];
        assert!(messages(lint_chain(&chain, Time::now()).unwrap()).contains("not the issuer"));
        assert!(
            messages(lint_certificate(ca.certificate(), Time::now()))
                .contains("an authority's certificate")
        );
    }
}
