//! Moments: what a test may see happening, and stop.

use std::sync::{Arc, Mutex, PoisonError};

/// Something that happens in the world at the wish of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// `GET /v2/droplets` for a request, `host 7` for a machine.
    pub what: String,
    /// Which moment of it.
    pub stage: Stage,
}

/// The moments of a request and of a program on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A request was read whole; nothing was done.
    Arrived,
    /// A request was carried out; not a byte of the answer is on its way.
    CarriedOut,
    /// A host was asked to start a program and has not.
    Started,
    /// Bytes for a program are there and have not reached it.
    Input,
    /// Bytes of a program are there and have not been sent.
    Output,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoOn,
    /// It is lost: the connection breaks at this moment.
    Lost,
}

/// Is told of each moment, and decides. It is called on the world's own threads: nothing happens there meanwhile.
pub type Watch = Arc<dyn Fn(&Moment) -> Fate + Send + Sync>;

/// Who watches, if anybody.
#[derive(Default)]
pub(crate) struct Watched(Mutex<Option<Watch>>);

impl Watched {
    pub(crate) fn set(&self, watch: Option<Watch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    }

    /// Tells whoever watches; says whether it is lost.
    pub(crate) fn loses(&self, stage: Stage, what: impl FnOnce() -> String) -> bool {
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(watch) = watch else { return false };
        watch(&Moment { what: what(), stage }) == Fate::Lost
    }
}
