//! The bodies of the fuzz targets of a whole worker: datagrams as they come, and what signalling hands on of a client's parameters.
//! They are compiled in every build, so that they cannot rot.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;

use super::limits::{MAX_ENCODINGS_PER_TRANSPORT, MAX_PRODUCERS_PER_TRANSPORT};
use super::{ConsumerOptions, Core, CoreOptions, ProducerOptions, TransportInfo, WebRtcTransportOptions};
use crate::dtls::Certificate;
use crate::negotiation::{default_media_codecs, router_rtp_capabilities};
use crate::parameters::{ConsumerLayers, DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};
use crate::router::RouterOptions;
use crate::rtcp::ntp::WallClock;
use crate::transport::tuple::{Protocol, Tuple};

/// Where the fuzzed worker is.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// A worker with a room and a transport. The same each time, but for the certificate.
fn core(now: Instant) -> Option<(Core, TransportInfo)> {
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    static CAPABILITIES: OnceLock<Option<Arc<RtpCapabilities>>> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().ok()).clone()?;
    let capabilities =
        CAPABILITIES.get_or_init(|| router_rtp_capabilities(&default_media_codecs()).ok().map(Arc::new)).clone()?;
    let mut core = Core::new(CoreOptions {
        certificate,
        capabilities,
        addresses: Vec::new(),
        clock: WallClock::new(now, SystemTime::UNIX_EPOCH),
        rng: StdRng::seed_from_u64(0),
    });
    let router = core.create_router(RouterOptions::default());
    let transport = core.create_transport(now, router, WebRtcTransportOptions::default(), None).ok()?;
    Some((core, transport))
}

fn tuple(port: u16) -> Tuple {
    Tuple { protocol: Protocol::Udp, local: LOCAL, remote: (Ipv4Addr::LOCALHOST, port).into() }
}

/// `data` is datagrams, each after two bytes: how long it is, divided by eight, and from which of 256 addresses it comes. Nobody
/// knows the transport's password.
///
/// # Panics
/// If any of them validates its address, has the worker send more than came, or ends what there is.
pub fn fuzz_datagrams(now: Instant, data: &[u8]) {
    let Some((mut core, transport)) = core(now) else { return };
    // Any peer's: it waits for one.
    let _ = core.connect_transport(now, transport.id, &transport.dtls_parameters);
    let (mut now, mut rest) = (now, data);
    while let Some((&[len, port], after)) = rest.split_first_chunk() {
        let (datagram, after) = after.split_at((usize::from(len) * 8).min(after.len()));
        rest = after;
        let from = tuple(1000 + u16::from(port));
        core.handle_datagram(now, from, &mut datagram.to_vec());
        assert!(!core.knows(&from), "a stranger validated an address");
        assert!(core.next_handshake().is_none(), "a stranger began a handshake");
        core.forward_gathered(now);
        let mut sent = 0;
        core.transmits().drain(|to, bytes| {
            assert_eq!(to, from, "somebody else is sent something");
            sent += bytes.len();
        });
        assert!(sent <= datagram.len(), "{sent} bytes for {}", datagram.len());
        now += Duration::from_millis(100);
        core.handle_timeout(now);
        core.transmits().drain(|_, bytes| assert!(bytes.is_empty(), "a stranger set off something"));
    }
    let stats = core.stats();
    assert_eq!((stats.transports, stats.faults, stats.packets_received), (1, 0, 0));
}

/// What a client may say of what it sends and receives.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    kind: Option<MediaKind>,
    rtp_parameters: Option<RtpParameters>,
    rtp_capabilities: Option<RtpCapabilities>,
    dtls_parameters: Option<DtlsParameters>,
    preferred_layers: Option<ConsumerLayers>,
}

/// `data` is JSON: `kind`, `rtpParameters`, `rtpCapabilities`, `dtlsParameters`, `preferredLayers`, each as signalling hands it on,
/// or missing.
///
/// # Panics
/// If what is refused leaves something behind, or what is taken cannot be used and closed.
pub fn fuzz_parameters(now: Instant, data: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Said>(data) else { return };
    let Some((mut core, transport)) = core(now) else { return };
    let capabilities = core.capabilities.as_ref().clone();
    if let Some(parameters) = &said.dtls_parameters {
        let is_taken = core.connect_transport(now, transport.id, parameters).is_ok();
        // What was refused is not in the place of what is right, and what was taken stays.
        assert_eq!(core.connect_transport(now, transport.id, &transport.dtls_parameters).is_err(), is_taken);
    }
    let mut producers = Vec::new();
    if let Some(rtp_parameters) = said.rtp_parameters {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let kind = said.kind.unwrap_or(kind);
            let options =
                ProducerOptions { kind, rtp_parameters: rtp_parameters.clone(), paused: false, is_screen: false };
            producers.extend(core.produce(now, transport.id, options).ok().map(|info| info.id));
            assert_eq!(core.stats().producers, producers.len(), "what was refused is there");
        }
        assert!(producers.len() <= MAX_PRODUCERS_PER_TRANSPORT);
        assert!(rtp_parameters.encodings.len() <= MAX_ENCODINGS_PER_TRANSPORT || producers.is_empty());
    }
    let theirs = said.rtp_capabilities.unwrap_or_else(|| capabilities.clone());
    let mut consumers = 0;
    for producer_id in &producers {
        for rtp_capabilities in [&theirs, &capabilities] {
            let options = ConsumerOptions {
                producer_id: *producer_id,
                rtp_capabilities: rtp_capabilities.clone(),
                paused: false,
                preferred_layers: said.preferred_layers,
            };
            let Ok(info) = core.consume(now, transport.id, options) else { continue };
            consumers += 1;
            assert!(!info.rtp_parameters.codecs.is_empty() && !info.rtp_parameters.encodings.is_empty());
            assert!(serde_json::to_vec(&info.rtp_parameters).is_ok(), "what is answered cannot be written");
        }
    }
    assert_eq!(core.stats().consumers, consumers, "what was refused is there");
    core.handle_timeout(now + Duration::from_secs(10));
    core.close_transport(now, transport.id);
    let stats = core.stats();
    assert_eq!((stats.transports, stats.producers, stats.consumers, stats.faults), (0, 0, 0, 0));
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use serde_json::{Value, json};

    use super::*;
    use crate::ice;
    use crate::test_support::{corpus, mutate, origin, random_bytes};

    /// A datagram as [`fuzz_datagrams`] reads it.
    fn framed(port: u8, datagram: &[u8]) -> Vec<u8> {
        let mut padded = datagram.to_vec();
        padded.resize(datagram.len().next_multiple_of(8).min(255 * 8), 0);
        [&[(padded.len() / 8) as u8, port], &padded[..]].concat()
    }

    #[test]
    fn corpora_of_every_protocol_and_mutations_of_them_do_no_harm() {
        let mut seeds: Vec<Vec<u8>> = ["dtls", "rtcp", "rtp"].into_iter().flat_map(corpus).collect();
        // A check with the transport's user name and no signature, whose lengths are right.
        let (_, transport) = core(origin()).unwrap();
        let name = format!("{}:x", transport.ice_parameters.username_fragment).into_bytes();
        let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        check.extend([5; 12]);
        check.extend([0, 6, 0, name.len() as u8]);
        check.extend(&name);
        check.resize(check.len().next_multiple_of(8), 0);
        check[3] = (check.len() - 20) as u8;
        assert!(ice::local_ufrag(&check).is_some());
        seeds.push(check);
        let mut rng = StdRng::seed_from_u64(8);
        for round in 0..2_000 {
            let mut data = Vec::new();
            for _ in 0..rng.random_range(1..6) {
                let mut datagram = seeds[rng.random_range(0..seeds.len())].clone();
                if round % 4 > 0 {
                    mutate(&mut rng, &mut datagram);
                }
                data.extend(framed(rng.random(), &datagram));
            }
            fuzz_datagrams(origin(), &data);
            fuzz_datagrams(origin(), &random_bytes(&mut rng, 500));
        }
    }

    /// Any value of the tree, its place taken by something else.
    fn disturb(rng: &mut StdRng, value: &mut Value) {
        let children: Vec<&mut Value> = match value {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(fields) => fields.values_mut().collect(),
            _ => Vec::new(),
        };
        let len = children.len();
        if len > 0 && rng.random_ratio(7, 8) {
            let chosen = rng.random_range(0..len);
            return disturb(rng, children.into_iter().nth(chosen).unwrap());
        }
        match (rng.random_range(0..6), &mut *value) {
            (0, Value::Array(items)) if !items.is_empty() => {
                let copy = items[rng.random_range(0..items.len())].clone();
                items.extend(std::iter::repeat_n(copy, rng.random_range(1..200)));
            }
            (1, Value::Array(items)) => items.clear(),
            (2, Value::Array(items)) => items.reverse(),
            (3, Value::String(text)) => *text = text.repeat(rng.random_range(0..100)),
            (4, Value::Number(_)) => {
                *value = [json!(0), json!(-1), json!(255), json!(u32::MAX), json!(u64::MAX), json!(1.5)]
                    [rng.random_range(0..6)]
                .clone();
            }
            _ => {
                *value = [json!(null), json!(true), json!(""), json!([]), json!({}), json!(7)][rng.random_range(0..6)]
                    .clone()
            }
        }
    }

    #[test]
    fn what_browsers_say_and_every_disturbance_of_it_does_no_harm() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/ortc.json")).unwrap();
        let value = ["AB"; 32].join(":");
        let fingerprint = json!({"algorithm": "sha-256", "value": value});
        let clients: Vec<&Value> = vectors["remotes"].as_object().unwrap().values().collect();
        let mut rng = StdRng::seed_from_u64(9);
        let mut taken = 0;
        for case in vectors["cases"].as_array().unwrap() {
            let said = json!({
                "kind": case["kind"],
                "rtpParameters": case["producerRtpParameters"],
                "rtpCapabilities": clients[rng.random_range(0..clients.len())],
                "dtlsParameters": {"role": "client", "fingerprints": [fingerprint]},
                "preferredLayers": {"spatialLayer": 1, "temporalLayer": 1},
            });
            fuzz_parameters(origin(), said.to_string().as_bytes());
            for _ in 0..150 {
                let mut said = said.clone();
                for _ in 0..rng.random_range(1..4) {
                    disturb(&mut rng, &mut said);
                }
                taken += usize::from(serde_json::from_value::<Said>(said.clone()).is_ok());
                fuzz_parameters(origin(), said.to_string().as_bytes());
            }
        }
        assert!(taken > 100, "next to nothing gets as far as negotiation");
    }
}
