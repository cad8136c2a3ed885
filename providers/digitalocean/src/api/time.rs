//! The two forms in which times arrive, as seconds since 1970.

use ipai_core::calendar::days_since_1970;

/// Reads an HTTP date in its one modern form (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn epoch_of_http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, clock, "GMT"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    seconds(year.parse().ok()?, i64::try_from(month).ok()?, day.parse().ok()?, clock)
}

/// Reads a time as the API writes it (RFC 3339 in UTC): `2020-07-21T18:37:44Z`, fractions ignored.
pub(crate) fn epoch_of_rfc3339(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let parts: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [year, month, day] = parts[..] else { return None };
    seconds(year, month, day, clock.split('.').next()?)
}

fn seconds(year: i64, month: i64, day: i64, clock: &str) -> Option<i64> {
    let parts: Vec<i64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hour, minute, second] = parts[..] else { return None };
    let sane =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let ticking =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    (sane && ticking)
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_second() {
        assert_eq!(epoch_of_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(epoch_of_rfc3339("1994-11-06T08:49:37Z"), Some(784_111_777));
        assert_eq!(epoch_of_rfc3339("2024-02-29T00:00:00.123Z"), Some(1_709_164_800));
        assert_eq!(epoch_of_rfc3339("1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in ["", "now", "1994-13-06T08:49:37Z", "1994-11-06", "1994-11-06T99:00:00Z"] {
            assert_eq!(epoch_of_rfc3339(text), None, "{text}");
        }
        assert_eq!(epoch_of_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }
}
