//! Every suite, one-way and mutual, with whatever acceleration this processor allows.

mod common;

use alb_gm::tls::*;
use common::*;

#[tokio::test]
async fn every_one_way_suite_shakes_hands_and_carries_data() {
    for suite in suites::ALL.iter().filter(|s| !s.needs_client_pair) {
        println!("{}", suite.name);
        with_suite(suite.name, false).await;
    }
}

#[tokio::test]
async fn every_suite_of_tlcp_works_with_client_certificates() {
    for suite in suites::ALL.iter().filter(|s| s.protocol == Protocol::Tlcp) {
        println!("{}", suite.name);
        with_suite(suite.name, true).await;
    }
}

#[tokio::test]
async fn every_suite_of_tls_works_with_client_certificates() {
    for suite in suites::ALL.iter().filter(|s| s.protocol == Protocol::Tls13) {
        println!("{}", suite.name);
        with_suite(suite.name, true).await;
    }
}
