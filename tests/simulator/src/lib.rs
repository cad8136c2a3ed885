//! A DigitalOcean, a Cloudflare and SSH hosts on loopback, for the sandbox and the tests.

pub mod seam;
