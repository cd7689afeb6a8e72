//! The network between the API server and pods: the harness routes Services to pods as kube-proxy does in a cluster.
//!
//! An API server that has an egress selector asks a proxy for every connection to the cluster, by the address that it would
//! dial: a Service's, a pod's, or `localhost` for a Service of type ExternalName. A pod `10.x.y.z` of a
//! [`Kubelet`](crate::kubelet::Kubelet) listens on `127.x.y.z`, on the ports that it has in a cluster.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, bail};
use k8s_openapi::List;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;

use crate::client::Http;

/// A proxy that the API server asks for connections to the cluster. It ends with the process.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    listener: UnixListener,
    configuration: PathBuf,
}

impl PodNetwork {
    /// Listens on a socket in `root`.
    pub(crate) fn new(root: &Path) -> anyhow::Result<Self> {
        let socket = root.join("network.sock");
        let listener = UnixListener::bind(&socket)?;
        let connection = json!({"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": socket}}});
        let selector = json!({
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [{"name": "cluster", "connection": connection}],
        });
        let configuration = root.join("egress-selector.json");
        fs::write(&configuration, selector.to_string())?;
        Ok(PodNetwork { listener, configuration })
    }

    /// The API server's configuration for it.
    pub(crate) fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// Passes connections on from now on, by the Services and EndpointSlices that `admin` reads.
    pub(crate) fn serve(self, admin: Http) {
        thread::spawn(move || {
            for client in self.listener.incoming().filter_map(Result::ok) {
                let admin = admin.clone();
                // A client whose connection cannot be passed on was told so.
                thread::spawn(move || drop(pass_on(client, &admin)));
            }
        });
    }
}

/// The address of the loopback interface that a pod of this address listens on.
pub(crate) fn loopback(pod: Ipv4Addr) -> Ipv4Addr {
    let [_, x, y, z] = pod.octets();
    Ipv4Addr::new(127, x, y, z)
}

/// An address in the pods' network for a number: half of `10.0.0.0/8`, whose other half has the Services.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    let [_, x, y, z] = number.to_be_bytes();
    Ipv4Addr::new(10, x | PODS, y, z)
}

fn pass_on(mut client: UnixStream, admin: &Http) -> anyhow::Result<()> {
    let target = requested(&mut client)?;
    let connected = backend(&target, admin)
        .and_then(|address| TcpStream::connect(address).with_context(|| format!("nothing answers at {address}")));
    let server = match connected {
        Ok(server) => server,
        Err(error) => {
            let why = format!("{error:#}").replace(['\r', '\n'], " ");
            write!(client, "HTTP/1.1 503 {why}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            return Err(error);
        }
    };
    server.set_nodelay(true)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    let (mut down_from, mut down_to) = (server, client);
    let _ = io::copy(&mut down_from, &mut down_to);
    Ok(down_to.shutdown(Shutdown::Both)?)
}

/// The `HOST:PORT` of a CONNECT request. The client sends nothing else before it is answered.
fn requested(client: &mut UnixStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head)?;
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    target.map(str::to_owned).with_context(|| format!("no CONNECT request: {head}"))
}

fn backend(target: &str, admin: &Http) -> anyhow::Result<SocketAddr> {
    let (host, port) = target.rsplit_once(':').context("no port")?;
    let port: u16 = port.parse()?;
    if host == "localhost" {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    match host.parse()? {
        IpAddr::V4(address) if address.is_loopback() => Ok((address, port).into()),
        IpAddr::V4(address) if is_pod(address) => Ok((loopback(address), port).into()),
        address => of_service(&address.to_string(), port, admin),
    }
}

fn is_pod(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 10 && second >= PODS
}

/// One of the pods that are ready behind a Service's address and port, by turns.
fn of_service(address: &str, port: u16, admin: &Http) -> anyhow::Result<SocketAddr> {
    let services: List<Service> = serde_json::from_value(admin.get("/api/v1/services")?.object()?)?;
    let found = services.items.into_iter().find_map(|service| {
        let spec = service.spec?;
        let served = spec.ports?.into_iter().find(|served| served.port == i32::from(port))?;
        (spec.cluster_ip.as_deref() == Some(address)).then_some((service.metadata, served.name))
    });
    let (service, port_name) = found.with_context(|| format!("no Service has {address}:{port}"))?;
    let (name, namespace) = (service.name.unwrap_or_default(), service.namespace.unwrap_or_default());
    let path = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io/service-name={name}"
    );
    let slices: List<EndpointSlice> = serde_json::from_value(admin.get(&path)?.object()?)?;
    let mut ready = Vec::new();
    for slice in slices.items {
        let ports = slice.ports.unwrap_or_default();
        let named = |name: &Option<String>| name.clone().unwrap_or_default();
        let Some(port) =
            ports.into_iter().find(|port| named(&port.name) == named(&port_name)).and_then(|port| port.port)
        else {
            continue;
        };
        let endpoints = slice.endpoints.into_iter();
        let endpoints = endpoints
            .filter(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false));
        for address in endpoints.filter_map(|endpoint| endpoint.addresses.into_iter().next()) {
            ready.push(SocketAddr::from((loopback(address.parse()?), u16::try_from(port)?)));
        }
    }
    let turn = TURN.fetch_add(1, Ordering::Relaxed) % ready.len().max(1);
    match ready.get(turn) {
        Some(&address) => Ok(address),
        None => bail!("no pod is ready behind Service {namespace}/{name}"),
    }
}

static TURN: AtomicUsize = AtomicUsize::new(0);

/// The second part of pods' addresses has this bit.
const PODS: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_have_addresses_that_no_service_has_and_their_own_loopback_ones() {
        for number in [0, 1, 0xff_ffff, 0xffff_ffff] {
            let pod = address(number);
            assert!(is_pod(pod), "{pod}");
            assert!(loopback(pod).is_loopback() && loopback(pod) != Ipv4Addr::LOCALHOST, "{pod}");
        }
        assert!(!is_pod(Ipv4Addr::new(10, 96, 0, 1)));
    }
}
