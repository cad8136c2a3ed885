//! A registry on this machine that answers as a test wants it to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked: `METHOD /path`, and the authorization that came along.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) pass: String,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.line.starts_with(method) && self.line.contains(part)
    }
}

pub(crate) type Play = dyn Fn(&Asked) -> Vec<u8> + Send;

pub(crate) struct Registry {
    pub(crate) port: u16,
    play: Arc<Mutex<Box<Play>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Registry {
    pub(crate) fn start(play: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let play: Arc<Mutex<Box<Play>>> = Arc::new(Mutex::new(Box::new(play)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (player, log) = (Arc::clone(&play), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (player, log) = (Arc::clone(&player), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &player, &log));
            }
        });
        Self { port, play, asked }
    }

    /// Answers differently from now on.
    pub(crate) fn plays(&self, play: impl Fn(&Asked) -> Vec<u8> + Send + 'static) {
        *self.play.lock().unwrap() = Box::new(play);
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The name of an image of this registry.
    pub(crate) fn image(&self, rest: &str) -> String {
        format!("127.0.0.1:{}/{rest}", self.port)
    }
}

fn serve(mut stream: TcpStream, play: &Mutex<Box<Play>>, log: &Mutex<Vec<Asked>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let pass = head.lines().find_map(|line| line.strip_prefix("authorization: "));
    let asked = Asked { line, pass: pass.unwrap_or_default().to_owned() };
    log.lock().unwrap().push(asked.clone());
    let answer = play.lock().unwrap()(&asked);
    // Who asked may have had enough of a long answer.
    let _ = stream.write_all(&answer);
}

/// An answer with a status, header lines and a body.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

/// The answer that states a digest.
pub(crate) fn states(digest: &str) -> Vec<u8> {
    let kind = "application/vnd.oci.image.index.v1+json";
    answer("200 OK", &[("Docker-Content-Digest", digest), ("Content-Type", kind)], b"")
}
