//! What can be made, and where: regions, sizes, public images.

use serde_json::{Value, json};

use super::pages::page;
use crate::call::{Answer, Call};
use crate::world::Cx;

/// A kind of droplet.
pub(super) struct Size {
    pub(super) slug: &'static str,
    pub(super) memory: u64,
    pub(super) vcpus: u64,
    pub(super) disk: u64,
    transfer: f64,
    monthly: f64,
    description: &'static str,
}

/// A public image.
pub(super) struct Image {
    pub(super) id: u64,
    pub(super) slug: &'static str,
    pub(super) distribution: &'static str,
    name: &'static str,
}

const REGIONS: &[(&str, &str)] = &[
    ("ams3", "Amsterdam 3"),
    ("blr1", "Bangalore 1"),
    ("fra1", "Frankfurt 1"),
    ("lon1", "London 1"),
    ("nyc1", "New York 1"),
    ("nyc3", "New York 3"),
    ("sfo3", "San Francisco 3"),
    ("sgp1", "Singapore 1"),
    ("syd1", "Sydney 1"),
    ("tor1", "Toronto 1"),
];

/// The region that offers only the smallest size, so that "not available there" can happen.
const SMALL_REGION: &str = "nyc1";

const SIZES: &[Size] = &[
    size("s-1vcpu-512mb-10gb", 512, 1, 10, 0.5, 4.0, "Basic"),
    size("s-1vcpu-1gb", 1024, 1, 25, 1.0, 6.0, "Basic"),
    size("s-1vcpu-2gb", 2048, 1, 50, 2.0, 12.0, "Basic"),
    size("s-2vcpu-2gb", 2048, 2, 60, 3.0, 18.0, "Basic"),
    size("s-2vcpu-4gb", 4096, 2, 80, 4.0, 24.0, "Basic"),
    size("s-4vcpu-8gb", 8192, 4, 160, 5.0, 48.0, "Basic"),
    size("s-8vcpu-16gb", 16384, 8, 320, 6.0, 96.0, "Basic"),
    size("g-2vcpu-8gb", 8192, 2, 25, 4.0, 63.0, "General Purpose"),
    size("c-2", 4096, 2, 25, 4.0, 42.0, "CPU-Optimized"),
];

const IMAGES: &[Image] = &[
    image(129_211_873, "debian-12-x64", "Debian", "12 x64"),
    image(195_932_981, "debian-13-x64", "Debian", "13 x64"),
    image(112_929_454, "ubuntu-22-04-x64", "Ubuntu", "22.04 (LTS) x64"),
    image(155_133_621, "ubuntu-24-04-x64", "Ubuntu", "24.04 (LTS) x64"),
    image(134_311_220, "docker-20-04", "Ubuntu", "Docker on Ubuntu 22.04"),
];

const fn size(
    slug: &'static str,
    memory: u64,
    vcpus: u64,
    disk: u64,
    transfer: f64,
    monthly: f64,
    description: &'static str,
) -> Size {
    Size { slug, memory, vcpus, disk, transfer, monthly, description }
}

const fn image(
    id: u64,
    slug: &'static str,
    distribution: &'static str,
    name: &'static str,
) -> Image {
    Image { id, slug, distribution, name }
}

pub(super) fn regions(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let items = REGIONS.iter().map(|(slug, _)| region(slug)).collect();
    Ok(page(cx, call, "regions", items))
}

pub(super) fn sizes(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let items = SIZES.iter().map(render_size).collect();
    Ok(page(cx, call, "sizes", items))
}

pub(super) fn public_images() -> impl Iterator<Item = Value> {
    IMAGES.iter().map(render_image)
}

/// Finds a public image by slug or id.
pub(super) fn public_image(wanted: &Value) -> Option<&'static Image> {
    IMAGES.iter().find(|image| match wanted {
        Value::String(text) => text == image.slug || *text == image.id.to_string(),
        other => other.as_u64() == Some(image.id),
    })
}

pub(super) fn find_size(slug: &str) -> Option<&'static Size> {
    SIZES.iter().find(|size| size.slug == slug)
}

pub(super) fn is_region(slug: &str) -> bool {
    REGIONS.iter().any(|(known, _)| *known == slug)
}

/// Says whether a size can be had in a region.
pub(super) fn offers(region: &str, size: &Size) -> bool {
    region != SMALL_REGION || size.memory <= 1024
}

/// The region as answers show it.
pub(super) fn region(slug: &str) -> Value {
    let name = REGIONS.iter().find(|(known, _)| *known == slug).map_or(slug, |(_, name)| name);
    let sizes: Vec<&str> =
        SIZES.iter().filter(|size| offers(slug, size)).map(|size| size.slug).collect();
    let features = ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"];
    json!({"name": name, "slug": slug, "features": features, "available": true, "sizes": sizes})
}

/// The size as answers show it.
pub(super) fn render_size(size: &Size) -> Value {
    let regions: Vec<&str> =
        REGIONS.iter().map(|(slug, _)| *slug).filter(|region| offers(region, size)).collect();
    json!({
        "slug": size.slug, "memory": size.memory, "vcpus": size.vcpus, "disk": size.disk,
        "transfer": size.transfer, "price_monthly": size.monthly,
        "price_hourly": (size.monthly / 672.0 * 100_000.0).round() / 100_000.0,
        "regions": regions, "available": true, "description": size.description,
    })
}

pub(super) fn render_image(image: &Image) -> Value {
    let regions: Vec<&str> = REGIONS.iter().map(|(slug, _)| *slug).collect();
    json!({
        "id": image.id, "name": image.name, "distribution": image.distribution,
        "slug": image.slug, "public": true, "regions": regions,
        "created_at": "2025-03-04T16:21:39Z", "type": "base", "min_disk_size": 7,
        "size_gigabytes": 0.61, "description": image.name, "tags": [], "status": "available",
    })
}
