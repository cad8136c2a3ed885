//! Reserved addresses can carry no tag and have no name, so a tag that nothing carries claims each:
//! `ipai:STACK:reserved_ip:NAME:203-0-113-7`. The one without the address, made right before an address is asked for,
//! tells that a run began to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipai_core::address::is_name;
use ipai_core::{Address, StackId};

use super::{OURS, address_tag, stack_tag};
use crate::PROVIDER;

const KIND: &str = "reserved_ip";

/// The tag that claims a reserved address.
pub(crate) fn claim_tag(stack: &StackId, address: &Address, ip: Ipv4Addr) -> String {
    format!("{}:{}", address_tag(stack, address), ip.to_string().replace('.', "-"))
}

/// What the account's tags say of reserved addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Which resources of the stack claim an address; one is right.
    pub(crate) ours: BTreeMap<Ipv4Addr, Vec<Address>>,
    /// Resources of the stack that an address was or is about to be asked for.
    pub(crate) begun: BTreeSet<Address>,
    /// Every address that some stack claims.
    pub(crate) taken: BTreeSet<Ipv4Addr>,
    /// The stack has a volume.
    pub(crate) volumes: bool,
}

impl Claims {
    /// Reads the account's tags.
    pub(crate) fn read<'a>(stack: &StackId, tags: impl IntoIterator<Item = &'a str>) -> Self {
        let mut claims = Self::default();
        let prefix = format!("{}:", stack_tag(stack));
        for tag in tags.into_iter().map(str::to_ascii_lowercase) {
            let ours = tag.strip_prefix(&prefix).and_then(|rest| rest.split_once(':'));
            match ours {
                Some((KIND, rest)) => claims.claim(rest),
                Some(("volume", name)) => claims.volumes |= is_name(name),
                _ => {}
            }
            claims.taken.extend(claimed(&tag));
        }
        claims
    }

    fn claim(&mut self, rest: &str) {
        let (name, ip) = rest.split_once(':').map_or((rest, None), |(name, ip)| (name, Some(ip)));
        if !is_name(name) {
            return;
        }
        let address = Address::new(PROVIDER, KIND, name);
        match ip.map(dotted) {
            None => drop(self.begun.insert(address)),
            Some(Some(ip)) => self.ours.entry(ip).or_default().push(address),
            Some(None) => {}
        }
    }

    /// The addresses that a resource claims.
    pub(crate) fn of(&self, address: &Address) -> impl Iterator<Item = Ipv4Addr> {
        self.ours.iter().filter(move |(_, by)| by.contains(address)).map(|(ip, _)| *ip)
    }
}

/// The address that a tag claims for any resource of any stack.
fn claimed(tag: &str) -> Option<Ipv4Addr> {
    let mut parts = tag.split(':');
    let head = (parts.next()?, parts.nth(1)?, parts.nth(1)?);
    match (head, parts.next()) {
        ((OURS, KIND, ip), None) => dotted(ip),
        _ => None,
    }
}

fn dotted(text: &str) -> Option<Ipv4Addr> {
    text.replace('-', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(tags: &[&str]) -> Claims {
        Claims::read(&StackId::new("ops", None), tags.iter().copied())
    }

    #[test]
    fn reads_back_what_it_writes() {
        let web = Address::new(PROVIDER, KIND, "web");
        let ip = Ipv4Addr::new(203, 0, 113, 7);
        let stack = StackId::new("ops", None);
        let tag = claim_tag(&stack, &web, ip);
        assert_eq!(tag, "ipai:ops:reserved_ip:web:203-0-113-7");
        let read = claims(&[&tag, &address_tag(&stack, &web)]);
        assert_eq!(read.ours, [(ip, vec![web.clone()])].into());
        assert_eq!(read.begun, [web.clone()].into());
        assert_eq!((read.of(&web).collect::<Vec<_>>(), read.taken), (vec![ip], [ip].into()));
    }

    #[test]
    fn another_stacks_claim_is_a_claim_and_not_ours() {
        let read = claims(&["ipai:ops--staging:reserved_ip:web:203-0-113-7"]);
        assert!(read.ours.is_empty() && read.begun.is_empty());
        assert_eq!(read.taken.len(), 1);
    }

    #[test]
    fn nonsense_claims_nothing() {
        let tags = [
            "ipai:ops:reserved_ip:",
            "ipai:ops:reserved_ip:a:1-2-3",
            "x:ops:reserved_ip:a:1-2-3-4",
            "ipai:ops:reserved_ip:a:1-2-3-4:5",
        ];
        assert_eq!(claims(&tags), Claims::default());
    }

    #[test]
    fn a_volumes_tag_tells_that_there_is_one() {
        assert!(claims(&["ipai:ops:volume:data"]).volumes);
        assert!(!claims(&["ipai:ops-b:volume:data", "ipai:ops:droplet:volume"]).volumes);
    }
}
