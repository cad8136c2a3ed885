//! The pipelines that ship, run by their own steps as a runner would: `CI=true`, no terminal, a shallow clone, cancelled.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "pipelines/alarm.rs"]
mod alarm;
#[path = "pipelines/cancel.rs"]
mod cancel;
#[path = "pipelines/clones.rs"]
mod clones;
mod common;
#[path = "pipelines/expression.rs"]
mod expression;
#[path = "pipelines/forge.rs"]
mod forge;
#[path = "pipelines/forged.rs"]
mod forged;
#[path = "pipelines/gitlab.rs"]
mod gitlab;
#[path = "pipelines/kept.rs"]
mod kept;
#[path = "pipelines/merge.rs"]
mod merge;
#[path = "pipelines/review.rs"]
mod review;
#[path = "pipelines/runner.rs"]
mod runner;
#[path = "pipelines/scene.rs"]
mod scene;
#[path = "pipelines/shape.rs"]
mod shape;
#[path = "pipelines/step.rs"]
mod step;
#[path = "pipelines/timers.rs"]
mod timers;
