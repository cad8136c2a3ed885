//! From OpenAPI 3.0's dialect of JSON Schema to the one that validators speak.

use serde_json::{Map, Value, json};

/// Whose value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// A body that a client sends: read-only members must be absent, unknown ones too.
    Request,
    /// A body that the service sends.
    Response,
    /// A value from a path or a query.
    Text,
}

/// Makes a schema that stands alone: converted, with everything that it may refer to.
pub(super) fn whole(components: &Value, schema: &Value, direction: Direction) -> Value {
    let mut whole = json!({
        "allOf": [convert(schema, direction)],
        "components": {"schemas": schemas(&components["schemas"], direction)},
    });
    if direction == Direction::Request {
        whole["unevaluatedProperties"] = json!(false);
    }
    whole
}

/// Prepares a schema for use.
pub(super) fn compile(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())
}

fn schemas(schemas: &Value, direction: Direction) -> Value {
    let named = schemas.as_object().into_iter().flatten();
    named.map(|(name, schema)| (name.clone(), convert(schema, direction))).collect()
}

fn convert(schema: &Value, direction: Direction) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    // Whatever stands beside a reference does not count.
    if let Some(reference) = map.get("$ref") {
        return json!({"$ref": reference});
    }
    let chosen = by_discriminator(map);
    let mut converted = Map::new();
    for (key, value) in map {
        let value = match key.as_str() {
            "anyOf" | "oneOf" if chosen.is_some() => continue,
            "properties" => properties(value, direction),
            "allOf" | "anyOf" | "oneOf" => list(value, direction),
            "items" | "additionalProperties" | "not" => convert(value, direction),
            "required" => required(map, value, direction),
            "nullable" | "readOnly" | "writeOnly" | "discriminator" | "deprecated" | "default" => {
                continue;
            }
            _ => value.clone(),
        };
        converted.insert(key.clone(), value);
    }
    if let Some(chosen) = chosen {
        converted.insert("allOf".to_owned(), chosen);
    }
    match map.get("nullable") == Some(&json!(true)) {
        true => json!({"anyOf": [{"type": "null"}, converted]}),
        false => Value::Object(converted),
    }
}

/// Where one member names the schema, that one counts and no other: without it, bodies that differ
/// in that member alone would fit several.
fn by_discriminator(map: &Map<String, Value>) -> Option<Value> {
    if !map.contains_key("anyOf") && !map.contains_key("oneOf") {
        return None;
    }
    let discriminator = map.get("discriminator")?;
    let name = discriminator["propertyName"].as_str()?;
    let mapping = discriminator["mapping"].as_object()?;
    let known: Vec<&String> = mapping.keys().collect();
    let mut all = vec![json!({"required": [name], "properties": {name: {"enum": known}}})];
    all.extend(mapping.iter().map(|(value, reference)| {
        json!({"if": {"properties": {name: {"const": value}}}, "then": {"$ref": reference}})
    }));
    Some(Value::Array(all))
}

fn list(schemas: &Value, direction: Direction) -> Value {
    schemas.as_array().into_iter().flatten().map(|schema| convert(schema, direction)).collect()
}

fn properties(properties: &Value, direction: Direction) -> Value {
    let named = properties.as_object().into_iter().flatten();
    let converted = named.map(|(name, schema)| {
        let hidden = direction == Direction::Request && schema["readOnly"] == true;
        let schema = if hidden { json!(false) } else { convert(schema, direction) };
        (name.clone(), schema)
    });
    converted.collect()
}

/// A client need not send what it must not send.
fn required(map: &Map<String, Value>, names: &Value, direction: Direction) -> Value {
    let hidden = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        direction == Direction::Request
            && map.get("properties").is_some_and(|all| all[name]["readOnly"] == true)
    };
    names.as_array().into_iter().flatten().filter(|name| !hidden(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(schema: Value, value: Value, direction: Direction) -> bool {
        let whole = whole(&json!({"schemas": {"n": {"type": "integer"}}}), &schema, direction);
        compile(&whole).unwrap().is_valid(&value)
    }

    #[test]
    fn nullable_takes_null_even_beside_an_enumeration() {
        let schema = json!({"type": "string", "enum": ["a"], "nullable": true});
        assert!(valid(schema.clone(), json!(null), Direction::Response));
        assert!(!valid(schema, json!("b"), Direction::Response));
    }

    #[test]
    fn a_client_must_not_send_what_is_read_only() {
        let schema = json!({
            "type": "object", "required": ["id", "name"],
            "properties": {"id": {"type": "string", "readOnly": true}, "name": {"type": "string"}},
        });
        assert!(valid(schema.clone(), json!({"name": "x"}), Direction::Request));
        assert!(!valid(schema.clone(), json!({"id": "1", "name": "x"}), Direction::Request));
        assert!(!valid(schema, json!({"name": "x"}), Direction::Response));
    }

    #[test]
    fn the_discriminator_chooses_one_schema() {
        let schema = json!({
            "oneOf": [{"$ref": "#/components/schemas/n"}, {"type": "object"}],
            "discriminator": {"propertyName": "type", "mapping": {"x": "#/components/schemas/n"}},
        });
        assert!(!valid(schema.clone(), json!({"type": "x"}), Direction::Response));
        assert!(!valid(schema, json!({"type": "y"}), Direction::Response));
    }

    #[test]
    fn a_client_must_not_send_what_is_unknown() {
        let schema = json!({"allOf": [
            {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/n"}}},
            {"type": "object", "properties": {"b": {}}},
        ]});
        assert!(valid(schema.clone(), json!({"a": 1, "b": 2}), Direction::Request));
        assert!(!valid(schema, json!({"a": 1, "c": 2}), Direction::Request));
    }
}
