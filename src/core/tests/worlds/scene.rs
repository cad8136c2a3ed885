//! One generated case: the stack as it was applied, as it is now, what happened in between, what the user asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use ipai_core::{HomeState, LiveResource, Secret, Value};

use super::Random;
use crate::toy::{Setting, World, address};

/// Names of boxes; records and files have names of their own.
const BOXES: [&str; 2] = ["x", "y"];
const FILES: [&str; 2] = ["f", "g"];
const RECORDS: [&str; 2] = ["a", "b"];
const SECRETS: [&str; 2] = ["kept", "lost"];

/// Attributes as they stand in the TOML, by address.
pub(crate) type Declared = BTreeMap<String, BTreeMap<&'static str, String>>;

/// A generated case. Taking anything out of it leaves a case.
#[derive(Clone, Default)]
pub(crate) struct Scene {
    pub(crate) before: Declared,
    pub(crate) now: Declared,
    pub(crate) accidents: Vec<Accident>,
    pub(crate) wishes: Vec<Wish>,
}

/// What happens behind ipai's back.
#[derive(Clone, Debug)]
pub(crate) enum Accident {
    Drift(String, &'static str, Value),
    Loss(String),
    Twin(String),
    Twice(String),
    Unmarked(String),
    Boots(String),
    Stranger(&'static str, String),
    Amnesia,
    LostSecret,
    OtherSecret,
}

/// What the user asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Replace(String),
    Target(String),
    Destroy,
}

impl Scene {
    /// The case with this number. Four in a row begin with the same applied stack.
    pub(crate) fn generate(seed: u64, index: u64) -> Self {
        let first = &mut Random::new(seed ^ (index / 4) << 32);
        let before = if first.percent(10) { Declared::new() } else { declare(first) };
        let random = &mut Random::new(seed.wrapping_add(index));
        let now = if random.percent(15) { declare(random) } else { edit(before.clone(), random) };
        let accidents = (0..random.below(4)).filter_map(|_| accident(&before, &now, random));
        let accidents = accidents.collect();
        let wishes = wishes(&before, &now, random);
        Self { before, now, accidents, wishes }
    }

    /// The setting and the world right before the plan is made.
    pub(crate) fn stage(&self) -> Result<(Setting, World), String> {
        let mut world = applied(&self.before)?;
        // What is reported twice is so when everything else has happened.
        let twice = |accident: &&Accident| matches!(accident, Accident::Twice(_));
        self.accidents.iter().filter(|a| !twice(a)).for_each(|a| a.happen(&mut world));
        self.accidents.iter().filter(twice).for_each(|a| a.happen(&mut world));
        let mut setting = setting(&self.now);
        for accident in &self.accidents {
            match accident {
                Accident::LostSecret => drop(setting.secrets.insert("lost".into(), None)),
                Accident::OtherSecret => {
                    let text = "canary-kept-after".to_owned();
                    setting.secrets.insert("kept".into(), Some(Secret::new(text)));
                }
                _ => {}
            }
        }
        for wish in &self.wishes {
            match wish {
                Wish::Replace(name) => drop(setting.options.replace.insert(address(name))),
                Wish::Target(name) => drop(setting.options.targets.insert(address(name))),
                Wish::Destroy => setting.options.destroy = true,
            }
        }
        Ok((setting, world))
    }
}

fn setting(declared: &Declared) -> Setting {
    let mut setting = Setting::new(&to_toml(declared));
    for name in SECRETS {
        let text = format!("canary-{name}-before");
        setting.secrets.insert(name.into(), Some(Secret::new(text)));
    }
    setting
}

thread_local! {
    /// The world of the stack that was applied last: cases in a row begin alike.
    static LAST: RefCell<Option<(Declared, World)>> = const { RefCell::new(None) };
}

/// The world that equals a stack.
fn applied(declared: &Declared) -> Result<World, String> {
    LAST.with_borrow_mut(|last| {
        if let Some((stack, world)) = last
            && stack == declared
        {
            return Ok(world.clone());
        }
        let world = World::derived_from(&mut setting(declared))?;
        *last = Some((declared.clone(), world.clone()));
        Ok(world)
    })
}

fn declare(random: &mut Random) -> Declared {
    let mut declared = Declared::new();
    for name in BOXES.into_iter().filter(|_| random.percent(60)).collect::<Vec<_>>() {
        declared.insert(format!("toy.box.{name}"), attributes("box", name, random));
    }
    for (kind, names) in [("file", FILES), ("record", RECORDS)] {
        for name in names {
            if random.percent(55) {
                declared.insert(format!("toy.{kind}.{name}"), attributes(kind, name, random));
            }
        }
    }
    declared
}

fn attributes(kind: &str, name: &str, random: &mut Random) -> BTreeMap<&'static str, String> {
    let keys: &[&'static str] = match kind {
        "box" => &["size", "region", "image", "labels", "parts"],
        "file" => &["box", "path", "content"],
        _ => &["name", "content", "ttl"],
    };
    keys.iter().map(|key| (*key, value(kind, name, key, random))).collect()
}

/// A value as TOML. Boxes use only boxes that come before them in the alphabet, so that there is no cycle.
fn value(kind: &str, name: &str, key: &str, random: &mut Random) -> String {
    let earlier: Vec<&str> = BOXES.into_iter().filter(|b| kind != "box" || *b < name).collect();
    let output = |random: &mut Random| match earlier.as_slice() {
        [] => "0".to_owned(),
        some => format!("<toy.box.{}.{}>", random.pick(some), random.pick(&["ip", "id"])),
    };
    match key {
        "size" => (1 + random.below(2)).to_string(),
        "ttl" => random.pick(&["60", "300"]).to_owned(),
        "region" => random.pick(&["'east'", "'west'"]).to_owned(),
        "image" => {
            let some = ["debian".to_owned(), "ubuntu".to_owned(), output(random)];
            format!("'{}'", random.pick(&some))
        }
        "labels" | "parts" if random.percent(60) => "{}".to_owned(),
        "labels" | "parts" => {
            let inner =
                if random.percent(50) { output(random) } else { random.below(2).to_string() };
            format!("{{ {} = '{inner}' }}", random.pick(&["one", "two"]))
        }
        "box" => format!("'toy.box.{}'", random.pick(&BOXES)),
        "path" => random.pick(&["'/f'".to_owned(), format!("'/{name}'"), "'/index'".to_owned()]),
        "name" if random.percent(10) => format!("'{name}{}'", output(random)),
        "name" => format!("'{}'", random.pick(&[name, name, "www"])),
        _ => {
            // The name makes contents unlike, so that no two records exclude each other.
            let secret = format!("{{{{ secret.{} }}}}", random.pick(&SECRETS));
            let some = [output(random), random.below(2).to_string(), secret];
            format!("'{name} {}'", random.pick(&some))
        }
    }
}

fn edit(mut declared: Declared, random: &mut Random) -> Declared {
    for _ in 0..random.below(4) {
        let names: Vec<String> = declared.keys().cloned().collect();
        if names.is_empty() || random.percent(20) {
            declared.extend(declare(random).into_iter().take(1));
            continue;
        }
        let name = random.pick(&names);
        if random.percent(30) {
            declared.remove(&name);
            continue;
        }
        let parts: Vec<&str> = name.split('.').collect();
        let Some(attributes) = declared.get_mut(&name) else { continue };
        let keys: Vec<&'static str> = attributes.keys().copied().collect();
        let key = random.pick(&keys);
        attributes.insert(key, value(parts[1], parts[2], key, random));
    }
    declared
}

fn accident(before: &Declared, now: &Declared, random: &mut Random) -> Option<Accident> {
    let names: Vec<String> = before.keys().cloned().collect();
    if names.is_empty() || random.percent(15) {
        return Some(stranger(now, random));
    }
    let name = random.pick(&names);
    Some(match random.below(11) {
        0..=2 => {
            let kind = name.split('.').nth(1)?.to_owned();
            let (attribute, value) = drift(&kind, random);
            Accident::Drift(name, attribute, value)
        }
        3 => Accident::Loss(name),
        4 => Accident::Twin(name),
        5 => Accident::Twice(name),
        6 => Accident::Unmarked(name),
        7 => Accident::Boots(format!("toy.box.{}", random.pick(&BOXES))),
        8 => Accident::Amnesia,
        9 => Accident::OtherSecret,
        _ => Accident::LostSecret,
    })
}

fn drift(kind: &str, random: &mut Random) -> (&'static str, Value) {
    match kind {
        "box" => random.pick(&[
            ("size", Value::Int(1)),
            ("size", Value::Int(9)),
            ("region", Value::text("west")),
            ("image", Value::text("arch")),
        ]),
        "file" => ("content", Value::Content(ipai_core::Content::plain("canary-live".into()))),
        _ => random.pick(&[
            ("content", Value::text("drifted")),
            ("ttl", Value::Int(1)),
            ("name", Value::text("drifted")),
        ]),
    }
}

fn stranger(now: &Declared, random: &mut Random) -> Accident {
    let plain = |text: &String| text.trim_matches('\'').to_owned();
    let wanted = now.iter().filter(|(name, _)| !name.starts_with("toy.box"));
    let identities: Vec<(&'static str, String)> = wanted
        .map(|(name, attributes)| match name.starts_with("toy.file") {
            true => {
                ("file", format!("{}:{}", plain(&attributes["box"]), plain(&attributes["path"])))
            }
            false => {
                let content = random.pick(&[plain(&attributes["content"]), "@alias".to_owned()]);
                ("record", format!("{} {content}", plain(&attributes["name"])))
            }
        })
        .collect();
    match identities.as_slice() {
        [] => Accident::Stranger("record", "mail 1".into()),
        some => {
            let (kind, identity) = random.pick(some);
            Accident::Stranger(kind, identity)
        }
    }
}

fn wishes(before: &Declared, now: &Declared, random: &mut Random) -> Vec<Wish> {
    let names: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    match random.below(20) {
        0 => vec![Wish::Destroy],
        1..=3 if !names.is_empty() => vec![Wish::Replace(random.pick(&names))],
        4..=6 if !names.is_empty() => {
            (0..=random.below(2)).map(|_| Wish::Target(random.pick(&names))).collect()
        }
        _ => Vec::new(),
    }
}

impl Accident {
    fn happen(&self, world: &mut World) {
        let exists = |name: &str, world: &World| {
            world.live.resources.iter().any(|r| r.address == address(name))
        };
        match self {
            Self::Drift(name, ..)
            | Self::Loss(name)
            | Self::Twin(name)
            | Self::Twice(name)
            | Self::Unmarked(name)
            | Self::Boots(name)
                if !exists(name, world) => {}
            Self::Drift(name, attribute, value) => world.set(name, attribute, value.clone()),
            Self::Loss(name) => world.delete(name),
            Self::Twin(name) => world.duplicate(name),
            Self::Twice(name) => {
                let object: LiveResource = world.object(name).clone();
                world.live.resources.push(object);
            }
            Self::Unmarked(name) => world.object(name).applied = None,
            Self::Boots(name) => {
                let home = address(name);
                world.still_boots(name);
                assert_eq!(world.live.homes[&home], HomeState::NotReady);
            }
            Self::Stranger(kind, identity) => world.stranger(kind, identity, identity),
            Self::Amnesia => world.live.remembered.clear(),
            Self::LostSecret | Self::OtherSecret => {}
        }
    }
}

/// The stack's text. A use of a box that is not there becomes a plain text, and what lives in one is left out, so that
/// every part of a scene can be taken out.
fn to_toml(declared: &Declared) -> String {
    let mut text = String::from("[secret.kept]\n[secret.lost]\n");
    let homeless = |attributes: &BTreeMap<&str, String>| {
        attributes.get("box").is_some_and(|home| !declared.contains_key(home.trim_matches('\'')))
    };
    for (name, attributes) in declared.iter().filter(|(_, attributes)| !homeless(attributes)) {
        text += &format!("[{name}]\n");
        for (key, value) in attributes {
            text += &format!("{key} = {}\n", resolve(value, declared));
        }
    }
    text
}

fn resolve(value: &str, declared: &Declared) -> String {
    let Some((head, rest)) = value.split_once('<') else { return value.to_owned() };
    let Some((reference, tail)) = rest.split_once('>') else { return value.to_owned() };
    let address = reference.rsplit_once('.').map_or("", |(address, _)| address);
    let text =
        if declared.contains_key(address) { format!("{{{{ {reference} }}}}") } else { "0".into() };
    format!("{head}{text}{tail}")
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# applied:\n{}", to_toml(&self.before))?;
        writeln!(f, "# happened: {:?}\n# asked for: {:?}\n", self.accidents, self.wishes)?;
        writeln!(f, "# planned:\n{}", to_toml(&self.now))
    }
}
