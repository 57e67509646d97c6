//! SM2 certificates.
