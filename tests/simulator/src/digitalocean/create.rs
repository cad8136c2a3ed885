//! Creating droplets.

use serde_json::{Map, Value, json};

use super::state::{Droplet, Late, Status, Subject, Then};
use super::{catalog, droplets, error, keys, life, network, object, snapshots, tags};
use super::{not_found, unprocessable};
use crate::call::{Answer, Call, Reply};
use crate::ids::uuid;
use crate::world::Cx;

/// The most user-data that is taken, in bytes.
const LARGEST_USER_DATA: usize = 64 * 1024;

/// The most droplets that one call makes.
const MOST_NAMES: usize = 10;

/// What is made, apart from its name.
struct Order {
    region: String,
    size: &'static catalog::Size,
    image: Value,
    keys: Vec<String>,
    tags: Vec<String>,
    volumes: Vec<String>,
    user_data: Option<String>,
    public: bool,
    body: Map<String, Value>,
}

pub(super) fn create(cx: &mut Cx<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let (names, many) = names(&body)?;
    let order = order(cx, body)?;
    let have = cx.world.digitalocean.droplets.len();
    if have + names.len() > cx.setup.limits.droplets {
        let text = "creating this/these droplet(s) will exceed your droplet limit";
        return Err(unprocessable(text));
    }
    let mut made = Vec::new();
    let mut links = Vec::new();
    for name in names {
        let (droplet, action) = make(cx, &order, name)?;
        let href = format!("{}/v2/actions/{action}", cx.setup.base);
        links.push(json!({"id": action, "rel": "create", "href": href}));
        made.push(droplet);
    }
    let links = json!({"actions": links});
    let body = match (many, made.pop()) {
        (false, Some(droplet)) => json!({"droplet": droplet, "links": links}),
        (_, last) => {
            made.extend(last);
            json!({"droplets": made, "links": links})
        }
    };
    Ok(Reply::json(202, body))
}

/// Reads `name` or `names`; says which it was.
fn names(body: &Map<String, Value>) -> Result<(Vec<String>, bool), Reply> {
    let many = body.contains_key("names");
    let names: Vec<String> = match (body.get("name"), body.get("names")) {
        (Some(Value::String(name)), None) => vec![name.clone()],
        (None, Some(Value::Array(names))) => {
            names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        }
        _ => return Err(unprocessable("Name can't be blank")),
    };
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(unprocessable("between 1 and 10 names are allowed"));
    }
    if !names.iter().all(|name| is_hostname(name)) {
        let text = "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)";
        return Err(unprocessable(text));
    }
    Ok((names, many))
}

pub(super) fn is_hostname(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    (1..=255).contains(&name.len())
        && name.chars().all(allowed)
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn order(cx: &mut Cx<'_>, body: Map<String, Value>) -> Result<Order, Reply> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let size = text("size").and_then(catalog::find_size);
    let size =
        size.ok_or_else(|| unprocessable("You specified an invalid size for Droplet creation."))?;
    // Without a region it may land anywhere that offers the size.
    let region = text("region").unwrap_or("fra1").to_owned();
    if !catalog::is_region(&region) {
        return Err(unprocessable("You specified an invalid region for Droplet creation."));
    }
    if !catalog::offers(&region, size) {
        return Err(unprocessable("Size is not available in this region."));
    }
    let image = body.get("image").cloned().unwrap_or(Value::Null);
    if snapshots::image(&cx.world.digitalocean, &image).is_null() {
        return Err(unprocessable("You specified an invalid image for Droplet creation."));
    }
    let user_data = text("user_data").map(str::to_owned);
    if user_data.as_ref().is_some_and(|data| data.len() > LARGEST_USER_DATA) {
        return Err(unprocessable("User data is too long (maximum is 64 KiB)."));
    }
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let tags: Vec<String> =
        list("tags").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    tags::check(&tags)?;
    let volumes = volumes(cx, &list("volumes"), &region)?;
    let keys = keys::resolve(&mut cx.world.digitalocean, &list("ssh_keys"));
    cx.changed = true;
    let public = body.get("public_networking").and_then(Value::as_bool).unwrap_or(true);
    Ok(Order { region, size, image, keys: keys?, tags, volumes, user_data, public, body })
}

fn volumes(cx: &Cx<'_>, wanted: &[Value], region: &str) -> Result<Vec<String>, Reply> {
    let mut ids = Vec::new();
    for id in wanted.iter().filter_map(Value::as_str) {
        let volume = cx.world.digitalocean.volumes.iter().find(|volume| volume.id == id);
        let volume = volume.ok_or_else(not_found)?;
        if volume.region != region || volume.droplet.is_some() {
            let text = "Volumes must be free and in the Droplet's region.";
            return Err(unprocessable(text));
        }
        ids.push(id.to_owned());
    }
    Ok(ids)
}

/// Makes one droplet and begins its create; gives it as the answer shows it, and the action.
fn make(cx: &mut Cx<'_>, order: &Order, name: String) -> Result<(Value, u64), Reply> {
    let id = cx.world.digitalocean.next("droplet");
    let Some(address) = network::allocate(cx, id) else {
        return Err(error(503, "no address is free"));
    };
    let tags = tags::adopt(&mut cx.world.digitalocean, &order.tags);
    let droplet = droplet(cx, order, id, name, address, tags);
    cx.world.digitalocean.droplets.insert(id, droplet);
    let then = Then::Boot;
    let action = life::begin(cx, "create", Subject::Droplet(id), cx.setup.pace.active_after, then);
    for volume in &mut cx.world.digitalocean.volumes {
        if order.volumes.contains(&volume.id) {
            volume.droplet = Some(id);
        }
    }
    let state = &cx.world.digitalocean;
    let droplet = state.droplets.get(&id).ok_or_else(not_found)?;
    let shown_tags = if cx.setup.pace.tag_lag > 0 { &[] } else { droplet.tags.as_slice() };
    Ok((droplets::render(cx, droplet, false, shown_tags), action.id))
}

fn droplet(
    cx: &Cx<'_>,
    order: &Order,
    id: u64,
    name: String,
    address: std::net::Ipv4Addr,
    tags: Vec<String>,
) -> Droplet {
    let pace = &cx.setup.pace;
    let flag = |name: &str| order.body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let vpc = order.body.get("vpc_uuid").and_then(Value::as_str).map(str::to_owned);
    let late_tags = match pace.tag_lag {
        0 => Default::default(),
        lag => tags.iter().map(|tag| (tag.clone(), lag)).collect(),
    };
    Droplet {
        id,
        name,
        region: order.region.clone(),
        size: order.size.slug.to_owned(),
        disk: order.size.disk,
        image: order.image.clone(),
        status: Status::New,
        created_at: cx.now.to_seconds_text(),
        address,
        public: order.public,
        ipv6: flag("ipv6"),
        backups: flag("backups"),
        monitoring: flag("monitoring"),
        vpc: vpc.unwrap_or_else(|| uuid(&format!("vpc {}", order.region), 1)),
        user_data: order.user_data.clone(),
        keys: order.keys.clone(),
        event: None,
        late: Late {
            list: pace.list_lag,
            get: pace.get_lag,
            address: pace.address_lag,
            tags: late_tags,
        },
        tags,
        leaving: None,
    }
}
