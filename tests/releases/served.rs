//! What a host serves, to tell whether it is the same as before.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::common::World;

/// What the host serves: its files with their modes, and what each service runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) files: BTreeMap<String, (String, u32)>,
    pub(crate) images: BTreeMap<String, String>,
}

fn walk(folder: &Path, root: &Path, files: &mut BTreeMap<String, (String, u32)>) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            if !path.ends_with(".ipai") {
                walk(&path, root, files);
            }
        } else {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            files.insert(name, (std::fs::read_to_string(&path).unwrap(), mode));
        }
    }
}

fn containers(world: &World) -> BTreeMap<String, Value> {
    let listed = world.docker(&["ps", "-aq", "--no-trunc"]).expect(0);
    let one = |id: &str| {
        let inspected: Value =
            serde_json::from_str(&world.docker(&["inspect", id]).expect(0).out).unwrap();
        let container = inspected[0].clone();
        let labels = &container["Config"]["Labels"];
        (labels["com.docker.compose.service"].as_str().unwrap_or("?").to_owned(), container)
    };
    listed.out.lines().map(one).collect()
}

pub(crate) fn served(world: &World) -> Served {
    let mut files = BTreeMap::new();
    let folder = world.host_path("/opt/ipai/shop");
    walk(&folder, &folder, &mut files);
    let image = |(service, container): (String, Value)| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let image =
            format!("{} {}", text(&container["Config"]["Image"]), text(&container["Image"]));
        (service, image)
    };
    Served { files, images: containers(world).into_iter().map(image).collect() }
}
