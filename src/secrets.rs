//! The encrypted secret store of a stack: `stacks/NAME/secrets.toml`, made to be committed.
//!
//! Names are in the clear, values never. Every value is an armored age file of its own
//! (<https://age-encryption.org/v1>), encrypted to all recipients of the store, so that changing one
//! secret changes one block of lines, git merges two people's work, and `age --decrypt` opens a value
//! even where ipai is not at hand:
//!
//! ```toml
//! # Encrypted with age (https://age-encryption.org); edit with `ipai secrets`.
//! recipients = [
//!   "age1…", # laptop
//!   "ssh-ed25519 …",
//! ]
//!
//! [secret.postgres_password]
//! value = """
//! -----BEGIN AGE ENCRYPTED FILE-----
//! …
//! -----END AGE ENCRYPTED FILE-----
//! """
//! kind = "password"
//! sealed_for = "5e1f0c9a7b3d2e48"
//! ```
//!
//! `sealed_for` is a hash of the recipients that the value was encrypted to. An age file does not
//! name its X25519 recipients, so without it a recipient who was taken off the list, but not out of
//! the values, would go unnoticed: [`Store::stale`] finds those.
//!
//! What age does not promise: whoever may write the file can replace a value by another one without
//! being able to read either. Who may write is for the repository to decide, and the diff shows it.
//!
//! Nothing here reads the process environment or makes its own passwords: the caller hands in an
//! [`Environment`] and the randomness ([`Entropy`]). Only the keys inside age files and new age
//! identities come from the operating system through the age crate.

pub mod audit;
pub(crate) mod disk;
mod draft;
mod error;
mod format;
mod generate;
mod identity;
mod make;
mod seal;
mod store;
#[cfg(test)]
mod tests;

pub use draft::{Draft, Edits, notes_text};
pub use error::SecretsError;
pub use generate::{Kind, bcrypt, bcrypt_matches, generate, public_key};
pub use identity::{Environment, Identities, create_identity_file, default_identity_path, words};
pub use make::{Ways, dependants, make};
pub use store::{RecipientsChange, Store};

/// A source of random bytes that fills the whole slice; in the program, the operating system's.
pub type Entropy<'a> = &'a mut dyn FnMut(&mut [u8]);
