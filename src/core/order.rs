//! Dependency order.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;

/// Sorts addresses so that each comes after those it needs; ties in the order of the addresses.
/// Needs that are not among the keys are ignored.
///
/// # Errors
/// The addresses of one cycle, in the order in which each needs the next, the first repeated at the end.
pub fn sort(needs: &BTreeMap<&Address, &BTreeSet<Address>>) -> Result<Vec<Address>, Vec<Address>> {
    let mut waiting: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for (address, wanted) in needs {
        let inside = wanted.iter().filter(|need| needs.contains_key(need));
        let count = inside.clone().count();
        inside.for_each(|need| needed_by.entry(need).or_default().push(address));
        waiting.insert(address, count);
    }
    let mut ready: BTreeSet<&Address> =
        waiting.iter().filter(|(_, n)| **n == 0).map(|(a, _)| *a).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(address) = ready.pop_first() {
        order.push(address.clone());
        waiting.remove(address);
        for dependent in needed_by.get(address).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(dependent);
                }
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(find_cycle(needs, &waiting)) }
}

fn find_cycle(
    needs: &BTreeMap<&Address, &BTreeSet<Address>>,
    left: &BTreeMap<&Address, usize>,
) -> Vec<Address> {
    let mut path: Vec<&Address> = Vec::new();
    let mut at = left.keys().next().copied();
    while let Some(address) = at {
        if let Some(start) = path.iter().position(|seen| *seen == address) {
            path.push(address);
            return path[start..].iter().map(|a| (*a).clone()).collect();
        }
        path.push(address);
        at = needs
            .get(address)
            .and_then(|wanted| wanted.iter().find(|need| left.contains_key(need)));
    }
    path.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &[&str])]) -> Result<String, String> {
        let address = |name: &str| Address::new("p", "k", name);
        let owned: Vec<(Address, BTreeSet<Address>)> = edges
            .iter()
            .map(|(a, needs)| (address(a), needs.iter().map(|n| address(n)).collect()))
            .collect();
        let names =
            |list: Vec<Address>| list.iter().map(|a| a.name.clone()).collect::<Vec<_>>().join(" ");
        sort(&owned.iter().map(|(a, n)| (a, n)).collect()).map(names).map_err(names)
    }

    #[test]
    fn what_is_needed_comes_first() {
        assert_eq!(check(&[("a", &["c"]), ("b", &["a"]), ("c", &[])]), Ok("c a b".into()));
    }

    #[test]
    fn a_cycle_is_named() {
        assert_eq!(
            check(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]),
            Err("a b c a".into())
        );
        assert_eq!(check(&[("a", &["a"])]), Err("a a".into()));
    }

    #[test]
    fn needs_outside_the_set_are_ignored() {
        assert_eq!(check(&[("a", &["x"])]), Ok("a".into()));
    }
}
