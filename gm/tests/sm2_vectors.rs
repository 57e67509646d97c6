//! The examples of GB/T 32918.5-2017 (annexes A to C) and what RFC 8998 adds, recomputed by this implementation.

mod oracle;

use alb_gm::sm2::{
    Ciphertext, DEFAULT_ID, Own, Peer, PrivateKey, PublicKey, Role, Signature, TLS13_ID, agree,
};
use oracle::{hex, hex_array, once};

/// The key of GB/T 32918.5-2017, A.2 and C.2.
const D: &str = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";
const K: &str = "59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21";
const X: &str = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020";
const Y: &str = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";

fn key() -> PrivateKey {
    PrivateKey::from_bytes(&hex_array(D)).expect("key")
}

#[test]
fn the_public_key_is_that_of_the_standard() {
    assert_eq!(key().public().to_uncompressed()[1..], hex(&[X, Y].concat()));
}

#[test]
fn z_is_that_of_the_standard_and_of_rfc_8998() {
    let key = key();
    let z = |id| key.public().z(id).expect("identifier").to_vec();
    assert_eq!(
        z(DEFAULT_ID),
        hex("B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3")
    );
    assert_eq!(
        z(TLS13_ID),
        hex("97501E91C600A4CAA7B1F2416183ECAE91F75C616E21FC506EFCB5A168D190E0")
    );
}

/// GB/T 32918.5-2017, A.2.
#[test]
fn the_signature_is_that_of_the_standard() {
    let signature = key()
        .sign(DEFAULT_ID, b"message digest", &mut once(hex_array(K)))
        .expect("signature");
    let expected = Signature {
        r: hex_array("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"),
        s: hex_array("B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"),
    };
    assert_eq!(signature, expected);
    assert_eq!(
        key()
            .public()
            .verify(DEFAULT_ID, b"message digest", &signature),
        Ok(())
    );
    assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
}

/// GB/T 32918.5-2017, C.2.
#[test]
fn the_ciphertext_is_that_of_the_standard() {
    let c1 = [
        "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73",
        "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0",
    ];
    let c3 = "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766";
    let c2 = "21886CA989CA9C7D58087307CA93092D651EFA";
    let ciphertext = key()
        .public()
        .encrypt(b"encryption standard", &mut once(hex_array(K)))
        .expect("ciphertext");
    assert_eq!(
        ciphertext.to_c1c3c2(),
        hex(&["04", c1[0], c1[1], c3, c2].concat())
    );
    assert_eq!(
        ciphertext.to_c1c2c3(),
        hex(&["04", c1[0], c1[1], c2, c3].concat())
    );
    assert_eq!(
        ciphertext.to_der(),
        hex(&["307C0220", c1[0], "022100", c1[1], "0420", c3, "0413", c2].concat())
    );
    for read in [
        Ciphertext::from_der(&ciphertext.to_der()),
        Ciphertext::from_c1c3c2(&ciphertext.to_c1c3c2()),
        Ciphertext::from_c1c2c3(&ciphertext.to_c1c2c3()),
    ] {
        assert_eq!(
            key()
                .decrypt(&read.expect("ciphertext"))
                .expect("message")
                .as_slice(),
            b"encryption standard"
        );
    }
}

/// GB/T 32918.5-2017, B.2; the 48 bytes TLCP takes were recomputed with gmsm and Tongsuo.
#[test]
fn the_exchange_is_that_of_the_standard_for_both_roles() {
    let private = |text| PrivateKey::from_bytes(&hex_array(text)).expect("key");
    let static_a = private("81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029");
    let static_b = private("785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5");
    let ephemeral_a = private("D4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3");
    let ephemeral_b = private("7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6");
    assert_eq!(
        ephemeral_a.public().to_uncompressed()[1..],
        hex(
            "64CED1BDBC99D590049B434D0FD73428CF608A5DB8FE5CE07F15026940BAE40E
             376629C7AB21E7DB260922499DDB118F07CE8EAAE3E7720AFEF6A5CC062070C0"
        )
    );
    let side = |role,
                key: &PrivateKey,
                ephemeral: &PrivateKey,
                peer_key: &PublicKey,
                peer_ephemeral: &PublicKey| {
        let mut out = [0; 48];
        let own = Own {
            key,
            ephemeral,
            id: DEFAULT_ID,
        };
        let peer = Peer {
            key: peer_key,
            ephemeral: peer_ephemeral,
            id: DEFAULT_ID,
        };
        let confirmation = agree(role, &own, &peer, &mut out).expect("agreement");
        (out, confirmation)
    };
    let (key_a, confirm_a) = side(
        Role::Initiator,
        &static_a,
        &ephemeral_a,
        static_b.public(),
        ephemeral_b.public(),
    );
    let (key_b, confirm_b) = side(
        Role::Responder,
        &static_b,
        &ephemeral_b,
        static_a.public(),
        ephemeral_a.public(),
    );
    let expected = "6C89347354DE2484C60B4AB1FDE4C6E579391A21FA6CB72AE8754EC21AD8B7034692F6BA1FA89D3CF33128F1A9028710";
    assert_eq!(key_a.to_vec(), hex(expected));
    assert_eq!(key_b, key_a);
    let s1 = hex("D3A0FE15DEE185CEAE907A6B595CC32A266ED7B3367E9983A896DC32FA20F8EB");
    let s2 = hex("18C7894B3816DF16CF07B05C5EC0BEF5D655D58F779CC1B400A4F3884644DB88");
    assert_eq!(
        (confirm_b.own.to_vec(), confirm_b.expected.to_vec()),
        (s1.clone(), s2.clone())
    );
    assert_eq!(
        (confirm_a.own.to_vec(), confirm_a.expected.to_vec()),
        (s2, s1)
    );
}
