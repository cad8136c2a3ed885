//! 

pub mod secrets;
