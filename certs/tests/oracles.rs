//! What `alb_certs` writes, read by x509-parser and verified by RustCrypto's `sm2`: two others' opinions, neither of
//! which shares code with Tongsuo or with this crate.

use alb_certs::issue::{Ca, Certificate, CrlPlan, Leaf, Reason, Revoked};
use alb_certs::name::Name;
use alb_certs::request::Request;
use alb_certs::{Algorithm, Key, PublicKey, extension::AltName};
use openssl::ecdsa::EcdsaSig;
use sm2::dsa::signature::Verifier;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{
    CertificateRevocationList, FromDer, X509Certificate, X509CertificationRequest,
};

/// The identity everybody signs certificates with (GM/T 0009 §10).
const ID: &str = "1234567812345678";
/// SM2-with-SM3 (GM/T 0006).
const SM2_WITH_SM3: &str = "1.2.156.10197.1.501";

fn parsed(certificate: &Certificate) -> X509Certificate<'_> {
    let (rest, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    assert!(rest.is_empty());
    parsed
}

/// Verifies with RustCrypto's SM2.
fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let key =
        sm2::dsa::VerifyingKey::from_sec1_bytes(ID, &key.sm2_point().expect("an SM2 key")).unwrap();
    let parts = EcdsaSig::from_der(signature).unwrap();
    let number = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).unwrap();
    let raw = [number(parts.r()), number(parts.s())].concat();
    let signature = sm2::dsa::Signature::from_slice(&raw).unwrap();
    key.verify(message, &signature).is_ok()
}

fn agrees(certificate: &Certificate) {
    let theirs = parsed(certificate);
    assert_eq!(theirs.version().0, 2, "v3");
    assert_eq!(theirs.raw_serial(), certificate.serial.bytes());
    assert_eq!(theirs.issuer().as_raw(), certificate.issuer.to_der());
    assert_eq!(theirs.subject().as_raw(), certificate.subject.to_der());
    let validity = theirs.validity();
    assert_eq!(
        (
            validity.not_before.timestamp(),
            validity.not_after.timestamp()
        ),
        (
            certificate.validity.not_before.unix(),
            certificate.validity.not_after.unix()
        )
    );
    assert_eq!(theirs.public_key().raw, certificate.public_key.info());
    assert_eq!(theirs.is_ca(), certificate.is_authority());
    assert_eq!(
        theirs.signature_algorithm.algorithm.to_id_string(),
        certificate.signature_algorithm().to_string()
    );
    for extension in theirs.extensions() {
        let known = !extension.parsed_extension().unsupported();
        assert!(known, "{} is not understood", extension.oid);
    }
}

#[test]
fn x509_parser_reads_the_fields_of_our_certificates() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let issuing = root.intermediate("Issuing").unwrap();
    let leaf = Leaf::server("portal.test").ip("127.0.0.1".parse().unwrap());
    let leaf = leaf
        .crl_url("http://ca.test/crl")
        .ocsp_url("http://ca.test/ocsp");
    let pair = issuing.issue_pair(&leaf).unwrap();
    for certificate in [root.certificate(), issuing.certificate()] {
        agrees(certificate);
    }
    for (half, signs) in [(&pair.sign, true), (&pair.encrypt, false)] {
        agrees(&half.certificate);
        let theirs = parsed(&half.certificate);
        let usage = theirs.key_usage().unwrap().unwrap().value;
        assert_eq!(usage.digital_signature(), signs);
        assert_eq!(usage.key_encipherment(), !signs);
        let names = theirs.subject_alternative_name().unwrap().unwrap().value;
        assert_eq!(
            names.general_names,
            [
                GeneralName::DNSName("portal.test"),
                GeneralName::IPAddress(&[127, 0, 0, 1])
            ]
        );
        assert_eq!(
            theirs.signature_algorithm.algorithm.to_id_string(),
            SM2_WITH_SM3
        );
    }
    for algorithm in [Algorithm::P256, Algorithm::Rsa2048] {
        agrees(&issuing.issue(algorithm, &leaf).unwrap().certificate);
    }
}

#[test]
fn x509_parser_reads_our_lists() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let bad = root
        .issue(Algorithm::Sm2, &Leaf::client("mallory"))
        .unwrap();
    let entry = Revoked {
        reason: Reason::KeyCompromise,
        ..Revoked::now(&bad.serial)
    };
    let list = root.crl(&CrlPlan::weekly(7), &[entry]).unwrap();
    let (rest, theirs) = CertificateRevocationList::from_der(list.der()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(theirs.issuer().as_raw(), list.issuer.to_der());
    assert_eq!(theirs.last_update().timestamp(), list.this_update.unix());
    assert_eq!(
        theirs.next_update().map(|time| time.timestamp()),
        list.next_update.map(|time| time.unix())
    );
    assert_eq!(theirs.crl_number().unwrap().to_string(), "7");
    let revoked: Vec<_> = theirs.iter_revoked_certificates().collect();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].raw_serial(), bad.serial.bytes());
    let reason = revoked[0].reason_code().unwrap().1;
    assert_eq!(reason.0, Reason::KeyCompromise.code());
}

#[test]
fn x509_parser_reads_our_requests_and_rustcrypto_verifies_them() {
    let key = Key::generate(Algorithm::Sm2).unwrap();
    let subject = Name::parse("C=CN, O=Example, CN=branch.test").unwrap();
    let names = [AltName::Dns("branch.test".to_owned())];
    let request = Request::make(&key, &subject, &names, None).unwrap();
    let (rest, theirs) = X509CertificationRequest::from_der(request.der()).unwrap();
    assert!(rest.is_empty());
    let info = &theirs.certification_request_info;
    assert_eq!(info.subject.as_raw(), subject.to_der());
    assert_eq!(info.subject_pki.raw, request.public_key.info());
    let asked: Vec<_> = theirs.requested_extensions().unwrap().collect();
    let [ParsedExtension::SubjectAlternativeName(names)] = asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(names.general_names, [GeneralName::DNSName("branch.test")]);
    let signature = &theirs.signature_value.data;
    assert!(verifies(&request.public_key, info.raw, signature));
}

#[test]
fn rustcrypto_verifies_our_signatures_and_refuses_changed_ones() {
    let root = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let pair = root.issue_pair(&Leaf::server("portal.test")).unwrap();
    let key = &root.certificate().public_key;
    for certificate in [
        root.certificate(),
        &pair.sign.certificate,
        &pair.encrypt.certificate,
    ] {
        let theirs = parsed(certificate);
        let signature = &theirs.signature_value.data;
        let body = theirs.tbs_certificate.as_ref();
        assert!(verifies(key, body, signature));
        let mut changed = body.to_vec();
        changed[20] ^= 1;
        assert!(!verifies(key, &changed, signature));
    }
    let entry = Revoked::now(&pair.sign.serial);
    let list = root.crl(&CrlPlan::weekly(1), &[entry]).unwrap();
    let (_, theirs) = CertificateRevocationList::from_der(list.der()).unwrap();
    let body = theirs.tbs_cert_list.as_ref();
    assert!(verifies(key, body, &theirs.signature_value.data));
}
