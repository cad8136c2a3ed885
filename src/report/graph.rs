//! A stack's resources and what each needs, for programs that draw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ipai_core::{Address, DesiredResource, Plan, Reason, Verb};

use super::markdown::entities;
use super::one_line;

mod drawing;
mod essential;
mod layout;
mod places;
mod svg;
#[cfg(test)]
mod svg_tests;

pub(super) use svg::STYLE;

const LEGEND: &str =
    "green: create, yellow: update, red: delete, magenta: replace, grey: unchanged";
/// The colours that CSS and X11 name alike, each with what it stands for.
const COLOURS: [(&str, &str); 5] = [
    ("create", "palegreen"),
    ("update", "yellow"),
    ("delete", "salmon"),
    ("replace", "violet"),
    ("unchanged", "lightgrey"),
];

/// A node's number, name and mark.
type Drawn = (usize, String, Option<Mark>);

/// What a plan does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// A place in [`COLOURS`].
    colour: usize,
    /// The place among the plan's actions, if it does anything.
    place: Option<usize>,
}

/// Resources, and edges from each to what it needs.
#[derive(Clone, Debug)]
pub struct Graph {
    stack: String,
    /// By address; a duplicate that is deleted has its id as well. Marks come from a plan.
    nodes: BTreeMap<(Address, String), Option<Mark>>,
    edges: BTreeSet<(Address, Address)>,
}

impl Graph {
    /// What a stack declares.
    #[must_use]
    pub fn of_stack(stack: &str, resources: &[DesiredResource]) -> Self {
        let mut graph = Self::new(stack);
        for resource in resources {
            graph.add(&resource.address, String::new(), None, &resource.after);
        }
        graph.closed()
    }

    /// What a plan does, and what it leaves alone. What is deleted is no longer declared and needs nothing.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let mut graph = Self::new(&plan.stack.to_string());
        for (place, action) in plan.actions.iter().enumerate() {
            let id = match &action.reason {
                Reason::DuplicateOf(_) => action.id.clone().unwrap_or_default(),
                _ => String::new(),
            };
            let place = (action.verb != Verb::NoOp).then_some(place);
            let mark = Mark { colour: colour(action.verb), place };
            graph.add(&action.address, id, Some(mark), &action.after);
        }
        graph.closed()
    }

    /// For Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", quoted(&self.stack));
        if self.is_coloured() {
            text += &format!("  // {LEGEND}\n");
        }
        text += "  rankdir = \"RL\";\n  node [shape = \"box\", style = \"filled\", fillcolor = \"white\"];\n";
        for (provider, nodes) in self.providers() {
            let cluster = quoted(&format!("cluster_{provider}"));
            text += &format!("  subgraph {cluster} {{\n    label = {};\n", quoted(provider));
            for (_, name, mark) in nodes {
                let fill = mark.map(|m| format!(" [fillcolor = \"{}\"]", COLOURS[m.colour].1));
                text += &format!("    {}{};\n", quoted(&name), fill.unwrap_or_default());
            }
            text += "  }\n";
        }
        for (from, to) in &self.edges {
            let (from, to) = (quoted(&from.to_string()), quoted(&to.to_string()));
            text += &format!("  {from} -> {to};\n");
        }
        text + "}\n"
    }

    /// For Mermaid, which GitHub draws.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart RL\n".to_owned();
        if self.is_coloured() {
            text += &format!("  %% {LEGEND}\n");
        }
        for (place, (provider, nodes)) in self.providers().into_iter().enumerate() {
            text += &format!("  subgraph p{place}[\"{}\"]\n", label(provider));
            for (number, name, _) in nodes {
                text += &format!("    n{number}[\"{}\"]\n", label(&name));
            }
            text += "  end\n";
        }
        for (from, to) in self.numbered() {
            text += &format!("  n{from} --> n{to}\n");
        }
        text + &self.classes()
    }

    /// The edges by the numbers of their nodes.
    fn numbered(&self) -> Vec<(usize, usize)> {
        let numbers: BTreeMap<&Address, usize> = (self.nodes.keys().enumerate())
            .filter(|(_, (_, id))| id.is_empty())
            .map(|(number, (address, _))| (address, number))
            .collect();
        let number =
            |(from, to): &(Address, Address)| Some((*numbers.get(from)?, *numbers.get(to)?));
        self.edges.iter().filter_map(number).collect()
    }

    fn new(stack: &str) -> Self {
        Self { stack: stack.to_owned(), nodes: BTreeMap::new(), edges: BTreeSet::new() }
    }

    fn add<'a>(
        &mut self,
        address: &Address,
        id: String,
        mark: Option<Mark>,
        needs: impl IntoIterator<Item = &'a Address>,
    ) {
        self.nodes.insert((address.clone(), id), mark);
        self.edges.extend(needs.into_iter().map(|need| (address.clone(), need.clone())));
    }

    /// Without the edges to what is not drawn, such as secrets that are there.
    fn closed(mut self) -> Self {
        let nodes = &self.nodes;
        self.edges.retain(|(_, need)| nodes.contains_key(&(need.clone(), String::new())));
        self
    }

    fn is_coloured(&self) -> bool {
        self.nodes.values().any(Option::is_some)
    }

    /// Each provider's nodes.
    fn providers(&self) -> BTreeMap<&str, Vec<Drawn>> {
        let mut providers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (number, ((address, id), mark)) in self.nodes.iter().enumerate() {
            let name =
                if id.is_empty() { address.to_string() } else { format!("{address} ({id})") };
            providers.entry(&address.provider).or_default().push((number, name, *mark));
        }
        providers
    }

    /// Which node has which colour, in Mermaid's words.
    fn classes(&self) -> String {
        let mut text = String::new();
        for (place, (name, colour)) in COLOURS.iter().enumerate() {
            let alike = (self.nodes.values().enumerate())
                .filter(|(_, mark)| mark.is_some_and(|mark| mark.colour == place));
            let alike: Vec<String> = alike.map(|(number, _)| format!("n{number}")).collect();
            if !alike.is_empty() {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "  classDef {name} fill:{colour},color:black");
                let _ = writeln!(text, "  class {} {name}", alike.join(","));
            }
        }
        text
    }
}

/// Its place in [`COLOURS`].
const fn colour(verb: Verb) -> usize {
    match verb {
        Verb::Create => 0,
        Verb::Update | Verb::Adopt | Verb::Forget => 1,
        Verb::Delete => 2,
        Verb::Replace => 3,
        Verb::NoOp => 4,
    }
}

/// As a text of DOT, in which a backslash begins an escape.
fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Mermaid reads Markdown, HTML and directives within quotes, but no character that is written as its number.
fn label(text: &str) -> String {
    entities(&one_line(text), "#")
}

#[cfg(test)]
mod tests {
    use ipai_core::Action;

    use super::super::samples::*;
    use super::*;

    /// A plan of two providers, in an order that is not the drawing's.
    fn sample() -> Plan {
        let record = Action { after: vec![droplet()], ..same("cloudflare.dns_record.www") };
        let file = Action {
            after: vec![droplet(), Address::secret("kept")],
            ..action("host.file.env", Verb::Update, Reason::Edited, Vec::new())
        };
        let old = "cloudflare.dns_record.www";
        let duplicate = action(old, Verb::Delete, Reason::DuplicateOf("7".into()), Vec::new());
        plan(vec![new_droplet(), file, record, duplicate])
    }

    #[test]
    fn dot_goes_from_what_needs_to_what_is_needed_by_provider_and_in_order() {
        let expected = "\
digraph \"ops\" {
  // green: create, yellow: update, red: delete, magenta: replace, grey: unchanged
  rankdir = \"RL\";
  node [shape = \"box\", style = \"filled\", fillcolor = \"white\"];
  subgraph \"cluster_cloudflare\" {
    label = \"cloudflare\";
    \"cloudflare.dns_record.www\" [fillcolor = \"lightgrey\"];
    \"cloudflare.dns_record.www (42)\" [fillcolor = \"salmon\"];
  }
  subgraph \"cluster_digitalocean\" {
    label = \"digitalocean\";
    \"digitalocean.droplet.ops\" [fillcolor = \"palegreen\"];
  }
  subgraph \"cluster_host\" {
    label = \"host\";
    \"host.file.env\" [fillcolor = \"yellow\"];
  }
  \"cloudflare.dns_record.www\" -> \"digitalocean.droplet.ops\";
  \"host.file.env\" -> \"digitalocean.droplet.ops\";
}
";
        assert_eq!(Graph::of_plan(&sample()).dot(), expected);
        let mut turned = sample();
        turned.actions.reverse();
        assert_eq!(Graph::of_plan(&turned).dot(), expected);
    }

    #[test]
    fn mermaid_draws_the_same() {
        let expected = "\
flowchart RL
  %% green: create, yellow: update, red: delete, magenta: replace, grey: unchanged
  subgraph p0[\"cloudflare\"]
    n0[\"cloudflare.dns#95;record.www\"]
    n1[\"cloudflare.dns#95;record.www #40;42#41;\"]
  end
  subgraph p1[\"digitalocean\"]
    n2[\"digitalocean.droplet.ops\"]
  end
  subgraph p2[\"host\"]
    n3[\"host.file.env\"]
  end
  n0 --> n2
  n3 --> n2
  classDef create fill:palegreen,color:black
  class n2 create
  classDef update fill:yellow,color:black
  class n3 update
  classDef delete fill:salmon,color:black
  class n1 delete
  classDef unchanged fill:lightgrey,color:black
  class n0 unchanged
";
        assert_eq!(Graph::of_plan(&sample()).mermaid(), expected);
    }

    #[test]
    fn names_cannot_end_their_quotes() {
        let evil = "a\"] \\ `%%{init}\n-->";
        assert_eq!(quoted(evil), "\"a\\\"] \\\\ `%%{init}\\\\n-->\"");
        assert_eq!(quoted("\\"), "\"\\\\\"");
        let label = label(evil);
        assert_eq!(label, "a#34;#93; #92; #96;#37;#37;#123;init#125;#92;n--#62;");
    }

    #[test]
    fn every_action_has_its_colour() {
        let verbs = [Verb::Create, Verb::Update, Verb::Delete, Verb::Replace, Verb::NoOp];
        let named = verbs.map(|verb| COLOURS[colour(verb)].0);
        assert_eq!(named, ["create", "update", "delete", "replace", "unchanged"]);
        assert!(named.iter().all(|name| LEGEND.contains(name)));
    }
}
