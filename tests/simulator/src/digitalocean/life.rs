//! A droplet's life: what each read brings nearer, and what an event does when it is done.

use super::state::{Action, Droplet, State, Status, Subject, Then};
use super::{catalog, snapshots, volumes};
use crate::seam::Boot;
use crate::world::{Cx, Effect};

/// Begins an event. With nothing left to wait for it is done at the next read, never at once:
/// the answer that announces it always shows it under way.
pub(super) fn begin(cx: &mut Cx<'_>, kind: &str, on: Subject, left: u32, then: Then) -> Action {
    let state = &mut cx.world.digitalocean;
    let region = region(state, &on);
    let action = Action {
        id: state.next("action"),
        kind: kind.to_owned(),
        started_at: cx.now.to_seconds_text(),
        completed_at: None,
        on,
        region,
        left,
        then,
    };
    hold(state, &action.on, Some(action.id));
    state.actions.insert(action.id, action.clone());
    cx.changed = true;
    action
}

/// Brings an event one read nearer to its end.
pub(super) fn poll(cx: &mut Cx<'_>, id: u64) {
    let Some(action) = cx.world.digitalocean.actions.get_mut(&id) else { return };
    if action.completed_at.is_some() {
        return;
    }
    cx.changed = true;
    if action.left > 1 {
        action.left -= 1;
        return;
    }
    action.left = 0;
    action.completed_at = Some(cx.now.to_seconds_text());
    let action = action.clone();
    hold(&mut cx.world.digitalocean, &action.on, None);
    finish(cx, &action);
}

/// Brings whatever holds a droplet one read nearer.
pub(super) fn poll_droplet(cx: &mut Cx<'_>, id: u64) {
    let event = cx.world.digitalocean.droplets.get(&id).and_then(|droplet| droplet.event);
    if let Some(event) = event {
        poll(cx, event);
    }
}

/// Boots what was active when the world was saved.
pub(crate) fn boot_again(cx: &mut Cx<'_>) {
    let running = cx.world.digitalocean.droplets.values();
    let running = running.filter(|d| d.status == Status::Active && d.leaving.is_none());
    cx.effects.extend(running.map(|droplet| Effect::Boot(boot(droplet))));
}

/// Powers off what is running, without the account's knowledge.
pub(crate) fn halt_all(cx: &mut Cx<'_>) {
    let droplets = cx.world.digitalocean.droplets.values();
    cx.effects.extend(droplets.filter(|d| d.status == Status::Active).map(|d| Effect::Halt(d.id)));
}

/// Marks a droplet as deleted: its machine is gone now, reads show it a little longer.
pub(crate) fn delete(cx: &mut Cx<'_>, id: u64) {
    let pace = &cx.setup.pace;
    let state = &mut cx.world.digitalocean;
    let Some(droplet) = state.droplets.get_mut(&id) else { return };
    droplet.leaving = Some(pace.delete_lag);
    if pace.delete_lag == 0 {
        state.droplets.remove(&id);
    }
    for firewall in &mut state.firewalls {
        firewall.droplets.retain(|member| *member != id);
    }
    for reserved in state.reserved_ips.iter_mut().filter(|ip| ip.droplet == Some(id)) {
        reserved.droplet = None;
    }
    for volume in state.volumes.iter_mut().filter(|volume| volume.droplet == Some(id)) {
        volume.droplet = None;
        volume.ghost = (pace.detach_lag > 0).then_some((id, pace.detach_lag));
    }
    cx.effects.push(Effect::Delete(id));
    cx.changed = true;
}

/// Counts a read against deleted droplets; removes those that no read shows any more.
pub(super) fn leave(cx: &mut Cx<'_>, ids: &[u64]) {
    for id in ids {
        let Some(droplet) = cx.world.digitalocean.droplets.get_mut(id) else { continue };
        let Some(left) = &mut droplet.leaving else { continue };
        cx.changed = true;
        *left = left.saturating_sub(1);
        if *left == 0 {
            cx.world.digitalocean.droplets.remove(id);
        }
    }
}

pub(super) fn boot(droplet: &Droplet) -> Boot {
    Boot {
        id: droplet.id,
        name: droplet.name.clone(),
        address: droplet.address,
        user_data: droplet.user_data.clone(),
        account_keys: droplet.keys.clone(),
    }
}

fn region(state: &State, on: &Subject) -> String {
    let droplet = |id: &u64| state.droplets.get(id).map(|droplet| droplet.region.clone());
    let found = match on {
        Subject::Droplet(id) => droplet(id),
        Subject::Volume { id, .. } => {
            state.volumes.iter().find(|volume| volume.id == *id).map(|v| v.region.clone())
        }
        Subject::ReservedIp { ip, .. } => {
            state.reserved_ips.iter().find(|reserved| reserved.ip == *ip).map(|r| r.region.clone())
        }
    };
    found.unwrap_or_default()
}

/// Sets or clears the event on everything that an action touches.
fn hold(state: &mut State, on: &Subject, event: Option<u64>) {
    let droplet = match on {
        Subject::Droplet(id) => Some(*id),
        Subject::Volume { droplet, .. } | Subject::ReservedIp { droplet, .. } => *droplet,
    };
    if let Some(droplet) = droplet.and_then(|id| state.droplets.get_mut(&id)) {
        droplet.event = event;
    }
    if let Subject::ReservedIp { ip, .. } = on
        && let Some(reserved) = state.reserved_ips.iter_mut().find(|r| r.ip == *ip)
    {
        reserved.event = event;
    }
}

fn finish(cx: &mut Cx<'_>, action: &Action) {
    match &action.on {
        Subject::Droplet(id) => finish_droplet(cx, *id, action),
        Subject::Volume { id, droplet } => volumes::finish(cx, id, *droplet, &action.then),
        Subject::ReservedIp { ip, droplet } => {
            let reserved = cx.world.digitalocean.reserved_ips.iter_mut().find(|r| r.ip == *ip);
            if let Some(reserved) = reserved {
                reserved.droplet = if action.then == Then::Assign { *droplet } else { None };
            }
        }
    }
}

fn finish_droplet(cx: &mut Cx<'_>, id: u64, action: &Action) {
    if let Then::Snapshot(name) = &action.then {
        snapshots::take_of_droplet(cx, id, name);
        return;
    }
    let Some(droplet) = cx.world.digitalocean.droplets.get_mut(&id) else { return };
    match &action.then {
        Then::Boot => {
            droplet.status = Status::Active;
            cx.effects.push(Effect::Boot(boot(droplet)));
        }
        Then::PowerOff => {
            droplet.status = Status::Off;
            cx.effects.push(Effect::Halt(id));
        }
        Then::Rename(name) => droplet.name.clone_from(name),
        Then::Resize { size, disk } => {
            droplet.size.clone_from(size);
            if let (true, Some(size)) = (*disk, catalog::find_size(size)) {
                droplet.disk = size.disk;
            }
        }
        // The disk is wiped, the id and the address stay. That user-data runs again is a guess.
        Then::Rebuild(image) => {
            droplet.image = image.clone();
            droplet.status = Status::Active;
            cx.effects.push(Effect::Delete(id));
            cx.effects.push(Effect::Boot(boot(droplet)));
        }
        Then::EnableIpv6 => droplet.ipv6 = true,
        Then::Backups(on) => droplet.backups = *on,
        _ => {}
    }
}
