//! Sits on the way to every droplet, writes down what passes, and leads connections where it likes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How many droplets' addresses it sits on.
const WIDTH: u32 = 8;

/// What it does with a connection.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    /// Leads it where it was going.
    Through,
    /// Leads it to another machine.
    To(SocketAddr),
    /// Leads it where it was going, and breaks it after so many bytes from the client.
    CutAfter(usize),
}

type Choose = dyn Fn(usize, Ipv4Addr) -> Route + Send;

struct Shared {
    real_port: u16,
    choose: Mutex<Box<Choose>>,
    /// Connections since the way was last set.
    seen: Mutex<usize>,
    diverted: Mutex<usize>,
    captured: Mutex<Vec<u8>>,
}

pub(crate) struct Interceptor {
    port: u16,
    shared: Arc<Shared>,
}

impl Interceptor {
    /// Listens on the addresses from `first` on, and leads everything through.
    pub(crate) fn start(first: Ipv4Addr, real_port: u16) -> Self {
        let shared = Arc::new(Shared {
            real_port,
            choose: Mutex::new(Box::new(|_, _| Route::Through)),
            seen: Mutex::new(0),
            diverted: Mutex::new(0),
            captured: Mutex::default(),
        });
        let listeners = (0..50).find_map(|_| listen(first)).expect("a port free on all addresses");
        let port = listeners[0].local_addr().unwrap().port();
        for listener in listeners {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.serve(client));
                }
            });
        }
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Chooses by the connection's number from now on, the first being 1, and by where it was going.
    pub(crate) fn set(&self, choose: impl Fn(usize, Ipv4Addr) -> Route + Send + 'static) {
        *self.shared.choose.lock().unwrap() = Box::new(choose);
        *self.shared.seen.lock().unwrap() = 0;
    }

    /// How many connections were led elsewhere so far.
    pub(crate) fn diverted(&self) -> usize {
        *self.shared.diverted.lock().unwrap()
    }

    /// Every byte that passed, in either direction.
    pub(crate) fn captured(&self) -> Vec<u8> {
        self.shared.captured.lock().unwrap().clone()
    }
}

fn listen(first: Ipv4Addr) -> Option<Vec<TcpListener>> {
    let origin = u32::from(first);
    let one = TcpListener::bind((first, 0)).ok()?;
    let port = one.local_addr().ok()?.port();
    let others = (1..WIDTH).map(|n| TcpListener::bind((Ipv4Addr::from(origin + n), port)));
    let others: Result<Vec<_>, _> = others.collect();
    Some(std::iter::once(one).chain(others.ok()?).collect())
}

impl Shared {
    fn serve(&self, client: TcpStream) {
        let Ok(SocketAddr::V4(meant)) = client.local_addr() else { return };
        let number = {
            let mut seen = self.seen.lock().unwrap();
            *seen += 1;
            *seen
        };
        let route = (self.choose.lock().unwrap())(number, *meant.ip());
        let (to, limit) = match route {
            Route::Through => (SocketAddr::from((*meant.ip(), self.real_port)), usize::MAX),
            Route::CutAfter(bytes) => (SocketAddr::from((*meant.ip(), self.real_port)), bytes),
            Route::To(elsewhere) => {
                *self.diverted.lock().unwrap() += 1;
                (elsewhere, usize::MAX)
            }
        };
        let Ok(server) = TcpStream::connect(to) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        thread::scope(|scope| {
            scope.spawn(|| self.copy(&client, &server, limit));
            scope.spawn(|| self.copy(&server, &client, usize::MAX));
        });
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, limit: usize) {
        let (mut buffer, mut passed) = (vec![0; 16 * 1024], 0);
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.captured.lock().unwrap().extend_from_slice(&buffer[..length]);
            passed += length;
            if passed > limit || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
