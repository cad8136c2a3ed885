//! Which secrets a stack uses: those that rendering met, and those that a template names where it did not go.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inputs, compile};
use crate::secret::Secret;
use crate::stack::{SecretSource, Stack, content_source};
use crate::template::named_secrets;
use crate::tree::{Data, Node, Table};

/// The names of all secrets that the stack's resources, checks and outputs use, or hash.
///
/// Rendering notes what it uses, also behind computed names; a look at the templates' syntax adds what stands in
/// branches that are not taken at present, such as a mail password while mail is off.
#[must_use]
pub fn used_secrets(inputs: &Inputs<'_>) -> BTreeSet<String> {
    let mut used = named(inputs.stack, inputs.files);
    // With every secret still to be made, whatever uses one waits for it and says so.
    let nothing: BTreeMap<String, Option<Secret>> =
        inputs.secrets.keys().map(|name| (name.clone(), None)).collect();
    let (desired, _) = compile(&Inputs { secrets: &nothing, ..*inputs });
    let waits = desired.resources.iter().flat_map(|resource| &resource.after);
    used.extend(waits.filter(|address| address.is_secret()).map(|address| address.name.clone()));
    used.extend(inputs.stack.secrets.values().filter_map(
        |declaration| match &declaration.source {
            SecretSource::Generate(how) => how.of().map(str::to_owned),
            _ => None,
        },
    ));
    used
}

fn named(stack: &Stack, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut texts = Vec::new();
    stack.resources.iter().for_each(|resource| collect(&resource.table, files, &mut texts));
    let named = stack.checks.values().chain(stack.outputs.values());
    named.for_each(|(_, table)| collect(table, files, &mut texts));
    texts.into_iter().flat_map(named_secrets).collect()
}

fn collect<'a>(table: &'a Table, files: &'a BTreeMap<String, String>, texts: &mut Vec<&'a str>) {
    match content_source(table) {
        Some((true, path, _)) => texts.extend(files.get(path).map(String::as_str)),
        Some((false, ..)) => {}
        None => table.iter().for_each(|(_, entry)| collect_node(&entry.node, files, texts)),
    }
}

fn collect_node<'a>(node: &'a Node, files: &'a BTreeMap<String, String>, texts: &mut Vec<&'a str>) {
    match &node.data {
        Data::Text(text) => texts.push(text),
        Data::List(items) => items.iter().for_each(|item| collect_node(item, files, texts)),
        Data::Table(table) => collect(table, files, texts),
        Data::Int(_) | Data::Bool(_) | Data::Other(_) => {}
    }
}
