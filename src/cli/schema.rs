//! `ipai schema`

mod attribute;
mod section;

use ipai_core::resource::Default;
use ipai_core::sections::SECTIONS;
use ipai_core::{ResourceType, Types};
use serde_json::{Map, Value as Json, json};

use super::{Outcome, Run, exit};
use crate::providers;

/// Print the JSON Schema of stack.toml, for editors that complete and check it.
///
/// It is made of what `ipai explain` prints. What ipai accepts passes it; what only rendering can tell, such as a
/// reference to nothing, is left to `ipai validate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai schema > stack.schema.json             # then, as the first line of stack.toml: #:schema ./stack.schema.json\n  ipai schema --overlay > overlay.schema.json"
)]
pub(super) struct Arguments {
    /// For stack.NAME.toml, which is laid over stack.toml: nothing is required.
    #[arg(long)]
    overlay: bool,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    run.print(&text(arguments.overlay));
    Ok(exit::OK)
}

/// What a stack's first line names, and `ipai init` puts beside it.
pub(super) const FILE: &str = "stack.schema.json";

/// The schema of a whole stack, or of an overlay.
pub(super) fn text(overlay: bool) -> String {
    let shape = Shape { whole: !overlay };
    format!("{:#}\n", shape.stack(&providers::types()))
}

/// A stack's name, a resource's: what `is_name` takes.
const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,39}$";
/// What a template has and a plain value has not.
const TEMPLATE: &str = r"\{[{%#]";
/// `PROVIDER.TYPE.NAME`.
const ADDRESS: &str = r"^[a-z0-9_-]+\.[a-z0-9_-]+\.[a-z0-9_-]+$";

/// Builds the schema of one kind of file.
#[derive(Clone, Copy)]
struct Shape {
    /// Whether it is a stack, which needs this and that, and not an overlay.
    whole: bool,
}

impl Shape {
    fn stack(self, types: &Types) -> Json {
        let mut sections = Map::new();
        for section in &SECTIONS {
            self.insert(&mut sections, section);
        }
        for kind in types.iter() {
            let empty =
                || json!({ "type": "object", "additionalProperties": false, "properties": {} });
            let provider = sections.entry(kind.provider()).or_insert_with(empty);
            provider["properties"][kind.name()] = self.resources(kind);
        }
        let required: &[&str] = if self.whole { &["stack"] } else { &[] };
        let mut stack = table(sections, required);
        stack["$schema"] = json!("http://json-schema.org/draft-07/schema#");
        stack["title"] =
            json!(if self.whole { "A stack of ipai" } else { "An overlay of a stack of ipai" });
        stack
    }

    /// All resources of a type.
    fn resources(self, kind: &dyn ResourceType) -> Json {
        let mut keys: Map<String, Json> =
            kind.schema().iter().map(|a| (a.name.to_owned(), attribute::describe(a))).collect();
        keys.insert("after".to_owned(), attribute::after());
        let needed = kind.schema().iter().filter(|a| self.requires(a.default)).map(|a| a.name);
        described(named(table(keys, &needed.collect::<Vec<_>>()), NAME), kind.summary())
    }

    fn requires(self, default: Default) -> bool {
        self.whole && matches!(default, Default::Required)
    }
}

/// A table with these keys and no others.
fn table(keys: Map<String, Json>, required: &[&str]) -> Json {
    let mut table = json!({ "type": "object", "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table["properties"] = Json::Object(keys);
    table
}

/// A table of such tables, under names that the stack chooses.
fn named(value: Json, names: &str) -> Json {
    json!({ "type": "object", "propertyNames": { "pattern": names }, "additionalProperties": value })
}

/// The same with a text for people.
fn described(mut value: Json, text: &str) -> Json {
    value["description"] = json!(text);
    value
}

/// A string of this form.
fn form(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": pattern })
}

/// A default, if there is one that can be written.
fn default(default: Default) -> Option<Json> {
    match default {
        Default::Required | Default::Absent => None,
        Default::Bool(truth) => Some(json!(truth)),
        Default::Int(int) => Some(json!(int)),
        Default::Text(text) => Some(json!(text)),
        Default::EmptyList => Some(json!([])),
        Default::EmptyMap => Some(json!({})),
    }
}
