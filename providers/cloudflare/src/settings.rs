//! What the provider is told: where the API is, the token, and how long and how much it may take.

use std::time::Duration;

use ipai_core::{Fault, RemoteError, Secret, Witness};
use reqwest::Url;

/// Where Cloudflare's API is.
pub const DEFAULT_BASE_URL: &str = "https://api.cloudflare.com/client/v4/";

/// How to reach Cloudflare.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API's address, with or without a slash at its end. Plain HTTP goes to loopback only.
    pub base_url: String,
    /// An API token with Zone:Read and DNS:Edit on the zones of the stack. May be empty while no record is declared.
    pub token: Secret,
    /// How long and how much.
    pub limits: Limits,
    /// Watches every request.
    pub witness: Witness,
}

impl Settings {
    /// Settings for Cloudflare itself.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        let (limits, witness) = Default::default();
        Self { base_url: DEFAULT_BASE_URL.to_owned(), token, limits, witness }
    }
}

/// Bounds on time and size, so that no answer can hold ipai up for ever.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For opening a connection.
    pub connect: Duration,
    /// For one request with its whole answer.
    pub request: Duration,
    /// Bytes of one answer.
    pub body: usize,
    /// How often a read is tried in all when the other side fails or the connection breaks.
    pub tries: u32,
    /// The pause before the second try; it doubles from there.
    pub pause: Duration,
    /// All waiting within one call. Over its rate limit, Cloudflare blocks a user for five minutes.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            body: 64 << 20,
            tries: 4,
            pause: Duration::from_millis(500),
            longest_wait: Duration::from_secs(330),
        }
    }
}

/// Checks the API's address and ends it with a slash, without which its last segment would be lost in joining.
pub(crate) fn base_url(text: &str) -> Result<Url, RemoteError> {
    let refuse = |why: &str| {
        RemoteError::new(Fault::Refused, format!("use `{text}` as Cloudflare's address"), why)
            .hint(format!("set CLOUDFLARE_BASE_URL to an address like {DEFAULT_BASE_URL}"))
    };
    let mut url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        let hidden = RemoteError::new(
            Fault::Refused,
            "use the given address as Cloudflare's",
            "it carries credentials",
        );
        return Err(hidden.hint("give the token in CLOUDFLARE_API_TOKEN and none in the address"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or fragment"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(refuse("plain HTTP would show the token to everybody on the way")),
        _ => return Err(refuse("it is not an https address")),
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Tells whether the address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slash_at_the_end_is_optional() {
        for text in ["http://127.0.0.1:8080/client/v4", "http://127.0.0.1:8080/client/v4/"] {
            assert_eq!(base_url(text).unwrap().as_str(), "http://127.0.0.1:8080/client/v4/");
        }
    }

    #[test]
    fn plain_http_goes_to_loopback_only() {
        for text in ["http://127.9.8.7/", "http://localhost:1/x", "http://[::1]:2/"] {
            assert!(base_url(text).is_ok(), "{text}");
        }
        for text in [
            "http://api.cloudflare.com/client/v4/",
            "http://10.0.0.1/",
            "http://localhost.example/",
        ] {
            assert!(base_url(text).unwrap_err().cause.contains("plain HTTP"), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_base_address() {
        for text in
            ["", "api.cloudflare.com", "ftp://127.0.0.1/", "https://x.example/?a=b", "file:///x"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_in_the_address_are_refused_and_not_repeated() {
        let error = base_url("https://user:hunter2@x.example/").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
