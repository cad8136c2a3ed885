//! Calendar events of systemd, see systemd.time(7): what can be seen to be none.

use crate::diagnostic::nearest;

/// Words that are events by themselves.
const WORDS: [&str; 10] = [
    "minutely",
    "hourly",
    "daily",
    "monthly",
    "weekly",
    "yearly",
    "annually",
    "quarterly",
    "semiannually",
    "semi-annually",
];

const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Says how to write it, of a text that is no calendar event. What is one in all parts is the host's to say.
pub(super) fn check(text: &str) -> Result<(), String> {
    let usual = "write it as in systemd.time(7): \"*-*-* 02:30:00 UTC\", \"hourly\", \"Sun 04:00\"";
    let legal = |c: char| c.is_ascii_alphanumeric() || "*-:,./~ ".contains(c);
    if text.trim().is_empty() || !text.chars().all(legal) {
        return Err(usual.to_owned());
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some(event) = of_cron(&words) {
        return Err(format!("this is how cron writes it; for systemd: schedule = \"{event}\""));
    }
    let is_time = |word: &str| {
        word.contains([':', '-']) && word.contains(|c: char| c.is_ascii_digit() || c == '*')
    };
    let is_known =
        |word: &str| WORDS.contains(&word.to_ascii_lowercase().as_str()) || is_days(word);
    // Behind a date, a time or an event a word is a time zone.
    let dated = words.iter().any(|word| is_time(word)) || is_known(words[0]);
    match words.iter().find(|word| !is_time(word) && !is_known(word)) {
        Some(word) if !dated => {
            let near = nearest(&word.to_ascii_lowercase(), WORDS)
                .map(|near| format!("did you mean \"{near}\"?"));
            Err(near.unwrap_or_else(|| usual.to_owned()))
        }
        _ => Ok(()),
    }
}

/// `Mon`, `Mon..Fri`, `Sat,Sun`.
fn is_days(word: &str) -> bool {
    let is_day = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.len() >= 3 && DAYS.iter().any(|day| day.starts_with(&word))
    };
    word.split([',', '.', '-']).filter(|part| !part.is_empty()).all(is_day)
}

/// What five fields of cron mean, where they are simple.
fn of_cron(words: &[&str]) -> Option<String> {
    let [minute, hour, day, month, weekday] = words[..] else { return None };
    let legal = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || "*,-/".contains(c));
    if !words.iter().all(legal) {
        return None;
    }
    let two = |word: &str| match word.parse::<u8>() {
        Ok(number) => format!("{number:02}"),
        Err(_) => word.replace("*/", "0/").replace('-', ".."),
    };
    let weekdays = match weekday {
        "*" => String::new(),
        one => {
            let day = one.parse::<usize>().ok().and_then(|day| DAYS.get((day + 6) % 7));
            day.map(|day| format!("{}{} ", day[..1].to_uppercase(), &day[1..3])).unwrap_or_default()
        }
    };
    Some(format!("{weekdays}*-{}-{} {}:{}:00", two(month), two(day), two(hour), two(minute)))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn calendar_events_pass_and_what_is_none_is_told_how_to_be_written() {
        for good in [
            "*-*-* 02:30:00 UTC",
            "hourly",
            "Sun 04:00",
            "Mon..Fri *-*-* 03:00",
            "Sat,Sun 05:00 Europe/Berlin",
            "02:30",
            "*:0/15",
            "2026-01-01",
            "daily",
            "*-*-01 00:00:00",
            "Mon",
            "daily UTC",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, hint) in [
            ("30 2 * * *", "schedule = \"*-*-* 02:30:00\""),
            ("*/15 * * * *", "schedule = \"*-*-* *:0/15:00\""),
            ("0 4 * * 0", "schedule = \"Sun *-*-* 04:00:00\""),
            ("dayly", "did you mean \"daily\"?"),
            ("every night", "systemd.time(7)"),
            ("", "systemd.time(7)"),
            ("at 2;30", "systemd.time(7)"),
        ] {
            let told = check(bad).unwrap_err();
            assert!(told.contains(hint), "{bad}: {told}");
        }
    }
}
