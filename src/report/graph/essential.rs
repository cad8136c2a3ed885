//! Which arrows tell something that the others do not.

/// Without arrows that lead back in a circle, and without those that follow from others: what needs a file on a droplet
/// needs the droplet.
pub(super) fn essential(count: usize, arrows: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut reach = Reach::new(count);
    let kept: Vec<(usize, usize)> =
        arrows.iter().copied().filter(|(from, to)| reach.connect(*from, *to)).collect();
    let mut needs = vec![Vec::new(); count];
    for (from, to) in &kept {
        needs[*from].push(*to);
    }
    let follows = |(from, to): &(usize, usize)| needs[*from].iter().any(|via| reach.has(*via, *to));
    kept.iter().filter(|arrow| !follows(arrow)).copied().collect()
}

/// What each can reach, as bits.
struct Reach {
    words: usize,
    bits: Vec<u64>,
}

impl Reach {
    fn new(count: usize) -> Self {
        let words = count.div_ceil(64);
        Self { words, bits: vec![0; words * count] }
    }

    fn has(&self, from: usize, to: usize) -> bool {
        self.bits[from * self.words + to / 64] >> (to % 64) & 1 == 1
    }

    /// Adds an arrow, unless it would close a circle.
    fn connect(&mut self, from: usize, to: usize) -> bool {
        if from == to || self.has(to, from) {
            return false;
        }
        if !self.has(from, to) {
            let mut new = self.bits[to * self.words..(to + 1) * self.words].to_vec();
            new[to / 64] |= 1 << (to % 64);
            let count = self.bits.len() / self.words;
            for item in
                (0..count).filter(|item| *item == from || self.has(*item, from)).collect::<Vec<_>>()
            {
                let row = &mut self.bits[item * self.words..(item + 1) * self.words];
                row.iter_mut().zip(&new).for_each(|(old, new)| *old |= new);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_follows_from_others_is_left_out_in_whatever_order_they_come() {
        let expected = [(1, 0), (2, 1), (70, 2)];
        assert_eq!(essential(71, &[(1, 0), (2, 1), (2, 0), (70, 0), (70, 2)]), expected);
        let mut turned = essential(71, &[(70, 2), (70, 0), (2, 0), (2, 1), (1, 0)]);
        turned.sort_unstable();
        assert_eq!(turned, expected);
    }

    #[test]
    fn no_arrow_closes_a_circle() {
        assert_eq!(essential(3, &[(0, 0), (0, 1), (1, 2), (2, 0)]), [(0, 1), (1, 2)]);
    }
}
