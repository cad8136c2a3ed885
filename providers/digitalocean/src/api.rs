//! DigitalOcean's API, version 2: requests as values, and the few lines that carry them out.

mod error;
mod objects;
mod pages;
mod reader;
mod recorded;
mod requests;
mod time;
mod wire;
mod writer;

pub(crate) use error::{ApiError, Kind};
pub(crate) use objects::{
    Action, ActionStatus, Created, Droplet, Firewall, Network, One, ReservedIp, Rule, Status, Tag,
    Targets,
};
pub(crate) use reader::{Reader, Signs};
pub(crate) use recorded::Recorded;
pub(crate) use requests::{Change, Get};
pub(crate) use time::epoch_of_rfc3339;
pub(crate) use writer::Writer;
