//! Listen addresses and what candidates say in their place.

use std::io;
use std::net::IpAddr;

use sfu_core::engine::ListenAddress;

/// Addresses separated by commas.
pub(super) fn ip_list(text: &str) -> Result<Vec<IpAddr>, String> {
    let mut list = Vec::new();
    for part in text.split(',') {
        let ip = part.trim().trim_start_matches('[').trim_end_matches(']').parse();
        let ip = ip.map_err(|_| "expected IP addresses, separated by commas".to_owned())?;
        if list.contains(&ip) {
            return Err(format!("{ip} is there twice"));
        }
        list.push(ip);
    }
    Ok(list)
}

/// The addresses for media. Each listen address is announced as those of `announced` of its family; without any, as
/// itself, and the wildcard as this machine's `interfaces`, for nobody can send to 0.0.0.0.
pub(crate) fn listen_addresses(listen: &[IpAddr], announced: &[IpAddr], interfaces: &[IpAddr]) -> Vec<ListenAddress> {
    let of_family = |list: &[IpAddr], ip: &IpAddr| -> Vec<String> {
        list.iter().filter(|other| other.is_ipv4() == ip.is_ipv4()).map(ToString::to_string).collect()
    };
    let address = |ip: &IpAddr| {
        let mut announced = of_family(announced, ip);
        if announced.is_empty() && ip.is_unspecified() {
            announced = of_family(interfaces, ip);
        }
        ListenAddress { ip: *ip, announced }
    };
    listen.iter().map(address).collect()
}

/// The addresses of this machine's interfaces that are up: those that others can use first, loopback last.
pub(crate) fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        // A link-local address means nothing without its interface.
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let interfaces = if_addrs::get_if_addrs()?.into_iter().filter(if_addrs::Interface::is_oper_up);
    let mut addresses: Vec<_> = interfaces.map(|interface| interface.ip()).filter(usable).collect();
    addresses.sort_by_key(IpAddr::is_loopback);
    addresses.dedup();
    Ok(addresses)
}
