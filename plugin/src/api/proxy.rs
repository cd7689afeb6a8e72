//! The proxy for the API server: the kubeconfig's `proxy-url`, whatever the environment says, else HTTPS_PROXY or
//! HTTP_PROXY by the server's scheme, unless NO_PROXY names the server. The environment never proxies loopback. These
//! are kubectl's rules; kube's own matching of NO_PROXY compares the proxy's address instead.

use std::net::IpAddr;

use anyhow::Context as _;
use http::Uri;
use kube::config::Cluster;

/// The proxy for a cluster.
pub(super) fn of(cluster: &Cluster) -> anyhow::Result<Option<Uri>> {
    if let Some(url) = cluster.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        return Ok(Some(url.parse().with_context(|| format!("cannot read proxy-url {url:?} of the kubeconfig"))?));
    }
    let Some(server) = cluster.server.as_deref().and_then(|server| server.parse::<Uri>().ok()) else { return Ok(None) };
    let variables =
        if server.scheme_str() == Some("http") { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    let Some((variable, url)) = variables.iter().find_map(|name| Some((name, env(name)?))) else { return Ok(None) };
    let exempt = env("NO_PROXY").or_else(|| env("no_proxy")).unwrap_or_default();
    if is_loopback(&server) || is_exempt(&server, &exempt) {
        return Ok(None);
    }
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    Ok(Some(url.parse().with_context(|| format!("cannot read {variable}={url:?}"))?))
}

/// Whether a server is on this machine.
pub(super) fn is_loopback(server: &Uri) -> bool {
    let host = host(server);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn host(server: &Uri) -> &str {
    server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

fn is_exempt(server: &Uri, list: &str) -> bool {
    let host = host(server).to_lowercase();
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| covers(&entry.to_lowercase(), &host, port))
}

/// Whether a NO_PROXY entry covers a host: `*`, an address, a CIDR, `host` (with its subdomains), `.host` (its
/// subdomains), any with `:port`.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if let Some((net, bits)) = entry.split_once('/') {
        let parts = net.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
        return address.zip(parts).is_some_and(|(address, (net, bits))| in_network(address, net, bits));
    }
    if let Ok(exempt) = entry.parse::<IpAddr>() {
        return address == Some(exempt);
    }
    let (name, own_port) = match entry.rsplit_once(':') {
        Some((name, text)) => match text.parse::<u16>() {
            Ok(own) => (name, Some(own)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    };
    if own_port.is_some_and(|own| own != port) {
        return false;
    }
    let name = name.trim_start_matches('*');
    match name.strip_prefix('.') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn in_network(address: IpAddr, net: IpAddr, bits: u32) -> bool {
    let shifted = |value: u128, width: u32| width.checked_sub(bits).map(|rest| value.checked_shr(rest).unwrap_or(0));
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let (a, n) = (shifted(a.to_bits().into(), 32), shifted(n.to_bits().into(), 32));
            a.is_some() && a == n
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let (a, n) = (shifted(a.to_bits(), 128), shifted(n.to_bits(), 128));
            a.is_some() && a == n
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_names_servers_as_kubectl_reads_it() {
        let exempt = |server: &str, list: &str| is_exempt(&server.parse().unwrap(), list);
        assert!(exempt("https://api.corp.example:6443", "other, corp.example"));
        assert!(exempt("https://api.corp.example:6443", ".corp.example"));
        assert!(!exempt("https://corp.example", ".corp.example"));
        assert!(!exempt("https://notcorp.example", "corp.example"));
        assert!(exempt("https://10.1.2.3:6443", "10.0.0.0/8"));
        assert!(!exempt("https://11.1.2.3:6443", "10.0.0.0/8"));
        assert!(exempt("https://10.1.2.3", "0.0.0.0/0"));
        assert!(!exempt("https://10.1.2.3", "10.0.0.0/33"));
        assert!(exempt("https://[fd00::1]:6443", "fd00::/8"));
        assert!(exempt("https://api:6443", "api:6443"));
        assert!(!exempt("https://api:6443", "api:443"));
        assert!(exempt("https://anything", "*"));
        assert!(!exempt("https://anything", ""));
    }

    #[test]
    fn a_kubeconfigs_proxy_counts_whatever_the_environment_says() {
        let cluster = Cluster {
            server: Some("https://127.0.0.1:6443".to_owned()),
            proxy_url: Some("http://proxy:3128".to_owned()),
            ..Cluster::default()
        };
        assert_eq!(of(&cluster).unwrap().unwrap().to_string(), "http://proxy:3128/");
    }
}
