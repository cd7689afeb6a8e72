//! A stand-in for what routes a Service's address to its pods: connections are passed on, and never looked into.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// An address whose connections go to one of several others, by turns. It ends with the process.
#[derive(Clone, Debug)]
pub struct Balancer {
    address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
}

#[derive(Debug, Default)]
struct Routes {
    backends: Vec<SocketAddr>,
    turn: usize,
    /// Connections so far, by where they were to go.
    routed: HashMap<SocketAddr, usize>,
    tunnels: Vec<Tunnel>,
}

/// A connection that is passed on.
#[derive(Debug)]
struct Tunnel {
    client: TcpStream,
    /// Ends when the client has closed its end.
    upwards: JoinHandle<()>,
}

impl Balancer {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is none.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let balancer = Balancer { address: listener.local_addr()?, routes: Arc::default() };
        let own = balancer.clone();
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                // A client whose connection cannot be passed on sees it close.
                let _ = own.pass_on(client);
            }
        });
        Ok(balancer)
    }

    /// The address to call.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes new connections on to this address too.
    pub fn add(&self, backend: SocketAddr) {
        self.lock().backends.push(backend);
    }

    /// Passes no new connection on to this address.
    pub fn withdraw(&self, backend: SocketAddr) {
        self.lock().backends.retain(|kept| *kept != backend);
    }

    /// How many connections were to go to this address so far, whether or not it took them.
    pub fn routed(&self, backend: SocketAddr) -> usize {
        self.lock().routed.get(&backend).copied().unwrap_or_default()
    }

    /// Closes every connection and waits until the clients have closed them too, so that their next requests begin with
    /// a handshake. No request may be on its way: a client does not send one a second time that it had begun to send.
    pub fn cut(&self) {
        let tunnels = std::mem::take(&mut self.lock().tunnels);
        for tunnel in &tunnels {
            // It may be closed already.
            let _ = tunnel.client.shutdown(Shutdown::Write);
        }
        for tunnel in tunnels {
            // A thread that panicked has ended too.
            let _ = tunnel.upwards.join();
        }
    }

    fn pass_on(&self, client: TcpStream) -> io::Result<()> {
        let backend = {
            let mut routes = self.lock();
            routes.turn += 1;
            let place = routes.turn % routes.backends.len().max(1);
            let backend = routes.backends.get(place).copied().ok_or(io::ErrorKind::ConnectionRefused)?;
            *routes.routed.entry(backend).or_default() += 1;
            backend
        };
        let server = TcpStream::connect(backend)?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
        }
        let pass = |mut from: TcpStream, mut to: TcpStream| {
            move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            }
        };
        let upwards = thread::spawn(pass(client.try_clone()?, server.try_clone()?));
        thread::spawn(pass(server, client.try_clone()?));
        self.lock().tunnels.push(Tunnel { client, upwards });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
