//! Templates: minijinja in strict mode, with every use of a secret and of another resource's output noted.

mod depth;
mod filters;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value as Jinja,
    escape_formatter,
};

use crate::address::{Address, Reference};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::live::Outputs;
use crate::secret::Secret;
use crate::value::Value;

/// What stands in a text whose real value is not there yet. It never leaves the process as a value.
const PLACEHOLDER: &str = "(known after apply)";

/// What one template may spend: a step costs one, and so do 64 bytes of text. The largest template that anybody writes by
/// hand takes a hundredth of it, and what uses it all up is stopped in a fraction of a second, at 16 MB.
const FUEL: u64 = 250_000;

/// What stands in a message where a secret stood.
const HIDDEN: &str = "(sensitive value)";

/// Everything that a template may speak of.
#[derive(Default)]
pub struct Context {
    /// `var.NAME`.
    pub variables: BTreeMap<String, Jinja>,
    /// `stack.NAME`.
    pub stack: BTreeMap<String, Jinja>,
    /// `ssh.NAME`.
    pub ssh: BTreeMap<String, Jinja>,
    /// `secret.NAME`; absent values are still to be made.
    pub secrets: BTreeMap<String, Option<Secret>>,
    /// `provider.type.name.output`, as far as known.
    pub outputs: BTreeMap<Address, Outputs>,
    /// Declared resources with the outputs that their types have.
    pub declared: BTreeMap<Address, Vec<&'static str>>,
}

impl Context {
    /// Tells whether an address begins with these parts. Addresses are sorted, so the first that could tells.
    fn declares(&self, parts: &[&str]) -> bool {
        let part = |index: usize| parts.get(index).copied().unwrap_or_default();
        let first = self.declared.range(Address::new(part(0), part(1), part(2))..).next();
        first.is_some_and(|(address, _)| {
            let found = [&address.provider, &address.kind, &address.name];
            parts.iter().zip(found).all(|(wanted, found)| wanted == found)
        })
    }
}

/// What rendering gave.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The text; meaningless where `unknown` is not empty.
    pub text: String,
    /// All outputs that were used, known or not.
    pub references: BTreeSet<Reference>,
    /// Those that are not known yet, secrets still to be made among them.
    pub unknown: BTreeSet<Reference>,
    /// Names of the secrets that were used.
    pub secrets: BTreeSet<String>,
}

/// Where a template's text stands.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file of its own, by name.
    File(Arc<str>),
    /// A string inside another file.
    Inline(Span),
}

#[derive(Default, Debug)]
struct Uses {
    rendered: Rendered,
    missing: Vec<String>,
}

type Shared = Arc<Mutex<Uses>>;

/// Renders templates against one context.
pub struct Renderer {
    environment: Environment<'static>,
    context: Arc<Context>,
    /// What was suggested for names that are none.
    suggested: Mutex<BTreeMap<String, Option<String>>>,
}

/// For how many wrong names a right one is looked for: each costs a walk through all that there are.
const MOST_SUGGESTIONS: usize = 20;

impl Renderer {
    /// Prepares for rendering.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { environment: environment(), context: Arc::new(context), suggested: Mutex::default() }
    }

    /// Renders one template.
    ///
    /// # Errors
    /// A syntax error, an undefined name, or a failing filter, with its place in the template.
    pub fn render(&self, source: &str, origin: &Origin) -> Result<Rendered, Diagnostic> {
        if !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark)) {
            return Ok(Rendered { text: source.to_owned(), ..Rendered::default() });
        }
        let uses = Shared::default();
        let root = Jinja::from_object(Root {
            context: Arc::clone(&self.context),
            uses: Arc::clone(&uses),
        });
        let name = match origin {
            Origin::File(file) => &**file,
            Origin::Inline(span) => &*span.file,
        };
        let Some(stack) = depth::needed_stack(source) else { return Err(endless(origin)) };
        stacker::maybe_grow(stack, stack, || {
            let result = self.environment.render_named_str(name, source, root);
            let mut uses = std::mem::take(&mut *lock(&uses));
            match result {
                Ok(text) => {
                    uses.rendered.text = text;
                    Ok(uses.rendered)
                }
                Err(error) => Err(self.explain(&error, &uses, source, origin)),
            }
        })
    }

    /// Takes the secrets that the template used out of a message about it: an error may quote what it choked on.
    fn redact(&self, text: &str, uses: &Uses) -> String {
        let used = uses.rendered.secrets.iter().filter_map(|name| self.context.secrets.get(name));
        let texts = used.flatten().map(Secret::expose).filter(|text| !text.is_empty());
        texts.fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }

    fn explain(
        &self,
        error: &minijinja::Error,
        uses: &Uses,
        source: &str,
        origin: &Origin,
    ) -> Diagnostic {
        let span = match origin {
            Origin::Inline(span) => span.clone(),
            Origin::File(file) => Span::new(file, error_range(error, source)),
        };
        if error.kind() == ErrorKind::UndefinedError
            && let Some(name) = uses.missing.last()
        {
            let last = name.rsplit('.').next().unwrap_or_default();
            // A name that the template does not spell out was computed, perhaps from a secret.
            if !uses.rendered.secrets.is_empty() && !source.contains(last) {
                let detail =
                    "The name was made in the template, perhaps from a secret, so it is not shown.";
                return Diagnostic::error("Undefined name").detail(detail).at(&span);
            }
            return self.undefined(&self.redact(name, uses)).at(&span);
        }
        if error.kind() == ErrorKind::OutOfFuel {
            return endless(origin);
        }
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let detail = self.redact(&detail, uses);
        let summary = if error.kind() == ErrorKind::SyntaxError {
            "Template syntax error"
        } else {
            "Template error"
        };
        Diagnostic::error(summary).detail(detail).at(&span)
    }

    fn undefined(&self, name: &str) -> Diagnostic {
        let near = self.suggestion(name);
        let first = name.split('.').next().unwrap_or_default();
        let hint = match (near, self.has(name), first) {
            (Some(near), Some(has), _) => format!("did you mean `{near}`? It has {has}"),
            (None, Some(has), _) => format!("it has {has}"),
            (Some(near), None, _) => format!("did you mean `{near}`?"),
            (_, _, "var") => format!("add it to the stack's `[var]` section: {} = \"…\"", &name[3..].trim_start_matches('.')),
            (_, _, "secret") => format!("declare it: [{name}]"),
            _ => "names begin with `var.`, `secret.`, `stack.`, `ssh.` or a declared resource's address".to_owned(),
        };
        let summary = match first {
            "var" => "Undefined variable",
            "secret" => "Missing secret",
            "stack" | "ssh" => "Undefined name",
            _ if name.contains('.') => "Reference to nothing",
            _ => "Undefined name",
        };
        let problem =
            Diagnostic::nothing_there(name, format!("`{name}` is not defined in this stack."));
        Diagnostic { summary: summary.to_owned(), ..problem.hint(hint) }
    }

    /// What there is of a resource of which something else was asked for.
    fn has(&self, name: &str) -> Option<String> {
        let (address, _) = name.rsplit_once('.')?;
        let outputs = self.context.declared.get(&address.parse().ok()?)?;
        (!outputs.is_empty()).then(|| outputs.join(", "))
    }

    /// The name that is nearest to a wrong one.
    fn suggestion(&self, name: &str) -> Option<String> {
        let mut suggested = self.suggested.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = suggested.get(name) {
            return known.clone();
        }
        if suggested.len() >= MOST_SUGGESTIONS {
            return None;
        }
        let known = self.known_names();
        let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        suggested.insert(name.to_owned(), near.clone());
        near
    }

    fn known_names(&self) -> Vec<String> {
        let context = &self.context;
        let plain = |space: &str, names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            names.map(|name| format!("{space}.{name}")).collect()
        };
        let mut known = plain("var", &mut context.variables.keys());
        known.extend(plain("stack", &mut context.stack.keys()));
        known.extend(plain("ssh", &mut context.ssh.keys()));
        known.extend(plain("secret", &mut context.secrets.keys()));
        for (address, outputs) in &context.declared {
            known.push(format!("{}.{}", address.provider, address.kind));
            known.push(address.to_string());
            known.extend(outputs.iter().map(|output| format!("{address}.{output}")));
        }
        known
    }
}

/// The error of a template that asks for more than one may have.
fn endless(origin: &Origin) -> Diagnostic {
    let (what, span) = match origin {
        Origin::File(file) => (format!("`{file}`"), Span::new(file, 0..0)),
        Origin::Inline(span) => (format!("A value in `{}`", span.file), span.clone()),
    };
    let code = depth::MOST_CODE >> 10;
    Diagnostic::error("The template takes too much")
        .detail(format!(
            "{what} has more than {code} KB of code, or takes more than {FUEL} steps; 64 bytes of text count as one."
        ))
        .hint("look for a loop over a large `range`, or a text that grows with every turn")
        .at(&span)
}

fn no_namespace(_: Rest<Jinja>, _: Kwargs) -> Result<Jinja, Error> {
    let detail = "`namespace` is not available in stacks: values do not change once they are made";
    Err(Error::new(ErrorKind::InvalidOperation, detail))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(depth::MOST_RECURSION);
    // The one value that can be changed, and so hold itself, or grow deeper with every turn of a loop.
    environment.add_function("namespace", no_namespace);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_formatter(write_value);
    filters::add(&mut environment);
    environment
}

/// The secrets that a template names, in whichever branch. Nothing is rendered; a template that cannot be read names
/// none.
#[must_use]
pub fn named_secrets(source: &str) -> BTreeSet<String> {
    let Some(stack) = depth::needed_stack(source) else { return BTreeSet::new() };
    stacker::maybe_grow(stack, stack, || {
        let environment = environment();
        let Ok(template) = environment.template_from_str(source) else { return BTreeSet::new() };
        let names = template.undeclared_variables(true);
        let secrets = names.iter().filter_map(|name| name.strip_prefix("secret."));
        secrets.filter_map(|rest| rest.split('.').next()).map(str::to_owned).collect()
    })
}

/// Writes truth as TOML, YAML and JSON do, and refuses a resource where one of its outputs is meant.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Jinja,
) -> Result<(), Error> {
    if let Some(space) = value.downcast_object_ref::<Space>() {
        let detail = format!("`{space:?}` is not a value: say what of it, as in `{space:?}.name`");
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    match value.kind() {
        ValueKind::Bool if value.is_true() => Ok(out.write_str("true")?),
        ValueKind::Bool => Ok(out.write_str("false")?),
        _ => escape_formatter(out, state, value),
    }
}

fn error_range(error: &minijinja::Error, source: &str) -> std::ops::Range<usize> {
    if let Some(range) = error.range().filter(|r| r.start <= r.end && r.end <= source.len()) {
        return range;
    }
    let line = error.line().unwrap_or(1).max(1);
    let start =
        source.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>().min(source.len());
    let end = source[start..].find('\n').map_or(source.len(), |length| start + length);
    start..end
}

fn lock(uses: &Shared) -> std::sync::MutexGuard<'_, Uses> {
    uses.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names a template sees at top level.
struct Root {
    context: Arc<Context>,
    uses: Shared,
}

/// The names below a dotted prefix: `secret`, `digitalocean`, `digitalocean.droplet`, `digitalocean.droplet.ops`.
struct Space {
    context: Arc<Context>,
    uses: Shared,
    path: Vec<String>,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names")
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("."))
    }
}

impl Root {
    fn space(&self, name: &str) -> Jinja {
        let (context, uses) = (Arc::clone(&self.context), Arc::clone(&self.uses));
        Jinja::from_object(Space { context, uses, path: vec![name.to_owned()] })
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        let known = matches!(name, "var" | "secret" | "stack" | "ssh");
        if known || self.context.declares(&[name]) {
            return Some(self.space(name));
        }
        lock(&self.uses).missing.push(name.to_owned());
        None
    }
}

impl Object for Space {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys = match self.plain() {
            Some(map) => map.keys().map(|key| Jinja::from(key.as_str())).collect(),
            None => Vec::new(),
        };
        Enumerator::Values(keys)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let key = key.as_str()?;
        let found = match self.path.first().map(String::as_str) {
            Some("secret") => self.secret(key),
            Some("var" | "stack" | "ssh") => self.plain()?.get(key).cloned(),
            _ => self.resource(key),
        };
        if found.is_none() {
            lock(&self.uses).missing.push(format!("{}.{key}", self.path.join(".")));
        }
        found
    }
}

impl Space {
    fn plain(&self) -> Option<&BTreeMap<String, Jinja>> {
        match self.path.first().map(String::as_str) {
            Some("var") => Some(&self.context.variables),
            Some("stack") => Some(&self.context.stack),
            Some("ssh") => Some(&self.context.ssh),
            _ => None,
        }
    }

    fn secret(&self, name: &str) -> Option<Jinja> {
        let secret = self.context.secrets.get(name)?;
        let mut uses = lock(&self.uses);
        uses.rendered.secrets.insert(name.to_owned());
        if secret.is_none() {
            let reference = Reference { address: Address::secret(name), output: String::new() };
            uses.rendered.unknown.insert(reference);
        }
        Some(Jinja::from(secret.as_ref().map_or(PLACEHOLDER, Secret::expose)))
    }

    fn resource(&self, key: &str) -> Option<Jinja> {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        if let [provider, kind, name, output] = &path[..] {
            return self.output(&Address::new(provider, kind, name), output);
        }
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        self.context.declares(&parts).then(|| {
            let (context, uses) = (Arc::clone(&self.context), Arc::clone(&self.uses));
            Jinja::from_object(Self { context, uses, path })
        })
    }

    fn output(&self, address: &Address, output: &str) -> Option<Jinja> {
        if !self.context.declared.get(address)?.contains(&output) {
            return None;
        }
        let reference = Reference { address: address.clone(), output: output.to_owned() };
        let value = crate::live::lookup(&self.context.outputs, &reference);
        let mut uses = lock(&self.uses);
        uses.rendered.references.insert(reference.clone());
        if value.is_none() {
            uses.rendered.unknown.insert(reference);
        }
        Some(value.map_or_else(|| Jinja::from(PLACEHOLDER), to_jinja))
    }
}

fn to_jinja(value: &Value) -> Jinja {
    match value {
        Value::Bool(truth) => Jinja::from(*truth),
        Value::Int(int) => Jinja::from(*int),
        Value::Text(text) => Jinja::from(text.as_str()),
        Value::List(items) => Jinja::from(items.iter().map(to_jinja).collect::<Vec<_>>()),
        Value::Map(map) => map.iter().map(|(k, v)| (k.clone(), to_jinja(v))).collect(),
        Value::Content(_) | Value::Secret(_) | Value::Unknown(_) => Jinja::from(PLACEHOLDER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renderer() -> Renderer {
        let droplet: Address = "digitalocean.droplet.ops".parse().unwrap();
        Renderer::new(Context {
            variables: [("domain".to_owned(), Jinja::from("example.com"))].into(),
            secrets: [
                ("known".to_owned(), Some(Secret::new("p@ss".into()))),
                ("later".to_owned(), None),
            ]
            .into(),
            declared: [(droplet.clone(), vec!["ipv4", "id"])].into(),
            outputs: [(droplet, [("id".to_owned(), Value::text("42"))].into())].into(),
            ..Context::default()
        })
    }

    fn render(source: &str) -> Result<Rendered, Diagnostic> {
        renderer().render(source, &Origin::File("t".into()))
    }

    #[test]
    fn notes_known_and_unknown_references() {
        let rendered =
            render("{{ digitalocean.droplet.ops.id }} {{ digitalocean.droplet.ops.ipv4 }}")
                .unwrap();
        assert_eq!(rendered.references.len(), 2);
        let unknown: Vec<String> = rendered.unknown.iter().map(ToString::to_string).collect();
        assert_eq!(unknown, ["digitalocean.droplet.ops.ipv4"]);
    }

    #[test]
    fn notes_secrets_and_encodes_them_for_urls() {
        let rendered = render("x={{ secret.known | urlencode }}").unwrap();
        assert_eq!(rendered.text, "x=p%40ss");
        assert!(rendered.secrets.contains("known") && rendered.unknown.is_empty());
    }

    #[test]
    fn secrets_are_named_in_branches_that_are_not_taken_too() {
        let source = "{% if false %}{{ secret.mail }}{% endif %}{{ secret.known | urlencode }}";
        assert_eq!(named_secrets(source), ["known".to_owned(), "mail".to_owned()].into());
        assert!(named_secrets("{{ secret.broken").is_empty());
    }

    #[test]
    fn a_secret_still_to_be_made_leaves_the_text_unknown() {
        assert!(!render("{{ secret.later }}").unwrap().unknown.is_empty());
    }

    #[test]
    fn undefined_names_are_errors_with_a_suggestion_and_a_place() {
        for (source, summary, hint) in [
            ("\n{{ var.domian }}", "Undefined variable", "did you mean `var.domain`?"),
            ("{{ secret.knwon }}", "Missing secret", "did you mean `secret.known`?"),
            ("{{ digitalocean.droplet.web.ipv4 }}", "Reference to nothing", "did you mean"),
            ("{{ digitalocean.droplet.ops.ipv5 }}", "Reference to nothing", "did you mean"),
        ] {
            let problem = render(source).unwrap_err();
            assert_eq!(problem.summary, summary, "{source}");
            assert!(problem.hint.as_deref().unwrap_or_default().starts_with(hint), "{problem:?}");
            assert!(problem.at.is_some());
        }
    }

    #[test]
    fn the_last_newline_stays() {
        assert_eq!(render("{{ var.domain }}\n").unwrap().text, "example.com\n");
    }

    #[test]
    fn text_without_templates_is_left_alone() {
        assert_eq!(render("a $HOME } %").unwrap().text, "a $HOME } %");
    }
}
