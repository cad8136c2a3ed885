//! Reserved addresses as the API shows them: which of them are ours, which only stand near.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipai_core::live::UNFINISHED;
use ipai_core::{Address, DesiredResource, Foreign, LiveResource, LiveState, Outputs, Value};

use super::identity;
use crate::PROVIDER;
use crate::api::ReservedIp;
use crate::marker::Claims;

/// What tells ours from others.
pub(crate) struct Seen<'a> {
    /// What the account's tags claim.
    pub(crate) claims: &'a Claims,
    /// The stack's droplets by number.
    pub(crate) droplets: &'a BTreeMap<u64, Address>,
    /// What the stack wants.
    pub(crate) desired: &'a [DesiredResource],
}

impl Seen<'_> {
    /// Adds to the state what the account's reserved addresses are to the stack.
    pub(crate) fn sort(&self, all: &[ReservedIp], state: &mut LiveState) {
        let mut open = Vec::new();
        for reserved in all {
            match self.claims.ours.get(&reserved.ip).map(Vec::as_slice) {
                Some([address]) => state.resources.push(self.live(address.clone(), reserved, true)),
                Some(several) => state.notes.push(ambiguous(reserved.ip, several)),
                None if self.claims.taken.contains(&reserved.ip) => {}
                None => open.push(reserved),
            }
        }
        for reserved in open {
            match self.begun_for(reserved) {
                Some(address) => state.resources.push(self.live(address, reserved, false)),
                None => self.stranger(reserved, state),
            }
        }
    }

    /// The resource that a run reserved an address for before it was killed: the address leads to a droplet of ours, and
    /// the resource was begun and has none yet.
    fn begun_for(&self, reserved: &ReservedIp) -> Option<Address> {
        let droplet = self.droplet_of(reserved)?;
        let mut begun = self.unfinished();
        match self.wanted_for(droplet) {
            Some(wanted) => begun.find(|address| **address == wanted.address).cloned(),
            None => {
                begun.find(|b| !self.desired.iter().any(|wanted| wanted.address == **b)).cloned()
            }
        }
    }

    /// Resources that were begun and claim no address.
    fn unfinished(&self) -> impl Iterator<Item = &Address> {
        self.claims.begun.iter().filter(|address| self.claims.of(address).next().is_none())
    }

    fn droplet_of(&self, reserved: &ReservedIp) -> Option<&Address> {
        self.droplets.get(&reserved.leads_to()?)
    }

    fn wanted_for(&self, droplet: &Address) -> Option<&DesiredResource> {
        let droplet = droplet.to_string();
        let leads = |wanted: &&DesiredResource| {
            wanted.address.kind == "reserved_ip" && wanted.text("droplet") == Some(&droplet)
        };
        self.desired.iter().find(leads)
    }

    /// An address that nobody claims matters where it could be adopted, or may be what a killed run left.
    fn stranger(&self, reserved: &ReservedIp, state: &mut LiveState) {
        let droplet = self.droplet_of(reserved);
        if reserved.leads_to().is_some() && droplet.is_none() {
            return;
        }
        if droplet.is_none()
            && let Some(address) = self.unfinished().next()
        {
            state.notes.push(format!(
                "an earlier run began to reserve an address for {address} and did not end; {} is free and claimed by nobody: adopt it with `ipai adopt {address} {}`, or release it if it is not needed",
                reserved.ip, reserved.ip
            ));
        }
        if self.desired.iter().any(|wanted| wanted.address.kind == "reserved_ip") {
            state.foreign.push(Foreign {
                provider: PROVIDER.to_owned(),
                kind: "reserved_ip".to_owned(),
                id: reserved.ip.to_string(),
                title: format!("reserved IP {}", reserved.ip),
                identity: droplet.map(|droplet| identity(&droplet.to_string())),
            });
        }
    }

    /// One that is not claimed yet is shown without its droplet, so that it counts as unfinished.
    fn live(&self, address: Address, reserved: &ReservedIp, claimed: bool) -> LiveResource {
        let number = |id: u64| match self.droplets.get(&id) {
            Some(droplet) => droplet.to_string(),
            None => format!("droplet:{id}"),
        };
        let droplet = reserved.leads_to().filter(|_| claimed).map(number);
        let region = reserved.region().map(str::to_owned);
        let texts = [("droplet", droplet), ("region", region)];
        let shown = texts.into_iter().filter_map(|(n, t)| Some((n.to_owned(), Value::text(t?))));
        LiveResource {
            address,
            id: reserved.ip.to_string(),
            attributes: shown.collect(),
            outputs: outputs(reserved.ip),
            applied: (!claimed).then(|| UNFINISHED.to_owned()),
            created: None,
            home: None,
        }
    }
}

fn ambiguous(ip: Ipv4Addr, several: &[Address]) -> String {
    let names: Vec<String> = several.iter().map(ToString::to_string).collect();
    format!("the reserved IP {ip} is claimed for {}; it is left alone", names.join(" and "))
}

/// What others may refer to.
pub(crate) fn outputs(ip: Ipv4Addr) -> Outputs {
    [("ip".to_owned(), Value::text(ip.to_string()))].into()
}
