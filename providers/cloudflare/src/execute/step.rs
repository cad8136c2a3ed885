//! One job as changes of a batch.

use ipai_core::{
    Address, Attributes, Fault, Job, LiveResource, Outputs, RemoteError, StackId, Value, Verb,
};
use serde_json::{Value as Json, json};

use crate::dns_record::{SCHEMA, text, wanted};
use crate::marker::Marker;
use crate::txt;

/// What a job wants of the API, and how it is recognised as done.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The job's place among those that were handed over.
    pub(super) place: usize,
    pub(super) address: Address,
    /// In words: `create the record A chat.example.com`.
    pub(super) attempted: String,
    /// The id of a record to delete, and the name under which it stands.
    pub(super) delete: Option<(String, String)>,
    /// The id of a record to change, and the change.
    pub(super) patch: Option<(String, Json)>,
    /// A record to create.
    pub(super) post: Option<Json>,
    /// What is true afterwards.
    pub(super) goal: Goal,
    /// The outputs, as far as known without another answer.
    pub(super) outputs: Outputs,
}

/// What is true when a job is done.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// The record is gone.
    Gone,
    /// A record with this marker has these attributes.
    Record(Marker, Attributes),
    /// The record carries this marker.
    Marked(Marker),
    /// The record carries no marker.
    Unmarked,
}

impl Step {
    /// How many changes of a batch it takes.
    pub(super) fn size(&self) -> usize {
        usize::from(self.delete.is_some())
            + usize::from(self.patch.is_some())
            + usize::from(self.post.is_some())
    }

    /// The name under which it creates a record.
    pub(super) fn enters(&self) -> Option<&str> {
        self.post.as_ref()?.get("name")?.as_str()
    }

    /// The name under which it deletes a record.
    pub(super) fn leaves(&self) -> Option<&str> {
        self.delete.as_ref().map(|(_, name)| name.as_str())
    }

    /// The secret that it sends, if any, in both of its spellings.
    pub(super) fn secrets(&self) -> Vec<String> {
        let Goal::Record(_, attributes) = &self.goal else { return Vec::new() };
        let Some(Value::Secret(secret)) = attributes.get("content") else { return Vec::new() };
        let plain = secret.text.expose();
        vec![txt::quoted(plain).trim_matches('"').to_owned(), plain.to_owned()]
    }
}

/// Turns a job into a step; there is none when nothing has to be called.
pub(super) fn of(place: usize, job: Job) -> Result<Option<Step>, RemoteError> {
    let attempted = attempted(&job);
    let Job { stack, address, verb, desired, version, live, .. } = job;
    let step = |goal| Step {
        place,
        address: address.clone(),
        attempted: attempted.clone(),
        delete: None,
        patch: None,
        post: None,
        goal,
        outputs: Outputs::new(),
    };
    let incomplete = |what: &str| RemoteError::new(Fault::NotFound, &*attempted, what);
    let observed = || live.as_ref().ok_or_else(|| incomplete("the plan holds no observed record"));
    let wanted = || {
        let desired =
            desired.as_ref().ok_or_else(|| incomplete("the plan holds no desired record"))?;
        let attributes = wanted::settled(&desired.attributes).map_err(|bad| {
            let error = RemoteError::new(Fault::Refused, &*attempted, bad.detail);
            RemoteError { hint: bad.hint.map(str::to_owned), ..error }
        })?;
        let version = version.clone().or_else(|| desired.version(SCHEMA));
        Ok((marker(&stack, &address, version), attributes))
    };
    Ok(Some(match verb {
        Verb::NoOp => return Ok(None),
        Verb::Create => {
            let (marker, attributes) = wanted()?;
            let post = Some(wanted::post(&attributes, &marker.to_string()));
            Step { post, ..step(Goal::Record(marker, attributes)) }
        }
        Verb::Update => {
            let (live, (marker, attributes)) = (observed()?, wanted()?);
            let body = wanted::patch(&live.id, &live.attributes, &attributes, &marker.to_string());
            let patch = Some((live.id.clone(), body));
            Step { patch, ..step(Goal::Record(marker, attributes)) }
        }
        Verb::Replace => {
            let (live, (marker, attributes)) = (observed()?, wanted()?);
            let post = Some(wanted::post(&attributes, &marker.to_string()));
            Step { delete: Some(standing(live)), post, ..step(Goal::Record(marker, attributes)) }
        }
        Verb::Delete => match &live {
            Some(live) => Step { delete: Some(standing(live)), ..step(Goal::Gone) },
            None => return Ok(None),
        },
        Verb::Adopt => {
            let live = observed()?;
            let version =
                version.clone().or_else(|| desired.as_ref().and_then(|d| d.version(SCHEMA)));
            let marker = marker(&stack, &address, version);
            let patch = comment(&live.id, &marker.to_string());
            Step { patch: Some(patch), ..step(Goal::Marked(marker)) }
        }
        Verb::Forget => {
            let live = observed()?;
            Step { patch: Some(comment(&live.id, "")), ..step(Goal::Unmarked) }
        }
    }))
}

fn marker(stack: &StackId, address: &Address, version: Option<String>) -> Marker {
    // A version of zeros equals none that is ever computed, so the next plan looks at the attributes alone.
    let version = version.unwrap_or_else(|| "0".repeat(16));
    Marker { stack: stack.to_string(), name: address.name.clone(), version }
}

/// A change of the comment alone.
pub(super) fn comment(id: &str, comment: &str) -> (String, Json) {
    (id.to_owned(), json!({ "id": id, "comment": comment }))
}

fn standing(live: &LiveResource) -> (String, String) {
    (live.id.clone(), text(&live.attributes, "name").unwrap_or_default().to_owned())
}

fn attempted(job: &Job) -> String {
    let verb = match job.verb {
        Verb::NoOp => "keep",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Replace => "replace",
        Verb::Delete => "delete",
        Verb::Adopt => "adopt",
        Verb::Forget => "forget",
    };
    let attributes = job.desired.as_ref().map(|d| &d.attributes);
    let attributes = attributes.or(job.live.as_ref().map(|live| &live.attributes));
    let part = |name: &str| attributes.and_then(|a| text(a, name)).unwrap_or("?");
    format!("{verb} the record {} {}", part("type"), part("name"))
}
