//! Every suite, and the self-tests, with Tongsuo's own arithmetic. In a binary of its own, since the choice is made once per process.

mod common;

use alb_gm::Acceleration;
use alb_gm::tls::*;
use common::*;

#[tokio::test]
async fn every_suite_works_without_acceleration() {
    alb_gm::init(Acceleration::Off);
    assert!(!alb_gm::accelerated());
    for suite in suites::ALL {
        // TLS 1.2 has no suite for the SM2 certificates of this client.
        for mutual in [false, true] {
            if (mutual || !suite.needs_client_pair)
                && !(mutual && suite.protocol == Protocol::Tls12)
            {
                with_suite(suite.name, mutual).await;
            }
        }
    }
}

/// The self-tests ask Tongsuo, so that they test what then runs, and not our own code.
#[test]
fn the_self_tests_pass_without_acceleration() {
    alb_gm::init(Acceleration::Off);
    let report = alb_gm::selftest::run();
    assert!(!alb_gm::accelerated());
    assert!(
        report.passed(),
        "{:?}",
        report.failures().collect::<Vec<_>>()
    );
}
