//! The sections that are no resources.

use ipai_core::address::MAX_NAME;
use ipai_core::sections::{Key, MOST_KEPT, QUESTION, Section, Takes};
use serde_json::{Map, Value as Json, json};

use super::{ADDRESS, NAME, Shape, TEMPLATE, default, described, form, named, table};

/// The names of services: what a shell, SQL and Docker take as they are.
const PLAIN: &str = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$";
/// A stack's name, which is part of markers: no `--` in it, and no `-` at its end.
const STACK: &str = "^[a-z0-9](-?[a-z0-9_])*$";

impl Shape {
    /// Puts a section where its header says.
    pub(super) fn insert(self, sections: &mut Map<String, Json>, section: &Section) {
        match section.header.split('.').collect::<Vec<_>>()[..] {
            [name, "NAME"] => {
                let all = described(named(self.section(section), NAME), section.summary);
                sections.insert(name.to_owned(), all);
            }
            [outer, name, "NAME"] => {
                let all = named(self.section(section), PLAIN);
                sections[outer]["properties"][name] = described(all, section.summary);
            }
            _ => {
                let one = described(self.section(section), section.summary);
                sections.insert(section.header.to_owned(), one);
            }
        }
    }

    /// One section. Where no keys are told of, they are the stack's to choose.
    fn section(self, section: &Section) -> Json {
        if section.keys.is_empty() {
            let types = ["string", "integer", "boolean", "array"];
            return json!({ "type": "object", "additionalProperties": { "type": types } });
        }
        let mut value = self.keys(section, "");
        if self.whole && !section.either.is_empty() {
            let one = section.either.iter().map(|key| json!({ "required": [key] }));
            value["anyOf"] = one.collect();
        }
        value
    }

    /// The table that the keys behind `prefix` make.
    fn keys(self, section: &Section, prefix: &str) -> Json {
        let within = |key: &&Key| {
            key.name
                .strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && !rest.contains('.'))
        };
        let mut keys = Map::new();
        let mut needed = Vec::new();
        for key in section.keys.iter().filter(within) {
            let name = &key.name[prefix.len()..];
            keys.insert(name.to_owned(), self.key(section, key));
            needed.extend(self.requires(key.default).then_some(name));
        }
        table(keys, &needed)
    }

    fn key(self, section: &Section, key: &Key) -> Json {
        let within = || self.keys(section, &format!("{}.", key.name));
        let value = match key.takes {
            Takes::Table => within(),
            Takes::Question => self.with_question(within(), section),
            other => takes(other),
        };
        let mut value = described(value, key.doc);
        if let Some(default) = default(key.default) {
            value["default"] = default;
        }
        value
    }

    /// Adds the keys of a question, which the section has for itself.
    fn with_question(self, mut table: Json, section: &Section) -> Json {
        for key in section.keys.iter().filter(|key| QUESTION.contains(&key.name)) {
            table["properties"][key.name] = self.key(section, key);
        }
        table
    }
}

fn takes(takes: Takes) -> Json {
    let texts = json!({ "type": "string" });
    match takes {
        Takes::Text => texts,
        Takes::Choice(choices) => json!({ "enum": choices }),
        Takes::StackName => {
            let mut name = form(STACK);
            name["maxLength"] = json!(MAX_NAME);
            name
        }
        Takes::Address => form(ADDRESS),
        Takes::Int(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Takes::Bool => json!({ "type": "boolean" }),
        Takes::Truth => {
            json!({ "anyOf": [{ "type": "boolean" }, form(&format!("^(true|false)$|{TEMPLATE}"))] })
        }
        Takes::Texts => json!({ "type": "array", "items": texts }),
        Takes::TextMap => json!({ "type": "object", "additionalProperties": texts }),
        Takes::Counts(names) => {
            let count = || json!({ "type": "integer", "minimum": 0, "maximum": MOST_KEPT });
            table(names.iter().map(|name| ((*name).to_owned(), count())).collect(), &[])
        }
        Takes::AnyMap | Takes::Table | Takes::Question | Takes::Tables => {
            json!({ "type": "object" })
        }
    }
}
