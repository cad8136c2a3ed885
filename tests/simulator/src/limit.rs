//! Sliding windows: how many requests a token made lately.

use std::collections::{HashMap, VecDeque};

/// Requests of one kind, per token, within a window of seconds.
#[derive(Debug)]
pub(crate) struct Window {
    seconds: u64,
    made: HashMap<String, VecDeque<u64>>,
}

/// What a window says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the request is within the limit. One that is not does not count.
    pub(crate) allowed: bool,
    /// Requests left in the window.
    pub(crate) left: u32,
    /// When the oldest request leaves the window, in Unix seconds.
    pub(crate) reset: u64,
}

/// The windows that the vendors' limits are counted in.
pub(crate) struct Windows {
    pub(crate) hour: Window,
    pub(crate) minute: Window,
    pub(crate) key_lists: Window,
    pub(crate) five_minutes: Window,
    /// Until when Cloudflare blocks everything, in Unix seconds.
    pub(crate) blocked_until: u64,
}

impl Default for Windows {
    fn default() -> Self {
        Windows {
            hour: Window::new(3600),
            minute: Window::new(60),
            key_lists: Window::new(60),
            five_minutes: Window::new(300),
            blocked_until: 0,
        }
    }
}

impl Window {
    pub(crate) fn new(seconds: u64) -> Window {
        Window { seconds, made: HashMap::new() }
    }

    /// Counts a request of `token` at `now` against `limit`.
    pub(crate) fn count(&mut self, token: &str, now: u64, limit: u32) -> Verdict {
        let made = self.made.entry(token.to_owned()).or_default();
        while made.front().is_some_and(|first| first + self.seconds <= now) {
            made.pop_front();
        }
        let used = u32::try_from(made.len()).unwrap_or(u32::MAX);
        let allowed = used < limit;
        if allowed {
            made.push_back(now);
        }
        let reset = made.front().copied().unwrap_or(now) + self.seconds;
        Verdict { allowed, left: limit.saturating_sub(used).saturating_sub(1), reset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_requests_through_again_when_the_oldest_leave() {
        let mut window = Window::new(60);
        assert_eq!(window.count("t", 0, 2), Verdict { allowed: true, left: 1, reset: 60 });
        assert_eq!(window.count("t", 10, 2), Verdict { allowed: true, left: 0, reset: 60 });
        assert_eq!(window.count("t", 59, 2), Verdict { allowed: false, left: 0, reset: 60 });
        assert!(window.count("other", 59, 2).allowed);
        assert_eq!(window.count("t", 60, 2), Verdict { allowed: true, left: 0, reset: 70 });
    }
}
