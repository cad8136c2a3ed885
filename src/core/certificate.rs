//! The one thing that ipai reads in a certificate: when it ends.

use crate::calendar::days_since_1970;

/// Seconds since 1970 at which an X.509 certificate in DER form ends (RFC 5280, section 4.1), or nothing when it cannot
/// be read.
#[must_use]
pub fn not_after(der: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // An optional version in a tag of its own, then serial number, algorithm and issuer, come before the validity.
    let (tag, _, after) = element(rest)?;
    if tag == 0xa0 {
        rest = after;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, end) = element(validity)?;
    let (tag, text, _) = element(end)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// The first element of a text in DER: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Longer lengths would be of certificates of 16 MB.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// UTCTime `YYMMDDhhmmssZ`, whose years begin with 1950, or GeneralizedTime `YYYYMMDDhhmmssZ`.
fn time(tag: u8, text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let digits = match (tag, text.len()) {
        (0x17, 12) if text < "50" => format!("20{text}"),
        (0x17, 12) => format!("19{text}"),
        (0x18, 14) => text.to_owned(),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut der = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short @ 0..=0x7f) => der.push(short),
            Ok(length) => der.extend([0x81, length]),
            Err(_) => {
                der.push(0x82);
                der.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            }
        }
        der.extend(content);
        der
    }

    fn certificate(version: bool, tag: u8, end: &str) -> Vec<u8> {
        let mut inner = if version { wrap(0xa0, &wrap(2, &[2])) } else { Vec::new() };
        inner.extend(wrap(2, &[1; 20]));
        inner.extend(wrap(0x30, b"algorithm"));
        inner.extend(wrap(0x30, &[7; 300]));
        let validity = [wrap(0x17, b"260101000000Z"), wrap(tag, end.as_bytes())].concat();
        inner.extend(wrap(0x30, &validity));
        inner.extend(wrap(0x30, b"subject"));
        wrap(0x30, &[wrap(0x30, &inner), wrap(0x30, b"signature")].concat())
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for version in [true, false] {
            let ends = |tag, text| not_after(&certificate(version, tag, text));
            assert_eq!(ends(0x17, "261124060619Z"), Some(1_795_500_379));
            assert_eq!(ends(0x18, "20261124060619Z"), Some(1_795_500_379));
            assert_eq!(ends(0x17, "700101000000Z"), Some(0));
            assert_eq!(ends(0x18, "20261124060619"), None);
            assert_eq!(ends(0x18, "2026112406061éZ"), None);
        }
    }

    #[test]
    fn what_is_cut_or_wrong_is_not_read_and_harms_nobody() {
        let whole = certificate(true, 0x17, "261124060619Z");
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
        for place in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[place] ^= 0xff;
            let _ = not_after(&wrong);
        }
    }
}
