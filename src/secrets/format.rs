//! The text of a store: one block of lines for each secret, and what precedes them.
//!
//! A store is changed by exchanging blocks of its text, never by writing it all anew: whatever is not
//! meant stays as it is, byte for byte, comments included.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::generate::Kind;
use super::seal::{Recipient, sealed_for};

/// A store, taken apart. The text is `preamble`, then every block's `lead` and `body`, then `tail`.
#[derive(Clone, Default)]
pub(super) struct Document {
    preamble: String,
    pub(super) recipients: Vec<Recipient>,
    /// In the order of the text, which is by name unless somebody moved them by hand.
    pub(super) blocks: Vec<Block>,
    /// The blank lines and comments after the last block.
    tail: String,
}

/// One secret.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) name: String,
    /// The line of its header, counted from 1; 0 when it was not read from a file.
    pub(super) line: usize,
    /// The armored age file.
    pub(super) value: String,
    pub(super) kind: Option<Kind>,
    pub(super) sealed_for: Option<String>,
    /// The blank lines and comments before the header.
    lead: String,
    /// The header and everything up to the last line of a value.
    body: String,
}

/// What is wrong with a text, and in which line, counted from 1.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) line: usize,
    pub(super) message: String,
}

pub(super) const CONFLICT: &str = "an unresolved merge conflict";
const HEADLINE: &str =
    "# Encrypted with age (https://age-encryption.org); edit with `ipai secrets`.\n";
const HEADER: &str = "[secret.";

impl Document {
    /// Takes a text apart.
    ///
    /// Messages name keys and lines and never a value: somebody may have written a secret down in
    /// the clear where its encrypted form belongs.
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        let table = DeTable::parse(text).map_err(|error| {
            let conflict = text.lines().position(|line| line.starts_with("<<<<<<< "));
            match conflict {
                Some(index) => Flaw { line: index + 1, message: CONFLICT.to_owned() },
                None => flaw(text, &error.span().unwrap_or(0..0), error.message()),
            }
        })?;
        let mut document = Self { preamble: text.to_owned(), ..Self::default() };
        for (key, value) in table.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("recipients", DeValue::Array(items)) => {
                    document.recipients = recipients(text, items)?;
                }
                ("secret", DeValue::Table(secrets)) => {
                    document.blocks = blocks(text, secrets)?;
                }
                ("recipients", _) => {
                    return Err(flaw(text, &value.span(), "`recipients` is a list of public keys"));
                }
                ("secret", _) => {
                    return Err(flaw(text, &key.span(), "every secret is a table `[secret.NAME]`"));
                }
                (other, _) => return Err(unknown(text, &key.span(), other)),
            }
        }
        if !document.blocks.is_empty() {
            document.tail = text[lead_of(text, text.len())..].to_owned();
        }
        let blocks_length: usize = document.blocks.iter().map(Block::length).sum();
        document.preamble.truncate(text.len() - document.tail.len() - blocks_length);
        Ok(document)
    }

    /// Puts the text together again.
    pub(super) fn to_text(&self) -> String {
        let blocks = self.blocks.iter().flat_map(|block| [block.lead.as_str(), &block.body]);
        [self.preamble.as_str()].into_iter().chain(blocks).chain([self.tail.as_str()]).collect()
    }

    /// The block of a secret.
    pub(super) fn find(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }

    /// Adds or exchanges the block of a secret. A new block goes before the first name that is
    /// greater; an old one keeps its place and its comments.
    pub(super) fn put(&mut self, name: &str, value: String, kind: Option<Kind>) {
        let sealed_for = Some(sealed_for(&self.recipients));
        if let Some(block) = self.blocks.iter_mut().find(|block| block.name == name) {
            (block.value, block.kind, block.sealed_for) = (value, kind, sealed_for);
            block.render();
            return;
        }
        let mut block = Block {
            name: name.to_owned(),
            line: 0,
            value,
            kind,
            sealed_for,
            lead: "\n".to_owned(),
            body: String::new(),
        };
        block.render();
        let index = self.blocks.iter().position(|other| other.name.as_str() > name);
        let index = index.unwrap_or(self.blocks.len());
        self.end_line_before(index);
        self.blocks.insert(index, block);
    }

    /// Takes out the block of a secret; `false` when there is none.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.blocks.len();
        self.blocks.retain(|block| block.name != name);
        self.blocks.len() < before
    }

    /// Exchanges the list of recipients, one to a line so that it merges; those that stay keep their
    /// comment.
    pub(super) fn put_recipients(&mut self, recipients: Vec<Recipient>) {
        let list = render_recipients(&recipients);
        if self.preamble.is_empty() {
            self.preamble.push_str(HEADLINE);
        }
        match recipients_span(&self.preamble) {
            Some(span) => self.preamble.replace_range(span, &list),
            None => {
                end_line(&mut self.preamble);
                self.preamble.push_str(&format!("recipients = {list}\n"));
            }
        }
        self.recipients = recipients;
    }

    /// Ends the last line before the block at `index`, should an editor have left it open.
    fn end_line_before(&mut self, index: usize) {
        match index.checked_sub(1).and_then(|index| self.blocks.get_mut(index)) {
            Some(block) => end_line(&mut block.body),
            None => end_line(&mut self.preamble),
        }
    }
}

impl Block {
    fn length(&self) -> usize {
        self.lead.len() + self.body.len()
    }

    /// Writes the body anew; comments that stood in it move up to its header.
    fn render(&mut self) {
        let comments: String =
            self.body.split_inclusive('\n').filter(|line| line.starts_with('#')).collect();
        let mut body = format!("{HEADER}{}]\n{comments}", self.name);
        end_line(&mut body);
        body.push_str(&format!("value = \"\"\"\n{}\n\"\"\"\n", self.value.trim()));
        for (key, value) in
            [("kind", self.kind.map(Kind::as_str)), ("sealed_for", self.sealed_for.as_deref())]
        {
            if let Some(value) = value {
                body.push_str(&format!("{key} = \"{value}\"\n"));
            }
        }
        self.body = body;
    }
}

/// Says whether `name` can be the name of a secret: `[a-z0-9][a-z0-9_-]{0,39}`.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 40
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'_' | b'-'))
}

fn recipients(text: &str, items: &[Spanned<DeValue<'_>>]) -> Result<Vec<Recipient>, Flaw> {
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    for item in items {
        let key = item.get_ref().as_str();
        let key = key.ok_or_else(|| flaw(text, &item.span(), "a recipient is a string"))?;
        let mut recipient =
            Recipient::parse(key).map_err(|error| flaw(text, &item.span(), &error.to_string()))?;
        if !seen.insert(recipient.key.clone()) {
            return Err(flaw(text, &item.span(), "this recipient is listed twice"));
        }
        recipient.comment = comment_after(text, item.span().end).or(recipient.comment);
        recipients.push(recipient);
    }
    Ok(recipients)
}

/// The comment that ends the line in which an item of a list ends.
fn comment_after(text: &str, end: usize) -> Option<String> {
    let rest = text.get(end..)?.lines().next()?;
    let comment = rest.trim_start().trim_start_matches(',').trim_start().strip_prefix('#')?;
    Some(comment.trim().to_owned())
}

fn render_recipients(recipients: &[Recipient]) -> String {
    let lines = recipients.iter().map(|recipient| match &recipient.comment {
        Some(comment) => format!("  \"{}\", # {comment}\n", recipient.key),
        None => format!("  \"{}\",\n", recipient.key),
    });
    format!("[\n{}]", lines.collect::<String>())
}

fn recipients_span(preamble: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(preamble).ok()?;
    table.get_ref().get("recipients").map(Spanned::span)
}

fn blocks(text: &str, secrets: &DeTable<'_>) -> Result<Vec<Block>, Flaw> {
    let mut blocks = Vec::with_capacity(secrets.len());
    let mut starts = Vec::with_capacity(secrets.len());
    for (key, value) in secrets {
        let start = text[..key.span().start].rfind('\n').map_or(0, |newline| newline + 1);
        let own_table = text[start..].starts_with(HEADER);
        let (true, DeValue::Table(fields)) = (own_table, value.get_ref()) else {
            return Err(flaw(
                text,
                &key.span(),
                "every secret is a table of its own, `[secret.NAME]`",
            ));
        };
        if !is_name(key.get_ref()) {
            return Err(flaw(text, &key.span(), "names are 1 to 40 of a-z, 0-9, _ and -"));
        }
        blocks.push(block(text, key, fields)?);
        starts.push(start);
    }
    let mut order: Vec<_> = starts.into_iter().zip(blocks).collect();
    order.sort_by_key(|(start, _)| *start);
    Ok(cut(text, order))
}

fn block(
    text: &str,
    key: &Spanned<toml::de::DeString<'_>>,
    fields: &DeTable<'_>,
) -> Result<Block, Flaw> {
    let (mut armored, mut kind, mut sealed_for) = (None, None, None);
    for (field, value) in fields {
        let word = value.get_ref().as_str();
        let word = word.ok_or_else(|| flaw(text, &value.span(), "this is not a string"))?;
        match field.get_ref().as_ref() {
            "value" => armored = Some(word.to_owned()),
            "kind" => {
                let parsed = word.parse::<Kind>();
                kind = Some(parsed.map_err(|_| {
                    flaw(text, &value.span(), "the kinds are `password`, `hex` and `bcrypt`")
                })?);
            }
            "sealed_for" => sealed_for = Some(word.to_owned()),
            other => return Err(unknown(text, &field.span(), other)),
        }
    }
    let value = armored.ok_or_else(|| flaw(text, &key.span(), "this secret has no `value`"))?;
    let line = line_of(text, key.span().start);
    let (lead, body) = (String::new(), String::new());
    Ok(Block { name: key.get_ref().to_string(), line, value, kind, sealed_for, lead, body })
}

/// Cuts the text between preamble and tail into the leads and bodies of its blocks.
fn cut(text: &str, order: Vec<(usize, Block)>) -> Vec<Block> {
    let leads: Vec<usize> = order.iter().map(|(start, _)| lead_of(text, *start)).collect();
    let ends = leads.iter().skip(1).copied().chain([lead_of(text, text.len())]);
    let places = leads.iter().copied().zip(ends);
    order
        .into_iter()
        .zip(places)
        .map(|((start, block), (lead, end))| Block {
            lead: text[lead..start].to_owned(),
            body: text[start..end].to_owned(),
            ..block
        })
        .collect()
}

/// Where the blank lines and comments begin that end at `end`.
fn lead_of(text: &str, end: usize) -> usize {
    let lines = text[..end].split_inclusive('\n').rev();
    let idle = lines.take_while(|line| line.trim().is_empty() || line.starts_with('#'));
    end - idle.map(str::len).sum::<usize>()
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn flaw(text: &str, span: &Range<usize>, message: &str) -> Flaw {
    Flaw { line: line_of(text, span.start), message: message.to_owned() }
}

fn unknown(text: &str, span: &Range<usize>, key: &str) -> Flaw {
    flaw(text, span, &format!("unknown key `{}`", key.escape_debug()))
}
