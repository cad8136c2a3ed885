//! How deep a template can nest, told before it is parsed.
//!
//! minijinja bounds how deep parentheses and blocks nest, but a chain such as `a.b.c`, `x | f | g` or `elif` after `elif` has no
//! bound there: each link is a call deeper when the template is compiled, and so is each list around a list when a value is
//! dropped. No link is shorter than a byte of code, so the stack that a template can need follows from how much code it has.

/// The most code in one template, in bytes: everything between `{{` and `}}` or `{%` and `%}`, all together.
pub(super) const MOST_CODE: usize = 32 << 10;

/// What every template may need of the stack, in bytes: blocks and parentheses as deep as minijinja lets them be.
const BASE: usize = 1 << 20;
/// What one byte of code can add; measured in a debug build as 950 for the worst of them, a chain of `-`.
const FOR_EACH_BYTE: usize = 1536;
/// What can be added by macros and loops that call themselves, each time with a value that is nested deeper.
const RECURSION: usize = 24 << 20;
/// How deep macros and loops may call themselves. minijinja's own measure: a loop counts one, a macro four.
pub(super) const MOST_RECURSION: usize = 100;

/// The stack that a template can need, in bytes; nothing when it has more code than it may.
pub(super) fn needed_stack(source: &str) -> Option<usize> {
    let code = code_length(source);
    let recursive = ["macro", "recursive", "call"].iter().any(|word| source.contains(word));
    let recursion = if recursive { RECURSION } else { 0 };
    (code <= MOST_CODE).then_some(BASE + code * FOR_EACH_BYTE + recursion)
}

/// Bytes of code in a template, seen as minijinja's lexer sees it.
fn code_length(source: &str) -> usize {
    let mut rest = source;
    let mut length = 0;
    while let Some(start) = rest.find('{') {
        let tag = &rest[start..];
        let after = match tag.as_bytes().get(1) {
            Some(b'#') => tag.find("#}").map_or(tag.len(), |end| end + 2),
            Some(b'%') if names(tag, "raw") => end_of_raw(tag),
            Some(b'{') => counted(tag, "}}", &mut length),
            Some(b'%') => counted(tag, "%}", &mut length),
            _ => 1,
        };
        rest = &tag[after..];
    }
    length
}

/// Adds the length of the tag that a text begins with, and tells where it ends.
fn counted(tag: &str, close: &str, length: &mut usize) -> usize {
    let end = end_of_code(tag, close);
    *length += end;
    end
}

/// Where a tag ends: at its closing mark, unless that stands between quotes.
fn end_of_code(tag: &str, close: &str) -> usize {
    let bytes = tag.as_bytes();
    let (mut at, mut quote) = (2, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, _) if bytes[at..].starts_with(close.as_bytes()) => return at + close.len(),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where raw text ends that begins with this tag.
fn end_of_raw(tag: &str) -> usize {
    let mut marks = tag.match_indices("{%").map(|(at, _)| at);
    let end = marks.find(|at| names(&tag[*at..], "endraw"));
    end.map_or(tag.len(), |at| at + end_of_code(&tag[at..], "%}"))
}

/// Tells whether a text begins with the tag of this name.
fn names(tag: &str, name: &str) -> bool {
    let inner = tag.strip_prefix("{%").unwrap_or_default();
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner).trim_start();
    inner.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['-', '+', '%']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_code_alone_and_sees_quotes_comments_and_raw_text_as_the_lexer_does() {
        for (source, code) in [
            ("plain { } %} }} text", ""),
            ("a {{ b }} c {% if d %} e {% endif %}", "{{ b }}{% if d %}{% endif %}"),
            ("{{ '}}' ~ \"%}\\\"}}\" }} x", "{{ '}}' ~ \"%}\\\"}}\" }}"),
            ("{# {{ a }} ' #}{{ b }}", "{{ b }}"),
            ("{%- raw -%} {{ ' {% x %} {%- endraw %}{{ c }}", "{{ c }}"),
            ("{% rawer %}", "{% rawer %}"),
            ("{{ never closed", "{{ never closed"),
            ("é{", ""),
        ] {
            assert_eq!(code_length(source), code.len(), "{source}");
        }
    }

    #[test]
    fn plain_templates_need_little_and_enormous_ones_are_refused() {
        assert_eq!(needed_stack(&"text ".repeat(1_000_000)), Some(BASE));
        assert_eq!(needed_stack("{{ a }}"), Some(BASE + 7 * FOR_EACH_BYTE));
        assert!(needed_stack(&"{{ abcd }}".repeat(MOST_CODE / 10)).is_some());
        assert!(needed_stack(&"{{ abcd }}".repeat(MOST_CODE / 10 + 1)).is_none());
    }
}
