//! A stack's text with everything else that the desired state is made from.

use std::collections::BTreeMap;

use ipai_core::desired::{DesiredState, Inputs, compile};
use ipai_core::plan::{Options, Proposal, propose};
use ipai_core::stack::{Stack, parse};
use ipai_core::{Address, Diagnostic, DigestKey, LiveState, Outputs, Secret, Types};

use super::types;

/// What a stack's folder, its secrets and the command line say, read once.
pub(crate) struct Setting {
    pub(crate) stack: Stack,
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, Option<Secret>>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) options: Options,
    types: Types,
    key: DigestKey,
}

/// The address that a text spells.
pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl Setting {
    /// Reads a stack that is known to be well formed; `[stack]` is put before it.
    pub(crate) fn new(toml: &str) -> Self {
        let types = types();
        let text = format!("[stack]\nname = \"toys\"\n{toml}");
        let (stack, problems) = parse(&[("stack.toml", &text)], None, &types);
        assert!(problems.is_empty(), "{problems:#?}");
        let (files, secrets, variables, options) = std::default::Default::default();
        let key = DigestKey::new(vec![7; 32]);
        Self { stack: stack.unwrap(), files, secrets, variables, options, types, key }
    }

    /// Reads another text under the same circumstances.
    pub(crate) fn with_text(self, toml: &str) -> Self {
        Self { stack: Self::new(toml).stack, ..self }
    }

    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    fn inputs<'a>(&'a self, outputs: &'a BTreeMap<Address, Outputs>) -> Inputs<'a> {
        Inputs {
            stack: &self.stack,
            types: &self.types,
            files: &self.files,
            secrets: &self.secrets,
            outputs,
            variables: &self.variables,
            authorized_keys: &[],
            key: &self.key,
            images: None,
            sandbox: false,
        }
    }

    pub(crate) fn compile(
        &self,
        outputs: &BTreeMap<Address, Outputs>,
    ) -> (DesiredState, Vec<Diagnostic>) {
        compile(&self.inputs(outputs))
    }

    /// Plans on a live state; the stack must have no problems.
    pub(crate) fn propose(&self, live: &LiveState) -> Proposal {
        let proposal = propose(&self.inputs(&live.outputs()), live, &self.options);
        assert!(proposal.problems.is_empty(), "{:#?}", proposal.problems);
        proposal
    }
}
