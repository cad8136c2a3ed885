//! What the templates of a stack may speak of.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value as Jinja;

use super::Inputs;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, nearest};
use crate::live::Outputs;
use crate::stack::Declared;
use crate::template::Context;
use crate::tree::{Data, Node, Table};

pub(super) fn context(inputs: &Inputs<'_>, problems: &mut Vec<Diagnostic>) -> Context {
    let stack = inputs.stack;
    let mut variables: BTreeMap<String, Jinja> =
        stack.variables.iter().map(|(name, node)| (name.clone(), plain(node))).collect();
    for (name, value) in inputs.variables {
        if !variables.contains_key(name) {
            let near = nearest(name, stack.variables.keys().map(String::as_str));
            let hint = near.map_or(
                "only variables of the stack's `[var]` section can be set".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            problems.push(Diagnostic::error(format!("Unknown variable `{name}`")).hint(hint));
        }
        variables.insert(name.clone(), Jinja::from(value.as_str()));
    }
    let about = |key: &str, value: Jinja| (key.to_owned(), value);
    let outputs = |declared: &Declared| {
        let kind = inputs.types.get(&declared.address);
        kind.map(|kind| kind.outputs().iter().map(|output| output.0).collect()).unwrap_or_default()
    };
    Context {
        variables,
        stack: BTreeMap::from([
            about("name", Jinja::from(stack.name.as_str())),
            about("id", Jinja::from(stack.id.as_str())),
            about("env", Jinja::from(stack.environment.as_deref().unwrap_or_default())),
            about("sandbox", Jinja::from(inputs.sandbox)),
        ]),
        ssh: BTreeMap::from([
            about("user", Jinja::from(stack.ssh.user.as_str())),
            about("port", Jinja::from(i64::from(stack.ssh.port))),
            about("authorized_keys", inputs.authorized_keys.iter().map(String::as_str).collect()),
        ]),
        secrets: inputs.secrets.clone(),
        outputs: outputs_in_reach(inputs),
        declared: stack.resources.iter().map(|d| (d.address.clone(), outputs(d))).collect(),
    }
}

/// The outputs that some template may use: those of the providers that a template names. A stack of thousands of records
/// that nobody refers to carries none of theirs.
fn outputs_in_reach(inputs: &Inputs<'_>) -> BTreeMap<Address, Outputs> {
    let providers: BTreeSet<&str> = inputs.outputs.keys().map(|a| a.provider.as_str()).collect();
    let tables = inputs.stack.resources.iter().map(|declared| &declared.table);
    let named = inputs.stack.checks.values().chain(inputs.stack.outputs.values());
    let tables: Vec<&Table> = tables.chain(named.map(|(_, table)| table)).collect();
    let named = |provider: &&str| {
        let names = |text: &str| text.contains('{') && text.contains(*provider);
        inputs.files.values().any(|text| names(text))
            || tables.iter().any(|table| any_text(table, &names))
    };
    let named: BTreeSet<&str> = providers.into_iter().filter(named).collect();
    let outputs = inputs.outputs.iter().filter(|(a, _)| named.contains(a.provider.as_str()));
    outputs.map(|(address, outputs)| (address.clone(), outputs.clone())).collect()
}

fn any_text(table: &Table, wanted: &dyn Fn(&str) -> bool) -> bool {
    fn within(node: &Node, wanted: &dyn Fn(&str) -> bool) -> bool {
        match &node.data {
            Data::Text(text) => wanted(text),
            Data::List(items) => items.iter().any(|item| within(item, wanted)),
            Data::Table(table) => any_text(table, wanted),
            _ => false,
        }
    }
    table.iter().any(|(_, entry)| within(&entry.node, wanted))
}

fn plain(node: &Node) -> Jinja {
    match &node.data {
        Data::Text(text) | Data::Other(text) => Jinja::from(text.as_str()),
        Data::Int(int) => Jinja::from(*int),
        Data::Bool(truth) => Jinja::from(*truth),
        Data::List(items) => items.iter().map(plain).collect(),
        Data::Table(table) => table.iter().map(|(k, e)| (k.clone(), plain(&e.node))).collect(),
    }
}
