//! The drawing as a picture of its own: no program, script, font or file is needed beside it.

use std::fmt::Write;

use super::drawing::{Drawing, Frame, Node};
use super::layout::{Point, layout};
use super::{COLOURS, Graph};
use crate::report::markup::escaped;
use crate::report::number;

/// What all pictures look like, in light and in dark.
pub(in super::super) const STYLE: &str = include_str!("graph.css");
/// What is done to a resource of each of [`COLOURS`], for who cannot tell these apart: as a sign and in a word.
const SIGNS: [(&str, &str); 5] =
    [("+", "create"), ("~", "update"), ("-", "destroy"), ("-/+", "replace"), ("", "unchanged")];
/// A character of the widest of the usual fonts, in pixels; and the height of a box.
const CHARACTER: f64 = 7.5;
const HEIGHT: f64 = 26.0;
/// Between boxes in a frame, and around all.
const GAP: f64 = 8.0;
const MARGIN: f64 = 16.0;
/// How wide a picture may be on a page, and how small it may become for that.
const PAGE: f64 = 1080.0;
const SMALLEST: f64 = 0.75;
/// The height of a frame's title, and of a line at the end.
const LINE: f64 = 20.0;

/// Whether boxes lead to the changes on the same page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Alone,
    OnPage,
}

impl Graph {
    /// As a picture.
    #[must_use]
    pub fn svg(&self) -> String {
        self.picture(Use::Alone) + "\n"
    }

    /// As a part of a page that has [`STYLE`], and in which `#cN` is the Nth action.
    pub(in super::super) fn figure(&self) -> String {
        self.picture(Use::OnPage)
    }

    fn picture(&self, usage: Use) -> String {
        let drawing = Drawing::of(self);
        let shapes: Vec<Shape<'_>> = drawing.frames.iter().map(Shape::new).collect();
        let sizes: Vec<Point> = shapes.iter().map(|shape| shape.size).collect();
        let layout = layout(&sizes, &drawing.arrows);
        let end = self.end(&drawing);
        let widest = end.iter().map(|line| width(&line.1)).fold(layout.size.0, f64::max);
        let lines = end.iter().fold(0.0, |lines, _| lines + LINE);
        let size = (widest + 2.0 * MARGIN, layout.size.1 + lines + 2.0 * MARGIN);
        let mut text = self.opening(usage, size);
        for route in &layout.routes {
            arrow(&mut text, route);
        }
        for (shape, corner) in shapes.iter().zip(&layout.corners) {
            shape.draw(&mut text, (corner.0 + MARGIN, corner.1 + MARGIN), usage);
        }
        let mut y = layout.size.1 + MARGIN + LINE;
        for (markup, _) in end {
            // Writing to a text cannot fail, here and below.
            let _ =
                writeln!(text, "<text class=\"soft\" x=\"{MARGIN}\" y=\"{y:.0}\">{markup}</text>");
            y += LINE;
        }
        text + "</svg>"
    }

    /// Up to the first box.
    fn opening(&self, usage: Use, (width, height): Point) -> String {
        let title = format!("The resources of {} and what each needs", self.stack);
        // Links are told to nobody within what is an image.
        let (role, scale) = match usage {
            Use::Alone => ("img", 1.0),
            Use::OnPage => ("group", (PAGE / width).clamp(SMALLEST, 1.0)),
        };
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ipai-graph\" role=\"{role}\" aria-labelledby=\"graph-title\" \
             width=\"{:.0}\" height=\"{:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
             <title id=\"graph-title\">{}</title>\n",
            width * scale,
            height * scale,
            escaped(&title)
        );
        text += "<desc>Arrows go from a resource to what it needs. What follows from other arrows is left out.</desc>\n";
        if usage == Use::Alone {
            let _ = writeln!(text, "<style>\n{STYLE}</style>");
        }
        text += "<marker id=\"graph-head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
                 <path class=\"head\" d=\"M0 0 8 4 0 8z\"/></marker>\n";
        text + "<rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n"
    }

    /// What colours mean and how many have each, and what was left out: as markup, and as it is read.
    fn end(&self, drawing: &Drawing) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut counts = [0; COLOURS.len()];
        self.nodes.values().flatten().for_each(|mark| counts[mark.colour] += 1);
        let (mut markup, mut text) = (String::new(), String::new());
        for (colour, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let (class, (sign, word)) = (COLOURS[colour].0, SIGNS[colour]);
            let _ = write!(
                markup,
                "<tspan class=\"node {class}\"><tspan class=\"sign\">{sign}</tspan></tspan>\u{a0}{count} {word}\u{a0}\u{a0} "
            );
            let _ = write!(text, "{sign} {count} {word}   ");
        }
        if !text.is_empty() {
            lines.push((markup, text));
        }
        if let Some(resources) = drawing.grouped {
            let said =
                format!("{}: one box for each type and action", number(resources, "resource"));
            lines.push((said.clone(), said));
        }
        lines
    }
}

/// A frame with the boxes in it, or the one box that has none around it.
struct Shape<'a> {
    frame: &'a Frame,
    columns: usize,
    /// The size of each box in it.
    inner: Point,
    size: Point,
}

impl<'a> Shape<'a> {
    fn new(frame: &'a Frame) -> Self {
        let framed = frame.nodes.len() > 1;
        let widths = frame.nodes.iter().map(|node| width(&label(node, framed).concat()) + 22.0);
        let widest = widths.fold(0.0, f64::max);
        if !framed {
            let size = (widest, HEIGHT);
            return Self { frame, columns: 1, inner: size, size };
        }
        // About as wide as high.
        let columns = (1..).find(|n| 6 * n * n >= frame.nodes.len()).unwrap_or(1);
        let rows = frame.nodes.len().div_ceil(columns);
        let title = width(&frame.nodes[0].kind);
        let inner = (if columns == 1 { widest.max(title) } else { widest }, HEIGHT);
        let side = |count: usize, one: f64| (0..count).fold(GAP, |sum, _| sum + one + GAP);
        let wide = side(columns, inner.0).max(title + 2.0 * GAP);
        Self { frame, columns, inner, size: (wide, side(rows, HEIGHT) + LINE) }
    }

    fn draw(&self, text: &mut String, (x, y): Point, usage: Use) {
        let nodes = &self.frame.nodes;
        if let [node] = &nodes[..] {
            draw(text, node, (x, y), self.inner, false, usage);
            return;
        }
        let (width, height) = self.size;
        let _ = writeln!(
            text,
            "<rect class=\"frame\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"8\"/>\
             <text class=\"soft\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            x + GAP,
            y + LINE - 4.0,
            escaped(&nodes[0].kind)
        );
        let rows = nodes.len().div_ceil(self.columns);
        let (mut left, top) = (x + GAP, y + LINE + GAP / 2.0);
        for column in nodes.chunks(rows) {
            let mut down = top;
            for node in column {
                draw(text, node, (left, down), self.inner, true, usage);
                down += HEIGHT + GAP;
            }
            left += self.inner.0 + GAP;
        }
    }
}

fn draw(text: &mut String, node: &Node, (x, y): Point, size: Point, framed: bool, usage: Use) {
    let colour = node.mark.map(|mark| COLOURS[mark.colour].0);
    let [sign, kind, name] = label(node, framed).map(|part| escaped(&part));
    let place = node.mark.and_then(|mark| mark.place).filter(|_| usage == Use::OnPage);
    if let Some(place) = place {
        let _ = write!(text, "<a href=\"#c{place}\">");
    }
    let done = node.mark.map(|mark| format!(": {}", SIGNS[mark.colour].1)).unwrap_or_default();
    let kind_of = escaped(&node.kind);
    let dot = if node.name.starts_with('×') { " " } else { "." };
    let _ = write!(
        text,
        "<g class=\"node {}\"><title>{kind_of}{dot}{}{done}</title>\
         <rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{:.0}\" height=\"{:.0}\" rx=\"5\"/>\
         <text x=\"{:.0}\" y=\"{:.0}\"><tspan class=\"sign\">{sign}</tspan><tspan class=\"soft\">{kind}</tspan>\
         <tspan class=\"name\">{name}</tspan></text></g>",
        colour.unwrap_or("plain"),
        escaped(&node.name),
        size.0,
        size.1,
        x + 10.0,
        y + HEIGHT / 2.0 + 4.0,
    );
    *text += if place.is_some() { "</a>\n" } else { "\n" };
}

/// What stands in a box: the sign, the type where no frame names it, the name.
fn label(node: &Node, framed: bool) -> [String; 3] {
    let sign = node.mark.map_or("", |mark| SIGNS[mark.colour].0);
    let sign = if sign.is_empty() { String::new() } else { format!("{sign}\u{a0}") };
    let dot = if node.name.starts_with('×') { "\u{a0}" } else { "." };
    let kind = if framed { String::new() } else { format!("{}{dot}", node.kind) };
    [sign, kind, node.name.clone()]
}

/// The width of a text, in pixels. Characters beyond Latin may be twice as wide.
fn width(text: &str) -> f64 {
    text.chars().map(|c| if c < '\u{1100}' || c == '…' { CHARACTER } else { 2.0 * CHARACTER }).sum()
}

/// A curve that is level where it leaves and enters a layer.
fn arrow(text: &mut String, route: &[Point]) {
    let mut points = route.iter().map(|(x, y)| (x + MARGIN, y + MARGIN));
    let Some(mut at) = points.next() else { return };
    let _ = write!(
        text,
        "<path class=\"arrow\" marker-end=\"url(#graph-head)\" d=\"M{:.0} {:.0}",
        at.0, at.1
    );
    let mut curved = true;
    for next in points {
        let middle = f64::midpoint(at.0, next.0);
        let _ = if curved {
            write!(
                text,
                "C{middle:.0} {:.0} {middle:.0} {:.0} {:.0} {:.0}",
                at.1, next.1, next.0, next.1
            )
        } else if (next.0 - at.0).abs() >= 1.0 {
            write!(text, "H{:.0}", next.0)
        } else {
            Ok(())
        };
        (at, curved) = (next, !curved);
    }
    *text += "\"/>\n";
}
