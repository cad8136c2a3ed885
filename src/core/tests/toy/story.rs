//! A test in one sentence: what was applied, what disturbed it, what the plan says.

use std::collections::BTreeSet;

use ipai_core::plan::{Proposal, lint, moved};
use ipai_core::{LiveState, Plan, Secret};

use super::{Setting, World, address, flush, show};

/// One record.
pub(crate) const RECORD: &str = "
[toy.record.a]
name = 'www'
content = '1'
";

/// A box, what lives in it, and a record that says where it is.
pub(crate) const HOUSE: &str = "
[toy.box.home]
size = 2
[toy.file.note]
box = 'toy.box.home'
path = '/note'
content = 'hello'
[toy.record.a]
name = 'www'
content = '{{ toy.box.home.ip }}'
";

/// A stack, a world, and what became of both.
pub(crate) struct Story {
    pub(crate) setting: Setting,
    pub(crate) world: World,
}

impl Story {
    /// A stack of which nothing exists yet.
    pub(crate) fn of(stack: &str) -> Self {
        Self { setting: Setting::new(stack), world: World::default() }
    }

    /// A stack that the world equals.
    pub(crate) fn applied(stack: &str) -> Self {
        Self::of(stack).and_applied()
    }

    /// Makes the world equal to the stack.
    pub(crate) fn and_applied(mut self) -> Self {
        self.world = World::derived_from(&mut self.setting).unwrap();
        self
    }

    /// The stack's text is replaced by another.
    pub(crate) fn edited(mut self, stack: &str) -> Self {
        self.setting = self.setting.with_text(stack);
        self
    }

    /// Something happens behind ipai's back.
    pub(crate) fn disturbed(mut self, disturb: impl FnOnce(&mut World)) -> Self {
        disturb(&mut self.world);
        self
    }

    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.setting.files.insert(path.into(), text.into());
        self
    }

    pub(crate) fn secret(mut self, name: &str, text: Option<&str>) -> Self {
        self.setting.secrets.insert(name.into(), text.map(|t| Secret::new(t.into())));
        self
    }

    pub(crate) fn replace(mut self, name: &str) -> Self {
        self.setting.options.replace.insert(address(name));
        self
    }

    pub(crate) fn target(mut self, name: &str) -> Self {
        self.setting.options.targets.insert(address(name));
        self
    }

    pub(crate) fn destroy(mut self) -> Self {
        self.setting.options.destroy = true;
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        self.proposal().plan
    }

    fn proposal(&self) -> Proposal {
        let proposal = self.setting.propose(&self.world.live);
        let found = soundness(&self.setting, &self.world.live, &proposal);
        assert!(found.is_none(), "{}\n{}", found.unwrap_or_default(), show(&proposal.plan));
        let again = self.setting.propose(&shuffled(&self.world.live)).plan;
        assert_eq!(again, proposal.plan, "the order of the report changes the plan");
        proposal
    }

    /// Expects these lines. The plan must be sound, and unless something stands in the way it must lead to a world
    /// on which the next plan is empty.
    #[track_caller]
    pub(crate) fn plans(mut self, expected: &str) {
        let proposal = self.proposal();
        assert_eq!(show(&proposal.plan), flush(expected));
        if proposal.plan.conflicts.is_empty() {
            self.world.apply(&mut self.setting, &proposal).unwrap();
            self.setting.options.replace.clear();
            let rest = self.plan();
            assert!(rest.is_empty(), "the next plan is not empty:\n{}", show(&rest));
        }
    }
}

/// What is wrong with a plan, whatever was planned.
pub(crate) fn soundness(
    setting: &Setting,
    live: &LiveState,
    proposal: &Proposal,
) -> Option<String> {
    let plan = &proposal.plan;
    let text = serde_json::to_string(plan).unwrap();
    if let Some(finding) = lint(plan).first() {
        return Some(finding.clone());
    }
    if serde_json::from_str::<Plan>(&text).ok().as_ref() != Some(plan) {
        return Some("the plan does not survive being written and read".into());
    }
    if let Some(difference) = moved(plan, plan).first() {
        return Some(format!("the plan differs from itself: {difference}"));
    }
    let secrets = setting.secrets.values().flatten();
    if secrets.into_iter().any(|secret| text.contains(secret.expose())) {
        return Some("a secret stands in the plan".into());
    }
    let foreign: BTreeSet<&str> = live.foreign.iter().map(|f| &*f.id).collect();
    if let Some(touched) = plan.actions.iter().find(|a| touches(a.id.as_deref(), &foreign)) {
        return Some(format!("{} touches what is not ours", touched.address));
    }
    let again = ipai_core::plan::plan(
        &proposal.desired,
        &shuffled(live),
        setting.types(),
        &setting.options,
    );
    let again = serde_json::to_string(&again).unwrap();
    (again != text).then(|| "the order of the report changes the plan".into())
}

/// The same live state, reported the other way round.
fn shuffled(live: &LiveState) -> LiveState {
    let mut shuffled = live.clone();
    shuffled.resources.reverse();
    shuffled.foreign.reverse();
    shuffled.notes.reverse();
    shuffled
}

fn touches(id: Option<&str>, foreign: &BTreeSet<&str>) -> bool {
    id.is_some_and(|id| foreign.contains(id))
}
