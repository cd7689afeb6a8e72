//! Certificates as text, in one form: equal certificates have equal texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A certificate in PEM, in lines of 64 letters.
pub(super) fn certificate(der: &[u8]) -> String {
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for (place, letter) in STANDARD.encode(der).chars().enumerate() {
        if place > 0 && place % LINE == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out.push_str("\n-----END CERTIFICATE-----\n");
    out
}

/// The length of a line by RFC 7468.
const LINE: usize = 64;
