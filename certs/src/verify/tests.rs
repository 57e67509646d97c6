//! Every fault has its sentence, and what is good has none.

use super::*;
use crate::algorithm::Algorithm;
use crate::finding::Severity;
use crate::issue::{Ca, CrlPlan, Leaf, Revoked, Validity};
use crate::oid;

struct Setting {
    root: Ca,
    intermediate: Ca,
}

impl Setting {
    fn new() -> Self {
        let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
        let intermediate = root.intermediate("Issuing").unwrap();
        Self { root, intermediate }
    }

    /// The errors found, as one text.
    fn errors(&self, leaf: &Leaf, lists: &[Crl]) -> String {
        let issued = self.intermediate.issue(Algorithm::Sm2, leaf).unwrap();
        self.errors_of(&issued.certificate, lists)
    }

    fn errors_of(&self, certificate: &Certificate, lists: &[Crl]) -> String {
        let anchors = [self.root.certificate().clone()];
        let intermediates = [self.intermediate.certificate().clone()];
        let policy = Policy {
            anchors: &anchors,
            intermediates: &intermediates,
            lists,
            at: Time::now(),
            purpose: Some(oid::SERVER_AUTH),
            host: Some("a.test"),
            usage: Some(KeyUsage::SIGN),
        };
        let findings = verify(certificate, &policy).unwrap().findings;
        let errors = findings
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error);
        errors
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[test]
fn a_good_certificate_has_no_errors() {
    let setting = Setting::new();
    let lists = [
        setting.intermediate.crl(&CrlPlan::weekly(1), &[]).unwrap(),
        setting.root.crl(&CrlPlan::weekly(1), &[]).unwrap(),
    ];
    assert_eq!(setting.errors(&Leaf::server("a.test"), &lists), "");
}

#[test]
fn every_fault_is_named() {
    let setting = Setting::new();
    for (leaf, expected) in [
        (Leaf::server("b.test"), "not for `a.test`"),
        (Leaf::server("a.test").valid(Validity::expired()), "expired"),
        (
            Leaf::server("a.test").valid(Validity::not_yet()),
            "not valid before",
        ),
        (
            Leaf::client("a").dns("a.test"),
            "not for server authentication",
        ),
        (
            Leaf::server("a.test").key_usage(KeyUsage::ENCRYPT),
            "key usage",
        ),
    ] {
        let errors = setting.errors(&leaf, &[]);
        assert!(errors.contains(expected), "{expected}: {errors}");
    }
}

#[test]
fn strangers_imitators_and_leaves_as_authorities_are_refused() {
    let setting = Setting::new();
    let stranger = Ca::root(Algorithm::Sm2, "Stranger")
        .unwrap()
        .issue(Algorithm::Sm2, &Leaf::server("a.test"))
        .unwrap();
    assert!(
        setting
            .errors_of(&stranger.certificate, &[])
            .contains("nobody knows the issuer")
    );
    let imitator = Ca::root(Algorithm::Sm2, "Issuing")
        .unwrap()
        .issue(Algorithm::Sm2, &Leaf::server("a.test"))
        .unwrap();
    assert!(
        setting
            .errors_of(&imitator.certificate, &[])
            .contains("another of that name")
    );
}

#[test]
fn a_revoked_certificate_is_refused_and_a_forged_list_ignored() {
    let setting = Setting::new();
    let issued = setting
        .intermediate
        .issue(Algorithm::Sm2, &Leaf::server("a.test"))
        .unwrap();
    let entry = [Revoked::now(&issued.serial)];
    let list = setting
        .intermediate
        .crl(&CrlPlan::weekly(1), &entry)
        .unwrap();
    assert!(
        setting
            .errors_of(&issued.certificate, &[list])
            .contains("was revoked")
    );
    let forged = Ca::root(Algorithm::Sm2, "Issuing")
        .unwrap()
        .crl(&CrlPlan::weekly(9), &entry)
        .unwrap();
    assert_eq!(setting.errors_of(&issued.certificate, &[forged]), "");
}

#[test]
fn wildcards_stand_for_one_label() {
    for (pattern, host, expected) in [
        ("*.a.test", "x.a.test", true),
        ("*.a.test", "a.test", false),
        ("*.a.test", "x.y.a.test", false),
        ("*.a.test", ".a.test", false),
        ("A.test", "a.TEST.", true),
    ] {
        assert_eq!(matches_dns(pattern, host), expected, "{pattern} {host}");
    }
}
