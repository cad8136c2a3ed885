//! Places in a row.

/// The middles nearest to those wished for, in their order, with `gap` between one end and the next beginning.
/// The squares of the distances are least: what would overlap is moved together, as far as each wants.
pub(super) fn spread(wished: &[f64], heights: &[f64], gap: f64) -> Vec<f64> {
    let offsets = offsets(heights, gap);
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wished.iter().zip(&offsets) {
        let mut block = (wish - offset, 1);
        while let Some(last) = blocks.pop_if(|last| mean(*last) > mean(block)) {
            block = (block.0 + last.0, block.1 + last.1);
        }
        blocks.push(block);
    }
    let places = blocks.iter().flat_map(|block| std::iter::repeat_n(mean(*block), block.1));
    places.zip(offsets).map(|(place, offset)| place + offset).collect()
}

/// How far each is from the first when all are as near as they may be.
fn offsets(heights: &[f64], gap: f64) -> Vec<f64> {
    let (mut offset, mut before) = (0.0, None);
    let next = |height: &f64| {
        if let Some(before) = before.replace(*height) {
            offset += (before + height) / 2.0 + gap;
        }
        offset
    };
    heights.iter().map(next).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn mean((sum, count): (f64, usize)) -> f64 {
    sum / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_stays_and_what_overlaps_is_moved_apart() {
        assert_eq!(spread(&[0.0, 50.0], &[10.0, 10.0], 4.0), [0.0, 50.0]);
        assert_eq!(spread(&[0.0, 0.0, 100.0], &[10.0, 10.0, 10.0], 4.0), [-7.0, 7.0, 100.0]);
        assert_eq!(spread(&[9.0, 5.0], &[10.0, 30.0], 4.0), [-5.0, 19.0]);
        assert!(spread(&[], &[], 4.0).is_empty());
    }
}
