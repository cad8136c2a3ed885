//! Observing and executing against a simulated DigitalOcean.

#![allow(clippy::unwrap_used)]

mod answers;
mod droplets;
mod firewalls;
mod killed;
mod stage;
mod vendor_document;
