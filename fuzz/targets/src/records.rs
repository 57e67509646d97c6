//! Any bytes as a record to decrypt.

use alb_gm::differential::{Protection, Whose, open_record};

/// The provider's answer is Tongsuo's own, for GCM, CCM and CBC.
pub fn provider_records(bytes: &[u8]) {
    let Some((&[which, version, mac_size], record)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let protection = match which % 3 {
        0 => Protection::Gcm,
        1 => Protection::Ccm,
        _ => Protection::Cbc {
            version: [0x0101, 0x0301, 0x0302, 0x0303][usize::from(version % 4)],
            mac_size: usize::from(mac_size) % 65,
        },
    };
    let [ours, theirs] =
        [Whose::Ours, Whose::Tongsuos].map(|whose| open_record(whose, protection, record));
    assert_eq!(ours, theirs, "{protection:?}");
}
