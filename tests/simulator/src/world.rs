//! The world: everything that exists, and what a route needs to change it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::options::{Limits, Pace};
use crate::seam::Boot;
use crate::{cloudflare, digitalocean};

/// The form of `world.json`; a file of another form is refused, not guessed at.
const FORM: u32 = 1;

/// Everything that exists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct World {
    form: u32,
    pub(crate) digitalocean: digitalocean::State,
    pub(crate) cloudflare: cloudflare::State,
}

/// What holds for the whole run of a simulator.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) pace: Pace,
    pub(crate) limits: Limits,
    /// The simulator's own address, `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    pub(crate) first_address: Ipv4Addr,
    pub(crate) reuse_addresses: bool,
}

/// What a route works with.
pub(crate) struct Cx<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) setup: &'a Setup,
    pub(crate) now: Time,
    /// What the machines must hear of, in order.
    pub(crate) effects: Vec<Effect>,
    /// Whether the world changed and must be saved.
    pub(crate) changed: bool,
}

/// Something a machine must hear of.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Boot(Boot),
    Halt(u64),
    Delete(u64),
}

impl Effect {
    /// The droplet it is about.
    pub(crate) fn droplet(&self) -> u64 {
        match self {
            Effect::Boot(boot) => boot.id,
            Effect::Halt(id) | Effect::Delete(id) => *id,
        }
    }
}

impl World {
    pub(crate) fn new() -> World {
        World {
            form: FORM,
            digitalocean: digitalocean::State::default(),
            cloudflare: cloudflare::State::default(),
        }
    }

    /// Where a folder's world is kept.
    pub(crate) fn file(folder: &Path) -> PathBuf {
        folder.join("world.json")
    }

    /// Reads a folder's world, or begins a new one where there is none.
    pub(crate) fn load(folder: &Path) -> io::Result<World> {
        let file = World::file(folder);
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(World::new()),
            Err(error) => return Err(refuse(&file, &error.to_string())),
        };
        let world: World =
            serde_json::from_slice(&text).map_err(|error| refuse(&file, &error.to_string()))?;
        if world.form != FORM {
            return Err(refuse(&file, &format!("its form is {}, not {FORM}", world.form)));
        }
        Ok(world)
    }

    /// Writes the world beside its place and moves it there, so that a reader, or a start after
    /// a kill, finds the old world or the new one. The file holds user-data: owner only.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let temporary = folder.join("world.json.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
        fs::rename(&temporary, World::file(folder))
    }
}

/// Says which file is broken and how to begin anew.
fn refuse(file: &Path, why: &str) -> io::Error {
    let file = file.display();
    let text = format!("cannot read the world in {file}: {why}; delete {file} to begin a new one");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Counts down a lateness; says whether the thing is still late.
pub(crate) fn late(left: &mut u32) -> bool {
    let late = *left > 0;
    *left = left.saturating_sub(1);
    late
}
