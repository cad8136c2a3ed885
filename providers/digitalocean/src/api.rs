//! DigitalOcean's API, version 2: requests as values, and the few lines that carry them out.

mod error;
mod objects;
mod pages;
mod reader;
mod recorded;
mod requests;
mod reserved_ips;
mod sizes;
mod snapshots;
mod time;
mod volumes;
mod wire;
mod writer;

pub(crate) use error::{ApiError, Kind};
pub(crate) use objects::{
    Action, ActionStatus, Created, Droplet, Firewall, Network, One, Rule, Status, Tag, Targets,
};
pub(crate) use pages::Listed;
pub(crate) use reader::{Reader, Signs};
pub(crate) use recorded::Recorded;
pub(crate) use requests::{Change, Get, Tagged};
pub(crate) use reserved_ips::ReservedIp;
pub(crate) use sizes::Size;
pub(crate) use snapshots::Snapshot;
pub(crate) use time::epoch_of_rfc3339;
pub(crate) use volumes::Volume;
pub(crate) use writer::Writer;
