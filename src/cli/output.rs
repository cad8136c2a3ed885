//! `ipai output`

use std::collections::BTreeMap;

use clap::ValueEnum;
use ipai_core::Secret;
use ipai_core::desired::compile;
use ipai_core::output::{HostValue, StackOutput};
use serde_json::{Map, Value as Json, json};

use super::world::World;
use super::{Failed, Outcome, Run, exit};
use crate::providers::{HostOutput, quote, read_file};
use crate::report::{json_text, one_line};

/// What stands where a secret is.
const HIDDEN: &str = "(sensitive value)";

/// Print what the stack hands over to others: the values of its [output.NAME] sections.
///
/// Secrets are hidden, or left out, unless they are asked for. `--format odoo` gives connector records by their code and
/// the keys of `ir.config_parameter`; `{id}` in a key stands for the record's id, which Odoo alone knows.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops output\n  ipai output chat_url\n  (umask 077; ipai output --format odoo --show-secrets > odoo.json)\n  eval \"$(ipai output --format env)\""
)]
pub(super) struct Arguments {
    /// This value alone, as it is.
    name: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json.
    #[arg(long, overrides_with = "format")]
    json: bool,
    /// Print secrets too.
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each, for people.
    Text,
    /// An object by name.
    Json,
    /// Assignments for a shell.
    Env,
    /// Connector records and configuration parameters for Odoo.
    Odoo,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let world = World::open(run).await?;
    let outputs = outputs(run, &world, arguments).await;
    let stack = world.loaded.stack.id.clone();
    world.close().await;
    let outputs = outputs?;
    let show = arguments.show_secrets;
    if let Some(name) = &arguments.name {
        let found = outputs.iter().find(|output| output.name == *name);
        let output = found.ok_or_else(|| unknown(run, name, &outputs))?;
        if output.sensitive && !show {
            return Err(Failed::new(format!(
                "error: `{name}` is a secret\n  hint: {}",
                run.command(&format!("output {name} --show-secrets"))
            )));
        }
        run.print(&format!("{}\n", output.value.expose()));
        return Ok(exit::OK);
    }
    let format = if arguments.json { Format::Json } else { arguments.format };
    run.print(&match format {
        Format::Text => text(&outputs, show),
        Format::Json => format!("{}\n", json_text(&by_name(&outputs, show), true)),
        Format::Env => env(&outputs, show),
        Format::Odoo => format!("{}\n", json_text(&odoo(stack.as_str(), &outputs, show), true)),
    });
    let hidden = outputs.iter().filter(|output| output.sensitive && !show).count();
    if hidden > 0 && matches!(format, Format::Env | Format::Odoo) {
        run.say(&format!("note: {hidden} secrets are left out; --show-secrets prints them"));
    }
    Ok(exit::OK)
}

/// The outputs; hosts' providers are asked only when an output needs them, and hosts only for what is shown.
async fn outputs(
    run: &Run<'_>,
    world: &World,
    arguments: &Arguments,
) -> Result<Vec<StackOutput>, Failed> {
    let (desired, _) = world.loaded.with_inputs(&BTreeMap::new(), compile);
    if desired.outputs.is_empty() && arguments.name.is_none() {
        // As with other tools, whoever asks for all gets none.
        run.say("warning: this stack hands nothing over\n  hint: write a section [output.NAME] with a `value` into stack.toml");
        return Ok(desired.outputs);
    }
    if desired.outputs.is_empty() {
        let problem = ipai_core::Diagnostic::error("This stack hands nothing over")
            .hint("write a section [output.NAME] with a `value` into stack.toml");
        return Err(run.problem(problem));
    }
    let mut waits = desired.outputs.iter().flat_map(|output| &output.waits_for);
    let wanted = |output: &StackOutput| {
        let named = arguments.name.as_ref().is_none_or(|name| *name == output.name);
        output.from.is_some() && named && (arguments.show_secrets || !output.sensitive)
    };
    let on_hosts = desired.outputs.iter().any(wanted);
    if !on_hosts && waits.all(|address| address.starts_with("secret.")) {
        return Ok(desired.outputs);
    }
    let places = world.places(run).await?;
    let mut outputs = places.desired.outputs.clone();
    for output in outputs.iter_mut().filter(|output| wanted(output)) {
        let Some(from) = output.from.clone() else { continue };
        let Some(host) = places.outputs.get(&from.host) else {
            run.say(&format!(
                "warning: {} is left out: {} does not exist yet",
                output.name, from.host
            ));
            continue;
        };
        let read = read_file(&world.access, &from.host, host, &from.file).await;
        match value(&from, &read.map_err(|error| run.remote(&[error]))?) {
            Ok(value) => output.value = Secret::new(value),
            Err(why) => run.say(&format!("warning: {} is left out: {why}", output.name)),
        }
    }
    Ok(outputs)
}

/// One value of a JSON file. No message repeats what the file holds.
fn value(from: &HostValue, read: &HostOutput) -> Result<String, String> {
    let HostValue { host, file, pointer } = from;
    if read.exit != 0 {
        return Err(format!("{file} on {host} cannot be read"));
    }
    let json: Json =
        serde_json::from_slice(&read.stdout).map_err(|_| format!("{file} is not JSON"))?;
    match json.pointer(pointer) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(other @ (Json::Number(_) | Json::Bool(_))) => Ok(other.to_string()),
        _ => Err(format!("{file} holds nothing at {pointer}")),
    }
}

fn unknown(run: &Run<'_>, name: &str, outputs: &[StackOutput]) -> Failed {
    let names = outputs.iter().map(|output| output.name.as_str());
    let near = ipai_core::diagnostic::nearest(name, names.clone());
    let problem = ipai_core::Diagnostic::error(format!("No output `{name}`"));
    run.trouble(&problem.hint(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("outputs: {}", names.collect::<Vec<_>>().join(", ")),
    }))
}

/// The value as it may be shown; nothing while it waits.
fn shown(output: &StackOutput, show: bool) -> Option<&str> {
    match output {
        output if !output.waits_for.is_empty() => None,
        output if output.sensitive && !show => Some(HIDDEN),
        output => Some(output.value.expose()),
    }
}

fn text(outputs: &[StackOutput], show: bool) -> String {
    let width = outputs.iter().map(|output| output.name.len()).max().unwrap_or(0);
    let line = |output: &StackOutput| {
        let value = shown(output, show).unwrap_or("(known after apply)");
        format!("{:width$}  {}\n", output.name, one_line(value))
    };
    outputs.iter().map(line).collect()
}

fn by_name(outputs: &[StackOutput], show: bool) -> Json {
    let one = |output: &StackOutput| {
        let value = shown(output, show).filter(|_| show || !output.sensitive);
        let about = json!({
            "value": value,
            "sensitive": output.sensitive,
            "description": output.description,
        });
        (output.name.clone(), about)
    };
    Json::Object(outputs.iter().map(one).collect())
}

/// Those that can be handed over: known, not empty, and not secret unless secrets are asked for.
fn given(outputs: &[StackOutput], show: bool) -> impl Iterator<Item = (&StackOutput, &str)> {
    let known = outputs.iter().filter(move |output| show || !output.sensitive);
    known
        .filter_map(move |output| Some((output, shown(output, show)?)))
        .filter(|(_, v)| !v.is_empty())
}

fn env(outputs: &[StackOutput], show: bool) -> String {
    let line = |(output, value): (&StackOutput, &str)| {
        let name = output.name.to_ascii_uppercase().replace('-', "_");
        format!("{name}={}\n", quote(value))
    };
    given(outputs, show).map(line).collect()
}

fn odoo(stack: &str, outputs: &[StackOutput], show: bool) -> Json {
    let mut connectors: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    let mut parameters = Map::new();
    for (output, value) in given(outputs, show) {
        let Some(place) = &output.odoo else { continue };
        if let (Some(code), Some(field)) = (&place.connector, &place.field) {
            let record = connectors.entry(code).or_default();
            record.insert(field.clone(), json!(value));
        }
        match (&place.parameter, &place.connector) {
            (Some(key), Some(code)) if key.contains("{id}") => {
                let record = connectors.entry(code).or_default();
                let keys = record.entry("parameters").or_insert_with(|| json!({}));
                keys[key.as_str()] = json!(value);
            }
            (Some(key), _) => drop(parameters.insert(key.clone(), json!(value))),
            (None, _) => {}
        }
    }
    let records = connectors.into_iter().map(|(code, mut record)| {
        record.insert("code".to_owned(), json!(code));
        Json::Object(record)
    });
    json!({
        "format_version": "1.0",
        "stack": stack,
        "connectors": records.collect::<Vec<_>>(),
        "parameters": parameters,
    })
}
