//! The body of the request that makes a droplet.

use ipai_core::{Secret, Value};
use serde_json::{Map, Value as Json, json};

use super::user_data::{Birth, compose};
use crate::marker;
use ipai_core::Job;

/// Builds the body of a create: the wanted attributes, all markers, and the host key in the user-data.
pub(crate) fn creation(job: &Job, birth: &Birth) -> Result<Json, String> {
    let wanted = job.desired.as_ref().ok_or("there is nothing wanted at this address")?;
    let text = |name: &str| wanted.text(name).ok_or(format!("`{name}` is not known"));
    let mut body = Map::new();
    body.insert("name".into(), json!(text("name")?));
    body.insert("region".into(), json!(text("region")?));
    body.insert("size".into(), json!(text("size")?));
    body.insert("image".into(), number_or_text(text("image")?));
    if wanted.attributes.contains_key("ssh_keys") {
        let keys = wanted.texts("ssh_keys");
        body.insert("ssh_keys".into(), keys.into_iter().map(number_or_text).collect());
    }
    for name in ["monitoring", "ipv6", "backups"] {
        if let Some(truth) = wanted.attributes.get(name).and_then(Value::as_bool) {
            body.insert(name.into(), json!(truth));
        }
    }
    if let Some(network) = wanted.text("vpc_uuid") {
        body.insert("vpc_uuid".into(), json!(network));
    }
    body.insert("user_data".into(), json!(user_data(job, birth)?.expose()));
    body.insert("tags".into(), json!(tags(job, birth)));
    Ok(Json::Object(body))
}

/// Every tag that a new droplet gets.
fn tags(job: &Job, birth: &Birth) -> Vec<String> {
    let mut tags = marker::identity_tags(&job.stack, &job.address).to_vec();
    tags.extend(job.version.as_deref().map(marker::hash_tag));
    tags.push(marker::birth_key_tag(&birth.fingerprint_hex));
    let user = job.desired.iter().flat_map(|wanted| wanted.texts("tags"));
    tags.extend(user.map(str::to_owned));
    tags
}

fn user_data(job: &Job, birth: &Birth) -> Result<Secret, String> {
    match job.desired.as_ref().and_then(|wanted| wanted.attributes.get("user_data")) {
        None => compose(None, birth),
        Some(Value::Content(content)) => match &content.text {
            Some(text) => compose(Some(text.expose()), birth),
            None => Err("the text of `user_data` is not at hand".into()),
        },
        Some(Value::Text(text)) => compose(Some(text), birth),
        Some(_) => Err("`user_data` is not a text".into()),
    }
}

/// Snapshots and keys are named by number, public images and fingerprints by text.
fn number_or_text(text: &str) -> Json {
    text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))
}
