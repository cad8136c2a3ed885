//! Reading. Whoever holds only this cannot change anything.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipai_core::RemoteError;
use serde::de::DeserializeOwned;

use super::error::{ApiError, Kind};
use super::objects::{Action, Droplet, One, Tag};
use super::requests::Get;
use super::wire::{Answer, Call, Wire};
use crate::settings::Settings;

/// How often a request that may be repeated is sent at most.
const TRIES: u32 = 5;
/// No single pause between two tries is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// Reads from the API.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(super) wire: Arc<Wire>,
}

impl Reader {
    pub(crate) fn new(settings: &Settings) -> Result<Self, RemoteError> {
        Ok(Self { wire: Arc::new(Wire::new(settings)?) })
    }

    /// Reads one JSON answer.
    pub(crate) async fn get<T: DeserializeOwned>(&self, get: &Get) -> Result<T, ApiError> {
        let call = Call::from(get);
        self.answer(get).await?.json(&call)
    }

    pub(super) async fn answer(&self, get: &Get) -> Result<Answer, ApiError> {
        self.wire.repeatedly(&Call::from(get), Repeat::Harmless).await
    }

    /// One droplet, and the server's clock.
    pub(crate) async fn droplet(&self, id: u64) -> Result<(Droplet, i64), ApiError> {
        let get = Get::droplet(id);
        let answer = self.answer(&get).await?;
        let droplet = answer.json::<One<Droplet>>(&Call::from(&get))?.0;
        Ok((droplet, answer.date.unwrap_or_else(local_clock)))
    }

    /// One action.
    pub(crate) async fn action(&self, id: u64) -> Result<Action, ApiError> {
        Ok(self.get::<One<Action>>(&Get::action(id)).await?.0)
    }

    /// One tag.
    pub(crate) async fn tag(&self, name: &str) -> Result<Tag, ApiError> {
        Ok(self.get::<One<Tag>>(&Get::tag(name)).await?.0)
    }
}

/// What an answer tells besides what was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// The server's clock, seconds since 1970.
    pub(crate) date: Option<i64>,
    /// How many requests are left in this hour.
    pub(crate) remaining: Option<u64>,
    /// Of how many.
    pub(crate) limit: Option<u64>,
}

impl Reader {
    /// Reads one JSON answer, and what its headers tell.
    pub(crate) async fn get_with_signs<T: DeserializeOwned>(
        &self,
        get: &Get,
    ) -> Result<(T, Signs), ApiError> {
        let answer = self.answer(get).await?;
        let Answer { date, remaining, limit, .. } = answer;
        Ok((answer.json(&Call::from(get))?, Signs { date, remaining, limit }))
    }
}

/// What it means that a request is carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The same as once.
    Harmless,
    /// Something that nobody asked for.
    Harmful,
}

impl Wire {
    /// Sends a request again when it failed in a way that may pass.
    pub(super) async fn repeatedly(
        &self,
        call: &Call<'_>,
        repeat: Repeat,
    ) -> Result<Answer, ApiError> {
        let mut tries = 1;
        loop {
            let result = self.patiently(call).await;
            let again = match &result {
                Ok(_) => false,
                Err(error) => match error.kind {
                    Kind::Unsent => true,
                    Kind::NoAnswer | Kind::Status(500..) => repeat == Repeat::Harmless,
                    _ => false,
                },
            };
            if !again || tries >= TRIES {
                return result;
            }
            tokio::time::sleep(self.pause(tries)).await;
            tries += 1;
        }
    }

    /// Sends a request until it is not turned away by a rate limit. Being turned away means that nothing was
    /// done, so this is right for every request.
    async fn patiently(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let mut left = self.limits.rate;
        loop {
            let answer = self.send(call).await?;
            let wait = imposed(&answer).unwrap_or(LONGEST_PAUSE);
            if answer.status != 429 || wait > left {
                return answer.checked(call);
            }
            tokio::time::sleep(wait).await;
            left -= wait;
        }
    }

    /// Half of the pause is fixed and half is chance, so that clients that failed together do not return together.
    fn pause(&self, tries: u32) -> Duration {
        let full = self.limits.backoff.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
        full.mul_f64(0.5 + (self.jitter)().clamp(0.0, 1.0) / 2.0)
    }
}

/// How long an answer asks to wait. A burst names seconds; the hour names the second at which it ends.
pub(super) fn imposed(answer: &Answer) -> Option<Duration> {
    let at_least_one = |seconds: u64| Duration::from_secs(seconds.max(1));
    let until_reset = || {
        let now = answer.date.unwrap_or_else(local_clock);
        u64::try_from(answer.reset?.saturating_sub(now)).ok().or(Some(1))
    };
    answer.retry_after.or_else(until_reset).map(at_least_one)
}

/// This machine's clock, for answers without a date.
pub(super) fn local_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_waited_out_as_told_and_the_hour_until_its_reset() {
        let limited = |retry_after, date, reset| {
            let mut answer = Answer::default();
            (answer.retry_after, answer.date, answer.reset) = (retry_after, date, reset);
            imposed(&answer)
        };
        assert_eq!(limited(Some(7), None, Some(500)), Some(Duration::from_secs(7)));
        assert_eq!(limited(None, Some(460), Some(500)), Some(Duration::from_secs(40)));
        assert_eq!(limited(None, Some(600), Some(500)), Some(Duration::from_secs(1)));
        assert_eq!(imposed(&Answer::default()), None);
    }
}
