//! The same question, asked on the host by its own curl: does the service answer there when it does not answer from here?

use std::collections::BTreeMap;

use ipai_core::check::{Answer, Question, Way};

/// What curl reads on its standard input (curl(1), `--config`), so that nothing secret stands on a command line.
/// The site's name leads to the host itself.
///
/// # Errors
/// Why the question cannot be asked there.
pub fn config(question: &Question) -> Result<Vec<u8>, String> {
    let Way::Url { url, headers, body } = &question.way else {
        return Err("it is not asked by URL".to_owned());
    };
    let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let name = parsed.host_str().ok_or("the URL names no host")?;
    let port = parsed.port_or_known_default().ok_or("the URL names no port")?;
    let mut config = String::from(
        "include\nsilent\nshow-error\nhttp1.1\nmax-time = 10\nmax-filesize = 1048576\nproto = \"=http,https\"\nnoproxy = \"*\"\n",
    );
    let mut line =
        |key: &str, value: &str| config.push_str(&format!("{key} = {}\n", quoted(value)));
    line("url", parsed.as_str());
    line("resolve", &format!("{name}:{port}:127.0.0.1"));
    for (name, value) in headers {
        line("header", &format!("{name}: {}", value.expose()));
    }
    if let Some(body) = body {
        line("header", "content-type: application/json");
        line("data-raw", body.expose());
    }
    Ok(config.into_bytes())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads what curl printed: status line, headers, body. Interim answers come before the one that counts.
#[must_use]
pub fn answer(printed: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(printed);
    let mut rest: &str = &text;
    loop {
        let (head, body) = rest.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        if (100..200).contains(&status) {
            rest = body;
            continue;
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
        return Some(Answer { status, headers, body: body.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_prints_is_read() {
        let printed = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Version-Id: 11.7\r\n\r\n{\"a\":\r\n\r\n1}";
        let answer = answer(printed).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"a\":\r\n\r\n1}"));
        assert_eq!(answer.headers.get("x-version-id").map(String::as_str), Some("11.7"));
        assert_eq!(super::answer(b"curl: (7) Failed"), None);
    }

    #[test]
    fn nothing_in_a_value_begins_an_option_of_curls() {
        assert_eq!(quoted("a\"\nurl = \\x"), "\"a\\\"\\nurl = \\\\x\"");
    }
}
