//! The time, as Docker writes it.

use std::time::{SystemTime, UNIX_EPOCH};

/// What Docker writes for "never": Go's zero time.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

/// Returns the present time in RFC 3339, UTC, with nanoseconds.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}Z", date_and_time(since.as_secs()), since.subsec_nanos())
}

/// Writes seconds since 1970 as `YYYY-MM-DDTHH:MM:SS`.
///
/// The calendar is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for times after 1970.
pub(super) fn date_and_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::date_and_time;

    #[test]
    fn knows_leap_days_and_turns_of_years() {
        assert_eq!(date_and_time(0), "1970-01-01T00:00:00");
        assert_eq!(date_and_time(951_826_245), "2000-02-29T12:10:45");
        assert_eq!(date_and_time(1_798_761_599), "2026-12-31T23:59:59");
    }
}
