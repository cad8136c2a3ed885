//! The plan as Markdown, for a comment on a pull request.

use std::collections::BTreeMap;
use std::fmt::Write;

use ipai_core::exposure::{Exposed, Turn};
use ipai_core::{Action, Plan, Verb};

use super::markdown::{code, cut, fenced, words};
use super::page::Page;
use super::plan_text::counts;
use super::{PlanOptions, Style, exposure_text, markdown_details, number, sections, verbs};

/// The longest text, in bytes. GitHub takes 65,536 characters.
const LIMIT: usize = 60_000;
/// The longest section that is not about actions, in bytes.
const SECTION: usize = 10_000;
/// The longest list of names in the warning, in bytes.
const NAMES: usize = 4_000;

/// Writes the plan as Markdown of at most 60,000 bytes. `all` is the command that shows what did not fit. Secrets appear
/// as in the text; colours and the width of `style` mean nothing here.
#[must_use]
pub fn plan_markdown(
    plan: &Plan,
    exposure: &[(Exposed, Turn)],
    style: &Style,
    options: &PlanOptions,
    all: &str,
) -> String {
    let style = Style { verbose: style.verbose, ..Style::plain() };
    let parts = Parts {
        head: head(plan),
        table: table(plan),
        details: plan.effective().filter_map(markdown_details::details).collect(),
        remarks: block(&remarks(plan, &style, options)),
        end: block(&exposure_text(exposure, &style)) + &end(plan),
    };
    parts.fitted(plan, all)
}

/// What is put together, in this order.
struct Parts {
    head: String,
    table: String,
    details: Vec<String>,
    remarks: String,
    end: String,
}

impl Parts {
    /// Leaves out details, the longest first, and then names no single action, until the rest fits.
    fn fitted(mut self, plan: &Plan, all: &str) -> String {
        let mut longest: Vec<usize> = (0..self.details.len()).collect();
        longest.sort_by_key(|place| self.details[*place].len());
        let (mut note, mut out) = (String::new(), 0);
        let mut total = self.length();
        while total + note.len() > LIMIT {
            let Some(place) = longest.pop() else { break };
            total -= std::mem::take(&mut self.details[place]).len();
            out += 1;
            note = left_out(&format!("the details of {}", number(out, "resource")), all);
        }
        if total + note.len() > LIMIT {
            let actions = number(plan.effective().count(), "action");
            note = left_out(&format!("the names and details of {actions}"), all);
            self.table = kinds(plan);
        }
        [self.head, self.table, self.details.concat(), note, self.remarks, self.end].concat()
    }

    fn length(&self) -> usize {
        let details: usize = self.details.iter().map(String::len).sum();
        self.head.len() + self.table.len() + details + self.remarks.len() + self.end.len()
    }
}

fn left_out(what: &str, all: &str) -> String {
    format!("Too long for a comment: {what} are left out. {} shows all.\n\n", code(all))
}

/// The heading, and below it what goes.
fn head(plan: &Plan) -> String {
    let stack = code(&plan.stack.to_string());
    if plan.is_empty() {
        return format!("### Plan for {stack}: No changes.\n\n");
    }
    let mut text = format!("### Plan for {stack}: {}\n\n", counts(plan.summary()));
    let gone = [(Verb::Delete, "destroys"), (Verb::Replace, "replaces")];
    let gone =
        gone.iter().filter_map(|(verb, does)| Some(format!("{does} {}", names(plan, *verb)?)));
    let gone: Vec<String> = gone.collect();
    if !gone.is_empty() {
        let _ = writeln!(text, "**Warning:** this plan {}.\n", gone.join("; it "));
    }
    text
}

/// The addresses with this verb; those that hold data say so and come first.
fn names(plan: &Plan, verb: Verb) -> Option<String> {
    let mut actions: Vec<&Action> = plan.actions.iter().filter(|a| a.verb == verb).collect();
    actions.sort_by_key(|action| !action.holds_data);
    let mut text = String::new();
    for (place, action) in actions.iter().enumerate() {
        if text.len() > NAMES {
            let _ = write!(text, " and {} more", actions.len() - place);
            break;
        }
        text += if place > 0 { ", " } else { "" };
        text += &code(&action.address.to_string());
        text += if action.holds_data { " (holds data)" } else { "" };
    }
    (!actions.is_empty()).then_some(text)
}

fn rows(rows: impl Iterator<Item = [String; 3]>) -> String {
    let mut text = String::new();
    for [symbol, what, why] in rows {
        let _ = writeln!(text, "| {symbol} | {what} | {why} |");
    }
    text
}

fn titled(rows: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("| | Resource | Why |\n|---|---|---|\n{rows}\n")
}

fn table(plan: &Plan) -> String {
    titled(&rows(plan.effective().map(|action| {
        let (symbol, address) = (verbs::symbol(action.verb), action.address.to_string());
        [code(symbol), code(&address), words(&action.reason.to_string())]
    })))
}

/// How many of each type, where there are too many to name.
fn kinds(plan: &Plan) -> String {
    let mut counted: BTreeMap<(Verb, &str, &str), usize> = BTreeMap::new();
    for action in plan.effective() {
        let (provider, kind) = (&action.address.provider, &action.address.kind);
        *counted.entry((action.verb, provider, kind)).or_default() += 1;
    }
    let row = |((verb, provider, kind), count): (&(Verb, &str, &str), &usize)| {
        let kind =
            if kind.is_empty() { (*provider).to_owned() } else { format!("{provider}.{kind}") };
        [
            code(verbs::symbol(*verb)),
            format!("{count} × {}", code(&kind)),
            verbs::meaning(*verb).into(),
        ]
    };
    titled(&cut(&rows(counted.iter().map(row)), SECTION))
}

/// What stands around the actions in the text form.
fn remarks(plan: &Plan, style: &Style, options: &PlanOptions) -> String {
    let mut page = Page::new(style);
    sections::targets(&mut page, plan);
    sections::drift(&mut page, plan);
    sections::conflicts(&mut page, plan, &options.ipai);
    sections::notes(&mut page, plan);
    sections::foreign(&mut page, style, plan);
    sections::losses(&mut page, plan, &options.approved);
    page.finish()
}

/// A section as it stands in the text form. A fence as long as what somebody wrote could fill all there is.
fn block(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.replace(&"`".repeat(50), "`…");
    fenced("text", &cut(&text, SECTION)) + "\n"
}

fn end(plan: &Plan) -> String {
    let unchanged = plan.actions.iter().filter(|action| action.verb == Verb::NoOp).count();
    format!("Plan `{}` ({unchanged} unchanged)\n", plan.fingerprint())
}

#[cfg(test)]
mod tests {
    use ipai_core::Reason;
    use ipai_core::plan::AttributeChange;
    use serde_json::json;

    use super::super::samples::*;
    use super::*;

    fn markdown(plan: &Plan) -> String {
        let options = PlanOptions::calling("ipai -C ops".into());
        let text = plan_markdown(plan, &[], &Style::plain(), &options, "ipai -C ops plan -v");
        assert!(text.len() <= LIMIT, "{} bytes", text.len());
        assert!(text.lines().all(|line| line.trim_end() == line), "blanks at an end: {text}");
        text
    }

    /// A file whose content changes by so many lines.
    fn file(name: &str, lines: usize) -> Action {
        let changed = AttributeChange {
            diff: Some(format!("--- a\n+++ b\n@@ -1 +1 @@\n{}", "+123456789\n".repeat(lines))),
            ..edited("content", content(1), content(2))
        };
        action(&format!("host.file.{name}"), Verb::Update, Reason::Edited, vec![changed])
    }

    #[test]
    fn what_goes_stands_first_and_every_action_after_it_in_the_order_of_the_plan() {
        let plan = rich();
        let text = markdown(&plan);
        let head = "\
### Plan for `ops`: 3 to add, 4 to change, 2 to destroy.

**Warning:** this plan destroys `cloudflare.dns_record.old`; it replaces `digitalocean.droplet.web` (holds data).

| | Resource | Why |
|---|---|---|
| `+` | `secret.n8n_jwt` | has not been generated yet |
| `-/+` | `digitalocean.droplet.web` | <code>cannot change &#96;region&#96; in place</code> |
| `~` | `cloudflare.dns_record.www` | waits for digitalocean.droplet.ops.ipv4 |
| `~` | `cloudflare.dns_record.mail` | drifted: it was changed outside of ipai |
| `~` | `host.file.caddyfile` | the stack was edited |
| `~` | `host.file.env` | the stack was edited |
| `+` | `host.file.sshd` | digitalocean.droplet.ops is new |
| `-` | `cloudflare.dns_record.old` | no longer in the stack |

<details><summary><code>-/&#43;</code> <code>digitalocean.droplet.web</code></summary>

```diff
- region: ams3
+ region: fra1  # forces replacement
- size: s-1vcpu-1gb
+ size: s-2vcpu-2gb
```

</details>
";
        assert!(text.starts_with(head), "{text}");
        let caddyfile = "! content: 3.1 KiB → 3.1 KiB\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n```\n";
        assert!(text.contains(caddyfile), "{text}");
        let env = "! content: (sensitive value) changed\n- mode: 0644\n+ mode: 0600\n";
        assert!(text.contains(env) && !text.contains("1f1f") && !text.contains("2e2e"), "{text}");
        assert!(text.contains("Drift: 1 resource changed outside of ipai\n"), "{text}");
        assert!(text.contains("--allow-data-loss digitalocean.droplet.web\n"), "{text}");
        let end = format!("\nPlan `{}` (1 unchanged)\n", plan.fingerprint());
        assert!(text.ends_with(&end), "{text}");
    }

    #[test]
    fn an_empty_plan_says_so_and_warns_of_nothing() {
        let plan = plan(vec![same("cloudflare.dns_record.chat")]);
        let end = format!("Plan `{}` (1 unchanged)\n", plan.fingerprint());
        assert_eq!(markdown(&plan), format!("### Plan for `ops`: No changes.\n\n{end}"));
    }

    #[test]
    fn nothing_that_others_wrote_leaves_its_code() {
        let evil = "x`|</details>\n````\n# @all <img src=x>";
        let diff = Some(format!("--- a\n+++ b\n@@ -1 +1 @@\n+{evil}\n+tail \t\n"));
        let changed = AttributeChange { diff, ..edited(evil, content(1), content(2)) };
        let plain = edited("title", json!("a"), json!(evil));
        let reason = Reason::DuplicateOf(evil.into());
        let mut plan =
            plan(vec![action("host.file.a", Verb::Delete, reason, vec![changed, plain])]);
        plan.notes = vec![note(None, evil)];
        plan.conflicts = vec![ipai_core::plan::Conflict { why: evil.into(), ..conflict(true) }];
        let text = markdown(&plan);
        let mut fence = "";
        for line in text.lines() {
            let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
            match fence {
                "" if ticks.len() >= 3 => fence = ticks,
                "" => assert!(!line.contains("<img") && !line.contains("@all"), "{text}"),
                open if ticks.len() >= open.len() && line == ticks => fence = "",
                _ => {}
            }
        }
        assert_eq!(fence, "", "a fence stays open: {text}");
        assert!(text.contains("\n# @all <img src=x>\n+tail··\n"), "{text}");
        assert!(text.contains("| <code>a duplicate of the older x&#96;&#124;&#60;/"), "{text}");
    }

    #[test]
    fn lists_tell_what_comes_and_goes_and_contents_of_one_size_their_digests() {
        let rule = |port: u32| format!("tcp {port} from 0.0.0.0/0 ::/0");
        let (before, after) = (json!([rule(22), rule(80)]), json!([rule(22), rule(443)]));
        let page = edited("page", content(5), json!({ "sha256": "f".repeat(64), "size": 5 }));
        let changes =
            vec![edited("inbound", before, after), page, edited("name", json!("a"), json!("b"))];
        let text = markdown(&plan(vec![action("a.b.c", Verb::Update, Reason::Edited, changes)]));
        let expected = "```diff
! inbound: items change
-   \"tcp 80 from 0.0.0.0/0 ::/0\"
+   \"tcp 443 from 0.0.0.0/0 ::/0\"
- page: 5 B (sha256 0123abcd…)
+ page: 5 B (sha256 ffffffff…)
- name: a
+ name: b
```
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn the_longest_details_are_left_out_first() {
        let text =
            markdown(&plan(vec![file("a", 10), file("b", 4000), file("c", 3000), file("d", 2000)]));
        let has = |name: &str| text.contains(&format!("<code>host.file.{name}</code></summary>"));
        assert_eq!(["a", "b", "c", "d"].map(has), [true, false, true, true], "{text}");
        assert!(text.contains("| `~` | `host.file.b` |"));
        let said = "the details of 1 resource are left out. `ipai -C ops plan -v` shows all.\n";
        assert!(text.contains(said), "{text}");
    }

    #[test]
    fn too_many_actions_are_counted_by_type() {
        let mut actions: Vec<Action> = (0..3000).map(|n| file(&format!("f{n}"), 1)).collect();
        actions.extend((0..3000).map(|n| {
            let address = format!("cloudflare.dns_record.r{n}");
            action(&address, Verb::Delete, Reason::NoLongerDesired, Vec::new())
        }));
        let mut plan = plan(actions);
        plan.notes = (0..9000).map(|_| note(None, &"`".repeat(300))).collect();
        let text = markdown(&plan);
        assert!(text.contains("| `~` | 3000 × `host.file` | update in-place |\n"), "{text}");
        assert!(text.contains("| `-` | 3000 × `cloudflare.dns_record` | destroy |\n"), "{text}");
        assert!(text.contains("the names and details of 6000 actions are left out."), "{text}");
        let warning = text.lines().find(|line| line.starts_with("**Warning:**")).unwrap();
        assert!(warning.contains(" and 2") && warning.len() < 5000, "{warning}");
    }
}
