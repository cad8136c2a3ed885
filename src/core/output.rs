//! What a stack hands over to others: values that it knows, by name.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::Fields;
use crate::secret::Secret;
use crate::template::{Origin, Renderer};
use crate::tree::Table;

/// One value that a stack hands over.
#[derive(Clone, Debug, PartialEq)]
pub struct StackOutput {
    /// Its name.
    pub name: String,
    /// The value. What waits for something is empty.
    pub value: Secret,
    /// What it waits for.
    pub waits_for: Vec<String>,
    /// Whether it is shown only when asked for.
    pub sensitive: bool,
    /// What it is, for people.
    pub description: String,
    /// Where Odoo keeps it.
    pub odoo: Option<Odoo>,
    /// Where it lies, when a host made it.
    pub from: Option<HostValue>,
}

/// A value that lies on a host, because something there made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostValue {
    /// The host.
    pub host: Address,
    /// The absolute path of a JSON file on it.
    pub file: String,
    /// Which value of it (RFC 6901).
    pub pointer: String,
}

/// Where Odoo keeps a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odoo {
    /// The `code` of a connector record.
    pub connector: Option<String>,
    /// The field of that record.
    pub field: Option<String>,
    /// A key of `ir.config_parameter`; `{id}` stands for the connector record's id, which Odoo alone knows.
    pub parameter: Option<String>,
}

impl StackOutput {
    /// Reads an output; what is wrong is collected.
    pub fn read(
        name: &str,
        span: &Span,
        table: &Table,
        addresses: &BTreeSet<&Address>,
        renderer: &Renderer,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, "An output", span, problems);
        let from = fields.table("from").cloned();
        let value = match &from {
            Some(_) => fields.text("value").or_else(|| Some((String::new(), span.clone()))),
            None => fields.required_text("value"),
        };
        let declared = fields.bool("sensitive");
        let description = fields.text("description").map(|text| text.0).unwrap_or_default();
        let odoo = fields.table("odoo").cloned();
        fields.finish();
        let odoo = odoo.map(|table| Odoo::read(&table, span, problems));
        let from = match from {
            Some(table) => Some(HostValue::read(&table, span, addresses, problems)?),
            None => None,
        };
        let (source, at) = value?;
        let rendered = match renderer.render(&source, &Origin::Inline(at.clone())) {
            Ok(rendered) => rendered,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        let secret = !rendered.secrets.is_empty();
        if secret && declared == Some(false) {
            let problem = Diagnostic::error("A secret that is not sensitive")
                .detail(format!("`{name}` is made from a secret."))
                .hint("take `sensitive = false` out");
            problems.push(problem.at(&at));
        }
        Some(Self {
            name: name.into(),
            waits_for: rendered.unknown.iter().map(|r| r.address.to_string()).collect(),
            value: Secret::new(if rendered.unknown.is_empty() {
                rendered.text
            } else {
                String::new()
            }),
            // Nobody knows what a host made.
            sensitive: secret || declared.unwrap_or(from.is_some()),
            description,
            odoo,
            from,
        })
    }
}

impl HostValue {
    fn read(
        table: &Table,
        span: &Span,
        addresses: &BTreeSet<&Address>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, "`from` of an output", span, problems);
        let (host, file) = (fields.required_text("host"), fields.required_text("file"));
        let pointer = fields.required_text("pointer");
        fields.finish();
        let ((host, at), (file, place), (pointer, _)) = (host?, file?, pointer?);
        let found = host.parse().ok().filter(|address| addresses.contains(address));
        if found.is_none() {
            let detail = format!("`{host}` is not a resource of this stack.");
            problems.push(Diagnostic::nothing_there(&host, detail).at(&at));
        }
        let host = found;
        if !file.starts_with('/') {
            problems.push(Diagnostic::error("Not an absolute path").at(&place));
        }
        Some(Self { host: host?, file, pointer })
    }
}

impl Odoo {
    fn read(table: &Table, span: &Span, problems: &mut Vec<Diagnostic>) -> Self {
        let mut fields = Fields::new(table, "`odoo` of an output", span, problems);
        let mut text = |key| fields.text(key).map(|text| text.0);
        let odoo = Self {
            connector: text("connector"),
            field: text("field"),
            parameter: text("parameter"),
        };
        let incomplete = odoo.field.is_some() && odoo.connector.is_none()
            || odoo.field.is_none() && odoo.parameter.is_none();
        if incomplete {
            let problem = Diagnostic::error("Odoo would not know where to keep this")
                .hint("odoo = { connector = \"mattermost\", field = \"base_url\" }, or { parameter = \"…\" }");
            fields.problem(problem.at(span));
        }
        fields.finish();
        odoo
    }
}
