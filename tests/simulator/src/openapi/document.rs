//! An OpenAPI 3.0 document and its parts.

use std::io;

use serde_json::Value;

/// A document, as JSON.
pub(super) struct Document(pub(super) Value);

/// One path and method.
pub(super) struct Operation<'a> {
    path: &'a Value,
    operation: &'a Value,
}

/// A request's body as it is described.
pub(super) struct RequestBody {
    pub(super) required: bool,
    pub(super) schema: Value,
}

impl Document {
    /// Reads a document from YAML.
    pub(super) fn parse(yaml: &str) -> io::Result<Document> {
        serde_saphyr::from_str(yaml).map(Document).map_err(io::Error::other)
    }

    /// The schemas that others refer to.
    pub(super) fn components(&self) -> &Value {
        &self.0["components"]
    }

    /// Every method and path template.
    pub(super) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            let methods = methods.filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, _)| (method.to_uppercase(), path.clone()))
        });
        operations.collect()
    }

    /// Finds an operation by its method and path template.
    pub(super) fn find(&self, method: &str, template: &str) -> Option<Operation<'_>> {
        let path = self.0["paths"].get(template)?;
        let operation = path.get(method.to_lowercase())?;
        Some(Operation { path, operation })
    }

    /// The parameters of an operation, those of its path included.
    pub(super) fn parameters<'a>(&'a self, operation: &Operation<'a>) -> Vec<&'a Value> {
        let lists = [&operation.path["parameters"], &operation.operation["parameters"]];
        let all = lists.into_iter().filter_map(Value::as_array).flatten();
        all.map(|parameter| self.resolve(parameter)).collect()
    }

    /// The body that an operation takes; one that is not described takes anything.
    pub(super) fn request(&self, operation: &Operation<'_>) -> Option<RequestBody> {
        let body = self.resolve(operation.operation.get("requestBody")?);
        let schema = body["content"]["application/json"].get("schema");
        Some(RequestBody {
            required: body["required"] == true,
            schema: schema.cloned().unwrap_or(Value::Bool(true)),
        })
    }

    /// What an operation answers with a status: `None` when the status is not described, an inner
    /// `None` when it has no body.
    pub(super) fn response(&self, operation: &Operation<'_>, status: u16) -> Option<Option<Value>> {
        let responses = &operation.operation["responses"];
        let keys = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
        let response = keys.iter().find_map(|key| responses.get(key))?;
        let content = self.resolve(response).get("content").and_then(Value::as_object);
        let schema = content.and_then(|content| content.values().next()).map(|c| &c["schema"]);
        Some(schema.cloned())
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value.get("$ref").and_then(Value::as_str);
        let pointer = pointer.and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.0.pointer(pointer)).unwrap_or(value)
    }
}

/// Pairs a template's variables with their values in a path, decoded.
pub(super) fn variables(template: &str, path: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', "%2B");
        let decoded = url::form_urlencoded::parse(text.as_bytes()).next();
        decoded.map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    let pairs = template.split('/').zip(path.split('/'));
    let pairs = pairs.filter_map(|(name, value)| {
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        Some((name.to_owned(), decode(value)))
    });
    pairs.collect()
}
