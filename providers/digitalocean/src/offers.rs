//! Whether DigitalOcean offers what a droplet is to be: its sizes, and the regions that have them. Its own refusal comes
//! only once a droplet is asked for.

use ipai_core::diagnostic::nearest;
use ipai_core::{Address, DesiredResource};

use crate::api::{Droplet, Get, Reader, Size};

/// Says what is not offered of the droplets that are to be made or resized. Nothing is asked when there are none, and
/// nothing is said when the sizes cannot be seen: a custom token may lack `sizes:read` and do all else.
pub(crate) async fn doubts(
    reader: &Reader,
    desired: &[DesiredResource],
    found: &[(Address, Droplet)],
) -> Vec<String> {
    let changes = |wanted: &&DesiredResource| {
        let live = found.iter().find(|(address, _)| *address == wanted.address);
        live.is_none_or(|(_, droplet)| {
            wanted.text("size").is_some_and(|size| size != droplet.size_slug)
        })
    };
    let droplets = desired.iter().filter(|wanted| wanted.address.kind == "droplet");
    let wanted: Vec<&DesiredResource> = droplets.filter(changes).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let Ok(sizes) = reader.list::<Size>(&Get::sizes()).await else { return Vec::new() };
    wanted.into_iter().filter_map(|wanted| doubt(wanted, &sizes.items)).collect()
}

fn doubt(wanted: &DesiredResource, sizes: &[Size]) -> Option<String> {
    let (size, region) = (wanted.text("size")?, wanted.text("region")?);
    let address = &wanted.address;
    let slugs = || sizes.iter().map(|size| size.slug.as_str());
    let Some(found) = sizes.iter().find(|known| known.slug == size) else {
        let near = meant(size, slugs());
        return Some(format!("{address}: DigitalOcean lists no size \"{size}\"{near}"));
    };
    if found.available && found.regions.iter().any(|known| known == region) {
        return None;
    }
    let regions = || sizes.iter().flat_map(|size| &size.regions).map(String::as_str);
    if !regions().any(|known| known == region) {
        let near = meant(region, regions());
        return Some(format!(
            "{address}: DigitalOcean lists no size in a region \"{region}\"{near}"
        ));
    }
    let has = match (found.available, found.regions.is_empty()) {
        (true, false) => format!("; {} have it", found.regions.join(", ")),
        _ => String::new(),
    };
    Some(format!("{address}: DigitalOcean does not offer the size \"{size}\" in {region} now{has}"))
}

/// The end of a sentence about a name that is none.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = nearest(name, known).map(|near| format!("; did you mean \"{near}\"?"));
    near.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ipai_core::{Span, Value};

    use super::*;

    #[test]
    fn what_is_not_offered_is_told_with_what_may_be_meant() {
        let size = |slug: &str, regions: &[&str], available: bool| Size {
            slug: slug.into(),
            regions: regions.iter().map(|region| (*region).into()).collect(),
            available,
        };
        let sizes = [
            size("s-1vcpu-1gb", &["fra1", "nyc3"], true),
            size("s-2vcpu-2gb", &["nyc3"], true),
            size("s-4vcpu-8gb", &["fra1"], false),
        ];
        let told = |size: &str, region: &str| {
            let pair = |name: &str, text: &str| (name.to_owned(), Value::text(text));
            let wanted = DesiredResource {
                address: "digitalocean.droplet.web".parse().unwrap(),
                attributes: [pair("size", size), pair("region", region)].into(),
                after: BTreeSet::new(),
                home: None,
                span: Span::new(&"s".into(), 0..0),
                spans: BTreeMap::new(),
            };
            doubt(&wanted, &sizes).unwrap_or_default()
        };
        assert_eq!(told("s-1vcpu-1gb", "fra1"), "");
        for (size, region, part) in [
            ("s-1vcpu-1g", "fra1", "lists no size \"s-1vcpu-1g\"; did you mean \"s-1vcpu-1gb\"?"),
            ("huge", "fra1", "lists no size \"huge\""),
            ("s-1vcpu-1gb", "fra2", "in a region \"fra2\"; did you mean \"fra1\"?"),
            ("s-2vcpu-2gb", "fra1", "in fra1 now; nyc3 have it"),
            ("s-4vcpu-8gb", "fra1", "does not offer the size \"s-4vcpu-8gb\" in fra1 now"),
        ] {
            assert!(told(size, region).ends_with(part), "{}", told(size, region));
        }
    }
}
