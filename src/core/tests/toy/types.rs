//! Three resource types that between them use everything a type can say about itself.

use ipai_core::{
    Attribute, Attributes, Change, Default, DesiredResource, Diagnostic, Draft, Foreign, Kind,
    ResourceType, Types, Value,
};

/// The toy provider's types in the order of creation.
pub(crate) fn types() -> Types {
    Types::new(vec![Box::new(ToyBox), Box::new(ToyRecord), Box::new(ToyFile)])
}

/// A home that holds data.
struct ToyBox;
/// A name that says something; several may share a name unless one of them is an alias (`@…`).
struct ToyRecord;
/// Lives in a box.
struct ToyFile;

const fn attribute(
    name: &'static str,
    kind: Kind,
    default: Default,
    change: Change,
    doc: &'static str,
) -> Attribute {
    Attribute { name, kind, default, change, doc }
}

const BOX: &[Attribute] = &[
    attribute("size", Kind::Int(1, 64), Default::Int(1), Change::Update, "How much fits in."),
    attribute(
        "region",
        Kind::Choice(&["east", "west"]),
        Default::Text("east"),
        Change::Replace,
        "Where it stands.",
    ),
    attribute("image", Kind::Text, Default::Text("debian"), Change::Birth, "What it is made of."),
    attribute("backups", Kind::Bool, Default::Bool(false), Change::Update, "Whether it is copied."),
    attribute("tags", Kind::List(&Kind::Text), Default::EmptyList, Change::Update, "Its stickers."),
    attribute("labels", Kind::Map(&Kind::Text), Default::EmptyMap, Change::Update, "Its labels."),
    attribute("parts", Kind::Map(&Kind::Text), Default::EmptyMap, Change::Replace, "Its parts."),
    attribute("timeout", Kind::Duration, Default::Absent, Change::Local, "How long to wait."),
];

const RECORD: &[Attribute] = &[
    attribute("name", Kind::Text, Default::Required, Change::Replace, "What is asked for."),
    attribute("content", Kind::Text, Default::Required, Change::Update, "What it answers."),
    attribute("ttl", Kind::Int(1, 86_400), Default::Int(300), Change::Update, "Seconds."),
];

const FILE: &[Attribute] = &[
    attribute("box", Kind::Address, Default::Required, Change::Replace, "The box it lives in."),
    attribute("path", Kind::Text, Default::Required, Change::Replace, "Where in the box."),
    attribute("content", Kind::Content, Default::Required, Change::Update, "What it says."),
];

impl ResourceType for ToyBox {
    fn provider(&self) -> &'static str {
        "toy"
    }
    fn name(&self) -> &'static str {
        "box"
    }
    fn summary(&self) -> &'static str {
        "A box."
    }
    fn schema(&self) -> &'static [Attribute] {
        BOX
    }
    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("ip", "Its address."), ("id", "Its id.")]
    }
    fn example(&self) -> &'static str {
        "[toy.box.a]\nsize = 2\n"
    }
    fn holds_data(&self) -> bool {
        true
    }
}

impl ResourceType for ToyRecord {
    fn provider(&self) -> &'static str {
        "toy"
    }
    fn name(&self) -> &'static str {
        "record"
    }
    fn summary(&self) -> &'static str {
        "A record."
    }
    fn schema(&self) -> &'static [Attribute] {
        RECORD
    }
    fn example(&self) -> &'static str {
        "[toy.record.a]\nname = \"a\"\ncontent = \"1\"\n"
    }
    fn deletes_early(&self) -> bool {
        true
    }
    /// Names are the same in upper and lower case; the canonical form is the latter.
    fn check(&self, draft: &mut Draft<'_>) {
        let Some(name) = draft.text("name") else { return };
        if name.contains(' ') {
            draft.error("name", Diagnostic::error("Not a name"));
        }
        draft.set("name", Value::text(name.to_lowercase()));
    }
    fn identity(&self, attributes: &Attributes) -> Option<String> {
        Some(format!("{} {}", text(attributes, "name")?, text(attributes, "content")?))
    }
    fn conflict(&self, attributes: &Attributes, foreign: &Foreign) -> Option<String> {
        let theirs = foreign.identity.as_deref()?;
        if self.identity(attributes).as_deref() == Some(theirs) {
            return Some(format!("{} exists already", foreign.title));
        }
        let (name, content) = theirs.split_once(' ')?;
        let alone = content.starts_with('@') || text(attributes, "content")?.starts_with('@');
        (alone && text(attributes, "name")? == name).then(|| "an alias stands alone".to_owned())
    }
    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        text(attributes, "name").map(str::to_owned)
    }
    fn foreign_bucket(&self, foreign: &Foreign) -> Option<String> {
        Some(foreign.identity.as_deref()?.split_once(' ')?.0.to_owned())
    }
    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let contents = [text(one, "content")?, text(other, "content")?];
        if contents[0] == contents[1] {
            return Some("both say the same".to_owned());
        }
        contents.iter().any(|c| c.starts_with('@')).then(|| "an alias stands alone".to_owned())
    }
}

impl ResourceType for ToyFile {
    fn provider(&self) -> &'static str {
        "toy"
    }
    fn name(&self) -> &'static str {
        "file"
    }
    fn summary(&self) -> &'static str {
        "A file."
    }
    fn schema(&self) -> &'static [Attribute] {
        FILE
    }
    fn example(&self) -> &'static str {
        "[toy.box.a]\n[toy.file.a]\nbox = \"toy.box.a\"\npath = \"/a\"\ncontent = \"1\"\n"
    }
    fn home(&self) -> Option<&'static str> {
        Some("box")
    }
    /// An index is written when everything else in its box is there.
    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let index = |file: &DesiredResource| file.text("path") == Some("/index");
        if index(draft.resource) {
            let home = draft.resource.home.clone();
            let neighbours = all.iter().filter(|r| r.home.is_some() && r.home == home && !index(r));
            draft.resource.after.extend(neighbours.map(|r| r.address.clone()));
        }
    }
    fn identity(&self, attributes: &Attributes) -> Option<String> {
        Some(format!("{}:{}", text(attributes, "box")?, text(attributes, "path")?))
    }
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_text()
}
