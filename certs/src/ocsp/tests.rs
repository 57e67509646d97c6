//! Our own answers read back, Tongsuo's view of them, and who may sign them.

use super::*;
use crate::algorithm::Algorithm;
use crate::certificate::Certificate;
use crate::crl::Reason;
use crate::issue::{Ca, Issued, Leaf, Role};
use crate::key::Key;
use crate::time::Time;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use proptest::prelude::*;

fn setting() -> (Ca, Issued) {
    let ca = Ca::root(Algorithm::Sm2, "Root").unwrap();
    let leaf = ca.issue(Algorithm::Sm2, &Leaf::client("alice")).unwrap();
    (ca, leaf)
}

fn respond(
    ca: &Ca,
    signer: (&Certificate, &Key),
    leaf: &Issued,
    status: Status,
) -> (CertId, Vec<u8>) {
    let id = CertId::of(&leaf.certificate, ca.certificate(), true).unwrap();
    let request = Request::parse(&Request::make(&id, Some(b"nonce"))).unwrap();
    (
        id,
        Response::make(&request, signer, Time::now(), 3600, |_| status).unwrap(),
    )
}

#[test]
fn our_own_answers_are_read_back() {
    let (ca, leaf) = setting();
    let revoked = Status::Revoked {
        at: Time::from_unix(1_700_000_000),
        reason: Reason::KeyCompromise,
    };
    for status in [Status::Good, Status::Unknown, revoked] {
        let (id, der) = respond(&ca, (ca.certificate(), ca.key()), &leaf, status);
        let response = Response::parse(&der).unwrap();
        response.verify(ca.certificate(), Time::now()).unwrap();
        assert_eq!(response.answer(&id, Time::now()).unwrap(), status);
        assert!(response.nonce.is_some());
        assert!(response.answer(&id, Time::now().plus(86_400)).is_err());
    }
}

#[test]
fn tongsuo_verifies_and_reads_our_answers() {
    let (ca, leaf) = setting();
    let status = Status::Revoked {
        at: Time::from_unix(1_700_000_000),
        reason: Reason::Superseded,
    };
    let request_id = CertId::of(&leaf.certificate, ca.certificate(), false).unwrap();
    let request = Request::parse(&Request::make(&request_id, None)).unwrap();
    let der = Response::make(
        &request,
        (ca.certificate(), ca.key()),
        Time::now(),
        3600,
        |_| status,
    )
    .unwrap();
    let basic = OcspResponse::from_der(&der).unwrap().basic().unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    let root = ca.certificate().to_x509().unwrap();
    store.add_cert(root.clone()).unwrap();
    basic
        .verify(&Stack::new().unwrap(), &store.build(), OcspFlag::empty())
        .unwrap();
    let leaf = leaf.certificate.to_x509().unwrap();
    let id = OcspCertId::from_cert(openssl::hash::MessageDigest::sha1(), &leaf, &root).unwrap();
    assert_eq!(
        basic.find_status(&id).unwrap().status,
        OcspCertStatus::REVOKED
    );
}

#[test]
fn a_delegated_responder_is_taken_and_an_undelegated_one_refused() {
    let (ca, leaf) = setting();
    let responder = ca
        .issue(
            Algorithm::Sm2,
            &Leaf::client("responder").role(Role::OcspSigner),
        )
        .unwrap();
    let imposter = ca.issue(Algorithm::Sm2, &Leaf::client("imposter")).unwrap();
    let verify = |signer: &Issued| {
        let (_, der) = respond(&ca, (&signer.certificate, &signer.key), &leaf, Status::Good);
        Response::parse(&der)
            .unwrap()
            .verify(ca.certificate(), Time::now())
    };
    verify(&responder).unwrap();
    assert!(verify(&imposter).is_err());
}

#[test]
fn an_issuer_is_recognised_by_every_hash() {
    let (ca, leaf) = setting();
    let other = Ca::root(Algorithm::Sm2, "Other").unwrap();
    for sm3 in [true, false] {
        let id = CertId::of(&leaf.certificate, ca.certificate(), sm3).unwrap();
        assert!(id.names_issuer(ca.certificate()).unwrap());
        assert!(!id.names_issuer(other.certificate()).unwrap());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::parse(&bytes);
        let _ = Response::parse(&bytes);
    }
}
