//! What is drawn of a graph: boxes, frames around boxes that are alike, and arrows between frames.

use std::collections::{BTreeMap, BTreeSet};

use super::essential::essential;
use super::{Graph, Mark};
use crate::report::one_line;

/// The most boxes in which anybody finds something.
const MOST: usize = 500;
/// The most boxes that stand for many.
const KINDS: usize = 120;
/// The longest name in a box, in characters.
const LONGEST: usize = 44;
/// From how many on boxes that are alike get a frame.
const ALIKE: usize = 3;

/// One resource, or many of a type that have the same done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Provider and type, `host.file`.
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) mark: Option<Mark>,
}

/// Nodes that need the same and are needed by the same.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) frames: Vec<Frame>,
    pub(super) arrows: Vec<(usize, usize)>,
    /// How many resources stand behind the boxes, when these are types.
    pub(super) grouped: Option<usize>,
}

type Arrows = Vec<(usize, usize)>;

impl Drawing {
    pub(super) fn of(graph: &Graph) -> Self {
        let resources = graph.nodes.len();
        let grouped = (resources > MOST).then_some(resources);
        let (nodes, arrows) = if grouped.is_some() { kinds(graph) } else { each(graph) };
        let arrows = essential(nodes.len(), &arrows);
        let frame_of = alike(&nodes, &arrows);
        let count = frame_of.iter().max().map_or(0, |last| last + 1);
        let mut frames: Vec<Frame> = (0..count).map(|_| Frame { nodes: Vec::new() }).collect();
        for (node, frame) in nodes.into_iter().zip(&frame_of) {
            frames[*frame].nodes.push(node);
        }
        let arrows: BTreeSet<(usize, usize)> =
            arrows.iter().map(|(from, to)| (frame_of[*from], frame_of[*to])).collect();
        Self { frames, arrows: arrows.into_iter().collect(), grouped }
    }
}

fn each(graph: &Graph) -> (Vec<Node>, Arrows) {
    let node = |((address, id), mark): (&(ipai_core::Address, String), &Option<Mark>)| {
        let id = if id.is_empty() { String::new() } else { format!(" ({id})") };
        let name = shortened(&format!("{}{id}", address.name));
        Node { kind: kind(address), name, mark: *mark }
    };
    (graph.nodes.iter().map(node).collect(), graph.numbered())
}

/// One node for each type and action; where even these are too many, one for each provider and action.
fn kinds(graph: &Graph) -> (Vec<Node>, Arrows) {
    let key = |(address, _): &(ipai_core::Address, String), mark: &Option<Mark>, short: bool| {
        let name = if short { address.provider.clone() } else { kind(address) };
        (shortened(&name), mark.map(|mark| mark.colour))
    };
    let counted = |short: bool| {
        let mut counts: BTreeMap<(String, Option<usize>), usize> = BTreeMap::new();
        for (node, mark) in &graph.nodes {
            *counts.entry(key(node, mark, short)).or_default() += 1;
        }
        counts
    };
    let (mut counts, mut short) = (counted(false), false);
    if counts.len() > KINDS {
        (counts, short) = (counted(true), true);
    }
    let places: BTreeMap<_, usize> = counts.keys().cloned().zip(0..).collect();
    let place: Vec<usize> =
        graph.nodes.iter().map(|(node, mark)| places[&key(node, mark, short)]).collect();
    let arrows: BTreeSet<(usize, usize)> =
        graph.numbered().iter().map(|(from, to)| (place[*from], place[*to])).collect();
    let node = |((kind, colour), count): ((String, Option<usize>), usize)| Node {
        kind,
        name: format!("× {count}"),
        mark: colour.map(|colour| Mark { colour, place: None }),
    };
    (counts.into_iter().map(node).collect(), arrows.into_iter().collect())
}

/// The frame of each node. Few that are alike stand for themselves.
fn alike(nodes: &[Node], arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut beside = vec![(Vec::new(), Vec::new()); nodes.len()];
    for (from, to) in arrows {
        beside[*from].0.push(*to);
        beside[*to].1.push(*from);
    }
    let mut sets: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, (node, beside)) in nodes.iter().zip(beside).enumerate() {
        sets.entry((&node.kind, beside)).or_default().push(place);
    }
    let mut first = vec![0; nodes.len()];
    for set in sets.values() {
        for place in set {
            first[*place] = if set.len() < ALIKE { *place } else { set[0] };
        }
    }
    let numbers: BTreeMap<usize, usize> =
        first.iter().copied().collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
    first.iter().map(|first| numbers[first]).collect()
}

fn kind(address: &ipai_core::Address) -> String {
    match address.kind.as_str() {
        "" => address.provider.clone(),
        kind => format!("{}.{kind}", address.provider),
    }
}

fn shortened(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
