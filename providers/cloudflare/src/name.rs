//! Domain names in the one form that is compared: complete, lower case, ASCII, without a dot at the end.

/// Puts a host or domain name into canonical form, or says what is wrong with it.
pub(crate) fn canonical(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let ascii = if bare.is_ascii() {
        bare.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(bare).map_err(|_| format!("`{text}` is not a valid Unicode name"))?
    };
    if ascii.is_empty() {
        return Err("the name is empty".into());
    }
    if ascii.len() > 253 {
        return Err(format!("the name has {} characters; DNS takes 253", ascii.len()));
    }
    for (place, label) in ascii.split('.').enumerate() {
        check_label(text, place, label)?;
    }
    Ok(ascii)
}

fn check_label(name: &str, place: usize, label: &str) -> Result<(), String> {
    if label == "*" && place == 0 {
        return Ok(());
    }
    if label.is_empty() {
        return Err(format!("`{name}` has an empty part between its dots"));
    }
    if label.len() > 63 {
        return Err(format!("a part of `{name}` has {} characters; DNS takes 63", label.len()));
    }
    if let Some(odd) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_".contains(*c))) {
        return Err(format!("`{name}` contains `{}`", odd.escape_default()));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(format!("a part of `{name}` begins or ends with a hyphen"));
    }
    Ok(())
}

/// Why a name is no name of a record in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    /// It is no name at all.
    Malformed(String),
    /// It belongs elsewhere; the complete name under which it could stand in the zone.
    Outside(String),
}

/// Completes a record's name: `@` is the zone, a name that ends with the zone is complete, any other is relative to it.
/// `zone` is canonical. A relative name that ends like a public domain is taken for a complete one of another zone,
/// because `www.other.com.example.com` is hardly ever meant; written out in full it is accepted.
pub(crate) fn complete(name: &str, zone: &str) -> Result<String, NameError> {
    if name == "@" {
        return Ok(zone.to_owned());
    }
    let canonical = canonical(name).map_err(NameError::Malformed)?;
    if is_inside(&canonical, zone) {
        return Ok(canonical);
    }
    let joined = format!("{canonical}.{zone}");
    if name.ends_with('.') || looks_complete(&canonical, zone) {
        return Err(NameError::Outside(joined));
    }
    self::canonical(&joined).map_err(NameError::Malformed)
}

/// Tells whether a canonical name is the zone or below it.
pub(crate) fn is_inside(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn looks_complete(name: &str, zone: &str) -> bool {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let ending = last(name);
    name.contains('.') && (ending == last(zone) || ["com", "net", "org"].contains(&&*ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, expected) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("_dmarc.example.com", "_dmarc.example.com"),
            ("*.example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example.", "xn--bcher-kva.example"),
        ] {
            assert_eq!(canonical(text).unwrap(), expected);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}example", "abcdefgh.".repeat(28));
        for text in [
            "", ".", "a..b", "a b", "a/b", "-a.b", "a-.b", "x.*.b", "http://a", "a\n", &long,
            &longer,
        ] {
            assert!(canonical(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_completed_within_their_zone() {
        for (name, expected) in [
            ("@", "example.com"),
            ("example.com", "example.com"),
            ("www", "www.example.com"),
            ("WWW.Example.com.", "www.example.com"),
            ("a.b", "a.b.example.com"),
            ("_sip._tcp", "_sip._tcp.example.com"),
            ("*", "*.example.com"),
            ("notexample.com.example.com", "notexample.com.example.com"),
        ] {
            assert_eq!(complete(name, "example.com").unwrap(), expected);
        }
    }

    #[test]
    fn a_name_of_another_zone_is_outside() {
        for name in ["www.other.com", "notexample.com", "www.other.org", "chat.example.de.", "com."]
        {
            assert!(matches!(complete(name, "example.com"), Err(NameError::Outside(_))), "{name}");
        }
        assert!(matches!(complete("a.dev", "example.dev"), Err(NameError::Outside(_))));
    }
}
