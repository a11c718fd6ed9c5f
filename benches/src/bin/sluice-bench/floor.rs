//! The floor by itself.

use std::time::Duration;

use benches::floor::{FloorOptions, measure};
use benches::report::Machine;
use clap::Args;
use serde_json::json;

use crate::Failure;

/// What sealing and sending alone cost on this machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Receivers.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    sockets: u16,
    /// Length of a datagram, tag included.
    #[arg(long, default_value_t = 1090, value_parser = clap::value_parser!(u16).range(64..=1400))]
    bytes: u16,
    /// Datagrams given to the kernel as one (UDP GSO); 1: none.
    #[arg(long, value_delimiter = ',', default_value = "1,4,8", value_parser = clap::value_parser!(u8).range(1..=40))]
    joined: Vec<u8>,
    /// Seconds for each.
    #[arg(long, default_value_t = 1.0)]
    duration: f64,
    /// Let the kernel hand over each datagram by itself, even those that were sent joined.
    #[arg(long)]
    no_gro: bool,
    /// Send from the cores of this process.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let mut floors = Vec::new();
    for joined in &options.joined {
        floors.push(measure(FloorOptions {
            sockets: usize::from(options.sockets),
            datagram_bytes: usize::from(options.bytes),
            joined: usize::from(*joined),
            gro: !options.no_gro,
            duration: Duration::try_from_secs_f64(options.duration)?,
            beside: options.server_pid,
        })?);
    }
    if options.json {
        println!("{:#}", json!({ "machine": Machine::here(), "floor": floors }));
        return Ok(true);
    }
    println!("{}", Machine::here());
    println!("sealing {} bytes and sending them to {} drained sockets, with", options.bytes, options.sockets);
    for floor in &floors {
        println!(
            "  {:>2} joined  {:>6.2} µs per packet ({} packets, {:.2} % of them drained)",
            floor.joined, floor.cpu_us_per_packet, floor.packets, floor.delivered_percent
        );
    }
    Ok(true)
}
