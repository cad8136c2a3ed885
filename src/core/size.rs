//! Numbers of bytes in words.

/// A size as people say it, in units of 1024, rounded to a tenth: `3.1 KiB`.
#[must_use]
pub fn in_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Sizes are rounded to a tenth, so the lost bits of large numbers do not show.
    #[expect(clippy::cast_precision_loss, reason = "rounded to a tenth")]
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// How much of something has gone by: `3.0 MiB of 12.0 MiB, 25%`. More than all counts as all.
#[must_use]
pub fn share_in_words(done: u64, all: u64) -> String {
    let done = done.min(all);
    let percent = u128::from(done) * 100 / u128::from(all.max(1));
    format!("{} of {}, {percent}%", in_words(done), in_words(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        assert_eq!([in_words(0), in_words(1023), in_words(1024)], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!([in_words(1_048_575), in_words(5 << 30)], ["1.0 MiB", "5.0 GiB"]);
    }

    #[test]
    fn a_share_is_told_in_percent_and_never_above_all() {
        assert_eq!(share_in_words(3 << 20, 12 << 20), "3.0 MiB of 12.0 MiB, 25%");
        assert_eq!(share_in_words(9, 7), "7 B of 7 B, 100%");
        assert_eq!(share_in_words(0, 0), "0 B of 0 B, 0%");
        assert_eq!(share_in_words(u64::MAX - 1, u64::MAX).split(' ').next_back(), Some("99%"));
    }
}
