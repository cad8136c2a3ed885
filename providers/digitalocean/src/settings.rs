//! What the provider is told by whoever builds it; it reads no environment itself.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ipai_core::{Fault, RemoteError, Secret, Witness};
use reqwest::Url;

/// The service itself.
pub const DEFAULT_BASE_URL: &str = "https://api.digitalocean.com";

/// Spreads retries of several clients: each call gives a number from 0 up to 1.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// How to reach DigitalOcean and how long to wait for it.
#[derive(Clone)]
pub struct Settings {
    /// Where the API is, without `/v2`; from `DIGITALOCEAN_API_URL`, else [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// The API token.
    pub token: Secret,
    /// How long to pause between two looks at something that is waited for.
    pub poll: Duration,
    /// The longest waits.
    pub limits: Limits,
    /// What ipai calls itself.
    pub user_agent: String,
    /// Spreads retries.
    pub jitter: Jitter,
    /// Watches every request.
    pub witness: Witness,
}

/// The longest waits, each for one thing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// One request and its answer.
    pub request: Duration,
    /// The first pause before a failed request is repeated; it doubles each time.
    pub backoff: Duration,
    /// Requests in any minute; further ones wait. DigitalOcean turns a token away at 250.
    pub per_minute: u32,
    /// All pauses together that a rate limit may impose on one request.
    pub rate: Duration,
    /// From an accepted create until the droplet is active.
    pub create: Duration,
    /// From active until the public address shows.
    pub address: Duration,
    /// Until tags show that were given at creation.
    pub tags: Duration,
    /// Looking for a droplet whose create was sent and never answered.
    pub lookup: Duration,
    /// An action on a droplet, such as a resize.
    pub action: Duration,
    /// A graceful shutdown; afterwards the power is cut.
    pub shutdown: Duration,
    /// Until a deleted droplet is gone.
    pub delete: Duration,
    /// Until an event that blocks the wanted one is over.
    pub pending: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            request: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            per_minute: 240,
            rate: minutes(3),
            create: minutes(15),
            address: minutes(5),
            tags: Duration::from_secs(30),
            lookup: Duration::from_secs(45),
            action: minutes(30),
            shutdown: minutes(1),
            delete: minutes(5),
            pending: minutes(5),
        }
    }
}

impl Settings {
    /// Settings for the service itself, polling every three seconds.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            token,
            poll: Duration::from_secs(3),
            limits: Limits::default(),
            user_agent: concat!("ipai/", env!("CARGO_PKG_VERSION")).to_owned(),
            jitter: Arc::new(random_fraction),
            witness: Witness::default(),
        }
    }
}

impl Settings {
    /// Polls so often, and shortens in proportion what is waited for in vain: for services that are quicker, or slower,
    /// than the real one. Limits that only end what has gone wrong stay.
    #[must_use]
    pub fn polling(mut self, poll: Duration) -> Self {
        let ratio = poll.as_secs_f64() / self.poll.as_secs_f64().max(f64::EPSILON);
        for limit in [&mut self.limits.backoff, &mut self.limits.tags, &mut self.limits.lookup] {
            *limit = limit.mul_f64(ratio.min(10.0));
        }
        self.poll = poll;
        self
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_url", &self.base_url)
            .field("token", &self.token)
            .field("poll", &self.poll)
            .field("limits", &self.limits)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// A number from 0 up to 1 from the randomness that the standard library seeds its hash maps with.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 40;
    // 24 bits fit a float exactly.
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24)
}

/// Reads the base URL: https anywhere, plain http to this machine only, because a token travels with every request.
pub(crate) fn base(text: &str) -> Result<Url, RemoteError> {
    let refuse = |cause: &str| {
        Err(RemoteError::new(Fault::Denied, "use the DigitalOcean API address", cause)
            .hint("set DIGITALOCEAN_API_URL to something like https://api.digitalocean.com, or leave it out"))
    };
    let trimmed = text.trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/v2").unwrap_or(trimmed);
    let Ok(url) = Url::parse(trimmed) else { return refuse(&format!("`{text}` is not a URL")) };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it carries a user name or password");
    }
    match url.scheme() {
        _ if url.query().is_some() || url.fragment().is_some() => refuse("it carries a query"),
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => refuse(&format!("`{text}` would send the token unencrypted; use https")),
        _ => refuse(&format!("`{text}` is neither https nor http")),
    }
}

/// Tells whether the URL names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_anywhere_and_http_on_this_machine() {
        for good in [
            DEFAULT_BASE_URL,
            "http://127.0.0.1:8080",
            "http://localhost:1/",
            "http://[::1]:9",
            "https://proxy.example.com/digitalocean",
        ] {
            assert!(base(good).is_ok(), "{good}");
        }
        assert_eq!(
            base("https://api.example.com/v2/").unwrap().as_str(),
            "https://api.example.com/"
        );
    }

    #[test]
    fn refuses_addresses_that_would_leak_the_token() {
        for bad in [
            "http://api.digitalocean.com",
            "ftp://127.0.0.1",
            "nonsense",
            "",
            "https://user:pass@api.digitalocean.com",
            "http://127.0.0.1.example.com",
        ] {
            assert_eq!(base(bad).unwrap_err().fault, Fault::Denied, "{bad}");
        }
    }

    #[test]
    fn settings_do_not_print_the_token() {
        let printed = format!("{:?}", Settings::new(Secret::new("dop_v1_abc".into())));
        assert!(!printed.contains("dop_v1_abc"), "{printed}");
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        assert!((0..100).map(|_| random_fraction()).all(|f| (0.0..1.0).contains(&f)));
    }
}
