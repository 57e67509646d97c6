//! `alb mail-password`: what a file of mail users keeps of a password.

use alb_mail::auth::{NewVerifier, new_verifier};
use clap::{Args, ValueEnum};

use super::Exit;
use super::cert::password::PasswordSource;
use super::generate::print;

/// Make a verifier for a file of mail users.
#[derive(Args)]
pub struct MailPassword {
    /// What is kept of the password
    #[arg(long, value_enum, default_value_t = Kind::Argon2id)]
    kind: Kind,

    #[command(flatten)]
    password: PasswordSource,
}

/// Kinds of verifiers that are made; more are understood.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// RFC 9106
    Argon2id,
    /// PBKDF2 with HMAC-SM3
    Pbkdf2Sm3,
}

/// Reads a password and prints its verifier.
pub fn mail_password(arguments: &MailPassword) -> Exit {
    let kind = match arguments.kind {
        Kind::Argon2id => NewVerifier::Argon2id,
        Kind::Pbkdf2Sm3 => NewVerifier::Pbkdf2Sm3,
    };
    let password = arguments.password.get_new("a mail user");
    let verifier = password
        .map_err(|error| error.to_string())
        .and_then(|password| match password.is_empty() {
            true => Err("the password is empty".to_owned()),
            false => new_verifier(kind, &password),
        });
    match verifier {
        Ok(verifier) => print(format!("{verifier}\n").as_bytes()),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}
