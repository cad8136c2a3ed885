//! The plan as a person reads it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use ipai_core::plan::Summary;
use ipai_core::{Action, Address, Plan, Reason, Verb};

use super::page::{Ink, Page};
use super::{Style, change, sections, verbs};

/// The widest column of addresses; longer ones push their reason to the right.
const ADDRESS_COLUMN: usize = 44;

/// What the text must know beside the plan.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Whether the plan destroys the stack.
    pub destroy: bool,
    /// Addresses whose data may be lost.
    pub approved: BTreeSet<Address>,
    /// How ipai is called for this stack; empty where that is not known.
    pub ipai: String,
}

impl PlanOptions {
    /// Those of a plan of changes, with how ipai is called for its stack.
    #[must_use]
    pub fn calling(ipai: String) -> Self {
        Self { ipai, ..Self::default() }
    }
}

/// Writes the plan as it is composed: drift, actions with their reasons, what stands in the way, and the counts at the end.
/// However many actions there are, little of the text is held at a time.
///
/// # Errors
/// The output takes no more.
pub fn write_plan_text(
    output: &mut dyn Write,
    plan: &Plan,
    style: &Style,
    options: &PlanOptions,
) -> io::Result<()> {
    let mut written = Ok(());
    let mut spill = |piece: String| {
        if written.is_ok() {
            written = output.write_all(piece.as_bytes());
        }
    };
    let page = compose(plan, style, options, &mut spill);
    spill(page.finish());
    written
}

/// The same as one text.
#[must_use]
pub fn plan_text(plan: &Plan, style: &Style, options: &PlanOptions) -> String {
    let mut text = String::new();
    let page = compose(plan, style, options, &mut |piece| text.push_str(&piece));
    text + &page.finish()
}

/// The page, whose beginning is spilled whenever it has grown long.
fn compose(
    plan: &Plan,
    style: &Style,
    options: &PlanOptions,
    spill: &mut dyn FnMut(String),
) -> Page {
    let mut page = Page::new(style);
    sections::targets(&mut page, plan);
    sections::drift(&mut page, plan);
    actions(&mut page, style, plan, spill);
    sections::conflicts(&mut page, plan, &options.ipai);
    sections::notes(&mut page, plan);
    sections::foreign(&mut page, style, plan);
    if page.is_shortened() {
        page.gap();
        page.paint(Ink::Faint, "Some of this is shortened; -v shows all of it.");
        page.put("\n");
    }
    page.gap();
    sections::losses(&mut page, plan, &options.approved);
    closing(&mut page, plan, options);
    page
}

fn actions(page: &mut Page, style: &Style, plan: &Plan, spill: &mut dyn FnMut(String)) {
    if plan.effective().next().is_none() {
        return;
    }
    page.gap();
    page.put("ipai will perform the following actions:\n");
    legend(page, plan);
    page.put("\n");
    let secrets: Vec<&Address> =
        plan.effective().filter(|a| is_new_secret(a)).map(|a| &a.address).collect();
    sections::secrets(page, style, &secrets);
    let others = || plan.effective().filter(|action| !is_new_secret(action));
    let widest = others().map(|action| action.address.to_string().len()).max().unwrap_or_default();
    for action in others() {
        header(page, style, action, widest.min(ADDRESS_COLUMN));
        change::write(page, style, action);
        page.spilled().into_iter().for_each(&mut *spill);
    }
}

fn is_new_secret(action: &Action) -> bool {
    action.reason == Reason::NotGenerated
}

/// The symbols that occur, with their meaning.
fn legend(page: &mut Page, plan: &Plan) {
    const ORDER: [Verb; 6] =
        [Verb::Create, Verb::Update, Verb::Replace, Verb::Delete, Verb::Adopt, Verb::Forget];
    let used: BTreeSet<Verb> = plan.effective().map(|action| action.verb).collect();
    for verb in ORDER.into_iter().filter(|verb| used.contains(verb)) {
        page.put("  ");
        page.paint(verbs::ink(verb), verbs::symbol(verb));
        write!(page, " {}", verbs::meaning(verb));
    }
    page.put("\n");
}

fn header(page: &mut Page, style: &Style, action: &Action, column: usize) {
    page.paint(verbs::ink(action.verb), format_args!("{:>3}", verbs::symbol(action.verb)));
    page.put(" ");
    let address = action.address.to_string();
    page.paint(Ink::Strong, &address);
    write!(page, "{:1$}  ", "", column.saturating_sub(address.len()));
    page.paint(
        if action.is_drift() { Ink::Warning } else { Ink::Faint },
        super::one_line(&action.reason.to_string()),
    );
    if let Some(id) = action.id.as_deref().filter(|_| style.verbose || action.verb != Verb::Update)
    {
        write!(page, " [id={}]", super::one_line(id));
    }
    page.put("\n");
}

fn closing(page: &mut Page, plan: &Plan, options: &PlanOptions) {
    if plan.is_empty() {
        page.paint(Ink::Add, "No changes.");
        page.put(if options.destroy {
            " No objects need to be destroyed.\n"
        } else {
            " Your infrastructure matches the configuration.\n"
        });
        return;
    }
    let summary = plan.summary();
    page.paint(Ink::Strong, "Plan:");
    writeln!(page, " {}", counts(summary));
    let unchanged = plan.actions.iter().filter(|action| action.verb == Verb::NoOp).count();
    writeln!(page, "Plan {} ({unchanged} unchanged)", plan.fingerprint());
}

/// `1 to add, 2 to change, 0 to destroy.`: people and programs look for exactly this.
pub(super) fn counts(summary: Summary) -> String {
    let Summary { add, change, destroy } = summary;
    format!("{add} to add, {change} to change, {destroy} to destroy.")
}
