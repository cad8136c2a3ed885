//! The plan as a value.

use serde::{Deserialize, Serialize};

/// What is done to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Nothing.
    NoOp,
    /// It is created.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and created anew.
    Replace,
    /// It is deleted.
    Delete,
    /// An existing object gets our marker and is otherwise left as it is.
    Adopt,
    /// Our marker is taken off and the object stays.
    Forget,
}
