//! Where boxes and arrows go: layers from what needs nothing to what needs most, few crossings, short arrows.

use super::places::spread;

/// Across and down, in pixels.
pub(super) type Point = (f64, f64);

/// Between two layers, and between two boxes of one layer.
const GAP: Point = (64.0, 14.0);
/// How often a layer is put in the order of its neighbours, and how often it is moved towards them.
const ROUNDS: usize = 6;

/// Where everything is, from the upper left corner on.
#[derive(Debug)]
pub(super) struct Layout {
    /// The upper left corner of each box.
    pub(super) corners: Vec<Point>,
    /// For each arrow, from what needs to what is needed: where it leaves a layer, where it enters the next, and so on,
    /// and where it ends.
    pub(super) routes: Vec<Vec<Point>>,
    pub(super) size: Point,
}

/// Lays out boxes of these sizes. No arrow may lead back to where it comes from.
pub(super) fn layout(sizes: &[Point], arrows: &[(usize, usize)]) -> Layout {
    let mut web = Web::new(sizes, arrows);
    web.order();
    web.align();
    web.drawn(sizes.len())
}

/// A box, or the place where a long arrow crosses a layer.
struct Item {
    layer: usize,
    size: Point,
    /// The middle of its height.
    y: f64,
    /// Its neighbours in the layer before, and in the one behind.
    beside: [Vec<usize>; 2],
}

struct Web {
    items: Vec<Item>,
    layers: Vec<Vec<usize>>,
    /// The items of each arrow, from what needs to what is needed.
    chains: Vec<Vec<usize>>,
}

impl Web {
    fn new(sizes: &[Point], arrows: &[(usize, usize)]) -> Self {
        let ranks = ranks(sizes.len(), arrows);
        let mut web = Self { items: Vec::new(), layers: Vec::new(), chains: Vec::new() };
        for (size, rank) in sizes.iter().zip(&ranks) {
            web.add(*rank, *size);
        }
        for (from, to) in arrows {
            let mut chain = vec![*from];
            for layer in (ranks[*to] + 1..ranks[*from]).rev() {
                chain.push(web.add(layer, (0.0, 0.0)));
            }
            chain.push(*to);
            for pair in chain.windows(2) {
                web.items[pair[0]].beside[0].push(pair[1]);
                web.items[pair[1]].beside[1].push(pair[0]);
            }
            web.chains.push(chain);
        }
        web
    }

    fn add(&mut self, layer: usize, size: Point) -> usize {
        let item = self.items.len();
        self.items.push(Item { layer, size, y: 0.0, beside: [Vec::new(), Vec::new()] });
        self.layers.resize_with(self.layers.len().max(layer + 1), Vec::new);
        self.layers[layer].push(item);
        item
    }

    /// Layer by layer, there and back: each side of the neighbours in turn.
    fn sweep(&mut self, mut step: impl FnMut(&mut Self, usize, usize)) {
        for round in 0..ROUNDS {
            for turn in 0..self.layers.len() {
                let back = round % 2;
                let layer = if back == 0 { turn } else { self.layers.len() - 1 - turn };
                step(self, layer, back);
            }
        }
    }

    /// Sorts each layer by where the neighbours are, which leaves few arrows to cross.
    fn order(&mut self) {
        self.stack();
        self.sweep(|web, layer, side| {
            let mut wished: Vec<(f64, usize)> =
                web.layers[layer].iter().map(|item| (web.pull(*item, side), *item)).collect();
            wished.sort_by(|a, b| a.0.total_cmp(&b.0));
            web.layers[layer] = wished.into_iter().map(|(_, item)| item).collect();
            web.stack();
        });
    }

    /// Moves everything as near to its neighbours as the order allows.
    fn align(&mut self) {
        self.sweep(|web, layer, side| {
            let items = std::mem::take(&mut web.layers[layer]);
            let wished: Vec<f64> = items.iter().map(|item| web.pull(*item, side)).collect();
            let heights: Vec<f64> = items.iter().map(|item| web.items[*item].size.1).collect();
            for (item, y) in items.iter().zip(spread(&wished, &heights, GAP.1)) {
                web.items[*item].y = y;
            }
            web.layers[layer] = items;
        });
    }

    /// One below the other, each layer around the same height.
    fn stack(&mut self) {
        for layer in &self.layers {
            let total: f64 = layer.iter().map(|item| self.items[*item].size.1 + GAP.1).sum();
            let mut y = -total / 2.0;
            for item in layer {
                let height = self.items[*item].size.1 + GAP.1;
                self.items[*item].y = y + height / 2.0;
                y += height;
            }
        }
    }

    /// Where the neighbours of one side would have it.
    fn pull(&self, item: usize, side: usize) -> f64 {
        let beside = &self.items[item].beside[side];
        let sum: f64 = beside.iter().map(|other| self.items[*other].y).sum();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let count = beside.len() as f64;
        if beside.is_empty() { self.items[item].y } else { sum / count }
    }

    fn drawn(&self, boxes: usize) -> Layout {
        let columns = self.columns();
        let top = |item: &Item| item.y - item.size.1 / 2.0;
        let highest = self.items.iter().map(top).fold(f64::INFINITY, f64::min).min(f64::MAX);
        let corner = |item: &Item| (columns[item.layer].0, top(item) - highest);
        let lowest = self.items.iter().map(|item| corner(item).1 + item.size.1);
        let size = (columns.last().map_or(0.0, |last| last.1), lowest.fold(0.0, f64::max));
        let corners = self.items[..boxes].iter().map(corner).collect();
        let route = |chain: &Vec<usize>| self.route(chain, &columns, highest);
        Layout { corners, routes: self.chains.iter().map(route).collect(), size }
    }

    /// Where each layer begins and ends.
    fn columns(&self) -> Vec<Point> {
        let mut x = 0.0;
        let column = |layer: &Vec<usize>| {
            let width = layer.iter().map(|item| self.items[*item].size.0).fold(0.0, f64::max);
            let column = (x, x + width);
            x += width + GAP.0;
            column
        };
        self.layers.iter().map(column).collect()
    }

    /// Level within a layer, up to the box at its end: so it meets no other box of that layer.
    fn route(&self, chain: &[usize], columns: &[Point], highest: f64) -> Vec<Point> {
        let mut points = Vec::with_capacity(2 * chain.len());
        for (place, item) in chain.iter().map(|item| &self.items[*item]).enumerate() {
            let ((left, right), y) = (columns[item.layer], item.y - highest);
            if place > 0 {
                points.push((right, y));
            }
            let is_end = place + 1 == chain.len();
            points.push((if is_end { left + item.size.0 } else { left }, y));
        }
        points
    }
}

/// The layer of each: behind all that it needs. What needs nothing stands right before what needs it first.
fn ranks(count: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let (mut open, mut users) = (vec![0_usize; count], vec![Vec::new(); count]);
    for (from, to) in arrows {
        open[*from] += 1;
        users[*to].push(*from);
    }
    let free: Vec<usize> = (0..count).filter(|item| open[*item] == 0).collect();
    let (mut ranks, mut ready) = (vec![0_usize; count], free.clone());
    while let Some(next) = ready.pop() {
        for user in &users[next] {
            ranks[*user] = ranks[*user].max(ranks[next] + 1);
            open[*user] -= 1;
            if open[*user] == 0 {
                ready.push(*user);
            }
        }
    }
    for item in free {
        let first = users[item].iter().map(|user| ranks[*user]).min();
        ranks[item] = first.map_or(0, |first| first.saturating_sub(1));
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_stands_behind_what_it_needs_and_nothing_overlaps() {
        let sizes = vec![(100.0, 20.0); 8];
        let arrows = [(1, 0), (2, 0), (3, 0), (4, 1), (4, 2), (4, 3), (5, 0), (5, 4), (6, 4)];
        let layout = layout(&sizes, &arrows);
        for (from, to) in arrows {
            assert!(layout.corners[from].0 >= layout.corners[to].0 + 100.0 + GAP.0, "{layout:?}");
        }
        for (one, a) in layout.corners.iter().enumerate() {
            for b in &layout.corners[one + 1..] {
                assert!(a.0 != b.0 || (a.1 - b.1).abs() >= 20.0 + GAP.1 - 1e-6, "{layout:?}");
            }
        }
        let low = layout.corners.iter().map(|corner| corner.1).fold(f64::INFINITY, f64::min);
        assert!(low >= 0.0 && layout.size.0 > 400.0, "{layout:?}");
    }

    #[test]
    fn a_long_arrow_goes_around_what_lies_between() {
        let sizes = vec![(100.0, 20.0); 3];
        let layout = layout(&sizes, &[(1, 0), (2, 1), (2, 0)]);
        let [_, middle, _] = layout.corners[..] else { panic!("{layout:?}") };
        let crossing = layout.routes[2][1].1;
        assert!(crossing < middle.1 || crossing > middle.1 + 20.0, "{layout:?}");
    }

    #[test]
    fn what_needs_nothing_stands_right_before_its_first_user() {
        assert_eq!(ranks(5, &[(1, 0), (2, 1), (2, 3)]), [0, 1, 2, 1, 0]);
    }

    #[test]
    fn nothing_at_all_has_no_size() {
        assert_eq!(layout(&[], &[]).size, (0.0, 0.0));
    }
}
