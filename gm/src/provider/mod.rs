//! The provider `alb`: plugs this crate's SM2, SM3 and SM4 into Tongsuo, inside this process.
//!
//! Owns the C side of the primitives and nothing else: what they compute is theirs, when they are used is Tongsuo's.
//! `unsafe` lives in [`ffi`], [`params`], [`lifecycle`] and the entry functions of each operation; no panic leaves an entry function.

#![allow(unsafe_code)]

mod cipher;
mod digest;
mod ffi;
mod lifecycle;
mod params;
mod register;
mod sm2;

pub(crate) use cipher::has_ciphers;
pub(crate) use register::{has_digest, install};
