//! What `certs::issue` makes is accepted, or refused, by Tongsuo.

use alb_certs::issue::{Ca, Certificate, CrlPlan, Leaf, Reason, Revoked, Validity};
use alb_certs::{Algorithm, extension::KeyUsage};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{CrlStatus, X509, X509Crl, X509PurposeId, X509StoreContext, X509VerifyResult};

fn x509(certificate: &Certificate) -> X509 {
    certificate.to_x509().unwrap()
}

fn verify(
    root: &Certificate,
    leaf: &Certificate,
    chain: &[Certificate],
    purpose: X509PurposeId,
) -> X509VerifyResult {
    let mut untrusted = Stack::new().unwrap();
    chain
        .iter()
        .for_each(|certificate| untrusted.push(x509(certificate)).unwrap());
    let mut builder = X509StoreBuilder::new().unwrap();
    builder.add_cert(x509(root)).unwrap();
    builder.set_purpose(purpose).unwrap();
    let mut context = X509StoreContext::new().unwrap();
    context
        .init(&builder.build(), &x509(leaf), &untrusted, |context| {
            context.verify_cert()?;
            Ok(context.error())
        })
        .unwrap()
}

#[test]
fn tongsuo_verifies_pairs_below_an_intermediate() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let pair = root
        .intermediate("Issuing")
        .unwrap()
        .issue_pair(&Leaf::server("portal.test"))
        .unwrap();
    for half in [&pair.sign, &pair.encrypt] {
        let result = verify(
            root.certificate(),
            &half.certificate,
            &half.chain,
            X509PurposeId::SSL_SERVER,
        );
        assert_eq!(result, X509VerifyResult::OK, "{result}");
        assert!(
            x509(&half.certificate)
                .public_key()
                .unwrap()
                .public_eq(half.key.pkey())
        );
    }
    let names = |half: &Certificate| x509(half).subject_name().to_der().unwrap();
    assert_eq!(
        names(&pair.sign.certificate),
        names(&pair.encrypt.certificate)
    );
    assert_ne!(pair.sign.serial, pair.encrypt.serial);
}

#[test]
fn tongsuo_verifies_every_algorithm_under_every_other() {
    for root_algorithm in [Algorithm::Sm2, Algorithm::P256, Algorithm::Rsa2048] {
        let root = Ca::root(root_algorithm, "Root").unwrap();
        for algorithm in [Algorithm::Sm2, Algorithm::P256, Algorithm::Rsa2048] {
            let leaf = root.issue(algorithm, &Leaf::client("alice")).unwrap();
            let result = verify(
                root.certificate(),
                &leaf.certificate,
                &[],
                X509PurposeId::SSL_CLIENT,
            );
            assert_eq!(
                result,
                X509VerifyResult::OK,
                "{algorithm} under {root_algorithm}: {result}"
            );
        }
    }
}

#[test]
fn tongsuo_refuses_what_is_made_to_be_refused() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let check = |leaf: Leaf, purpose| {
        let issued = root.issue(Algorithm::P256, &leaf).unwrap();
        verify(
            root.certificate(),
            &issued.certificate,
            &issued.chain,
            purpose,
        )
    };
    const EXPIRED: i32 = 10;
    const NOT_YET_VALID: i32 = 9;
    const WRONG_PURPOSE: i32 = 26;
    let server = || Leaf::server("portal.test");
    assert_eq!(
        check(
            server().valid(Validity::expired()),
            X509PurposeId::SSL_SERVER
        )
        .as_raw(),
        EXPIRED
    );
    assert_eq!(
        check(
            server().valid(Validity::not_yet()),
            X509PurposeId::SSL_SERVER
        )
        .as_raw(),
        NOT_YET_VALID
    );
    assert_eq!(
        check(server(), X509PurposeId::SSL_CLIENT).as_raw(),
        WRONG_PURPOSE
    );
    assert_eq!(
        check(
            server().key_usage(KeyUsage::AUTHORITY),
            X509PurposeId::SSL_SERVER
        )
        .as_raw(),
        WRONG_PURPOSE
    );
}

#[test]
fn names_and_addresses_match_as_tongsuo_matches_them() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let leaf = Leaf::server("portal.test")
        .dns("*.portal.test")
        .ip("127.0.0.1".parse().unwrap())
        .ip("::1".parse().unwrap());
    let issued = root.issue(Algorithm::Sm2, &leaf).unwrap();
    let names = x509(&issued.certificate).subject_alt_names().unwrap();
    let dns: Vec<_> = names.iter().filter_map(|name| name.dnsname()).collect();
    let ips: Vec<_> = names.iter().filter_map(|name| name.ipaddress()).collect();
    assert_eq!(dns, ["portal.test", "*.portal.test"]);
    assert_eq!(
        ips,
        [
            &[127, 0, 0, 1][..],
            &"::1".parse::<std::net::Ipv6Addr>().unwrap().octets()
        ]
    );
}

#[test]
fn an_sm2_list_is_verified_and_names_the_revoked() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let bad = root
        .issue(Algorithm::Sm2, &Leaf::client("mallory"))
        .unwrap();
    let good = root.issue(Algorithm::Sm2, &Leaf::client("alice")).unwrap();
    let entry = Revoked {
        reason: Reason::KeyCompromise,
        ..Revoked::now(&bad.serial)
    };
    let list = root.crl(&CrlPlan::weekly(7), &[entry]).unwrap();
    let list = X509Crl::from_der(list.der()).unwrap();
    assert!(
        list.verify(&x509(root.certificate()).public_key().unwrap())
            .unwrap()
    );
    assert!(matches!(
        list.get_by_cert(&x509(&bad.certificate)),
        CrlStatus::Revoked(_)
    ));
    assert!(matches!(
        list.get_by_cert(&x509(&good.certificate)),
        CrlStatus::NotRevoked
    ));
}

#[test]
fn files_are_complete_and_keys_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let pair = root
        .intermediate("Issuing")
        .unwrap()
        .issue_pair(&Leaf::server("portal.test"))
        .unwrap();
    let files = pair.write(directory.path(), "portal").unwrap();
    let mode = std::fs::metadata(&files.sign.key)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let chain = X509::stack_from_pem(&std::fs::read(&files.sign.certificate).unwrap()).unwrap();
    assert_eq!(chain.len(), 2);
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "portal-enc.key",
            "portal-enc.pem",
            "portal-sign.key",
            "portal-sign.pem"
        ]
    );
}
