//! Where the time of a run went, as a table and as a message.

use serde_json::{Value as Json, json};

use super::feed::envelope;
use crate::log::{Row, Timings};

/// The table, narrow enough for every terminal, with its newline. Who was asked stands below it.
#[must_use]
pub fn timings_text(timings: &Timings) -> String {
    let rows = timings.phases.iter().chain([&timings.total]);
    let wide = rows.clone().map(|row| row.phase.len()).max().unwrap_or_default().max(5);
    let mut text =
        format!("{:wide$}  {:>8} {:>5} {:>4} {:>5}\n", "phase", "seconds", "HTTP", "SSH", "execs");
    for row in rows {
        let seconds = row.took.as_secs_f64();
        let (http, ssh, execs) = (requests(row), row.connections, row.execs);
        text += &format!("{:wide$}  {seconds:>8.3} {http:>5} {ssh:>4} {execs:>5}\n", row.phase);
    }
    for (vendor, count) in &timings.total.requests {
        text += &format!("requests to {vendor}: {count}\n");
    }
    text
}

/// The same as a line of the stream of `--json`.
#[must_use]
pub fn timings_message(timings: &Timings, timestamp: Option<&str>) -> Json {
    let text = format!("Took {:.3} s", timings.total.took.as_secs_f64());
    let mut message = envelope("info", &text, "timings", timestamp);
    let phases: Vec<Json> = timings.phases.iter().map(row).collect();
    message["phases"] = json!(phases);
    message["total"] = row(&timings.total);
    message
}

fn requests(row: &Row) -> u64 {
    row.requests.values().sum()
}

fn row(row: &Row) -> Json {
    json!({
        "phase": row.phase,
        "seconds": row.took.as_secs_f64(),
        "requests": row.requests,
        "connections": row.connections,
        "execs": row.execs,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn timings() -> Timings {
        let requests = [("cloudflare".to_owned(), 2), ("digitalocean".to_owned(), 11)].into();
        let took = Duration::from_millis(1_234);
        let row =
            |phase: &str| Row { phase: phase.into(), took, requests, connections: 1, execs: 7 };
        let total = row("total");
        Timings { phases: vec![Row { phase: "observe".into(), ..total.clone() }], total }
    }

    #[test]
    fn the_table_fits_forty_columns_and_names_who_was_asked() {
        let text = timings_text(&timings());
        assert_eq!(
            text,
            "phase     seconds  HTTP  SSH execs\n\
             observe     1.234    13    1     7\n\
             total       1.234    13    1     7\n\
             requests to cloudflare: 2\n\
             requests to digitalocean: 11\n"
        );
        assert!(text.lines().all(|line| line.len() <= 40));
    }

    #[test]
    fn the_message_has_the_streams_envelope() {
        let message = timings_message(&timings(), None);
        assert_eq!((&message["type"], &message["@module"]), (&json!("timings"), &json!("ipai.ui")));
        assert_eq!(message["total"]["requests"]["digitalocean"], 11);
        assert_eq!(message["phases"][0]["seconds"], 1.234);
    }
}
