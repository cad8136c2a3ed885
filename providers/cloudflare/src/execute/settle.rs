//! After a lost or refused batch: what of it is already so, and what is left to do.

use std::collections::BTreeMap;

use ipai_core::{Attributes, Fault, Outputs, RemoteError};

use super::step::{Goal, Step, comment};
use super::{Ended, ended};
use crate::dns_record::{RecordType, live, wanted};
use crate::marker::Marker;
use crate::wire::Record;

/// How a step stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is over, well or not.
    Over(Ended),
    /// Something is left to do.
    Left(Box<Step>),
}

/// Compares a step with the records that the zone holds now.
pub(super) fn settle(mut step: Step, records: &BTreeMap<&str, &Record>, zone: &str) -> Standing {
    let old = step.delete.take_if(|(id, _)| !records.contains_key(id.as_str())).map(|(id, _)| id);
    let doomed = step.delete.as_ref().map(|(id, _)| id.clone()).or(old);
    if let Some((id, _)) = &step.patch {
        match (records.get(id.as_str()), &step.goal) {
            (None, Goal::Unmarked) => return Standing::Over(ended(&step, Ok(Outputs::new()))),
            (None, _) => {
                let error =
                    RemoteError::new(Fault::NotFound, &*step.attempted, "the record is gone")
                        .hint("it was removed meanwhile; run `ipai plan` again");
                return Standing::Over(ended(&step, Err(error)));
            }
            (Some(record), goal) if is_reached(record, goal, zone) => {
                step.outputs = outputs(record, goal);
                step.patch = None;
            }
            _ => {}
        }
    }
    if step.post.is_some()
        && let Goal::Record(marker, attributes) = &step.goal
        && let Some((record, found)) = created(records, marker, attributes, zone, doomed.as_deref())
    {
        step.post = None;
        step.outputs = live::outputs(record);
        step.patch = (found != *marker).then(|| comment(&record.id, &marker.to_string()));
    }
    if step.size() == 0 {
        return Standing::Over(ended(&step, Ok(step.outputs.clone())));
    }
    Standing::Left(Box::new(step))
}

/// The outputs that a step has once its goal is reached at this record.
pub(super) fn outputs(record: &Record, goal: &Goal) -> Outputs {
    match goal {
        Goal::Record(..) | Goal::Marked(_) => live::outputs(record),
        Goal::Gone | Goal::Unmarked => Outputs::new(),
    }
}

fn is_reached(record: &Record, goal: &Goal, zone: &str) -> bool {
    let marker = record.comment.as_deref().and_then(Marker::parse);
    match goal {
        Goal::Gone => false,
        Goal::Unmarked => record.comment.as_deref().unwrap_or_default().is_empty(),
        Goal::Marked(wanted) => marker.as_ref() == Some(wanted),
        Goal::Record(wanted, attributes) => {
            marker.as_ref() == Some(wanted) && has(record, attributes, zone)
        }
    }
}

/// The record that a lost call has created, or that was there with our marker before.
fn created<'a>(
    records: &BTreeMap<&str, &'a Record>,
    wanted: &Marker,
    attributes: &Attributes,
    zone: &str,
    doomed: Option<&str>,
) -> Option<(&'a Record, Marker)> {
    records.values().find_map(|record| {
        let marker = record.comment.as_deref().and_then(Marker::parse)?;
        let ours = (&marker.stack, &marker.name) == (&wanted.stack, &wanted.name);
        let created = ours && Some(&*record.id) != doomed && has(record, attributes, zone);
        created.then_some((*record, marker))
    })
}

fn has(record: &Record, attributes: &Attributes, zone: &str) -> bool {
    let Some(kind) = RecordType::parse(&record.kind) else { return false };
    let Ok(found) = live::attributes(kind, record, zone) else { return false };
    found.iter().all(|(name, value)| wanted::same(Some(value), attributes.get(name)))
}
