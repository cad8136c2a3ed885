//! What a resource type says about itself. Everything generic (reading TOML, help, comparing, planning) follows from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Reference, StackId};
use crate::diagnostic::{Diagnostic, Span};
use crate::image::Locked;
use crate::secret::DigestKey;
use crate::value::{Attributes, Content, Value};
use crate::{hash, live};

/// One kind of thing that a provider manages. Pure: it reads, checks and compares, and contacts nobody.
pub trait ResourceType: Send + Sync {
    /// The provider's name, the first part of an address.
    fn provider(&self) -> &'static str;
    /// The type's name, the second part of an address.
    fn name(&self) -> &'static str;
    /// One sentence for the manual.
    fn summary(&self) -> &'static str;
    /// Every attribute that the TOML may set.
    fn schema(&self) -> &'static [Attribute];
    /// What other resources may refer to, with a sentence each.
    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// A complete example in TOML: manual, `ipai explain` and test at once.
    fn example(&self) -> &'static str;
    /// The attribute that names the resource this one lives in.
    fn home(&self) -> Option<&'static str> {
        None
    }
    /// Tells whether others can live in one: those who look at homes ask every live one, because it may hold what the
    /// stack no longer names.
    fn is_home(&self) -> bool {
        false
    }
    /// Tells whether deleting one loses data.
    fn holds_data(&self) -> bool {
        false
    }
    /// The outputs of an object that exists because the stack says so: nobody creates, changes or deletes it, and others
    /// may live in it.
    fn given(&self, _attributes: &Attributes) -> Option<live::Outputs> {
        None
    }
    /// The ports that it has services listen at.
    fn openings(&self, _attributes: &Attributes) -> Vec<crate::exposure::Opening> {
        Vec::new()
    }
    /// What of two versions of a content people want to see compared, where ipai adds to it. Nothing that matters may be
    /// left out.
    fn written<'t>(&self, before: &'t str, after: &'t str) -> (&'t str, &'t str) {
        (before, after)
    }
    /// The services that it runs.
    fn services(&self, _attributes: &Attributes) -> Services {
        Services::None
    }
    /// Whether its openings cannot be told, because what they stand in is known after apply alone.
    fn hides_openings(&self, _attributes: &Attributes) -> bool {
        false
    }
    /// What it lets through to hosts, when it keeps everything else out.
    fn gate(&self, _attributes: &Attributes) -> Option<crate::exposure::Gate> {
        None
    }
    /// Tells whether others are led to the stack by one: where it is brought up unseen, there is none.
    fn leads_here(&self) -> bool {
        false
    }
    /// Tells whether deletions run beside creations (one batch) instead of after everything else.
    fn deletes_early(&self) -> bool {
        false
    }
    /// Checks what one attribute alone cannot tell, and puts attributes into the provider's canonical form.
    /// Every attribute has its declared kind by now, or is not yet known.
    fn check(&self, _draft: &mut Draft<'_>) {}
    /// Completes a resource with what it needs from the others, once all are read.
    fn settle(&self, _draft: &mut Draft<'_>, _all: &[DesiredResource]) {}
    /// The key under which the provider keeps only one object, to recognise a foreign one in the way.
    fn identity(&self, _attributes: &Attributes) -> Option<String> {
        None
    }
    /// Why `foreign` makes the desired resource impossible, if it does.
    fn conflict(&self, attributes: &Attributes, foreign: &live::Foreign) -> Option<String> {
        let same = foreign.identity.is_some() && self.identity(attributes) == foreign.identity;
        same.then(|| format!("{} exists already", foreign.title))
    }
    /// A key that two resources must share to be able to exclude each other; absent where they never do.
    fn bucket(&self, _attributes: &Attributes) -> Option<String> {
        None
    }
    /// The same key of a foreign object. Where it is absent, the object is held against every desired resource.
    fn foreign_bucket(&self, _foreign: &live::Foreign) -> Option<String> {
        None
    }
    /// Why two resources of one stack exclude each other, if they do. Called once for each pair in a bucket.
    fn clash(&self, _one: &Attributes, _other: &Attributes) -> Option<String> {
        None
    }
}

/// What services a resource runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Services {
    /// It is nothing that runs services.
    None,
    /// Which they are cannot be told before an apply, or stands in files that ipai does not read.
    Unknown,
    /// These, by name.
    Known {
        /// The name of their project.
        project: String,
        /// All of them, those too that nothing starts by itself.
        names: BTreeSet<String>,
        /// The volumes that they may mount, by the names that they have there.
        volumes: BTreeSet<String>,
    },
}

/// One attribute of a resource type.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its key in the TOML.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What holds when it is left out.
    pub default: Default,
    /// What a change costs.
    pub change: Change,
    /// One or two sentences for the manual, units included.
    pub doc: &'static str,
}

/// What an attribute may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// Truth.
    Bool,
    /// A whole number within bounds, both inclusive.
    Int(i64, i64),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Kind),
    /// A table from names to values.
    Map(&'static Kind),
    /// The address of a resource in this stack.
    Address,
    /// A file's content: inline text, `{ template = "path" }` or `{ file = "path" }`.
    Content,
    /// Whole seconds, written like `90s`, `10m`, `1h`.
    Duration,
}

/// What holds when an attribute is left out.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// Leaving it out is an error.
    Required,
    /// It is absent, and not compared.
    Absent,
    /// Truth.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// An empty list.
    EmptyList,
    /// An empty map.
    EmptyMap,
}

/// What a change of an attribute costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Changed in place.
    Update,
    /// The object is deleted and created anew.
    Replace,
    /// Used when the object is created; a later difference is a note and changes nothing.
    Birth,
    /// Steers ipai only; never compared with the live object.
    Local,
}

/// A resource while it is being read: attributes may still be corrected, problems are collected.
pub struct Draft<'a> {
    /// The resource itself.
    pub resource: &'a mut DesiredResource,
    /// Which stack this is.
    pub stack: &'a StackId,
    /// Keys digests of secrets.
    pub key: &'a DigestKey,
    /// Digests of images, where the stack has a lock file.
    pub images: Option<&'a Locked>,
    /// What was found wrong.
    pub problems: &'a mut Vec<Diagnostic>,
}

impl Draft<'_> {
    /// Reports an error at an attribute (or at the resource's header when it is not written).
    pub fn error(&mut self, attribute: &str, problem: Diagnostic) {
        let span = self.resource.span_of(attribute).clone();
        self.problems.push(problem.at(&span));
    }

    /// The text of an attribute that is known.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<String> {
        self.resource.text(attribute).map(str::to_owned)
    }

    /// Replaces an attribute by its canonical form.
    pub fn set(&mut self, attribute: &str, value: Value) {
        self.resource.attributes.insert(attribute.to_owned(), value);
    }

    /// Replaces a content's text and keeps its sensitivity.
    pub fn set_content(&mut self, attribute: &str, text: String) {
        let sensitive = self.resource.attributes.get(attribute).is_some_and(Value::is_sensitive);
        let content =
            if sensitive { Content::sensitive(text, self.key) } else { Content::plain(text) };
        self.set(attribute, Value::Content(content));
    }
}

/// A resource as the stack wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredResource {
    /// Its address.
    pub address: Address,
    /// Its attributes in canonical form.
    pub attributes: Attributes,
    /// What must be done before: references, `after`, home, secrets.
    pub after: BTreeSet<Address>,
    /// The resource that it lives in.
    pub home: Option<Address>,
    /// Where its header stands.
    pub span: Span,
    /// Where its attributes stand, by name; empty when it has been checked and settled.
    pub spans: BTreeMap<String, Span>,
}

impl DesiredResource {
    /// Where an attribute stands; the header when it is not written.
    #[must_use]
    pub fn span_of(&self, attribute: &str) -> &Span {
        self.spans.get(attribute).unwrap_or(&self.span)
    }

    /// Tells whether anything in it is another than in `other`; a content that is sensitive now counts, although its
    /// bytes are the same.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let hidden = |resource: &Self| {
            resource.attributes.values().map(Value::is_sensitive).collect::<Vec<bool>>()
        };
        self != other || hidden(self) != hidden(other)
    }

    /// The text of an attribute that is known.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).and_then(Value::as_text)
    }

    /// The texts of a list attribute.
    #[must_use]
    pub fn texts(&self, attribute: &str) -> Vec<&str> {
        self.attributes.get(attribute).map(Value::text_items).unwrap_or_default()
    }

    /// What its values still wait for.
    #[must_use]
    pub fn waits_for(&self) -> BTreeSet<Reference> {
        let mut waits = BTreeSet::new();
        self.attributes.values().for_each(|value| value.collect_unknown(&mut waits));
        waits
    }

    /// Names this version of the desired attributes, secrets by keyed digest; absent while something is unknown.
    /// Sixteen hex digits. An object carries it as marker, so that drift can be told from an edit.
    #[must_use]
    pub fn version(&self, schema: &[Attribute]) -> Option<String> {
        self.version_of(schema, |change| matches!(change, Change::Update | Change::Replace))
    }

    /// Names this version of what is used at birth only; absent while something of it is unknown.
    #[must_use]
    pub fn birth_version(&self, schema: &[Attribute]) -> Option<String> {
        self.version_of(schema, |change| change == Change::Birth)
    }

    fn version_of(&self, schema: &[Attribute], counts: fn(Change) -> bool) -> Option<String> {
        let mut public: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
        for attribute in schema.iter().filter(|attribute| counts(attribute.change)) {
            let Some(value) = self.attributes.get(attribute.name) else { continue };
            if value.is_unknown() {
                return None;
            }
            public.insert(attribute.name, value.to_public_json());
        }
        let text = serde_json::to_string(&public).unwrap_or_default();
        Some(hash::short_hash(text.as_bytes()))
    }
}

/// The resource types of all providers, in the order in which their objects are created.
#[derive(Default)]
pub struct Types(Vec<Box<dyn ResourceType>>);

impl Types {
    /// Gathers the types; the order is the order of creation, deletion runs it backwards.
    #[must_use]
    pub fn new(types: Vec<Box<dyn ResourceType>>) -> Self {
        Self(types)
    }

    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = &dyn ResourceType> {
        self.0.iter().map(|kind| &**kind)
    }

    /// The type of an address.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<&dyn ResourceType> {
        self.iter().find(|t| t.provider() == address.provider && t.name() == address.kind)
    }

    /// A type's place in the order of creation.
    #[must_use]
    pub fn rank(&self, address: &Address) -> usize {
        let place =
            self.iter().position(|t| t.provider() == address.provider && t.name() == address.kind);
        place.unwrap_or(usize::MAX)
    }
}
