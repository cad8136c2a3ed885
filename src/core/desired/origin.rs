//! From a line of a rendered text back to the line of the template that it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::resource::DesiredResource;
use crate::stack::{Declared, content_source};
use crate::tree::Data;

/// Moves each problem that names a line of a rendered text to that line of its template, when the template holds the
/// line as it was rendered. Only the template is ever shown: the rendered text may hold secrets.
pub(super) fn point_into_templates(
    problems: &mut [Diagnostic],
    resource: &DesiredResource,
    declared: &Declared,
    files: &BTreeMap<String, String>,
) {
    for problem in problems {
        let (Some(line), Some(at)) = (problem.rendered_line(), &problem.at) else { continue };
        let Ok(line) = usize::try_from(line) else { continue };
        if let Some(span) = template_line(line, at, resource, declared, files) {
            problem.at = Some(span);
        }
    }
}

fn template_line(
    line: usize,
    at: &Span,
    resource: &DesiredResource,
    declared: &Declared,
    files: &BTreeMap<String, String>,
) -> Option<Span> {
    let (attribute, entry) = declared.table.iter().find(|(_, entry)| entry.node.span == *at)?;
    let Data::Table(table) = &entry.node.data else { return None };
    let (_, path, _) = content_source(table)?;
    let template = files.get(path)?;
    let content = resource.attributes.get(attribute)?.as_content()?;
    let rendered = content.text.as_ref()?.expose().lines().nth(line.checked_sub(1)?)?;
    let range = line_range(template, rendered, line)?;
    Some(Span::new(&Arc::from(path), range))
}

/// Where the template holds the line: at the same number, else wherever it stands once.
fn line_range(template: &str, wanted: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut equal = Vec::new();
    for (index, text) in template.split_inclusive('\n').enumerate() {
        let bare = text.trim_end_matches(['\n', '\r']);
        if bare == wanted {
            let indent = bare.len() - bare.trim_start().len();
            equal.push((index + 1, start + indent..start + bare.len()));
        }
        start += text.len();
    }
    let same = equal.iter().position(|(number, _)| *number == line);
    match (same, equal.len()) {
        (Some(index), _) => Some(equal.swap_remove(index).1),
        (None, 1) => equal.pop().map(|(_, range)| range),
        (None, 0) => like(template, wanted, line),
        _ => None,
    }
}

/// The line at the same number, when it holds a key with an expression behind it and what stands around that is as it was
/// rendered. Statements above it may have made lines come and go.
fn like(template: &str, wanted: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let start: usize = template.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = template.get(start..)?.lines().next()?;
    let (before, rest) = text.split_once("{{")?;
    let (_, after) = rest.rsplit_once("}}")?;
    let indent = text.len() - text.trim_start().len();
    let in_place = before.contains(':') && !template[..start].contains("{%");
    let fits = in_place && wanted.starts_with(before) && wanted.ends_with(after);
    fits.then(|| start + indent..start + text.len())
}

#[cfg(test)]
mod tests {
    use super::line_range;

    #[test]
    fn a_line_is_found_by_its_number_or_by_being_the_only_one() {
        let template = "a: 1\n{% if x %}\n  b: [\n{% endif %}\n  b: [\n";
        assert_eq!(line_range(template, "  b: [", 5), Some(37..41));
        assert_eq!(line_range(template, "  b: [", 2), None, "two lines look like it");
        assert_eq!(line_range(template, "a: 1", 7), Some(0..4));
        assert_eq!(line_range(template, "b: secret", 2), None, "made by the template");
        let template = "a: 1\n  image: caddy:{{ var.v }}\nx: {{ var.x }}\n";
        assert_eq!(line_range(template, "  image: caddy:2", 2), Some(7..31));
        assert_eq!(line_range(template, "  image: caddy:2", 3), None, "another line");
        let looped = "{% for n in all %}\n- {{ n }}\n{% endfor %}\nimage: {{ var.v }}\n";
        assert_eq!(line_range(looped, "image: caddy:2", 4), None, "lines have come and gone");
        assert_eq!(line_range("- a\n- {{ x }}\n", "- nope", 2), None, "any item looks like it");
    }
}
