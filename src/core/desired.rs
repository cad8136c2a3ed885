//! From a stack's text to the desired state: rendering, type checks, references, canonical attributes.

mod context;
mod origin;
mod services;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Reference, StackId};
use crate::check::Check;
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::fields::{unknown_key, wrong_type};
use crate::image::Locked;
use crate::live::Outputs;
use crate::order;
use crate::output::StackOutput;
use crate::resource::{Attribute, Default, DesiredResource, Draft, Kind, ResourceType, Types};
use crate::secret::{DigestKey, Secret};
use crate::stack::{Declared, Stack, content_source};
use crate::template::{Origin, Rendered, Renderer};
use crate::tree::{Data, Node, Table};
use crate::value::{Attributes, Content, SecretText, Value};

pub use uses::used_secrets;

/// What a stack wants.
#[derive(Clone, Debug)]
pub struct DesiredState {
    /// Which stack.
    pub stack: StackId,
    /// Its resources, each after everything that it needs.
    pub resources: Vec<DesiredResource>,
    /// Secrets that ipai still has to make.
    pub secrets_to_make: BTreeSet<String>,
    /// Health checks.
    pub checks: Vec<Check>,
    /// What it hands over to others.
    pub outputs: Vec<StackOutput>,
}

/// Everything that the desired state is made from.
pub struct Inputs<'a> {
    /// The stack as written.
    pub stack: &'a Stack,
    /// All resource types.
    pub types: &'a Types,
    /// The texts of the files that the stack names, by path.
    pub files: &'a BTreeMap<String, String>,
    /// Secrets by name; absent values are still to be made.
    pub secrets: &'a BTreeMap<String, Option<Secret>>,
    /// What resources are known to produce.
    pub outputs: &'a BTreeMap<Address, Outputs>,
    /// Values that override the stack's variables.
    pub variables: &'a BTreeMap<String, String>,
    /// Public keys that may log in on the hosts, one OpenSSH line each.
    pub authorized_keys: &'a [String],
    /// Keys digests of secrets.
    pub key: &'a DigestKey,
    /// Digests of images, where the stack has a lock file. The sandbox's images have none.
    pub images: Option<&'a Locked>,
    /// Tells whether this is the sandbox.
    pub sandbox: bool,
}

/// Works out the desired state, and everything that is wrong with it.
#[must_use]
pub fn compile(inputs: &Inputs<'_>) -> (DesiredState, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let renderer = Renderer::new(context::context(inputs, &mut problems));
    let declared = inputs.stack.resources.iter().map(|d| &d.address).collect();
    let mut reader = Reader { inputs, declared, renderer: &renderer, problems: &mut problems };
    let mut resources = Vec::with_capacity(inputs.stack.resources.len());
    resources.extend(inputs.stack.resources.iter().filter_map(|d| reader.resource(d)));
    let checks = reader.checks();
    let outputs = reader.outputs();
    drop(renderer);
    // What is written is known by now; what is added to it may wait for an apply.
    services::check(inputs, &resources, &checks, &mut problems);
    settle(inputs, &mut resources, &mut problems);
    find_clashes(inputs.types, &resources, &mut problems);
    let resources = in_order(resources, &mut problems);
    let to_make = inputs.secrets.iter().filter(|(_, value)| value.is_none());
    let secrets_to_make = to_make.map(|(name, _)| name.clone()).collect();
    problems.retain(|problem| !follows(problem, &inputs.stack.unread));
    crate::diagnostic::sort(&mut problems);
    let stack = inputs.stack.id.clone();
    (DesiredState { stack, resources, secrets_to_make, checks, outputs }, problems)
}

/// Whether what is sought in vain may be a resource whose type is misspelled, which is told already. A template stops at
/// the first part of an address that nothing has.
fn follows(problem: &Diagnostic, unread: &BTreeSet<Address>) -> bool {
    let Some(sought) = problem.sought() else { return false };
    let mut parts = sought.split('.');
    let (provider, kind, name) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    unread.iter().any(|one| match (kind, name) {
        (None, _) => nearest(provider, [one.provider.as_str()]).is_some(),
        (Some(kind), None) => one.provider == provider || one.kind == kind,
        (Some(kind), Some(name)) => {
            one.name == name && (one.provider == provider || one.kind == kind)
        }
    })
}

/// Keys that every resource takes.
const COMMON: [&str; 1] = ["after"];

struct Reader<'a> {
    inputs: &'a Inputs<'a>,
    declared: BTreeSet<&'a Address>,
    renderer: &'a Renderer,
    problems: &'a mut Vec<Diagnostic>,
}

/// Where the keys of a resource stand. Held only while there is something to complain about: for large stacks it
/// would be a good part of everything.
fn spans(declared: &Declared) -> BTreeMap<String, Span> {
    declared.table.iter().map(|(key, entry)| (key.clone(), entry.node.span.clone())).collect()
}

/// Whether a key is there under a name that no key has, which is complained of by itself.
fn misspelled(kind: &dyn ResourceType, declared: &Declared, name: &str) -> bool {
    let known = || kind.schema().iter().map(|attribute| attribute.name).chain(COMMON);
    declared
        .table
        .iter()
        .any(|(key, _)| !known().any(|known| known == key) && nearest(key, known()) == Some(name))
}

/// What reading one resource gathers besides its attributes.
#[derive(Default)]
struct Gathered {
    after: BTreeSet<Address>,
}

impl Reader<'_> {
    fn resource(&mut self, declared: &Declared) -> Option<DesiredResource> {
        let kind = self.inputs.types.get(&declared.address)?;
        let before = self.problems.len();
        let mut gathered = Gathered::default();
        let attributes = self.attributes(kind, declared, &mut gathered);
        self.report_unknown_keys(kind, declared);
        self.read_after(declared, &mut gathered);
        let home =
            kind.home().and_then(|key| attributes.get(key)?.as_text()?.parse::<Address>().ok());
        gathered.after.extend(home.clone());
        let spans = spans(declared);
        let address = declared.address.clone();
        let mut resource = DesiredResource {
            address,
            attributes,
            after: gathered.after,
            home,
            span: declared.span.clone(),
            spans,
        };
        if self.problems.len() == before {
            kind.check(&mut Draft {
                resource: &mut resource,
                stack: &self.inputs.stack.id,
                key: self.inputs.key,
                images: self.inputs.images,
                problems: self.problems,
            });
            let found = &mut self.problems[before..];
            origin::point_into_templates(found, &resource, declared, self.inputs.files);
        }
        resource.spans.clear();
        Some(resource)
    }

    fn attributes(
        &mut self,
        kind: &dyn ResourceType,
        declared: &Declared,
        gathered: &mut Gathered,
    ) -> Attributes {
        let mut attributes = Attributes::new();
        for attribute in kind.schema() {
            let value = match declared.table.get(attribute.name) {
                Some(node) => self.value(attribute.name, &attribute.kind, node, gathered),
                None => self.default(kind, attribute, declared),
            };
            attributes.extend(value.map(|value| (attribute.name.to_owned(), value)));
        }
        attributes
    }

    fn default(
        &mut self,
        kind: &dyn ResourceType,
        attribute: &Attribute,
        declared: &Declared,
    ) -> Option<Value> {
        match attribute.default {
            Default::Absent => None,
            Default::Bool(truth) => Some(Value::Bool(truth)),
            Default::Int(int) => Some(Value::Int(int)),
            Default::Text(text) => Some(Value::text(text)),
            Default::EmptyList => Some(Value::List(Vec::new())),
            Default::EmptyMap => Some(Value::Map(BTreeMap::new())),
            Default::Required if misspelled(kind, declared, attribute.name) => None,
            Default::Required => {
                let problem = Diagnostic::error(format!("Missing key `{}`", attribute.name))
                    .detail(format!("`{}` needs it: {}", declared.address, attribute.doc))
                    .hint(format!(
                        "ipai explain {}.{}",
                        declared.address.provider, declared.address.kind
                    ))
                    .at(&declared.span);
                self.problems.push(problem);
                None
            }
        }
    }

    fn report_unknown_keys(&mut self, kind: &dyn ResourceType, declared: &Declared) {
        let known = kind.schema().iter().map(|attribute| attribute.name).chain(COMMON);
        let what = format!("`{}`", declared.address);
        for (key, entry) in declared.table.iter() {
            if !known.clone().any(|name| name == key) {
                self.problems.push(unknown_key(key, &what, known.clone(), &entry.key));
            }
        }
    }

    fn read_after(&mut self, declared: &Declared, gathered: &mut Gathered) {
        let Some(node) = declared.table.get("after") else { return };
        let addresses = self.value("after", &Kind::List(&Kind::Address), node, gathered);
        let addresses =
            addresses.iter().flat_map(Value::text_items).filter_map(|text| text.parse().ok());
        gathered.after.extend(addresses);
    }

    fn value(
        &mut self,
        key: &str,
        kind: &Kind,
        node: &Node,
        gathered: &mut Gathered,
    ) -> Option<Value> {
        match (kind, &node.data) {
            (Kind::Bool, Data::Bool(truth)) => Some(Value::Bool(*truth)),
            (Kind::Int(low, high), Data::Int(int)) if (low..=high).contains(&int) => {
                Some(Value::Int(*int))
            }
            (Kind::Int(low, high), Data::Int(int)) => {
                let problem = Diagnostic::error(format!("`{key}` is out of range"))
                    .detail(format!("{int} is not between {low} and {high}."))
                    .at(&node.span);
                self.problems.push(problem);
                None
            }
            (Kind::List(inner), Data::List(items)) => {
                let values: Vec<_> =
                    items.iter().map(|item| self.value(key, inner, item, gathered)).collect();
                values.into_iter().collect::<Option<Vec<_>>>().map(Value::List)
            }
            (Kind::Map(inner), Data::Table(table)) => {
                let read = |(name, entry): (&String, &crate::tree::Entry)| {
                    Some((
                        name.clone(),
                        self.value(&format!("{key}.{name}"), inner, &entry.node, gathered)?,
                    ))
                };
                let values: Vec<Option<(String, Value)>> = table.iter().map(read).collect();
                values.into_iter().collect::<Option<BTreeMap<_, _>>>().map(Value::Map)
            }
            (Kind::Content, Data::Table(table)) => self.content(key, table, node, gathered),
            (_, Data::Text(source)) if !matches!(kind, Kind::List(_) | Kind::Map(_)) => {
                if let (Kind::Address, Some(address)) = (kind, self.meant_address(source)) {
                    let problem = Diagnostic::error(format!("`{key}` takes an address as it is"))
                        .detail(
                            "It names the resource; a template would put one of its values there.",
                        )
                        .hint(format!("write {key} = \"{address}\""));
                    self.problems.push(problem.at(&node.span));
                    return None;
                }
                let rendered = self.render(source, &Origin::Inline(node.span.clone()), gathered)?;
                let value = self.scalar(key, kind, rendered, node)?;
                if matches!(kind, Kind::Address) {
                    gathered.after.extend(value.as_text().and_then(|text| text.parse().ok()));
                }
                Some(value)
            }
            _ => {
                self.problems.push(wrong_type(key, node, &in_words(kind)));
                None
            }
        }
    }

    fn render(
        &mut self,
        source: &str,
        origin: &Origin,
        gathered: &mut Gathered,
    ) -> Option<Rendered> {
        match self.renderer.render(source, origin) {
            Ok(rendered) => {
                gathered.after.extend(rendered.references.iter().map(|r| r.address.clone()));
                gathered.after.extend(rendered.unknown.iter().map(|r| r.address.clone()));
                Some(rendered)
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn content(
        &mut self,
        key: &str,
        table: &Table,
        node: &Node,
        gathered: &mut Gathered,
    ) -> Option<Value> {
        let Some((template, path, span)) = content_source(table) else {
            self.problems.push(wrong_type(key, node, &in_words(&Kind::Content)));
            return None;
        };
        // A file that could not be read was reported when it was loaded.
        let text = self.inputs.files.get(path)?;
        if !template {
            return Some(Value::Content(Content::plain(text.clone())));
        }
        let origin = Origin::File(path.into());
        let rendered = self.render(text, &origin, gathered);
        if rendered.is_none() {
            self.point_at(span);
        }
        rendered.map(|rendered| self.as_content(rendered))
    }

    /// A template's error stands in the template; its user is named in the detail.
    fn point_at(&mut self, user: &Span) {
        if let Some(problem) = self.problems.last_mut() {
            let detail = problem.detail.take().unwrap_or_default();
            problem.detail = Some(format!("{detail} The template is used by {}.", user.file));
        }
    }

    fn as_content(&self, rendered: Rendered) -> Value {
        if !rendered.unknown.is_empty() {
            return unknown(rendered);
        }
        if rendered.secrets.is_empty() {
            return Value::Content(Content::plain(rendered.text));
        }
        Value::Content(Content::sensitive(rendered.text, self.inputs.key))
    }

    fn scalar(&mut self, key: &str, kind: &Kind, rendered: Rendered, node: &Node) -> Option<Value> {
        if matches!(kind, Kind::Content) {
            return Some(self.as_content(rendered));
        }
        if !rendered.unknown.is_empty() {
            return Some(unknown(rendered));
        }
        if !rendered.secrets.is_empty() {
            // A place that is printed, named in a marker, or compared by the provider cannot keep a secret.
            if key != "content" {
                let problem = Diagnostic::error(format!("`{key}` cannot hold a secret"))
                    .detail("Only contents can: whatever else a resource has is shown and compared in the clear.")
                    .hint("put the secret into a host.file's `content`")
                    .at(&node.span);
                self.problems.push(problem);
                return None;
            }
            return Some(Value::Secret(SecretText::new(rendered.text, self.inputs.key)));
        }
        match self.parse(key, kind, rendered.text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(problem.at(&node.span));
                None
            }
        }
    }

    fn parse(&self, key: &str, kind: &Kind, text: String) -> Result<Value, Diagnostic> {
        let wrong = || {
            Diagnostic::error(format!("Wrong type for `{key}`"))
                .detail(format!("`{key}` takes {}.", in_words(kind)))
        };
        match kind {
            Kind::Text => Ok(Value::Text(text)),
            Kind::Bool => text.parse().map(Value::Bool).map_err(|_| wrong()),
            Kind::Int(low, high) => match text.parse::<i64>() {
                Ok(int) if (low..=high).contains(&&int) => Ok(Value::Int(int)),
                _ => Err(wrong()),
            },
            Kind::Choice(choices) if choices.contains(&text.as_str()) => Ok(Value::Text(text)),
            Kind::Choice(choices) => {
                let mut problem = Diagnostic::error(format!("Not a choice for `{key}`"))
                    .detail(format!("\"{text}\" is none of {}.", choices.join(", ")));
                problem.hint = meant(&text, choices.iter().copied());
                Err(problem)
            }
            Kind::Duration => match parse_duration(&text) {
                Some(seconds) => Ok(Value::Int(seconds)),
                None => Err(wrong()),
            },
            Kind::Address => self.parse_address(text),
            Kind::Content | Kind::List(_) | Kind::Map(_) => Err(wrong()),
        }
    }

    /// The resource that a template begins with, as Terraform's users write references.
    fn meant_address(&self, source: &str) -> Option<String> {
        let words = source.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        let parts: Vec<&str> = words.split('.').take(3).collect();
        let address = parts.join(".");
        let found = address.parse::<Address>().ok()?;
        self.declared.contains(&found).then_some(address)
    }

    fn parse_address(&self, text: String) -> Result<Value, Diagnostic> {
        if text.parse::<Address>().is_ok_and(|address| self.declared.contains(&address)) {
            return Ok(Value::Text(text));
        }
        let names: Vec<String> = self.declared.iter().map(ToString::to_string).collect();
        let detail = format!("`{text}` is not a resource of this stack.");
        let mut problem = Diagnostic::nothing_there(&text, detail);
        // Its name alone is what people try first.
        let named = self.declared.iter().find(|address| address.name == text);
        let named = named.map(|address| format!("did you mean \"{address}\"?"));
        problem.hint = named.or_else(|| meant(&text, names.iter().map(String::as_str)));
        Err(problem)
    }

    fn outputs(&mut self) -> Vec<StackOutput> {
        let mut outputs = Vec::new();
        for (name, (span, table)) in &self.inputs.stack.outputs {
            let (declared, renderer) = (&self.declared, self.renderer);
            let output = StackOutput::read(name, span, table, declared, renderer, self.problems);
            outputs.extend(output);
        }
        outputs
    }

    fn checks(&mut self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (name, (span, table)) in &self.inputs.stack.checks {
            let (declared, renderer) = (&self.declared, self.renderer);
            let files = self.inputs.files;
            checks.extend(Check::read(name, span, table, declared, renderer, files, self.problems));
        }
        checks
    }
}

/// The hint for a text that is nearly another one, as TOML has it.
fn meant<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(text, known).map(|near| format!("did you mean \"{near}\"?"))
}

/// A value that waits, with the secrets in it kept in mind: what stands there now may hold them already.
fn unknown(rendered: Rendered) -> Value {
    let secrets = rendered.secrets.iter().map(|name| secret_reference(name));
    Value::Unknown(rendered.unknown.into_iter().chain(secrets).collect())
}

/// What a kind takes, in words.
#[must_use]
pub fn in_words(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a string".into(),
        Kind::Bool => "true or false".into(),
        Kind::Int(low, high) => format!("an integer from {low} to {high}"),
        Kind::Choice(choices) => format!("one of {}", choices.join(", ")),
        Kind::List(inner) => format!("an array, each item {}", in_words(inner)),
        Kind::Map(inner) => format!("a table, each value {}", in_words(inner)),
        Kind::Address => "the address of a resource, such as \"digitalocean.droplet.ops\"".into(),
        Kind::Content => "inline text, { template = \"path\" } or { file = \"path\" }".into(),
        Kind::Duration => "a duration such as \"90s\", \"10m\" or \"1h\"".into(),
    }
}

/// Reads `90s`, `10m`, `1h` as seconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u32>().ok().map(|n| i64::from(n) * factor)
}

/// Settles each resource against all as they were read. Few change, so only those are held twice.
fn settle(inputs: &Inputs<'_>, resources: &mut [DesiredResource], problems: &mut Vec<Diagnostic>) {
    let mut settled = Vec::new();
    let known = |declared: &&Declared| inputs.types.get(&declared.address).is_some();
    let declared = inputs.stack.resources.iter().filter(known);
    for (place, (read, declared)) in resources.iter().zip(declared).enumerate() {
        let Some(kind) = inputs.types.get(&read.address) else { continue };
        let mut resource = DesiredResource { spans: spans(declared), ..read.clone() };
        kind.settle(
            &mut Draft {
                resource: &mut resource,
                stack: &inputs.stack.id,
                key: inputs.key,
                images: inputs.images,
                problems,
            },
            resources,
        );
        resource.spans.clear();
        if resource.differs_from(read) {
            settled.push((place, resource));
        }
    }
    for (place, resource) in settled {
        resources[place] = resource;
    }
}

fn find_clashes(types: &Types, resources: &[DesiredResource], problems: &mut Vec<Diagnostic>) {
    let mut buckets: BTreeMap<(usize, String), Vec<&DesiredResource>> = BTreeMap::new();
    for resource in resources {
        let Some(kind) = types.get(&resource.address) else { continue };
        if let Some(bucket) = kind.bucket(&resource.attributes) {
            buckets.entry((types.rank(&resource.address), bucket)).or_default().push(resource);
        }
    }
    for bucket in buckets.values() {
        for (i, one) in bucket.iter().enumerate() {
            for other in &bucket[i + 1..] {
                let kind = types.get(&one.address);
                if let Some(why) = kind.and_then(|k| k.clash(&one.attributes, &other.attributes)) {
                    let detail = format!("`{}` and `{}`: {why}", one.address, other.address);
                    let problem =
                        Diagnostic::error("Two resources exclude each other").detail(detail);
                    problems.push(problem.at(&other.span));
                }
            }
        }
    }
}

fn in_order(
    resources: Vec<DesiredResource>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<DesiredResource> {
    let edges: BTreeMap<&Address, &BTreeSet<Address>> =
        resources.iter().map(|r| (&r.address, &r.after)).collect();
    match order::sort(&edges) {
        Ok(order) => {
            let place: BTreeMap<Address, usize> =
                order.into_iter().enumerate().map(|(i, a)| (a, i)).collect();
            let mut sorted = resources;
            sorted.sort_by_cached_key(|r| place.get(&r.address).copied());
            sorted
        }
        Err(cycle) => {
            let path = cycle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ");
            let span = resources
                .iter()
                .find(|r| Some(&r.address) == cycle.first())
                .map(|r| r.span.clone());
            let mut problem = Diagnostic::error("Reference cycle")
                .detail(format!("Each of these waits for the next: {path}"))
                .hint("take one of the references or `after` entries out");
            problem.at = span;
            problems.push(problem);
            resources
        }
    }
}

/// The references that a set of addresses makes unknown again, as when they are created anew.
#[must_use]
pub fn without(
    outputs: &BTreeMap<Address, Outputs>,
    gone: &BTreeSet<Address>,
) -> BTreeMap<Address, Outputs> {
    outputs
        .iter()
        .filter(|(address, _)| !gone.contains(address))
        .map(|(a, o)| (a.clone(), o.clone()))
        .collect()
}

/// A reference to the secret `name`.
#[must_use]
pub fn secret_reference(name: &str) -> Reference {
    Reference { address: Address::secret(name), output: String::new() }
}
