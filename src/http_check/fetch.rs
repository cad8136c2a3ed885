//! One question by HTTP, asked from this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipai_core::certificate::not_after;
use ipai_core::check::{Answer, Question, Way};

use super::{NOT_BELIEVED, Reach};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const LONGEST: usize = 1 << 20;

/// An answer, and until when the certificate holds that came with it, in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// What was answered.
    pub answer: Answer,
    /// The end of the certificate.
    pub certificate_ends: Option<i64>,
}

/// Asks at this address instead of the one that the URL's name has, if one is given.
///
/// # Errors
/// Why there is no answer; the text holds nothing of what was sent.
pub async fn fetch(
    question: &Question,
    address: Option<IpAddr>,
    reach: &Reach,
) -> Result<Fetched, String> {
    let Way::Url { url, headers, body } = &question.way else {
        return Err("it is not asked by URL".to_owned());
    };
    let url = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let client = client(&url, address, reach, question.authority.as_deref())?;
    let mut request = match body {
        None => client.get(url),
        Some(body) => client
            .post(url)
            .header("content-type", "application/json")
            .body(body.expose().to_owned()),
    };
    for (name, value) in headers {
        request = request.header(name, value.expose());
    }
    let mut response = request.send().await.map_err(chain).map_err(|why| {
        let hint = if why.contains("UnknownIssuer") { NOT_BELIEVED } else { "" };
        why + hint
    })?;
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = response.headers().iter().map(|(k, v)| (k.as_str().to_owned(), text(v)));
    let headers = headers.collect();
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate_ends = shown.and_then(|tls| not_after(tls.peer_certificate()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(format!("the answer is longer than {LONGEST} bytes"));
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Fetched { answer: Answer { status, headers, body }, certificate_ends })
}

fn client(
    url: &reqwest::Url,
    address: Option<IpAddr>,
    reach: &Reach,
    authority: Option<&str>,
) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .timeout(LIMIT)
        .tls_info(true)
        .redirect(reqwest::redirect::Policy::none());
    if let (Some(address), Some(name)) = (address, url.host_str()) {
        builder = builder.resolve(name, SocketAddr::new(address, 0));
    }
    let mut believed: Vec<&str> = authority.into_iter().collect();
    if let Reach::Trusting(authorities) = reach {
        builder = builder.no_proxy();
        believed.extend(authorities.iter().map(String::as_str));
    }
    for text in believed {
        let found = reqwest::Certificate::from_pem_bundle(text.as_bytes()).map_err(chain)?;
        builder = found.into_iter().fold(builder, |all, one| all.add_root_certificate(one));
    }
    builder.build().map_err(chain)
}

/// An error with its causes, which reqwest keeps apart.
pub(crate) fn chain(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
