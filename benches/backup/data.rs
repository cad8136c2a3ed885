//! What is backed up: bytes that do not repeat, as hexadecimal digits, which compress to about half, or as they are.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// As people upload: many small ones, and most bytes in a few large ones.
const SIZES: [usize; 6] = [4_000, 20_000, 100_000, 400_000, 2_000_000, 8_000_000];

/// Numbers without a pattern (xorshift64).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn digits(&mut self, file: &mut impl Write, size: usize) {
        for _ in 0..size.div_ceil(16) {
            let number = self.next().to_le_bytes();
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            let text: [u8; 16] =
                std::array::from_fn(|at| digit((number[at / 2] >> (4 * (at % 2))) & 15));
            file.write_all(&text).unwrap();
        }
    }

    pub(crate) fn bytes(&mut self, path: &Path, size: usize) {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
        for _ in 0..size.div_ceil(8) {
            file.write_all(&self.next().to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
    }
}

/// Fills a folder with files of this many bytes together.
pub(crate) fn files(folder: &Path, bytes: usize) {
    let (mut noise, mut left) = (Noise(0x9e37_79b9_7f4a_7c15), bytes);
    for number in 0.. {
        if left == 0 {
            return;
        }
        let size = SIZES[number % SIZES.len()].min(left);
        let inner = folder.join(format!("{:03}", number / 48));
        fs::create_dir_all(&inner).unwrap();
        let file = File::create(inner.join(number.to_string())).unwrap();
        let mut file = BufWriter::with_capacity(1 << 20, file);
        noise.digits(&mut file, size);
        file.flush().unwrap();
        left -= size;
    }
}

/// SQL for a database of which a dump takes about this many bytes.
pub(crate) fn sql(bytes: usize) -> String {
    let (line, users) = (527, 1_000);
    let rows = bytes / line;
    format!(
        "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
         INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, {users}) n;
         CREATE TABLE posts (id bigint PRIMARY KEY, author int NOT NULL REFERENCES users, at timestamptz NOT NULL, body text);
         INSERT INTO posts SELECT n, 1 + n % {users}, '2026-01-01Z'::timestamptz + n * interval '1 second',
           (SELECT string_agg(md5(n || '.' || part), '') FROM generate_series(1, 15) part)
           FROM generate_series(1, {rows}) n;
         CREATE INDEX ON posts (author, at);
         VACUUM ANALYZE;"
    )
}
