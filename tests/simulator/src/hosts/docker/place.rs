//! Where a world's containers are found: remembered in the sandbox's folder.

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE: &str = "docker.json";

/// The SSH port, unless something on this machine already listens there.
const USUAL_PORT: u16 = 2222;

/// Tells whether the folder remembers a place.
pub(super) fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// What stays the same as long as the folder lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Tells this world's containers from those of any other, a later one in the same folder included.
    pub(super) world: String,
    /// The droplets' addresses count up from here, so that worlds side by side can all publish ports 80 and 443.
    pub(super) first_address: Ipv4Addr,
    pub(super) ssh_port: u16,
}

impl Place {
    /// Reads what the folder remembers, if it ever had containers.
    pub(super) fn load(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads what the folder remembers, or chooses and writes it down.
    pub(super) fn settle(folder: &Path, wanted_port: u16) -> io::Result<Self> {
        if let Some(place) = Self::load(folder)? {
            return Ok(place);
        }
        let mut random = [0; 4];
        fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let place = Self::of(random, wanted_port)?;
        let text = serde_json::to_string(&place).map_err(io::Error::other)?;
        let new = folder.join(format!("{FILE}.new"));
        fs::write(&new, text)?;
        fs::rename(new, folder.join(FILE))?;
        Ok(place)
    }

    fn of(random: [u8; 4], wanted_port: u16) -> io::Result<Self> {
        let [second, third, fourth, _] = random;
        // Beginning low in the third part leaves room for many droplets; 127.0 to 127.31 are others'.
        let first_address = Ipv4Addr::new(127, 32 + second % 192, third / 2, fourth % 250 + 1);
        let ssh_port = if wanted_port == 0 { free_port(first_address)? } else { wanted_port };
        let world = random.map(|byte| format!("{byte:02x}")).concat();
        Ok(Self { world, first_address, ssh_port })
    }
}

fn free_port(address: Ipv4Addr) -> io::Result<u16> {
    if TcpListener::bind((address, USUAL_PORT)).is_ok() {
        return Ok(USUAL_PORT);
    }
    Ok(TcpListener::bind((address, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Place::load(folder.path()).unwrap(), None);
        let place = Place::settle(folder.path(), 0).unwrap();
        assert_eq!(Place::settle(folder.path(), 22).unwrap(), place);
        assert_ne!(place.ssh_port, 0);
    }

    #[test]
    fn addresses_stay_clear_of_those_that_other_worlds_use() {
        for random in [[0; 4], [255; 4], [191, 255, 249, 7], [192, 1, 250, 9]] {
            let [first, second, _, fourth] = Place::of(random, 22).unwrap().first_address.octets();
            assert!(first == 127 && second >= 32 && (1..=254).contains(&fourth), "{random:?}");
        }
    }
}
