//! The volume: a disk of its own, which outlives the droplet that it is attached to.

mod live;

use ipai_core::value::Attributes;
use ipai_core::{
    Attribute, Change, Default, DesiredResource, Diagnostic, Draft, Kind, ResourceType, Value,
};

use crate::PROVIDER;
use crate::droplet::check_region;

pub(crate) use live::{foreign, live_resource, outputs, too_small};

/// The resource type `digitalocean.volume`.
pub struct VolumeType;

/// The largest volume, in GiB.
const LARGEST: i64 = 16_384;

const SCHEMA: &[Attribute] = &[
    Attribute {
        name: "name",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The volume's name, unique in its region: lower-case letters, digits and `-`, a letter first, at most 64. The host knows the disk by it.",
    },
    Attribute {
        name: "region",
        kind: Kind::Text,
        default: Default::Required,
        change: Change::Replace,
        doc: "The slug of the region, such as `fra1`; a droplet of another region cannot have it.",
    },
    Attribute {
        name: "size_gb",
        kind: Kind::Int(1, LARGEST),
        default: Default::Required,
        change: Change::Update,
        doc: "The size in GiB. It can only grow, in place and while it is in use; the filesystem is grown on the host afterwards, with `resize2fs` or `xfs_growfs`.",
    },
    Attribute {
        name: "filesystem_type",
        kind: Kind::Choice(&["ext4", "xfs"]),
        default: Default::Text("ext4"),
        change: Change::Birth,
        doc: "What the new volume is formatted with.",
    },
    Attribute {
        name: "filesystem_label",
        kind: Kind::Text,
        default: Default::Absent,
        change: Change::Birth,
        doc: "The filesystem's label: at most 16 characters for ext4, 12 for xfs.",
    },
    Attribute {
        name: "droplet",
        kind: Kind::Address,
        default: Default::Text(""),
        change: Change::Update,
        doc: "The droplet that it is attached to, by address; left out, none. When that is replaced the new one gets the volume, once the old one is switched off. A change detaches it from a running machine: unmount it there first.",
    },
];

const OUTPUTS: &[(&str, &str)] = &[
    ("id", "DigitalOcean's UUID for the volume."),
    ("device", "The disk's path on the droplet: `/dev/disk/by-id/scsi-0DO_Volume_NAME`."),
];

impl ResourceType for VolumeType {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn name(&self) -> &'static str {
        "volume"
    }

    fn summary(&self) -> &'static str {
        "A DigitalOcean volume: a disk that outlives the droplet it is attached to, known by its tags. A systemd unit of type `mount` on the host mounts its `device`."
    }

    fn schema(&self) -> &'static [Attribute] {
        SCHEMA
    }

    fn outputs(&self) -> &'static [(&'static str, &'static str)] {
        OUTPUTS
    }

    fn example(&self) -> &'static str {
        r#"[digitalocean.volume.data]
name = "web-data"
region = "fra1"
size_gb = 20
filesystem_type = "ext4"
droplet = "digitalocean.droplet.web"
"#
    }

    fn holds_data(&self) -> bool {
        true
    }

    fn check(&self, draft: &mut Draft<'_>) {
        check_name(draft);
        check_region(draft);
        check_label(draft);
        check_droplet(draft);
    }

    fn settle(&self, draft: &mut Draft<'_>, all: &[DesiredResource]) {
        let Some(droplet) = droplet_of(draft, all) else { return };
        let (Some(here), Some(there)) = (draft.text("region"), droplet.text("region")) else {
            return;
        };
        if here != there {
            let detail = format!(
                "The volume is in {here} and {} in {there}; a droplet can only have volumes of its own region.",
                droplet.address
            );
            let problem = Diagnostic::error("the volume and its droplet are in different regions");
            draft.error("region", problem.detail(detail).hint("a volume cannot move: copy a snapshot of it to the other region, or keep the droplet where its volume is"));
        }
    }

    fn identity(&self, attributes: &Attributes) -> Option<String> {
        let text = |name: &str| attributes.get(name).and_then(Value::as_text);
        Some(identity(text("name")?, text("region")?))
    }

    fn clash(&self, one: &Attributes, other: &Attributes) -> Option<String> {
        let name = self.identity(one).filter(|_| self.identity(one) == self.identity(other))?;
        Some(format!("both are the {name}"))
    }
}

/// What stands for a volume where names are compared.
pub(crate) fn identity(name: &str, region: &str) -> String {
    format!("volume {name} in {region}")
}

/// The desired droplet that a draft names in `droplet`.
pub(crate) fn droplet_of<'a>(
    draft: &Draft<'_>,
    all: &'a [DesiredResource],
) -> Option<&'a DesiredResource> {
    let named = draft.text("droplet")?;
    all.iter().find(|resource| resource.address.to_string() == named)
}

/// Only a droplet can have a volume, or a reserved address.
pub(crate) fn check_droplet(draft: &mut Draft<'_>) {
    let Some(address) = draft.text("droplet").filter(|address| !address.is_empty()) else { return };
    if !address.starts_with("digitalocean.droplet.") {
        let problem = Diagnostic::error("this is not a droplet");
        draft.error("droplet", problem.detail(format!("`{address}` is no droplet.")));
    }
}

fn check_name(draft: &mut Draft<'_>) {
    let Some(name) = draft.text("name") else { return };
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || name.len() > 64 || !name.chars().all(legal) {
        let problem = Diagnostic::error("this is not a volume name").detail(format!(
            "`{name}` is not lower-case letters, digits and `-`, a letter first, at most 64."
        ));
        draft.error("name", problem);
    }
}

fn check_label(draft: &mut Draft<'_>) {
    let (Some(label), Some(kind)) = (draft.text("filesystem_label"), draft.text("filesystem_type"))
    else {
        return;
    };
    let longest = if kind == "xfs" { 12 } else { 16 };
    let legal = |c: char| c.is_ascii_graphic();
    if label.is_empty() || label.len() > longest || !label.chars().all(legal) {
        let problem = Diagnostic::error("this is not a filesystem label").detail(format!(
            "`{label}` is not 1 to {longest} printable ASCII characters without spaces, as {kind} takes."
        ));
        draft.error("filesystem_label", problem);
    }
}
