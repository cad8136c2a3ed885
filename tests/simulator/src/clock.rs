//! The world's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Where the world takes its time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Starts at `start` (Unix seconds) and moves by `step` with each request, so that every
    /// time in an answer is the same in each run.
    Fixed {
        /// The time of the first request, in seconds since 1970.
        start: u64,
        /// How far each request moves the clock.
        step: Duration,
    },
}

impl Clock {
    /// Returns the time of request number `request` (from 0).
    pub(crate) fn time(self, request: u64) -> Time {
        let since = match self {
            Clock::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Clock::Fixed { start, step } => {
                let steps = u32::try_from(request).unwrap_or(u32::MAX);
                Duration::from_secs(start).saturating_add(step.saturating_mul(steps))
            }
        };
        Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A moment, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) fn later(self, micros: u64) -> Time {
        Time(self.0.saturating_add(micros))
    }

    pub(crate) fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Formats as DigitalOcean does: `2026-01-02T03:04:05Z`.
    pub(crate) fn to_seconds_text(self) -> String {
        format!("{}Z", self.date_time())
    }

    /// Formats as Cloudflare does: a fraction of six digits, its trailing zeros dropped.
    pub(crate) fn to_fraction_text(self) -> String {
        let fraction = format!("{:06}", self.0 % 1_000_000);
        match fraction.trim_end_matches('0') {
            "" => self.to_seconds_text(),
            digits => format!("{}.{digits}Z", self.date_time()),
        }
    }

    /// Formats as the header `Date` does (RFC 9110, section 5.6.7): `Fri, 02 Jan 2026 03:04:05 GMT`.
    pub(crate) fn to_http_text(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (days, second) = (self.seconds() / 86_400, self.seconds() % 86_400);
        let (year, month, day) = civil(days);
        let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
        let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    fn date_time(self) -> String {
        let (days, second) = (self.seconds() / 86_400, self.seconds() % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// Turns days since 1970 into year, month and day (Howard Hinnant's `civil_from_days`, for days
/// that are not negative).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_each_vendor_does() {
        let time = Time(1_756_326_984_966_700);
        assert_eq!(time.to_seconds_text(), "2025-08-27T20:36:24Z");
        assert_eq!(time.to_fraction_text(), "2025-08-27T20:36:24.9667Z");
        assert_eq!(time.to_http_text(), "Wed, 27 Aug 2025 20:36:24 GMT");
        assert_eq!(Time(0).to_http_text(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(Time(951_782_400_000_000).to_fraction_text(), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn a_fixed_clock_moves_with_requests() {
        let clock = Clock::Fixed { start: 100, step: Duration::from_millis(500) };
        assert_eq!(clock.time(0), Time(100_000_000));
        assert_eq!(clock.time(3), Time(101_500_000));
    }
}
