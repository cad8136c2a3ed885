//! What a forge keeps, and how it answers.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub(crate) type Answer = Result<Bytes, StatusCode>;

/// What it keeps.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Comments on the one pull request: who wrote each, and what.
    pub(crate) comments: Vec<(String, String)>,
    /// Calls that change something.
    pub(crate) writes: Vec<String>,
    /// Artifacts as GitHub lists them.
    pub(crate) artifacts: Vec<Value>,
    pub(crate) packages: BTreeMap<String, Bytes>,
    /// What it answers to whoever would write.
    pub(crate) refuses: bool,
}

/// Method, query and body.
pub(crate) type Call<'a> = (&'a str, &'a str, Bytes);

impl Kept {
    pub(crate) fn github(&mut self, path: &str, call: &Call<'_>) -> Answer {
        match path.strip_prefix("issues/comments/") {
            Some(id) if call.0 == "PATCH" => {
                self.write(id.parse().ok(), &call.2, "github-actions[bot]")
            }
            None if path == "issues/7/comments" => self.comments(call, "github-actions[bot]"),
            None if path == "actions/artifacts" && call.0 == "GET" => {
                let fits = |found: &&Value| {
                    Some(found["name"].as_str().unwrap()) == parameter(call.1, "name")
                };
                let found: Vec<&Value> = self.artifacts.iter().filter(fits).collect();
                Ok(json!({"total_count": found.len(), "artifacts": found}).to_string().into())
            }
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    pub(crate) fn gitlab(&mut self, path: &str, call: &Call<'_>) -> Answer {
        let notes = "/api/v4/projects/42/merge_requests/7/notes";
        match path.strip_prefix(notes) {
            None if path == "/api/v4/user" => Ok(json!({"username": "ipai"}).to_string().into()),
            Some("") => self.comments(call, "ipai"),
            Some(id) if call.0 == "PUT" => self.write(id[1..].parse().ok(), &call.2, "ipai"),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    pub(crate) fn package(&mut self, name: &str, (method, _, body): Call<'_>) -> Answer {
        if method == "PUT" {
            self.packages.insert(name.to_owned(), body);
            return Ok(Bytes::new());
        }
        self.packages.get(name).cloned().ok_or(StatusCode::NOT_FOUND)
    }

    /// Lists a page of comments, or writes one.
    fn comments(&mut self, call: &Call<'_>, us: &str) -> Answer {
        if call.0 == "POST" {
            return self.write(None, &call.2, us);
        }
        let number = |name| parameter(call.1, name).map(|text| text.parse::<usize>().unwrap());
        let (size, page) = (number("per_page").unwrap_or(30).min(100), number("page").unwrap_or(1));
        // GitHub calls an author a user, and a name a login.
        let author = if us == "ipai" { "author" } else { "user" };
        let one = |(id, (name, body)): (usize, &(String, String))| json!({"id": id, "body": body, author: {"username": name, "login": name}});
        let all = self.comments.iter().enumerate().map(one).skip(size * (page - 1)).take(size);
        Ok(Value::from_iter(all).to_string().into())
    }

    fn write(&mut self, id: Option<usize>, body: &Bytes, us: &str) -> Answer {
        let text =
            serde_json::from_slice::<Value>(body).unwrap()["body"].as_str().unwrap().to_owned();
        let Some(id) = id else {
            self.comments.push((us.to_owned(), text));
            return Ok("{}".into());
        };
        let comment = self.comments.get_mut(id).ok_or(StatusCode::NOT_FOUND)?;
        comment.1 = text;
        Ok("{}".into())
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
