//! What a run did and how long it took, for whoever looks for a fault: `IPAI_LOG`, `--log-file`, `--timings`.
//!
//! Events of ipai's own are taken and no others: libraries may tell headers and bodies. Those that ipai tells hold
//! names, sizes and times; no token, no secret, no body.

mod line;
mod tally;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{Registry, registry::Scope};

use crate::bars;
use line::Fields;
use tally::Tally;
pub use tally::{Row, Timings};

/// The spans that are phases of a run; the log's own word for them.
const PHASE: &str = "ipai::phase";

/// A part of a run whose time is measured. Phases do not overlap.
#[must_use]
pub fn phase(name: &'static str) -> Span {
    tracing::info_span!(target: "ipai::phase", "phase", name)
}

/// What is to be written down, and where.
#[derive(Debug)]
pub struct Wanted {
    /// From which level on.
    pub level: LevelFilter,
    /// Standard error without one.
    pub file: Option<PathBuf>,
    /// Whether times and requests are counted.
    pub timings: bool,
}

/// Reads `IPAI_LOG`; nothing when it names no level.
#[must_use]
pub fn level(text: &str) -> Option<LevelFilter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    levels.contains(&text).then(|| text.parse().ok()).flatten()
}

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    begun: Instant,
    tally: Arc<Mutex<Tally>>,
    sink: Arc<Sink>,
}

#[derive(Debug)]
enum Sink {
    Talk,
    File(Mutex<File>, AtomicBool),
}

impl Log {
    /// Begins; nothing where nothing is wanted, and then events cost nothing.
    ///
    /// # Errors
    /// The file cannot be written, or the process has a log already.
    pub fn begin(wanted: &Wanted) -> io::Result<Option<Self>> {
        if wanted.level == LevelFilter::OFF && !wanted.timings {
            return Ok(None);
        }
        let sink = Arc::new(match &wanted.file {
            Some(path) if wanted.level != LevelFilter::OFF => {
                Sink::File(Mutex::new(open(path)?), AtomicBool::new(false))
            }
            _ => Sink::Talk,
        });
        let tally = Arc::default();
        let (level, timings) = (wanted.level, wanted.timings);
        let keeper = Keeper { level, timings, sink: Arc::clone(&sink), tally: Arc::clone(&tally) };
        tracing::subscriber::set_global_default(Registry::default().with(keeper))
            .map_err(io::Error::other)?;
        Ok(Some(Self { begun: Instant::now(), tally, sink }))
    }

    /// Where the time went until now.
    #[must_use]
    pub fn timings(&self) -> Timings {
        lock(&self.tally).until(self.begun.elapsed())
    }

    /// Tells whether a line could not be written.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.sink.as_ref(), Sink::File(_, cut) if cut.load(Ordering::Relaxed))
    }
}

/// Appends, and lets nobody else read what is made.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

impl Sink {
    fn write(&self, line: &str) {
        match self {
            Self::Talk => bars::say(line),
            Self::File(file, cut) => {
                // One write for a line: others may append to the same file.
                if lock(file).write_all(line.as_bytes()).is_err() {
                    cut.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Takes spans and events.
struct Keeper {
    level: LevelFilter,
    timings: bool,
    sink: Arc<Sink>,
    tally: Arc<Mutex<Tally>>,
}

/// What is kept of a span.
struct Told {
    name: String,
    begun: Instant,
}

impl Keeper {
    fn takes(&self, level: &tracing::Level) -> bool {
        *level <= self.level
    }

    fn write(&self, level: &tracing::Level, within: &str, words: &str) {
        self.sink.write(&line::line(level, within, words));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let own = metadata.target() == "ipai" || metadata.target().starts_with("ipai::");
        // Whatever is written, it is said within what it happened.
        own && (metadata.is_span() || self.timings || self.takes(metadata.level()))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let least = if self.timings { LevelFilter::DEBUG } else { LevelFilter::INFO };
        Some(self.level.max(least))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            let name = fields.name.unwrap_or_else(|| attributes.metadata().name().to_owned());
            span.extensions_mut().insert(Told { name, begun: Instant::now() });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (within, phase) = place(context.event_scope(event));
        let vendor = fields.vendor.as_deref();
        lock(&self.tally).count(phase, vendor, fields.message.as_deref().unwrap_or_default());
        if self.takes(event.metadata().level()) {
            self.write(event.metadata().level(), &within, &fields.words());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id).filter(|span| span.metadata().target() == PHASE) else {
            return;
        };
        let took = span.extensions().get::<Told>().map(|told| told.begun.elapsed());
        let took = took.unwrap_or_default();
        let (within, phase) = place(Some(span.scope()));
        lock(&self.tally).spent(phase, took);
        if self.takes(&tracing::Level::INFO) {
            let words = format!("over ms={}", took.as_millis());
            self.write(&tracing::Level::INFO, &within, &words);
        }
    }
}

/// The names of the spans that something is in, outermost first, and the phase among them.
fn place<'a, S: LookupSpan<'a>>(scope: Option<Scope<'a, S>>) -> (String, Option<String>) {
    let (mut names, mut phase) = (Vec::new(), None);
    for span in scope.into_iter().flat_map(Scope::from_root) {
        let name = name(&span);
        if span.metadata().target() == PHASE {
            phase = Some(name.clone());
        }
        names.push(name);
    }
    (names.join(":"), phase)
}

fn name<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> String {
    span.extensions().get::<Told>().map(|told| told.name.clone()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_one_of_the_words_and_nothing_else() {
        assert_eq!(level("trace"), Some(LevelFilter::TRACE));
        assert_eq!(level("off"), Some(LevelFilter::OFF));
        for wrong in ["", "TRACE", "3", "verbose", "info,ipai=trace"] {
            assert_eq!(level(wrong), None, "{wrong}");
        }
    }
}
