//! Until when a credential is valid, read from the credential itself. Pure; nothing of it is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// The claim `exp` of a JSON Web Token; none where it is no such token, or ends never.
pub(super) fn of_token(token: &str) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let mut parts = token.trim().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let seconds = serde_json::from_slice::<Claims>(&bytes).ok()?.exp?;
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a date")]
    let seconds = seconds as i64;
    Timestamp::from_second(seconds).ok()
}

/// The end of the first certificate of a PEM: the client's own, before those that vouch for it.
pub(super) fn of_pem(pem: &[u8]) -> Option<Timestamp> {
    of_certificate(&CertificateDer::pem_slice_iter(pem).next()?.ok()?)
}

/// `notAfter` of an X.509 certificate in DER (RFC 5280, 4.1).
pub(super) fn of_certificate(der: &[u8]) -> Option<Timestamp> {
    let mut certificate = Der(Der(der).expect(SEQUENCE)?);
    let mut body = Der(certificate.expect(SEQUENCE)?);
    // version (left out in version 1), serialNumber, signature, issuer
    body.skip_if(VERSION)?;
    for _ in 0..3 {
        body.next()?;
    }
    let mut validity = Der(body.expect(SEQUENCE)?);
    validity.next()?;
    let (kind, text) = validity.next()?;
    time(kind, std::str::from_utf8(text).ok()?)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is left of a DER encoding: kinds, lengths, contents.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (kind, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..0x80 => (usize::from(short), rest),
            long => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                // Four bytes are 4 GiB.
                let fits = (1..=4).contains(&digits.len());
                let length = digits.iter().fold(0, |sum, b| (sum << 8) | usize::from(*b));
                (fits.then_some(length)?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*kind, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'d [u8]> {
        let (kind, content) = self.next()?;
        (kind == wanted).then_some(content)
    }

    fn skip_if(&mut self, kind: u8) -> Option<()> {
        if self.0.first() == Some(&kind) {
            self.next()?;
        }
        Some(())
    }
}

/// `YYMMDDHHMMSSZ` (years from 1950), or the same with four digits of the year.
fn time(kind: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').filter(|d| d.is_ascii())?;
    let digits = match kind {
        UTC_TIME if digits.get(..2)? < "50" => format!("20{digits}"),
        UTC_TIME => format!("19{digits}"),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let clock = format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?);
    format!("{date}T{clock}Z").parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!(
            "eyJhbGciOiJSUzI1NiJ9.{}.c2ln",
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    #[test]
    fn the_end_of_a_token_is_its_claim_and_anything_else_has_none() {
        let end = Timestamp::from_second(1_795_464_000).ok();
        assert_eq!(of_token(&token(r#"{"sub":"a","exp":1795464000}"#)), end);
        assert_eq!(of_token(&token(r#"{"exp":1795464000.5}"#)), end);
        for other in [
            token(r#"{"sub":"a"}"#),
            token("no json"),
            token(r#"{"exp":1e300}"#),
            "opaque".to_owned(),
            "a.b.c".to_owned(),
            String::new(),
        ] {
            assert_eq!(of_token(&other), None, "{other}");
        }
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (year, end) in [
            (2031, "2031-02-03T00:00:00Z"),
            (2061, "2061-02-03T00:00:00Z"),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 2, 3);
            let pem = params.self_signed(&key).unwrap().pem();
            assert_eq!(of_pem(pem.as_bytes()), end.parse().ok(), "{year}");
        }
        assert_eq!(of_pem(b"no certificate"), None);
    }

    #[test]
    fn a_certificate_that_is_cut_or_none_has_no_end_and_is_no_panic() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        let whole = params.self_signed(&key).unwrap();
        let der = whole.der();
        for length in 0..der.len() {
            assert_eq!(of_certificate(&der[..length]), None, "{length}");
        }
        assert_eq!(of_certificate(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(of_certificate(&[0x30, 0x80, 0, 0]), None);
    }
}
