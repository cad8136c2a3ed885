//! The marks by which our objects are known: the tags of a droplet or volume, the name of a firewall, a tag that nothing
//! carries for a reserved address.

mod reserved;

use ipai_core::address::is_name;
use ipai_core::{Address, StackId};

use crate::PROVIDER;

pub(crate) use reserved::{Claims, claim_tag};

const OURS: &str = "ipai";
const HASH: &str = "ipai-hash:";
const HOST_KEY: &str = "ipai-hostkey:";
/// Ends the pin of a key that travelled in user-data and is to be replaced on the host.
const BORN: &str = ":born";

/// The tag that every droplet and volume of a stack carries.
pub(crate) fn stack_tag(stack: &StackId) -> String {
    format!("{OURS}:{stack}")
}

/// The tag that names the address of a droplet, volume or reserved IP.
pub(crate) fn address_tag(stack: &StackId, address: &Address) -> String {
    format!("{OURS}:{stack}:{}:{}", address.kind, address.name)
}

/// The tag that holds the version which was applied last.
pub(crate) fn hash_tag(version: &str) -> String {
    format!("{HASH}{version}")
}

/// The tag that pins a host key by the SHA-256 of its public half.
pub(crate) fn host_key_tag(fingerprint_hex: &str) -> String {
    format!("{HOST_KEY}{fingerprint_hex}")
}

/// The tag that pins the host key that a droplet is born with. One tag says both, so that nobody ever sees the pin
/// without knowing that its key travelled in user-data.
pub(crate) fn birth_key_tag(fingerprint_hex: &str) -> String {
    format!("{HOST_KEY}{fingerprint_hex}{BORN}")
}

/// Tells whether a tag pins a host key.
pub(crate) fn is_host_key_tag(tag: &str) -> bool {
    tag.to_ascii_lowercase().starts_with(HOST_KEY)
}

/// Tells whether a tag holds a version.
pub(crate) fn is_hash_tag(tag: &str) -> bool {
    tag.to_ascii_lowercase().starts_with(HASH)
}

/// Tells whether a tag is one of ipai's; such names are not for users.
pub(crate) fn is_reserved(tag: &str) -> bool {
    tag.to_ascii_lowercase().starts_with(OURS)
}

/// The tags that say whose a droplet or volume is.
pub(crate) fn identity_tags(stack: &StackId, address: &Address) -> [String; 3] {
    [OURS.to_owned(), stack_tag(stack), address_tag(stack, address)]
}

/// What the tags of a droplet or volume say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It carries the stack's tag.
    pub(crate) stack: bool,
    /// The addresses that its tags name; one is right.
    pub(crate) addresses: Vec<Address>,
    /// The versions that its tags name; two when an update was cut short at its very end.
    pub(crate) versions: Vec<String>,
    /// The pinned host keys, hex.
    pub(crate) host_keys: Vec<String>,
    /// Those of them that travelled in user-data.
    pub(crate) birth_keys: Vec<String>,
    /// Other tags, in lower case and sorted: the API compares them without regard to case.
    pub(crate) user: Vec<String>,
}

impl Marks {
    /// Reads a droplet's tags.
    pub(crate) fn read(stack: &StackId, tags: &[String]) -> Self {
        Self::of("droplet", stack, tags)
    }

    /// Reads the tags of an object of this kind.
    pub(crate) fn of(kind: &str, stack: &StackId, tags: &[String]) -> Self {
        let mut marks = Self::default();
        let (own, prefix) = (stack_tag(stack), format!("{}:{kind}:", stack_tag(stack)));
        for tag in tags.iter().map(|tag| tag.to_ascii_lowercase()) {
            if tag == own {
                marks.stack = true;
            } else if let Some(name) = tag.strip_prefix(&prefix).filter(|name| is_name(name)) {
                marks.addresses.push(Address::new(PROVIDER, kind, name));
            } else if let Some(version) = tag.strip_prefix(HASH) {
                marks.versions.push(version.to_owned());
            } else if let Some(key) = tag.strip_prefix(HOST_KEY) {
                let born = key.strip_suffix(BORN);
                marks.birth_keys.extend(born.map(str::to_owned));
                marks.host_keys.push(born.unwrap_or(key).to_owned());
            } else if !is_reserved(&tag) {
                marks.user.push(tag);
            }
        }
        marks.user.sort();
        marks.host_keys.sort();
        // Pinned both ways, a key is known to live on the host alone.
        let own = |key: &String| marks.host_keys.iter().filter(|pinned| *pinned == key).count() > 1;
        let birth_keys = std::mem::take(&mut marks.birth_keys);
        marks.birth_keys = birth_keys.into_iter().filter(|key| !own(key)).collect();
        marks.host_keys.dedup();
        marks
    }

    /// Adds the key that a droplet is born with, where its tags do not show it yet.
    pub(crate) fn pin_birth(&mut self, fingerprint_hex: &str) {
        if !self.host_keys.iter().any(|key| key == fingerprint_hex) {
            self.host_keys.push(fingerprint_hex.to_owned());
            self.birth_keys.push(fingerprint_hex.to_owned());
        }
    }

    /// Adds the pins that were known before its tags were read last.
    pub(crate) fn with_pins_of(mut self, earlier: &Self) -> Self {
        for key in earlier
            .host_keys
            .iter()
            .filter(|key| !self.host_keys.contains(key))
            .cloned()
            .collect::<Vec<_>>()
        {
            self.birth_keys
                .extend(Some(key.clone()).filter(|key| earlier.birth_keys.contains(key)));
            self.host_keys.push(key);
        }
        self.host_keys.sort();
        self
    }

    /// The one address that the tags name.
    pub(crate) fn address(&self) -> Option<&Address> {
        if let [address] = &self.addresses[..] { Some(address) } else { None }
    }

    /// The version that was applied. Where two are named, the wanted one is it: it is set when all else is done.
    pub(crate) fn applied(&self, wanted: Option<&str>) -> Option<String> {
        let wanted = self.versions.iter().find(|version| Some(version.as_str()) == wanted);
        wanted.or(self.versions.last()).cloned()
    }
}

/// A firewall's name: `ipai-STACK-NAME`.
///
/// The last `-` separates, so that no stack can read another's firewall as its own. DigitalOcean's alphabet for
/// these names lacks `_`: in the stack it becomes `.`; in the name `-` becomes `.` and `_` becomes `..`.
pub(crate) fn firewall_name(stack: &StackId, name: &str) -> String {
    let name = name.replace('-', ".").replace('_', "..");
    format!("{OURS}-{}-{name}", stack.as_str().replace('_', "."))
}

/// The resource that a firewall's name stands for, if it is one of the stack's.
pub(crate) fn firewall_address(stack: &StackId, firewall: &str) -> Option<Address> {
    let (_, name) = firewall.rsplit_once('-')?;
    let name = name.replace("..", "_").replace('.', "-");
    let same = is_name(&name) && firewall_name(stack, &name) == firewall;
    same.then(|| Address::new(PROVIDER, "firewall", &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops() -> StackId {
        StackId::new("ops", None)
    }

    #[test]
    fn tags_are_those_of_the_contract() {
        let web = Address::new(PROVIDER, "droplet", "web");
        assert_eq!(identity_tags(&ops(), &web), ["ipai", "ipai:ops", "ipai:ops:droplet:web"]);
        let staging = StackId::new("ops", Some("staging"));
        assert_eq!(address_tag(&staging, &web), "ipai:ops--staging:droplet:web");
        assert_eq!(hash_tag("0123456789abcdef"), "ipai-hash:0123456789abcdef");
    }

    #[test]
    fn reads_back_what_it_marks() {
        let tags =
            ["Web", "ipai", "ipai:ops", "ipai:ops:droplet:web", "ipai-hash:ab", "ipai-hostkey:cd"];
        let marks = Marks::read(&ops(), &tags.map(str::to_owned));
        assert!(marks.stack);
        assert_eq!(marks.address().unwrap().name, "web");
        assert_eq!(marks.applied(None).as_deref(), Some("ab"));
        assert_eq!((marks.host_keys, marks.user), (vec!["cd".to_owned()], vec!["web".to_owned()]));
    }

    #[test]
    fn a_birth_key_is_a_pin_that_says_where_its_key_travelled() {
        let tags = [birth_key_tag("aa"), host_key_tag("bb"), "IPAI-HOSTKEY:CC:BORN".to_owned()];
        let marks = Marks::read(&ops(), &tags);
        assert_eq!(marks.host_keys, ["aa", "bb", "cc"]);
        assert_eq!(marks.birth_keys, ["aa", "cc"]);
        assert!(tags.iter().all(|tag| is_host_key_tag(tag)));
    }

    #[test]
    fn another_stack_and_environment_are_strangers() {
        let tags =
            ["ipai", "ipai:ops--staging", "ipai:ops--staging:droplet:web"].map(str::to_owned);
        let marks = Marks::read(&ops(), &tags);
        assert!(!marks.stack && marks.addresses.is_empty() && marks.user.is_empty());
    }

    #[test]
    fn two_addresses_are_none() {
        let tags = ["ipai:ops:droplet:a", "ipai:ops:droplet:b"].map(str::to_owned);
        assert_eq!(Marks::read(&ops(), &tags).address(), None);
    }

    #[test]
    fn of_two_versions_the_wanted_one_was_applied() {
        let tags = ["ipai-hash:aa", "ipai-hash:bb"].map(str::to_owned);
        let marks = Marks::read(&ops(), &tags);
        assert_eq!(marks.applied(Some("aa")).as_deref(), Some("aa"));
        assert_eq!(marks.applied(Some("cc")).as_deref(), Some("bb"));
    }

    #[test]
    fn firewall_names_are_read_back_by_their_own_stack_only() {
        let stacks = ["ops", "ops-a", "o_ps", "ops--staging"].map(|s| StackId::new(s, None));
        let names = ["web", "a-web", "a_web", "staging-web"];
        for (stack, name) in stacks.iter().flat_map(|s| names.map(|n| (s, n))) {
            let written = firewall_name(stack, name);
            for reader in &stacks {
                let read = firewall_address(reader, &written).map(|a| a.name);
                let expected = (reader == stack).then(|| name.to_owned());
                assert_eq!(read, expected, "{written} read by {reader}");
            }
        }
        assert_eq!(firewall_name(&ops(), "web"), "ipai-ops-web");
        assert_eq!(firewall_address(&ops(), "web"), None);
        assert_eq!(firewall_address(&ops(), "ipai-ops-"), None);
    }
}
