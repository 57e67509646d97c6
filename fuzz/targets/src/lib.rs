//! What is done with hostile input, one function per parser: the fuzz targets, as plain functions, so that the test
//! suite of the workspace can try them too (`tests/mutations.rs`). A function that returns has found nothing.

mod certificates;
mod health;
mod http1;
mod mail_auth;
mod mail_content;
mod mail_servers;
mod mail_sessions;
mod proxy_header;
mod records;
mod sm2;
mod sm4;

pub use certificates::{certificate_file, envelope};
pub use health::health_answer;
pub use http1::http1;
pub use mail_auth::{mail_auth_answer, mail_sasl};
pub use mail_content::mail_prescan;
pub use mail_servers::mail_servers;
pub use mail_sessions::{mail_commands, smtp_framer};
pub use proxy_header::proxy_header;
pub use records::provider_records;
pub use sm2::sm2_encodings;
pub use sm4::sm4;

use alb_gm::tls::ClientHello;

/// A target: its name, which is that of its directory of seeds, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Target; 16] = [
    ("certificate_file", certificate_file),
    ("configuration", configuration),
    ("envelope", envelope),
    ("first_record", first_record),
    ("health_answer", health_answer),
    ("http1", http1),
    ("mail_auth_answer", mail_auth_answer),
    ("mail_sasl", mail_sasl),
    ("provider_records", provider_records),
    ("mail_commands", mail_commands),
    ("mail_servers", mail_servers),
    ("mail_prescan", mail_prescan),
    ("proxy_header", proxy_header),
    ("sm2_encodings", sm2_encodings),
    ("sm4", sm4),
    ("smtp_framer", smtp_framer),
];

/// Any text as a configuration: accepted, and then what `--print` prints is accepted too; or refused in words.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match alb_conf::check_str(text) {
        Ok(config) => {
            let printed = alb_conf::print(&config);
            assert!(
                alb_conf::check_str(&printed).is_ok(),
                "not readable again:\n{printed}"
            );
        }
        Err(report) => assert!(!report.to_string().is_empty()),
    }
}

/// Any bytes as the first record of a connection: TLS, TLCP, not yet enough, or refused. More bytes never change what
/// has been settled.
pub fn first_record(bytes: &[u8]) {
    let whole = format!("{:?}", ClientHello::parse(bytes));
    for end in 0..bytes.len().min(512) {
        match ClientHello::parse(&bytes[..end]) {
            Ok(None) => {}
            settled => assert_eq!(format!("{settled:?}"), whole, "after {end} bytes"),
        }
    }
}
