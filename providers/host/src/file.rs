//! The resource type `host.file`: one file at a stable path on a host.

pub(crate) mod mode;
pub(crate) mod path;

use ipai_core::{
    Attribute, Attributes, Change, Default, Diagnostic, Draft, Kind, ResourceType, Value,
};

/// `host.file`.
#[derive(Clone, Copy, Debug)]
pub struct FileType;

/// The longest base name in bytes. Linux allows 255; the rest is left for names beside it.
const MAX_BASE_NAME: usize = 200;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "host",
        kind: Kind::Address,
        default: Default::Required,
        change: Change::Replace,
        doc: "The host that the file lies on: the address of a droplet or a server.",
    },
    Attribute {
        name: "path",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The absolute path. Folders above it are created when they are missing, owned by root, mode 0755. A file \
              that lies there already and differs has to be adopted first, unless the host has never seen ipai.",
    },
    Attribute {
        name: "content",
        kind: Kind::Content,
        default: Default::Required,
        change: Change::Update,
        doc: "The content: a text, `{ template = \"path\" }` or `{ file = \"path\" }`.",
    },
    Attribute {
        name: "mode",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Update,
        doc: "Permissions in octal. Left out they are \"0644\", or \"0600\" when the content holds a secret; \
              a file with a secret in it may not be readable by everybody.",
    },
    Attribute {
        name: "owner",
        kind: Kind::Text,
        default: Default::Text("root:root"),
        change: Change::Update,
        doc: "User and group, each by name or number: \"root:root\", \"2000:2000\".",
    },
    Attribute {
        name: "validate",
        kind: Kind::List(&Kind::Text),
        default: Default::EmptyList,
        change: Change::Local,
        doc: "A command that reads a new content on its standard input before anything is written: \
              `[\"visudo\", \"-cf\", \"-\"]`. When it fails, nothing of the push happens. The hosts of the embedded sandbox \
              are folders of this machine, and it runs on it.",
    },
    Attribute {
        name: "validate_image",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Local,
        doc: "The image in which `validate` runs, in a container of its own without a network; left out, it runs on \
              the host itself. A host without Docker passes over it.",
    },
];

impl ResourceType for FileType {
    fn provider(&self) -> &'static str {
        "host"
    }

    fn name(&self) -> &'static str {
        "file"
    }

    fn summary(&self) -> &'static str {
        "A file on a host, written whole or not at all."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        &[("path", "The absolute path on the host.")]
    }

    fn example(&self) -> &'static str {
        "[host.file.caddyfile]\n\
         host = \"digitalocean.droplet.ops\"\n\
         path = \"/opt/ipai/ops/caddy/Caddyfile\"\n\
         content = { template = \"Caddyfile\" }\n\
         mode = \"0644\"\n\
         owner = \"root:root\"\n"
    }

    fn home(&self) -> Option<&'static str> {
        Some("host")
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_path(draft);
        check_owner(draft);
        check_mode(draft);
        check_validate(draft);
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        Some(identity(text(attributes, "host")?, text(attributes, "path")?))
    }

    fn bucket(&self, attributes: &Attributes) -> Option<String> {
        self.identity(attributes)
    }

    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let same = self.identity(one).is_some() && self.identity(one) == self.identity(other);
        let path = text(one, "path").unwrap_or_default();
        same.then(|| format!("both write {path} on the same host"))
    }
}

/// The key of a path on a host.
pub(crate) fn identity(host: &str, path: &str) -> String {
    format!("{host}:{path}")
}

/// The text of an attribute.
pub(crate) fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_text)
}

fn check_path(draft: &mut Draft<'_>) {
    let Some(path) = draft.text("path") else { return };
    match path::normalise(&path) {
        Ok(path) if path.rsplit('/').next().unwrap_or_default().len() > MAX_BASE_NAME => {
            let detail = format!("The last part of `{path}` is longer than {MAX_BASE_NAME} bytes.");
            draft.error("path", Diagnostic::error("Not a path for a file").detail(detail));
        }
        Ok(path) => draft.set("path", Value::Text(path)),
        Err(why) => draft.error("path", path::problem(&path, why)),
    }
}

fn check_owner(draft: &mut Draft<'_>) {
    let Some(owner) = draft.text("owner") else { return };
    if !mode::is_owner(&owner) {
        let problem = Diagnostic::error("Not an owner")
            .detail(format!("`{owner}` is not `user:group`."))
            .hint("write both by name or number, such as \"root:root\" or \"2000:2000\"");
        draft.error("owner", problem);
    }
}

fn check_mode(draft: &mut Draft<'_>) {
    let content = draft.resource.attributes.get("content");
    // What is not known yet is judged when it is; the same checks run again then.
    let known = content.is_some_and(|content| !content.is_unknown());
    let sensitive = content.is_some_and(Value::is_sensitive);
    match draft.text("mode") {
        None if known => {
            draft.set("mode", Value::text(if sensitive { "0600" } else { "0644" }));
        }
        None => {}
        Some(text) => match mode::parse(&text) {
            None => {
                let problem = Diagnostic::error("Not a mode")
                    .detail(format!("`{text}` is not permissions in octal."))
                    .hint("write four octal digits, such as \"0644\"");
                draft.error("mode", problem);
            }
            Some(mode) if sensitive && mode.readable_by_all() => {
                let problem = Diagnostic::error("A secret in a file that everybody may read")
                    .detail(format!("The content holds a secret and the mode is {mode}."))
                    .hint("use \"0600\", or \"0640\" with the group that has to read it as owner");
                draft.error("mode", problem);
            }
            Some(mode) => draft.set("mode", Value::text(mode.to_string())),
        },
    }
}

fn check_validate(draft: &mut Draft<'_>) {
    let words = draft.resource.texts("validate");
    let bad_words = words.first().is_some_and(|program| program.is_empty())
        || words.iter().any(|word| word.contains('\0'));
    let (none, image) = (words.is_empty(), draft.text("validate_image"));
    if bad_words {
        let problem = Diagnostic::error("Not a command")
            .detail("It begins with an empty word, or has a NUL in it.")
            .hint("write it as validate = [\"program\", \"argument\"]");
        draft.error("validate", problem);
    }
    let Some(image) = image else { return };
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let starts = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let problem = if !starts || !image.chars().all(legal) {
        Diagnostic::error("Not an image")
            .detail(format!("`{}` is no name of an image.", image.escape_debug()))
            .hint("write it as validate_image = \"name:tag\"")
    } else if none {
        Diagnostic::error("An image without a command")
            .detail("`validate_image` says where `validate` runs, and there is none.")
            .hint("write validate = [\"program\", \"argument\"] as well")
    } else {
        return;
    };
    draft.error("validate_image", problem);
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
