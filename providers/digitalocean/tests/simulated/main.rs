//! Observing and executing against a simulated DigitalOcean.

#![allow(clippy::unwrap_used)]

mod answers;
mod droplets;
mod firewalls;
mod kept;
mod killed;
mod reserved_ips;
mod snapshots;
mod stage;
mod vendor_document;
mod volumes;
