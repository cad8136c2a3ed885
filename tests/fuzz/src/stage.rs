//! A stack with one of everything, against which answers are read.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ipai_core::desired::{Inputs, compile};
use ipai_core::live::Outputs;
use ipai_core::stack::{named_files, parse};
use ipai_core::{Address, DesiredResource, DigestKey, Scope, Secret, Types, Value};

/// The stack's text.
const TEXT: &str = include_str!("stage.toml");

/// The desired state of that stack, and the scope of each provider.
pub struct Stage {
    /// What all resources are.
    pub desired: Vec<DesiredResource>,
    /// The key of secrets' digests.
    pub key: DigestKey,
    /// The whole stack's scope; each provider picks its own from it.
    pub scope: Scope,
    /// The droplet that files and projects live on.
    pub home: Address,
}

/// All resource types.
#[must_use]
pub fn types() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| {
        let mut all = ipai_digitalocean::types();
        all.extend(ipai_cloudflare::types());
        all.extend(ipai_host::types());
        Types::new(all)
    })
}

/// The stage, made once.
#[must_use]
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(build)
}

fn build() -> Stage {
    let (stack, problems) = parse(&[("stack.toml", TEXT)], None, types());
    let stack = stack.unwrap_or_else(|| panic!("the stage does not parse: {problems:?}"));
    let key = DigestKey::new(vec![7; 32]);
    let home = Address::new("digitalocean", "droplet", "ops");
    let address = [("ipv4".to_owned(), Value::text("203.0.113.7"))];
    let outputs: BTreeMap<Address, Outputs> = [(home.clone(), address.into())].into();
    let files = named_files(&stack).into_keys().map(|name| (name, "ssh-ed25519 AAAA a".to_owned()));
    let (desired, problems) = compile(&Inputs {
        stack: &stack,
        types: types(),
        files: &files.collect(),
        secrets: &[("token".to_owned(), Some(Secret::new("s3cret-value".to_owned())))].into(),
        outputs: &outputs,
        variables: &BTreeMap::new(),
        authorized_keys: &["ssh-ed25519 AAAA a".to_owned()],
        key: &key,
        images: None,
        sandbox: false,
    });
    assert!(problems.is_empty(), "the stage is not sound: {problems:?}");
    let scope = Scope {
        stack: stack.id.clone(),
        desired: desired.resources.clone(),
        homes: outputs,
        wanted_homes: vec![home.clone()],
    };
    Stage { desired: desired.resources, key, scope, home }
}

impl Stage {
    /// The scope of one provider.
    #[must_use]
    pub fn scope_of(&self, provider: &str) -> Scope {
        let own = self.desired.iter().filter(|resource| resource.address.provider == provider);
        Scope { desired: own.cloned().collect(), ..self.scope.clone() }
    }
}
