//! Dates of the Gregorian calendar and seconds since 1970, in UTC and without leap seconds.
//!
//! After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years are counted from March.

/// Days from 1970-01-01 to a date. Month and day are taken as they come: whoever reads them checks them.
#[must_use]
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Seconds since 1970 for people, to the minute: `2026-11-24 12:00 UTC`.
#[must_use]
pub fn minute_for_people(time: i64) -> String {
    let (days, seconds) = (time.div_euclid(86_400) + 719_468, time.rem_euclid(86_400));
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era_year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = of_era_year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (seconds / 3_600, seconds % 3_600 / 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Seconds since 1970 of a time in RFC 3339 that is in UTC, such as `2026-11-24T12:00:00Z`; parts of a second are left off.
#[must_use]
pub fn seconds_of(time: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let digits = time.get(from..to).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let marked = marks.into_iter().all(|(at, mark)| time.as_bytes().get(at) == Some(&mark));
    let rest = time.get(19..)?;
    let (fraction, zone) = rest.split_at(rest.len().checked_sub(1)?);
    let fits = zone == "Z" && (fraction.is_empty() || fraction.starts_with('.'));
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let possible = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let days = days_since_1970(number(0, 4)?, month, day);
    (marked && fits && possible).then(|| days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written_and_nothing_else_is_a_time() {
        assert_eq!(seconds_of("1970-01-02T00:00:01Z"), Some(86_401));
        assert_eq!(seconds_of("2026-11-24T12:00:00.123456789Z"), Some(1_795_521_600));
        for text in [
            "",
            "2026-11-24",
            "2026-13-24T12:00:00Z",
            "2026-11-24T12:00:00+01:00",
            "2026-11-24 12:00:00Z",
            "2026-11-24T12:00:0xZ",
            "2026-11-24T1é:00:00Z",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn both_ways_agree_on_every_day_of_five_centuries() {
        let (mut days, lengths) =
            (days_since_1970(1800, 1, 1), [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
        for year in 1800..2300 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (month, length) in (1..).zip(lengths) {
                for day in 1..=length + i64::from(leap && month == 2) {
                    assert_eq!(days_since_1970(year, month, day), days);
                    let text = format!("{year}-{month:02}-{day:02} 23:59 UTC");
                    assert_eq!(minute_for_people(days * 86_400 + 86_399), text);
                    days += 1;
                }
            }
        }
    }
}
