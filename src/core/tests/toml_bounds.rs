//! No stack file can overflow the stack, however deep it nests. Tests run on threads with 2 MiB of stack.

use ipai_core::Types;
use ipai_core::stack::parse;

#[test]
fn deep_nesting_of_any_kind_is_an_answer_or_an_error() {
    let many = |text: &str| text.repeat(50_000);
    for text in [
        format!("a = {}{}", many("["), many("]")),
        format!("a = {}{}", many("{a="), many("}")),
        format!("a = {}", many("[")),
        format!("{}a = 1", many("a.")),
        format!("[{}a]", many("a.")),
        format!("[[{}a]]", many("a.")),
        format!("[var]\nx = {{ {}a = 1 }}", many("a.")),
        (1..=1_000).map(|depth| format!("[a{}]\n", ".a".repeat(depth))).collect(),
    ] {
        let twice = [("stack.toml", text.as_str()), ("stack.dev.toml", text.as_str())];
        let (_, problems) = parse(&twice, Some("dev"), &Types::new(Vec::new()));
        assert!(!problems.is_empty(), "{}", &text[..20]);
    }
}
