//! Health checks as a stack declares them: what to ask a service, what it must answer, who may ask, which version it must be.

mod question;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::fields::Fields;
use crate::template::{Origin, Renderer};
use crate::tree::{Data, Table};

pub use question::{Answer, Expectation, Question, Way};
pub use version::{Range, Source, VersionQuestion, version_in};

/// One check of a service as its users see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// The service in a Compose project that it is about.
    pub service: Option<String>,
    /// The resource at whose address a URL is asked for, instead of what DNS says.
    pub host: Option<Address>,
    /// Whether the service can be reached and answers what it must.
    pub reach: Question,
    /// Whether it lets in who shows the stack's own secret.
    pub auth: Option<Question>,
    /// Which version it is, and which it must be.
    pub version: Option<VersionQuestion>,
}

/// What reading a check needs.
pub(crate) struct Reading<'a> {
    pub(crate) renderer: &'a Renderer,
    pub(crate) problems: &'a mut Vec<Diagnostic>,
}

impl Check {
    /// Reads a check; what is wrong is collected. One that is switched off by `when` is none.
    pub fn read(
        name: &str,
        span: &Span,
        table: &Table,
        addresses: &BTreeSet<&Address>,
        renderer: &Renderer,
        files: &BTreeMap<String, String>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut reading = Reading { renderer, problems };
        let on = reading.when(table);
        let mut fields = Fields::new(table, "A check", span, reading.problems);
        fields.node("when");
        let host = fields.text("host");
        let service = fields.text("service").map(|service| service.0);
        let authority = fields.text("authority");
        let auth = fields.table("auth").cloned();
        let version = fields.table("version").cloned();
        let reach = Question::fields(&mut fields);
        fields.finish();
        let host = host.and_then(|(text, at)| find_host(&text, &at, addresses, reading.problems));
        let reach = Question::read(reach, span, service.is_some(), &mut reading);
        let auth = auth.filter(|table| reading.when(table)).and_then(|table| {
            let span = beginning(&table, span);
            Question::table(&table, "`auth` of a check", &span, service.is_some(), &mut reading)
        });
        let version = version.filter(|table| reading.when(table)).and_then(|table| {
            let span = beginning(&table, span);
            VersionQuestion::read(&table, &span, service.is_some(), &mut reading)
        });
        let authority =
            authority.and_then(|(name, at)| find_authority(&name, &at, files, problems));
        let mut check = Self { name: name.into(), service, host, reach: reach?, auth, version };
        check.questions().for_each(|question| question.authority.clone_from(&authority));
        on.then_some(check)
    }

    /// Whether any of its questions is a command in the container of its service.
    #[must_use]
    pub fn runs_commands(&self) -> bool {
        let version = self.version.as_ref().and_then(|version| version.question.as_ref());
        let questions = [Some(&self.reach), self.auth.as_ref(), version];
        questions.into_iter().flatten().any(|one| matches!(one.way, Way::Command { .. }))
    }

    fn questions(&mut self) -> impl Iterator<Item = &mut Question> {
        let version = self.version.as_mut().and_then(|version| version.question.as_mut());
        [Some(&mut self.reach), self.auth.as_mut(), version].into_iter().flatten()
    }
}

/// Where a table begins, by its first key; its own header is not kept.
fn beginning(table: &Table, otherwise: &Span) -> Span {
    let keys = table.iter().map(|(_, entry)| &entry.key);
    keys.min_by_key(|span| span.start).unwrap_or(otherwise).clone()
}

impl Reading<'_> {
    /// Whether a table is wanted at all: `when` is a truth, or a template that makes one.
    fn when(&mut self, table: &Table) -> bool {
        let Some(node) = table.get("when") else { return true };
        let text = match &node.data {
            Data::Bool(truth) => return *truth,
            Data::Text(text) => text,
            _ => "not a text",
        };
        let rendered = self.renderer.render(text, &Origin::Inline(node.span.clone()));
        let (text, problem) = match rendered {
            Ok(rendered) => (rendered.text, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        match (text.as_str(), problem) {
            (_, Some(problem)) => self.problems.push(problem),
            ("true", None) => return true,
            ("false", None) => return false,
            _ => self.problems.push(
                Diagnostic::error("Not a truth for `when`")
                    .detail("It takes true, false, or a template that makes one of these.")
                    .at(&node.span),
            ),
        }
        true
    }
}

fn find_host(
    text: &str,
    at: &Span,
    addresses: &BTreeSet<&Address>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Address> {
    let found = text.parse::<Address>().ok().filter(|address| addresses.contains(address));
    if found.is_none() {
        let detail = format!("`{text}` is not a resource of this stack.");
        problems.push(Diagnostic::nothing_there(text, detail).at(at));
    }
    found
}

/// The certificates in a file of the stack. One that is missing was complained of when it was read.
fn find_authority(
    name: &str,
    at: &Span,
    files: &BTreeMap<String, String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<String> {
    let text = files.get(name)?;
    let wrong = match text.contains("-----BEGIN CERTIFICATE-----") {
        // It is handed to the host.
        true if text.contains("PRIVATE KEY-----") => "holds a private key",
        true => return Some(text.clone()),
        false => "holds no certificate in PEM form",
    };
    let problem = Diagnostic::error("Not the certificate of an authority");
    problems.push(problem.detail(format!("`{name}` {wrong}.")).at(at));
    None
}
