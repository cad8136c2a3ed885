//! Worlds made by chance, what must hold of the plans on them, and how a bad one is made small.

mod random;
mod scene;
mod verdict;

use random::Random;
pub(crate) use scene::Scene;
pub(crate) use verdict::{failure, met, shrink, shrink_while};
