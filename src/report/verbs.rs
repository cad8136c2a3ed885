//! The words for each verb, as Terraform's users know them.

use ipai_core::Verb;

use super::page::Ink;

/// The symbol in a plan.
pub(super) const fn symbol(verb: Verb) -> &'static str {
    match verb {
        Verb::NoOp => "",
        Verb::Create => "+",
        Verb::Update => "~",
        Verb::Replace => "-/+",
        Verb::Delete => "-",
        Verb::Adopt => "=",
        Verb::Forget => ".",
    }
}

/// What the symbol means.
pub(super) const fn meaning(verb: Verb) -> &'static str {
    match verb {
        Verb::NoOp => "no change",
        Verb::Create => "create",
        Verb::Update => "update in-place",
        Verb::Replace => "destroy and then create replacement",
        Verb::Delete => "destroy",
        Verb::Adopt => "adopt",
        Verb::Forget => "forget",
    }
}

pub(super) const fn ink(verb: Verb) -> Ink {
    match verb {
        Verb::NoOp | Verb::Forget => Ink::Faint,
        Verb::Create | Verb::Adopt => Ink::Add,
        Verb::Update => Ink::Change,
        Verb::Replace | Verb::Delete => Ink::Destroy,
    }
}

/// "Creating" in "Creating...".
pub(super) const fn doing(verb: Option<Verb>) -> &'static str {
    match verb {
        Some(Verb::Create) => "Creating",
        Some(Verb::Update) => "Modifying",
        Some(Verb::Replace) => "Replacing",
        Some(Verb::Delete) => "Destroying",
        Some(Verb::Adopt) => "Adopting",
        Some(Verb::Forget) => "Forgetting",
        Some(Verb::NoOp) | None => "Applying",
    }
}

/// "Creation" in "Creation complete after 12s".
pub(super) const fn deed(verb: Option<Verb>) -> &'static str {
    match verb {
        Some(Verb::Create) => "Creation",
        Some(Verb::Update) => "Modifications",
        Some(Verb::Replace) => "Replacement",
        Some(Verb::Delete) => "Destruction",
        Some(Verb::Adopt) => "Adoption",
        Some(Verb::Forget) => "Forgetting",
        Some(Verb::NoOp) | None => "Apply",
    }
}

/// The `actions` of Terraform's plan JSON. An adoption sets a marker, which is a change in place.
pub(super) const fn actions(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::NoOp => &["no-op"],
        Verb::Create => &["create"],
        Verb::Update | Verb::Adopt => &["update"],
        Verb::Replace => &["delete", "create"],
        Verb::Delete => &["delete"],
        Verb::Forget => &["forget"],
    }
}

/// The one-word action of Terraform's message stream.
pub(super) const fn action(verb: Option<Verb>) -> &'static str {
    match verb {
        Some(Verb::NoOp) | None => "noop",
        Some(Verb::Create) => "create",
        Some(Verb::Update) => "update",
        Some(Verb::Replace) => "replace",
        Some(Verb::Delete) => "delete",
        Some(Verb::Adopt) => "import",
        Some(Verb::Forget) => "forget",
    }
}
