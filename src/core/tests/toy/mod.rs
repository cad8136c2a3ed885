//! A provider small enough to see through, and a world in memory that obeys its plans.

#![allow(dead_code, unused_imports, reason = "every test file uses its own part of this module")]

mod setting;
mod show;
mod story;
mod types;
mod world;

pub(crate) use setting::{Setting, address};
pub(crate) use show::{flush, show};
pub(crate) use story::{HOUSE, RECORD, Story, soundness};
pub(crate) use types::types;
pub(crate) use world::World;
