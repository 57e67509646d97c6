//! What is kept of a password, and whether a password is the one. Slow on purpose: run it on [`super::blocking`].

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha_crypt::ShaCrypt;

use crate::secret::Secret;

/// Iterations of a new PBKDF2-SM3 verifier (OWASP's figure for SHA-256, whose speed SM3 has).
const ITERATIONS: u32 = 600_000;
/// Most iterations a verifier may ask for: ten seconds or so.
const MOST_ITERATIONS: u32 = 20_000_000;
/// Bytes of a derived key.
const KEY_LEN: usize = 32;
/// Most memory an argon2id verifier may ask for, in KiB.
const MOST_MEMORY: u32 = 1 << 20;

/// What is kept of a password.
#[derive(Clone, Debug)]
pub enum Verifier {
    /// `$2y$`, `$2b$`, `$2a$`: bcrypt.
    Bcrypt(String),
    /// `$5$` and `$6$`: crypt(3) with SHA-256 and SHA-512.
    ShaCrypt(String),
    /// `$argon2id$` (RFC 9106).
    Argon2id(String),
    /// `$pbkdf2-sm3$i=N$SALT$KEY`: PBKDF2 (RFC 8018) with HMAC-SM3, salt and key in base64 without padding.
    Pbkdf2Sm3 {
        /// Rounds of HMAC.
        iterations: u32,
        /// Salt.
        salt: Vec<u8>,
        /// What comes out for the right password.
        key: Secret,
    },
    /// `{PLAIN}password`: the password itself, which CRAM-MD5 and APOP cannot do without.
    Clear(Secret),
}

/// A kind of verifier that is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewVerifier {
    /// `$argon2id$`, with the parameters OWASP recommends: 19 MiB, two passes.
    Argon2id,
    /// `$pbkdf2-sm3$`, with 600000 iterations.
    Pbkdf2Sm3,
}

/// Makes a verifier of a password, with a salt of its own.
///
/// # Errors
///
/// The system gave no random bytes.
pub fn new_verifier(kind: NewVerifier, password: &[u8]) -> Result<String, String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    match kind {
        NewVerifier::Argon2id => argon2id(password, &salt),
        NewVerifier::Pbkdf2Sm3 => Ok(pbkdf2_sm3(password, &salt)),
    }
}

impl Verifier {
    /// Reads a verifier. The error says what was expected; it does not repeat the text, which may be a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(password) = text.strip_prefix("{PLAIN}") {
            return match password.is_empty() {
                true => Err("the password behind `{PLAIN}` is empty"),
                false => Ok(Verifier::Clear(Secret::copy_of(password.as_bytes()))),
            };
        }
        match text.split('$').nth(1) {
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some("5" | "6") => sha_crypt(text),
            Some("argon2id") => argon2id_parameters(text),
            Some("pbkdf2-sm3") => pbkdf2(text).ok_or("expected `$pbkdf2-sm3$i=N$SALT$KEY`"),
            _ => Err(
                "expected a verifier: `$argon2id$…`, `$pbkdf2-sm3$…`, `$2y$…`, `$6$…`, `$5$…` or `{PLAIN}…`",
            ),
        }
    }

    /// Whether this is the password. Takes as long as the verifier was made to.
    pub fn verify(&self, password: &[u8]) -> bool {
        match self {
            Verifier::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Verifier::ShaCrypt(hash) => ShaCrypt::default()
                .verify_password(password, hash.as_str())
                .is_ok(),
            Verifier::Argon2id(hash) => Argon2::default()
                .verify_password(password, hash.as_str())
                .is_ok(),
            Verifier::Pbkdf2Sm3 {
                iterations,
                salt,
                key,
            } => {
                let mut derived = zeroize::Zeroizing::new([0; KEY_LEN]);
                alb_core::sm3::pbkdf2(password, salt, *iterations, &mut *derived);
                key.is(&*derived)
            }
            Verifier::Clear(clear) => clear.is(password),
        }
    }

    /// About how many microseconds it takes to verify a password, to tell cheap from dear ones.
    pub fn cost(&self) -> u64 {
        match self {
            Verifier::Bcrypt(hash) => {
                60 << hash
                    .split('$')
                    .nth(2)
                    .map_or(0, |cost| number(cost, "").min(16))
            }
            Verifier::ShaCrypt(hash) if hash.contains("rounds=") => number(hash, "rounds="),
            Verifier::ShaCrypt(_) => 5_000,
            Verifier::Argon2id(hash) => number(hash, "$m=") * number(hash, ",t="),
            Verifier::Pbkdf2Sm3 { iterations, .. } => u64::from(*iterations) / 2,
            Verifier::Clear(_) => 0,
        }
    }

    /// The password itself, where it is kept.
    pub fn clear(&self) -> Option<&Secret> {
        match self {
            Verifier::Clear(clear) => Some(clear),
            _ => None,
        }
    }
}

/// The number that stands behind a word; 1 if there is none.
fn number(text: &str, word: &str) -> u64 {
    let behind = text.split_once(word).map_or("", |(_, behind)| behind);
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

fn argon2id(password: &[u8], salt: &[u8]) -> Result<String, String> {
    let hash = Argon2::default().hash_password_with_salt(password, salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

pub(super) fn pbkdf2_sm3(password: &[u8], salt: &[u8]) -> String {
    let mut key = [0; KEY_LEN];
    alb_core::sm3::pbkdf2(password, salt, ITERATIONS, &mut key);
    let (salt, key) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key));
    format!("$pbkdf2-sm3$i={ITERATIONS}${salt}${key}")
}

fn bcrypt(text: &str) -> Result<Verifier, &'static str> {
    const WRONG: &str = "expected `$2y$COST$` and 53 characters, with a cost from 4 to 16";
    let mut parts = text.split('$').skip(2);
    let cost = parts
        .next()
        .filter(|cost| cost.len() == 2)
        .and_then(|cost| cost.parse::<u32>().ok());
    let rest = parts.next().unwrap_or_default();
    let whole = rest.len() == 53
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b));
    match cost {
        // Each step doubles the time; 16 takes seconds.
        Some(4..=16) if whole && parts.next().is_none() => Ok(Verifier::Bcrypt(text.to_owned())),
        _ => Err(WRONG),
    }
}

fn sha_crypt(text: &str) -> Result<Verifier, &'static str> {
    const WRONG: &str =
        "expected `$6$SALT$HASH` or `$6$rounds=N$SALT$HASH`, with at most 5000000 rounds";
    let mut parts: Vec<&str> = text.split('$').skip(2).collect();
    if let Some(rounds) = parts.first().and_then(|part| part.strip_prefix("rounds=")) {
        if !rounds
            .parse::<u32>()
            .is_ok_and(|rounds| (1_000..=5_000_000).contains(&rounds))
        {
            return Err(WRONG);
        }
        parts.remove(0);
    }
    let length = if text.starts_with("$5$") { 43 } else { 86 };
    match parts[..] {
        [salt, hash] if !salt.is_empty() && salt.len() <= 16 && hash.len() == length => {
            Ok(Verifier::ShaCrypt(text.to_owned()))
        }
        _ => Err(WRONG),
    }
}

fn argon2id_parameters(text: &str) -> Result<Verifier, &'static str> {
    const WRONG: &str =
        "expected `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`, with at most 1 GiB of memory";
    let parts: Vec<&str> = text.split('$').skip(2).collect();
    let [version, parameters, salt, hash] = parts[..] else {
        return Err(WRONG);
    };
    let most = [("m=", MOST_MEMORY), ("t=", 64), ("p=", 16)];
    let mut values = parameters.split(',');
    let bounded = most.iter().all(|(name, most)| {
        let value = values
            .next()
            .and_then(|part| part.strip_prefix(name)?.parse::<u32>().ok());
        value.is_some_and(|value| (1..=*most).contains(&value))
    });
    let whole =
        version == "v=19" && values.next().is_none() && !salt.is_empty() && !hash.is_empty();
    // The crate reads it all, so that what cannot be verified is found now.
    let readable = argon2::PasswordHash::new(text).is_ok();
    match whole && bounded && readable {
        true => Ok(Verifier::Argon2id(text.to_owned())),
        false => Err(WRONG),
    }
}

fn pbkdf2(text: &str) -> Option<Verifier> {
    let mut parts = text.strip_prefix("$pbkdf2-sm3$")?.split('$');
    let iterations: u32 = parts.next()?.strip_prefix("i=")?.parse().ok()?;
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let key = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let good =
        (1_000..=MOST_ITERATIONS).contains(&iterations) && salt.len() >= 8 && key.len() == KEY_LEN;
    (good && parts.next().is_none()).then(|| Verifier::Pbkdf2Sm3 {
        iterations,
        salt,
        key: key.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(text: &str, password: &str) -> bool {
        Verifier::parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .verify(password.as_bytes())
    }

    #[test]
    fn verifiers_of_every_kind_know_their_password() {
        for (text, password) in [
            // A test vector of crypt_blowfish.
            (
                "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                "U*U",
            ),
            // The test vectors of Ulrich Drepper's SHA-crypt.
            (
                "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
                "Hello world!",
            ),
            (
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
                "Hello world!",
            ),
            // The reference implementation's: `echo -n password | ./argon2 somesalt -id -t 2 -m 8 -p 1`.
            (
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "password",
            ),
            ("{PLAIN}p w", "p w"),
        ] {
            assert!(verify(text, password), "{text}");
            assert!(!verify(text, "another"), "{text}");
            assert!(!verify(text, ""), "{text}");
        }
    }

    #[test]
    fn dear_verifiers_are_told_from_cheap_ones() {
        let costs = [
            "{PLAIN}secret",
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$2y$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ]
        .map(|text| Verifier::parse(text).expect(text).cost());
        assert!(costs.is_sorted() && costs[2] == 61_440, "{costs:?}");
    }

    #[test]
    fn a_new_verifier_knows_its_password() {
        for kind in [NewVerifier::Pbkdf2Sm3, NewVerifier::Argon2id] {
            let text = new_verifier(kind, b"secret").expect("a verifier");
            assert!(
                verify(&text, "secret") && !verify(&text, "Secret"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_verifier_is_refused() {
        for bad in [
            "",
            "secret",
            "{PLAIN}",
            "$1$salt$hash",
            "$2y$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2y$05$short",
            "$6$rounds=999999999$saltstring$x",
            "$5$saltstring$short",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$pbkdf2-sm3$i=1$MDEyMzQ1Njc$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sm3$i=1000$MDE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(Verifier::parse(bad).is_err(), "{bad}");
        }
    }
}
