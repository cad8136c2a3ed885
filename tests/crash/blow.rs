//! What hits a run, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use ipai_core::{BoxFuture, Phase, Step, Steps};
use ipai_simulator::{Fate, FaultKind, Moment, Stage, Watch};
use tokio::sync::Notify;

/// How a run is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Killed before the step.
    Before,
    /// Killed while the step is carried out: a request after the world obeyed it and before a byte of the answer, a
    /// command in the midst of its script.
    Sent,
    /// Killed when so many tenths of the time have passed that a command takes.
    Midway(u8),
    /// Killed when the answer is there and nothing was done about it.
    Answered,
    /// The request is carried out, the answer is lost.
    LostAnswer,
    /// The request is carried out, and no answer comes within the time that one may take.
    Timeout,
    /// The connection is reset before anything happens.
    Reset,
    /// Turned away by the rate limit.
    Throttled,
    /// Status 500 in the vendors' form.
    Error,
    /// Status 503 with a page of HTML.
    Page,
    /// The connection to the host breaks when so many bytes have gone in: the step is their number.
    CutIn,
    /// The same with bytes that come out.
    CutOut,
}

pub const KILLS: [How; 3] = [How::Before, How::Sent, How::Answered];

/// The names of the tenths.
const MIDWAYS: [&str; 10] =
    ["mid0", "mid1", "mid2", "mid3", "mid4", "mid5", "mid6", "mid7", "mid8", "mid9"];

/// What can become of the answer to any request.
pub const ANSWERS: [How; 6] =
    [How::LostAnswer, How::Timeout, How::Reset, How::Throttled, How::Error, How::Page];

/// How long a request may take in a run in which one answer never comes.
pub const LONGEST_REQUEST: Duration = Duration::from_millis(250);

/// A blow at one place of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Which step, which request, or after how many bytes.
    pub at: u64,
    pub how: How,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Sent => "sent",
            Self::Midway(tenths) => MIDWAYS[usize::from(tenths) % MIDWAYS.len()],
            Self::Answered => "answered",
            Self::LostAnswer => "lost-answer",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Throttled => "429",
            Self::Error => "500",
            Self::Page => "503",
            Self::CutIn => "cut-in",
            Self::CutOut => "cut-out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let all = KILLS
            .into_iter()
            .chain(ANSWERS)
            .chain([Self::CutIn, Self::CutOut])
            .chain((0..10).map(Self::Midway));
        all.into_iter().find(|how| how.name() == text)
    }

    /// What the simulator does to a request, when this is something that it does.
    pub fn fault(self) -> Option<FaultKind> {
        let respond = |status, headers: &[(&str, &str)], body: &str| FaultKind::Respond {
            status,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.to_owned(),
        };
        let limited = r#"{"id":"too_many_requests","message":"API Rate limit exceeded.","success":false,"errors":[{"code":10013,"message":"slow down"}],"result":null}"#;
        let broken = r#"{"id":"server_error","message":"Unexpected server-side error","success":false,"errors":[{"code":1000,"message":"oops"}],"result":null}"#;
        match self {
            Self::LostAnswer => Some(FaultKind::DropAfter),
            Self::Timeout => Some(FaultKind::Silence(LONGEST_REQUEST * 3)),
            Self::Reset => Some(FaultKind::Reset),
            Self::Throttled => Some(respond(429, &[("retry-after", "0")], limited)),
            Self::Error => Some(respond(500, &[], broken)),
            Self::Page => {
                Some(respond(503, &[("content-type", "text/html")], "<html><h1>503</h1></html>"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at, self.how.name())
    }
}

impl Blow {
    pub fn parse(text: &str) -> Option<Self> {
        let (at, how) = text.split_once(':')?;
        Some(Self { at: at.parse().ok()?, how: How::parse(how)? })
    }
}

/// Watches one run's steps and stops it at one of them.
#[derive(Default)]
pub struct Killer {
    target: Option<Blow>,
    /// How long the step takes when nothing happens to it.
    usual: Duration,
    names: Mutex<Vec<String>>,
    /// When each step began, and when it was answered.
    times: Mutex<BTreeMap<u64, (Instant, Option<Instant>)>>,
    /// The request during which the run is to be killed, once it has begun.
    armed: Mutex<Option<String>>,
    kill: Notify,
    struck: AtomicBool,
    dead: Mutex<bool>,
    died: Condvar,
}

impl Killer {
    pub fn new(target: Option<Blow>) -> Arc<Self> {
        Self::knowing(target, Duration::ZERO)
    }

    /// One that knows how long the step usually takes.
    pub fn knowing(target: Option<Blow>, usual: Duration) -> Arc<Self> {
        Arc::new(Self { target, usual, ..Self::default() })
    }

    /// How long each step took.
    pub fn durations(&self) -> Vec<Duration> {
        let times = self.times.lock().unwrap();
        times
            .values()
            .map(|(began, ended)| ended.map_or(Duration::ZERO, |ended| ended - *began))
            .collect()
    }

    /// Tells whether this run must not wait long for an answer.
    pub fn hurries(&self) -> bool {
        self.target.is_some_and(|target| target.how == How::Timeout)
    }

    /// Waits until the run is to be killed.
    pub async fn killed(&self) {
        self.kill.notified().await;
    }

    /// Tells that nothing of the run is left.
    pub fn bury(&self) {
        *self.dead.lock().unwrap() = true;
        self.died.notify_all();
    }

    /// Names of the steps that began, in their order.
    pub fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    fn strike(&self) {
        self.struck.store(true, Ordering::SeqCst);
        self.kill.notify_one();
    }

    /// Kills the run while the world has carried out the request it is waiting for.
    fn witness(&self, moment: &Moment) {
        let mut armed = self.armed.lock().unwrap();
        if moment.stage != Stage::CarriedOut || armed.as_ref() != Some(&moment.what) {
            return;
        }
        *armed = None;
        drop(armed);
        self.strike();
        let dead = self.dead.lock().unwrap();
        // The limit only keeps a mistake in the tests from hanging them.
        let wait = self.died.wait_timeout_while(dead, Duration::from_secs(5), |dead| !*dead);
        assert!(!wait.unwrap().1.timed_out(), "the run was not killed");
    }

    /// What the simulator calls; `also` is told of everything.
    pub fn watch(self: &Arc<Self>, also: impl Fn(&Moment) + Send + Sync + 'static) -> Watch {
        let own = Arc::clone(self);
        Arc::new(move |moment| {
            also(moment);
            own.witness(moment);
            Fate::GoOn
        })
    }

    fn is_at(&self, step: &Step) -> bool {
        let phase = match self.target.map(|target| target.how) {
            Some(How::Before) => Phase::Before,
            Some(How::Sent | How::Midway(_)) => Phase::Sent,
            Some(How::Answered) => Phase::Answered,
            _ => return false,
        };
        self.target.is_some_and(|target| target.at == step.number) && phase == step.phase
    }
}

fn is_request(step: &Step) -> bool {
    step.name.contains(" /")
}

impl Steps for Killer {
    fn reach(&self, step: Step) -> BoxFuture<'_, ()> {
        match step.phase {
            Phase::Before => {
                self.times.lock().unwrap().insert(step.number, (Instant::now(), None));
            }
            Phase::Answered => drop(
                self.times
                    .lock()
                    .unwrap()
                    .get_mut(&step.number)
                    .map(|t| t.1 = Some(Instant::now())),
            ),
            Phase::Sent => {}
        }
        if step.phase == Phase::Before {
            self.names.lock().unwrap().push(step.name.clone());
            let sent = Step { phase: Phase::Sent, ..step.clone() };
            if self.is_at(&sent) && is_request(&step) {
                *self.armed.lock().unwrap() = Some(step.name.clone());
            }
        }
        let here = self.is_at(&step);
        Box::pin(async move {
            if !here {
                return;
            }
            if step.phase != Phase::Sent {
                self.strike();
            } else if !is_request(&step) {
                let tenths = match self.target.map(|target| target.how) {
                    Some(How::Midway(tenths)) => u32::from(tenths),
                    _ => u32::try_from(step.number * 7 % 10).unwrap_or(0),
                };
                tokio::time::sleep(self.usual * tenths / 10).await;
                self.strike();
            }
            std::future::pending::<()>().await;
        })
    }
}
