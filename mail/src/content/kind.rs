//! What content is, by its first bytes. No I/O.

/// Content that can be told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What files of this kind are called first; the others are called so too.
    pub extensions: &'static [&'static str],
    /// The types it goes by.
    pub types: &'static [&'static str],
    /// Whether the content runs when it is opened.
    pub runs: bool,
    magic: &'static [u8],
}

/// Known kinds.
pub const KINDS: &[Kind] = &[
    Kind {
        extensions: &[
            "exe", "dll", "scr", "com", "sys", "ocx", "cpl", "drv", "efi",
        ],
        types: &[
            "application/x-msdownload",
            "application/x-dosexec",
            "application/vnd.microsoft.portable-executable",
        ],
        runs: true,
        magic: b"MZ",
    },
    Kind {
        extensions: &["elf", "so", "o", "ko", "bin", "run", "axf"],
        types: &[
            "application/x-executable",
            "application/x-elf",
            "application/x-sharedlib",
        ],
        runs: true,
        magic: b"\x7fELF",
    },
    Kind {
        extensions: &["lnk"],
        types: &["application/x-ms-shortcut"],
        runs: true,
        magic: b"L\0\0\0\x01\x14\x02\0",
    },
    Kind {
        extensions: &[
            "zip", "docx", "docm", "dotx", "xlsx", "xlsm", "xltx", "pptx", "pptm", "ppsx", "odt",
            "ods", "odp", "odg", "ofd", "epub", "jar", "war", "apk", "xpi", "vsdx", "kmz", "wps",
            "et", "dps",
        ],
        types: &["application/zip", "application/x-zip-compressed"],
        runs: false,
        magic: b"PK\x03\x04",
    },
    Kind {
        extensions: &[
            "ole", "doc", "dot", "xls", "xlt", "ppt", "pps", "msi", "msg", "vsd", "mpp", "wps",
            "et", "dps", "hwp",
        ],
        types: &[
            "application/x-ole-storage",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
        ],
        runs: false,
        magic: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    },
    Kind {
        extensions: &["pdf"],
        types: &["application/pdf"],
        runs: false,
        magic: b"%PDF-",
    },
    Kind {
        extensions: &["rar"],
        types: &["application/vnd.rar", "application/x-rar-compressed"],
        runs: false,
        magic: b"Rar!\x1a\x07",
    },
    Kind {
        extensions: &["7z"],
        types: &["application/x-7z-compressed"],
        runs: false,
        magic: b"7z\xbc\xaf\x27\x1c",
    },
    Kind {
        extensions: &["gz", "tgz"],
        types: &["application/gzip", "application/x-gzip"],
        runs: false,
        magic: b"\x1f\x8b\x08",
    },
    Kind {
        extensions: &["png"],
        types: &["image/png"],
        runs: false,
        magic: b"\x89PNG\r\n\x1a\n",
    },
    Kind {
        extensions: &["jpg", "jpeg", "jpe"],
        types: &["image/jpeg"],
        runs: false,
        magic: b"\xff\xd8\xff",
    },
    Kind {
        extensions: &["gif"],
        types: &["image/gif"],
        runs: false,
        magic: b"GIF8",
    },
];

impl Kind {
    /// What this content is, if it can be told.
    pub fn of(content: &[u8]) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| content.starts_with(kind.magic))
    }

    /// Whether files of this ending are of this kind.
    pub fn is_called(&self, extension: &str) -> bool {
        self.extensions.contains(&extension)
    }

    /// Whether the content is something else than the ending of its name and its type say. Of an ending that several
    /// kinds have any will do; what runs must say so.
    pub fn mismatch(found: Option<&'static Kind>, extension: &str, declared: &str) -> bool {
        let same = |kind: &Kind| found.is_some_and(|found| found.magic == kind.magic);
        let mut by_name = KINDS
            .iter()
            .filter(|kind| kind.is_called(extension))
            .peekable();
        if by_name.peek().is_some() {
            return !by_name.any(same);
        }
        let mut by_type = KINDS
            .iter()
            .filter(|kind| kind.types.contains(&declared))
            .peekable();
        match by_type.peek() {
            Some(_) => !by_type.any(same),
            None => found.is_some_and(|found| found.runs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_with_what_it_is_called() {
        for (content, extension, declared, wrong) in [
            (&b"MZ\x90\0"[..], "pdf", "application/pdf", true),
            (b"MZ\x90\0", "exe", "application/octet-stream", false),
            (b"MZ\x90\0", "dat", "application/octet-stream", true),
            (b"%PDF-1.7", "pdf", "application/octet-stream", false),
            (b"PK\x03\x04", "docx", "application/octet-stream", false),
            (b"PK\x03\x04", "et", "application/octet-stream", false),
            (b"hello", "png", "image/png", true),
            (b"hello", "", "image/png", true),
            (b"hello", "txt", "text/plain", false),
            (b"PK\x03\x04", "dat", "application/octet-stream", false),
        ] {
            assert_eq!(
                Kind::mismatch(Kind::of(content), extension, declared),
                wrong,
                "{extension} {content:?}"
            );
        }
    }
}
