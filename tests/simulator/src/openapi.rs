//! Holds exchanges to the vendors' own OpenAPI documents.
//!
//! Behind the feature `openapi`, so that neither the documents nor the validator are part of the
//! product.

mod convert;
mod deviations;
mod document;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::log::{Exchange, Vendor};
use convert::Direction;
use document::{Document, Operation};

const DIGITALOCEAN: &str = include_str!("../../data/openapi/digitalocean.yaml");
const CLOUDFLARE: &str = include_str!("../../data/openapi/cloudflare.yaml");

/// The vendors' documents, ready to be asked.
pub struct Validator {
    digitalocean: Document,
    cloudflare: Document,
    compiled: Mutex<HashMap<String, Arc<jsonschema::Validator>>>,
}

impl Validator {
    /// Reads the documents that this crate carries.
    ///
    /// # Errors
    ///
    /// When a document cannot be read.
    pub fn new() -> io::Result<Validator> {
        let mut cloudflare = Document::parse(CLOUDFLARE)?;
        deviations::apply(&mut cloudflare);
        Ok(Validator {
            digitalocean: Document::parse(DIGITALOCEAN)?,
            cloudflare,
            compiled: Mutex::new(HashMap::new()),
        })
    }

    /// Lists every operation that the documents describe: vendor, method, path template.
    pub fn operations(&self) -> Vec<(Vendor, String, String)> {
        let both =
            [(Vendor::DigitalOcean, &self.digitalocean), (Vendor::Cloudflare, &self.cloudflare)];
        both.into_iter()
            .flat_map(|(vendor, document)| {
                document.operations().into_iter().map(move |(method, path)| (vendor, method, path))
            })
            .collect()
    }

    /// Says where an exchange breaks its vendor's document: [`Validator::check_request`] and
    /// [`Validator::check_response`] in one.
    pub fn check(&self, exchange: &Exchange) -> Vec<String> {
        let mut found = self.check_request(exchange);
        found.extend(self.check_response(exchange));
        found
    }

    /// Says where a request breaks its vendor's document: in its path, its query or its body. A
    /// member that the document does not know counts, and so does one that is read-only.
    pub fn check_request(&self, exchange: &Exchange) -> Vec<String> {
        let document = self.document(exchange.vendor);
        let place = place(exchange);
        let Some(operation) = document.find(&exchange.method, &exchange.template) else {
            return vec![format!("{place}: no such operation")];
        };
        let mut found = self.check_parameters(document, &operation, exchange);
        found.extend(self.check_body(document, &operation, exchange));
        found.into_iter().map(|violation| format!("{place}: {violation}")).collect()
    }

    /// Says where an answer breaks its vendor's document: in its status or its body. An answer
    /// that a fault bent is not the vendor's and passes.
    pub fn check_response(&self, exchange: &Exchange) -> Vec<String> {
        let document = self.document(exchange.vendor);
        let operation = document.find(&exchange.method, &exchange.template);
        let (Some(operation), Some(status), false) = (operation, exchange.status, exchange.faulted)
        else {
            return Vec::new();
        };
        let found = self.check_answer(document, &operation, exchange, status);
        found.into_iter().map(|violation| format!("{}: {violation}", place(exchange))).collect()
    }

    fn document(&self, vendor: Vendor) -> &Document {
        match vendor {
            Vendor::DigitalOcean => &self.digitalocean,
            Vendor::Cloudflare => &self.cloudflare,
        }
    }

    fn check_parameters(
        &self,
        document: &Document,
        operation: &Operation<'_>,
        exchange: &Exchange,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let parameters = document.parameters(operation);
        for (name, value) in &exchange.query {
            let known = parameters.iter().find(|p| p["in"] == "query" && p["name"] == **name);
            let Some(parameter) = known else {
                found.push(format!("query {name}: no such parameter"));
                continue;
            };
            let errors = self.check_text(document, exchange.vendor, &parameter["schema"], value);
            found.extend(errors.into_iter().map(|error| format!("query {name}: {error}")));
        }
        for parameter in parameters.iter().filter(|parameter| parameter["required"] == true) {
            let sent = |name: &Value| exchange.query.iter().any(|(own, _)| name == own.as_str());
            if parameter["in"] == "query" && !sent(&parameter["name"]) {
                found.push(format!("query {}: missing", parameter["name"]));
            }
        }
        for (name, value) in document::variables(&exchange.template, &exchange.path) {
            let known = parameters.iter().find(|p| p["in"] == "path" && p["name"] == *name);
            let schema = known.map(|parameter| &parameter["schema"]).unwrap_or(&Value::Null);
            let errors = self.check_text(document, exchange.vendor, schema, &value);
            found.extend(errors.into_iter().map(|error| format!("path {name}: {error}")));
        }
        found
    }

    fn check_body(
        &self,
        document: &Document,
        operation: &Operation<'_>,
        exchange: &Exchange,
    ) -> Vec<String> {
        let described = document.request(operation);
        match (&exchange.request, described) {
            (Some(Value::String(_)), _) | (None, None) => Vec::new(),
            (None, Some(body)) => match body.required && !deviations::may_be_empty(exchange) {
                true => vec!["request: a body is required".to_owned()],
                false => Vec::new(),
            },
            (Some(_), None) => vec!["request: no body is described".to_owned()],
            (Some(value), Some(body)) => {
                let key = format!(
                    "{:?} {} {} request",
                    exchange.vendor, exchange.method, exchange.template
                );
                let errors =
                    self.check_value(document, key, body.schema, value, Direction::Request);
                errors.into_iter().map(|error| format!("request{error}")).collect()
            }
        }
    }

    fn check_answer(
        &self,
        document: &Document,
        operation: &Operation<'_>,
        exchange: &Exchange,
        status: u16,
    ) -> Vec<String> {
        let Some(described) = document.response(operation, status) else {
            return vec![format!("status {status}: not described")];
        };
        let schema = match deviations::failure(exchange, status) {
            Some(schema) => Some(schema),
            None => described,
        };
        match (&exchange.response, schema) {
            (None, _) | (Some(Value::String(_)), Some(_)) => Vec::new(),
            (Some(_), None) => vec![format!("response {status}: no body is described")],
            (Some(value), Some(schema)) => {
                let key = format!(
                    "{:?} {} {} {status}",
                    exchange.vendor, exchange.method, exchange.template
                );
                let errors = self.check_value(document, key, schema, value, Direction::Response);
                errors.into_iter().map(|error| format!("response {status}{error}")).collect()
            }
        }
    }

    /// Checks text from a path or a query, which a schema may want as a number or a flag.
    fn check_text(
        &self,
        document: &Document,
        vendor: Vendor,
        schema: &Value,
        text: &str,
    ) -> Vec<String> {
        let readings = [serde_json::from_str(text).ok(), Some(json!(text)), Some(json!([text]))];
        let key = format!("{vendor:?} {schema}");
        let mut first = Vec::new();
        for value in readings.into_iter().flatten() {
            let errors =
                self.check_value(document, key.clone(), schema.clone(), &value, Direction::Text);
            if errors.is_empty() {
                return errors;
            }
            if first.is_empty() {
                first = errors;
            }
        }
        first
    }

    fn check_value(
        &self,
        document: &Document,
        key: String,
        schema: Value,
        value: &Value,
        direction: Direction,
    ) -> Vec<String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = match compiled.get(&key) {
            Some(validator) => Arc::clone(validator),
            None => {
                let whole = convert::whole(document.components(), &schema, direction);
                match convert::compile(&whole) {
                    Ok(validator) => Arc::clone(compiled.entry(key).or_insert(Arc::new(validator))),
                    Err(error) => return vec![format!(": the schema itself is broken: {error}")],
                }
            }
        };
        drop(compiled);
        validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }
}

fn place(exchange: &Exchange) -> String {
    format!("{} {}", exchange.method, exchange.path)
}
