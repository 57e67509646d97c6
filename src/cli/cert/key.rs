//! `alb cert key`.

use std::path::{Path, PathBuf};

use alb_certs::pkcs8::Dialect;
use alb_certs::{Algorithm, Key, Result, files};
use clap::Args;

use super::super::Exit;
use super::Done;
use super::input::parse_algorithm;
use super::password::{Password, PasswordSource};

/// The arguments of `alb cert key`.
#[derive(Args)]
pub struct KeyArguments {
    /// The file to write, mode 0600; it must not exist
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,

    /// The kind of key: sm2, p256, rsa2048, rsa3072, rsa4096
    #[arg(long, default_value = "sm2", value_parser = parse_algorithm)]
    algorithm: Algorithm,

    #[command(flatten)]
    protection: Protection,
}

/// How a new key is protected in its file.
#[derive(Args)]
pub struct Protection {
    #[command(flatten)]
    password: PasswordSource,

    /// Write the key without a password
    #[arg(long, conflicts_with_all = ["password_file", "password_env"])]
    plain: bool,

    /// Encrypt so that GmSSL and gmsm can read it (they name HMAC-SM3 otherwise than Tongsuo)
    #[arg(long, conflicts_with = "plain")]
    gmssl: bool,
}

impl Protection {
    /// The password for a key that is protected unless `--plain` was said.
    pub fn required(&self, path: &Path) -> Result<Option<Password>> {
        if self.plain {
            Ok(None)
        } else {
            self.password.get_new(&path.display().to_string()).map(Some)
        }
    }

    /// The password for a key that is protected only if one was named.
    pub fn optional(&self, path: &Path) -> Result<Option<Password>> {
        if self.password.is_given() {
            self.password.get_new(&path.display().to_string()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The key in PEM, encrypted under the password if there is one.
    pub fn encode(
        &self,
        key: &Key,
        password: Option<&Password>,
    ) -> Result<zeroize::Zeroizing<String>> {
        match password {
            Some(password) => key
                .to_encrypted_pem(password, self.dialect())
                .map(Into::into),
            None => key.to_pem(),
        }
    }

    fn dialect(&self) -> Dialect {
        if self.gmssl {
            Dialect::GmSsl
        } else {
            Dialect::Tongsuo
        }
    }
}

/// Makes a key.
pub fn make(arguments: &KeyArguments) -> Done {
    let password = arguments.protection.required(&arguments.out)?;
    write(
        &arguments.out,
        &Key::generate(arguments.algorithm)?,
        &arguments.protection,
        password.as_ref(),
    )?;
    eprintln!(
        "wrote {} ({}, {})",
        arguments.out.display(),
        arguments.algorithm,
        if password.is_some() {
            "encrypted"
        } else {
            "not encrypted"
        }
    );
    Ok(Exit::Done)
}

/// Writes a key that is not there yet.
pub fn write(
    path: &Path,
    key: &Key,
    protection: &Protection,
    password: Option<&Password>,
) -> Result<()> {
    files::write_new_private(path, protection.encode(key, password)?.as_bytes())
}
