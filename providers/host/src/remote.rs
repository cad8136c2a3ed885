//! What a person does on a host by hand: a command whose output is seen as it comes, a login of one's own.

mod ask;
mod backup;
pub(crate) mod compose;
mod openssh;
mod projects;
mod stream;
mod upkeep;

pub use ask::NO_CURL;
pub use backup::{BackupTalk, Heard, NO_PROGRAM, backup_command};
pub use compose::LogChoice;
pub use openssh::OpenSsh;
pub(crate) use projects::openings;
pub use projects::{ComposeProject, ComposeService, projects};
pub use stream::{Piece, Stream};
pub use upkeep::{Seen, Standing, Upkeep};
