//! Engines on the loopback interface, and waiting.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use sfu_core::dtls::DtlsState;
use sfu_core::engine::{
    DEFAULT_SPAN_FROM_PERCENT, Engine, EngineOptions, ListenAddress, PortMode, RouterEvent, RouterEvents,
};
use sfu_core::ids::TransportId;
use sfu_core::negotiation::default_media_codecs;

/// What any one wait may take. Far more than it needs, so that only what never comes fails.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const LOOPBACK_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Waits for `future`, and fails by name if it does not come.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Options with a wide port range, so that tests which run side by side find ports.
pub(crate) fn options(ip: IpAddr) -> EngineOptions {
    EngineOptions {
        workers: 1,
        listen: vec![ListenAddress { ip, announced: Vec::new() }],
        port_min: 20_000,
        port_max: 32_000,
        port_mode: PortMode::PerWorker,
        span_from_percent: DEFAULT_SPAN_FROM_PERCENT,
        media_codecs: default_media_codecs(),
    }
}

pub(crate) fn start(options: EngineOptions) -> Engine {
    Engine::start(options).expect("the engine starts on the loopback interface")
}

/// Ports of a test's own, from the one that is free over UDP and TCP on: below the range from which the kernel gives clients
/// theirs, and far from where tests in other processes look.
pub(crate) const OWN_PORTS: u16 = 8;

/// The first of them.
pub(crate) fn free_port() -> u16 {
    const APART: u16 = 50;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + (std::process::id() % 199) as u16 * APART;
    let first = base + GIVEN.fetch_add(OWN_PORTS, Ordering::Relaxed) % (APART - OWN_PORTS);
    (first..first + OWN_PORTS)
        .find(|&port| {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        })
        .expect("a port is free")
}

/// Whether this machine has an IPv6 loopback address; says so when not, for tests that are then skipped.
pub(crate) fn has_ipv6(test: &str) -> bool {
    let has = UdpSocket::bind((LOOPBACK_V6, 0)).is_ok();
    if !has {
        eprintln!("{test} is skipped: this machine has no ::1");
    }
    has
}

/// A router's events, remembered while waiting for others.
pub(crate) struct Events {
    events: RouterEvents,
    dtls: HashMap<TransportId, DtlsState>,
}

impl Events {
    pub(crate) fn new(events: RouterEvents) -> Self {
        Self { events, dtls: HashMap::new() }
    }

    /// Waits until the transport's DTLS is connected.
    pub(crate) async fn connected(&mut self, transport: TransportId) {
        within("DTLS connected", async {
            while self.dtls.get(&transport) != Some(&DtlsState::Connected) {
                let event = self.events.next().await.expect("the router lives");
                if let RouterEvent::DtlsState { transport_id, state } = &event {
                    self.dtls.insert(*transport_id, *state);
                }
                assert!(!matches!(event, RouterEvent::TransportClosed { .. }), "{event:?}");
            }
        })
        .await;
    }

    /// Waits for the first event that `wanted` says yes to.
    pub(crate) async fn wait_for(&mut self, what: &str, wanted: impl Fn(&RouterEvent) -> bool) -> RouterEvent {
        within(what, async {
            loop {
                let event = self.events.next().await.unwrap_or_else(|| panic!("{what}: the events ended"));
                if wanted(&event) {
                    return event;
                }
            }
        })
        .await
    }

    /// The next event, whatever it is; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<RouterEvent> {
        within("an event or their end", self.events.next()).await
    }
}
