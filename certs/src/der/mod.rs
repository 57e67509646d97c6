//! DER as X.509 and the GM standards use it (X.690): a writer and a bounded reader.
//!
//! Definite lengths and single-byte tags only: no structure read or written here has others.

mod reader;
mod writer;

pub use reader::{Element, Reader};
pub use writer::*;

/// The tag bytes used in certificates and their relatives.
pub mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OBJECT_ID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// UTF8String.
    pub const UTF8_STRING: u8 = 0x0c;
    /// PrintableString.
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// TeletexString, seen in old names.
    pub const TELETEX_STRING: u8 = 0x14;
    /// IA5String.
    pub const IA5_STRING: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// BMPString, UTF-16 as PKCS#12 and old names use it.
    pub const BMP_STRING: u8 = 0x1e;
    /// SEQUENCE.
    pub const SEQUENCE: u8 = 0x30;
    /// SET.
    pub const SET: u8 = 0x31;

    /// The context tag `[number]` of a primitive value, `number` below 31.
    pub const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// The context tag `[number]` of a constructed value, `number` below 31.
    pub const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}
