//! What a stack hands over to others: values that it knows, by name.

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
        renderer: &Renderer,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::new(table, "An output", span, problems);
        let value = fields.required_text("value");
        let declared = fields.bool("sensitive");
        let description = fields.text("description").map(|text| text.0).unwrap_or_default();
        let odoo = fields.table("odoo").cloned();
        fields.finish();
        let odoo = odoo.map(|table| Odoo::read(&table, span, problems));
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
            sensitive: secret || declared.unwrap_or(false),
            description,
            odoo,
        })
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
