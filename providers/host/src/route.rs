//! The way to a host: what the stack says, completed by the user's own `~/.ssh/config`.
//!
//! What the stack says wins. A droplet's login user and port are the stack's, because its user data was made for them;
//! a server that the stack only names takes those that it leaves out from the configuration.

use std::path::PathBuf;
use std::time::Duration;

use crate::connections::{Place, Settings};
use crate::ssh::{HostKeyPin, Identity, Limits, Target};
use crate::ssh_config::{HostOptions, Jump};

/// How many bastions may follow each other, counted through all that they need in turn.
const MOST_JUMPS: usize = 8;

/// Where to connect for a place.
pub(crate) fn target(place: &Place, settings: &Settings) -> Target {
    let options = settings.config.about(&place.address);
    let (user, port) = match &place.login {
        Some(login) => {
            let user = login.user.clone().or_else(|| options.user.clone());
            (user, login.port.or(options.port))
        }
        None => (None, None),
    };
    let pin = match &place.pin {
        HostKeyPin::KnownHosts(_) => HostKeyPin::KnownHosts(known_hosts(settings, &options)),
        pinned => pinned.clone(),
    };
    Target {
        address: options.host_name.clone().unwrap_or_else(|| place.address.clone()),
        port: port.unwrap_or(settings.port),
        user: user.unwrap_or_else(|| settings.user.clone()),
        pin,
        identities: identities(settings, &options),
        passphrase: settings.passphrase.clone(),
        limits: limits(place, settings),
        via: through(&options.jumps, settings, MOST_JUMPS),
    }
}

/// A host that may still boot is waited for by whoever needs it, and not here.
fn limits(place: &Place, settings: &Settings) -> Limits {
    match place.young {
        true => Limits { turned_away: Duration::ZERO, ..settings.limits },
        false => settings.limits,
    }
}

/// The last of the bastions, which is reached through those before it.
fn through(jumps: &[Jump], settings: &Settings, left: usize) -> Option<Box<Target>> {
    let (last, before) = jumps.split_last()?;
    let left = left.checked_sub(1)?;
    let options = settings.config.about(&last.host);
    let via = if before.is_empty() {
        // Only the first bastion is reached as its own entry says, as with `ssh -J`.
        through(&options.jumps, settings, left)
    } else {
        through(before, settings, left)
    };
    let user = last.user.clone().or_else(|| options.user.clone());
    Some(Box::new(Target {
        address: options.host_name.clone().unwrap_or_else(|| last.host.clone()),
        port: last.port.or(options.port).unwrap_or(22),
        user: user.or_else(|| settings.local_user.clone()).unwrap_or_else(|| settings.user.clone()),
        pin: HostKeyPin::KnownHosts(known_hosts(settings, &options)),
        identities: identities(settings, &options),
        passphrase: settings.passphrase.clone(),
        limits: settings.limits,
        via,
    }))
}

fn known_hosts(settings: &Settings, options: &HostOptions) -> Vec<PathBuf> {
    let named = Some(&options.known_hosts).filter(|files| !files.is_empty());
    named.unwrap_or(&settings.known_hosts).clone()
}

/// Keys that the configuration names take the place of the usual files; with `IdentitiesOnly` of everything else too.
fn identities(settings: &Settings, options: &HostOptions) -> Vec<Identity> {
    let files = || options.identity_files.iter().cloned().map(Identity::File);
    if options.identity_files.is_empty() {
        return settings.identities.iter().chain(&settings.usual_identities).cloned().collect();
    }
    if !options.identities_only {
        return settings.identities.iter().cloned().chain(files()).collect();
    }
    let held = settings.identities.iter().filter_map(|identity| match identity {
        Identity::Agent(socket) => Some(Identity::AgentKeys {
            socket: socket.clone(),
            files: options.identity_files.clone(),
        }),
        _ => None,
    });
    held.chain(files()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ipai_core::DigestKey;

    use super::*;
    use crate::connections::Login;
    use crate::ssh_config::SshConfig;

    fn settings(config: &str) -> Settings {
        let identities = vec![Identity::Agent("/agent".into()), Identity::File("/named".into())];
        let mut settings = Settings::new("deploy", identities, DigestKey::new(vec![0; 32]));
        settings.usual_identities = vec![Identity::File("/usual".into())];
        settings.config = SshConfig::read("config", config, Path::new("/home/me"));
        settings.known_hosts = vec!["/known".into()];
        settings.local_user = Some("me".into());
        settings
    }

    fn place(address: &str, login: Option<Login>) -> Place {
        Place {
            address: address.into(),
            pin: HostKeyPin::KnownHosts(Vec::new()),
            born: Vec::new(),
            login,
            young: false,
        }
    }

    #[test]
    fn the_stack_wins_over_the_configuration() {
        let settings = settings("Host *\nUser other\nPort 9\nHostName 203.0.113.9");
        let droplet = target(&place("203.0.113.1", None), &settings);
        assert_eq!((droplet.user.as_str(), droplet.port), ("deploy", 22));
        let named = Login { user: Some("admin".into()), port: None };
        let server = target(&place("web", Some(named)), &settings);
        assert_eq!((server.user.as_str(), server.port), ("admin", 9));
        assert_eq!(server.address, "203.0.113.9");
    }

    #[test]
    fn named_keys_take_the_place_of_the_usual_ones() {
        let keys =
            |config| format!("{:?}", target(&place("web", None), &settings(config)).identities);
        assert_eq!(keys(""), "[Agent(/agent), File(/named), File(/usual)]");
        assert_eq!(keys("IdentityFile /a"), "[Agent(/agent), File(/named), File(/a)]");
        assert_eq!(
            keys("IdentityFile /a\nIdentitiesOnly yes"),
            "[AgentKeys(/agent, [\"/a\"]), File(/a)]"
        );
    }

    #[test]
    fn bastions_follow_each_other_and_never_end_in_a_circle() {
        let config = "Host web\nProxyJump a,you@b:7\nHost a\nProxyJump c\nHost c\nHostName 203.0.113.3\nUserKnownHostsFile /c";
        let web = target(&place("web", None), &settings(config));
        let b = web.via.unwrap();
        assert_eq!((b.user.as_str(), b.address.as_str(), b.port), ("you", "b", 7));
        let a = b.via.unwrap();
        assert_eq!((a.user.as_str(), a.address.as_str(), a.port), ("me", "a", 22));
        let c = a.via.unwrap();
        assert_eq!(c.pin, HostKeyPin::KnownHosts(vec!["/c".into()]));
        assert_eq!((c.address.as_str(), c.via.is_none()), ("203.0.113.3", true));
        let mut circle = target(&place("x", None), &settings("ProxyJump x")).via;
        let mut length = 0;
        while let Some(bastion) = circle {
            (circle, length) = (bastion.via, length + 1);
        }
        assert_eq!(length, MOST_JUMPS);
    }
}
