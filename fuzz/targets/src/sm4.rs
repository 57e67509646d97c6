//! Any message, key and tag of SM4-GCM, and any record of SM4-CBC.

use alb_gm::sm4::Backend;
use alb_gm::sm4::gcm::GcmKey;
use alb_gm::sm4::record::{LONGEST_MAC, split};

/// Every implementation gives the same answer, and any record is taken apart.
pub fn sm4(bytes: &[u8]) {
    let Some((&[first, ref key @ ..], rest)) = bytes.split_first_chunk::<17>() else {
        return;
    };
    let Some((tag, rest)) = rest.split_first_chunk::<16>() else {
        return;
    };
    let mac_size = usize::from(first) % (LONGEST_MAC + 2);
    if let Some(parts) = split(rest, mac_size, &[first; LONGEST_MAC]) {
        assert!(parts.content + mac_size <= rest.len());
    }
    let (iv, text) = rest.split_at(rest.len().min(usize::from(first)));
    let answers = Backend::available().map(|backend| {
        let key = GcmKey::with_backend(key, backend).expect("available");
        let (mut sealed, mut opened) = (text.to_vec(), text.to_vec());
        let made = key.seal(iv, bytes, &mut sealed).expect("a short text");
        let refused = key.open(iv, bytes, &mut opened, tag);
        let honest = key.open(iv, bytes, &mut sealed.clone(), &made);
        assert_eq!(honest, Ok(()));
        (sealed, made, opened, refused)
    });
    let answers: Vec<_> = answers.collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}
