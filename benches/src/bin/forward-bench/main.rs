//! What forwarding costs: one publisher, many subscribers, one worker or several. See the README beside this crate.

mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::client::{CONSENT_INTERVAL, Client, ClientError, Identity, MAX_DATAGRAM_BYTES};
use benches::media::{Source, rtp_ssrc, sent_at_ns};
use benches::process::{CpuTime, resident_bytes, thread_cpu_time};
use clap::{Parser, ValueEnum};
use report::Report;
use serde::Serialize;
use sfu_core::engine::{
    ConsumerOptions, Engine, EngineOptions, ListenAddress, PortMode, ProducerOptions, Router, RouterOptions,
    TransportUse, WebRtcTransportOptions,
};
use sfu_core::ids::{ProducerId, Ssrc};
use sfu_core::negotiation::default_media_codecs;
use sfu_core::parameters::{MediaKind, RtpCodecParameters, RtpEncodingParameters, RtpParameters};
use sfu_core::rtp::header::RtpHeader;
use sfu_core::srtp::{OpenStream, ProtectionProfile, SealStream};
use tokio::sync::Notify;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The names of the workers' threads begin so.
const WORKER_THREAD: &str = "sluice-worker-";
const PUBLISHER_SSRC: u32 = 0x0bad_cafe;
/// Subscribers that open what they are sent, to read when it was sent: enough for percentiles, few enough not to starve the
/// others of CPU.
const SAMPLED_SUBSCRIBERS: usize = 5;
/// How long stragglers may take once the publisher has stopped.
const DRAIN: Duration = Duration::from_millis(500);

/// Measures what forwarding one stream to many subscribers costs a worker.
#[derive(Debug, Parser)]
struct Options {
    /// Subscribers of the one publisher.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=4000))]
    subscribers: u32,
    /// Payload bits per second of the video.
    #[arg(long, default_value_t = 1_000_000)]
    bitrate: u64,
    /// Workers that share the subscribers. Each wants a core for itself, and the peers another.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// How long to send.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// What is sent.
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    kind: Kind,
    /// The SRTP protection profile that all peers offer.
    #[arg(long, value_enum, default_value_t = Profile::AeadAes128Gcm)]
    profile: Profile,
    /// Packets that may be missing, in percent of those expected, before the run counts as failed.
    #[arg(long, default_value_t = 1.0)]
    max_loss: f64,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Audio,
    Video,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
enum Profile {
    #[value(name = "aead-aes-128-gcm")]
    #[serde(rename = "aead-aes-128-gcm")]
    AeadAes128Gcm,
    #[value(name = "aead-aes-256-gcm")]
    #[serde(rename = "aead-aes-256-gcm")]
    AeadAes256Gcm,
    #[value(name = "aes-128-cm-sha1-80")]
    #[serde(rename = "aes-128-cm-sha1-80")]
    Aes128CmSha1_80,
}

/// What a subscriber is counted by.
#[derive(Default)]
struct Received {
    packets: AtomicU64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // One thread for all peers: the worker is to have a core for itself.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&options)));
    match outcome {
        Ok(report) => {
            // Who reads no further has what it wanted; the exit code still counts.
            let _ = report.print(options.json, &mut std::io::stdout());
            if report.loss_percent <= options.max_loss && report.fewest_packets > 0 {
                return ExitCode::SUCCESS;
            }
            eprintln!("failed: packets are missing");
        }
        Err(error) => eprintln!("failed: {error}"),
    }
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Result<Report, Failure> {
    let engine = Engine::start(EngineOptions {
        workers: options.workers.into(),
        listen: vec![ListenAddress { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), announced: Vec::new() }],
        port_min: 20_000,
        port_max: 30_000,
        port_mode: PortMode::PerWorker,
        // From the first subscriber on.
        span_from_percent: 0,
        media_codecs: default_media_codecs(),
    })?;
    let (router, _events) = engine.create_router(RouterOptions::default()).await?;
    let identity = Identity::generate(options.profile.into())?;
    let udp_only = WebRtcTransportOptions { enable_udp: true, enable_tcp: false, ..WebRtcTransportOptions::default() };

    let publisher_transport = router.create_webrtc_transport(udp_only).await?;
    let parameters = publisher_parameters(&router, options.kind.into())?;
    let payload_type = parameters.codecs.first().map_or(0, |codec| codec.payload_type.0);
    let producer = publisher_transport
        .produce(ProducerOptions {
            kind: options.kind.into(),
            rtp_parameters: parameters,
            paused: false,
            is_screen: false,
        })
        .await?;
    let publisher = Client::connect(&publisher_transport, &identity).await?;

    let epoch = Instant::now();
    let stop = Arc::new(Stop::default());
    let memory_before = resident_bytes()?;
    let mut received = Vec::new();
    let mut subscribers = Vec::new();
    let count = options.subscribers as usize;
    for number in 0..count {
        let (client, ssrc) = subscribe(&router, &identity, producer.id()).await?;
        let counts = Arc::new(Received::default());
        received.push(Arc::clone(&counts));
        // Spread over all, the last one included: a worker serves the first ones first.
        let sampled = number * SAMPLED_SUBSCRIBERS / count != (number + 1) * SAMPLED_SUBSCRIBERS / count;
        subscribers.push(tokio::spawn(drain(client, ssrc, counts, sampled.then_some(epoch), Arc::clone(&stop))));
    }
    let memory = resident_bytes()?.saturating_sub(memory_before);

    let cpu_before = workers_cpu_time(options.workers)?;
    let begun = Instant::now();
    let source = Source::new(options.kind.into(), payload_type, PUBLISHER_SSRC, options.bitrate);
    let published = publish(&publisher, source, epoch, Duration::from_secs(options.seconds)).await?;
    let elapsed = begun.elapsed();
    // The last packets are on their way; how long for is no part of what is measured but their CPU.
    tokio::time::sleep(DRAIN).await;
    let cpu = workers_cpu_time(options.workers)?.since(cpu_before);

    stop.set();
    let mut latencies_ns = Vec::new();
    for subscriber in subscribers {
        latencies_ns.extend(subscriber.await??);
    }
    let counts: Vec<u64> = received.iter().map(|counts| counts.packets.load(Ordering::Relaxed)).collect();
    let unsent = engine.stats().await.workers.iter().map(|worker| worker.datagrams_unsent).sum();
    engine.close().await;
    Ok(Report::new(options, published, &counts, elapsed, cpu, latencies_ns, memory, unsent))
}

/// What all workers have used.
fn workers_cpu_time(workers: u8) -> std::io::Result<CpuTime> {
    let mut times = (0..workers).map(|number| thread_cpu_time(&format!("{WORKER_THREAD}{number}")));
    times.try_fold(CpuTime::default(), |total, time| Ok(total.plus(time?)))
}

/// What the publisher will send, in the router's own terms.
fn publisher_parameters(router: &Router, kind: MediaKind) -> Result<RtpParameters, Failure> {
    let codec = router
        .rtp_capabilities()
        .codecs
        .iter()
        .find(|codec| codec.mime_type.is_codec(if kind == MediaKind::Video { "VP8" } else { "opus" }))
        .ok_or("the router offers neither VP8 nor Opus")?;
    Ok(RtpParameters {
        codecs: vec![RtpCodecParameters {
            mime_type: codec.mime_type.clone(),
            payload_type: codec.preferred_payload_type.ok_or("a codec without payload type")?,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: codec.parameters.clone(),
            rtcp_feedback: codec.rtcp_feedback.clone(),
        }],
        encodings: vec![RtpEncodingParameters { ssrc: Some(Ssrc(PUBLISHER_SSRC)), ..Default::default() }],
        ..Default::default()
    })
}

/// Connects a subscriber; the SSRC is that of the media it will be sent.
async fn subscribe(router: &Router, identity: &Identity, producer_id: ProducerId) -> Result<(Client, Ssrc), Failure> {
    let udp_only = WebRtcTransportOptions {
        used_for: TransportUse::Consume,
        enable_udp: true,
        enable_tcp: false,
        ..WebRtcTransportOptions::default()
    };
    let transport = router.create_webrtc_transport(udp_only).await?;
    let client = Client::connect(&transport, identity).await?;
    let mut rtp_capabilities = router.rtp_capabilities().clone();
    // These subscribers report nothing of their path, and must not say that they would: the server would wait for it.
    for codec in &mut rtp_capabilities.codecs {
        codec.rtcp_feedback.retain(|feedback| !feedback.is("transport-cc", "") && !feedback.is("goog-remb", ""));
    }
    let consumer = transport
        .consume(ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None })
        .await?;
    let encoding = consumer.rtp_parameters().encodings.first();
    Ok((client, encoding.and_then(|encoding| encoding.ssrc).ok_or("a consumer without SSRC")?))
}

/// Sends frames for `duration`; returns the number of packets.
async fn publish(client: &Client, mut source: Source, epoch: Instant, duration: Duration) -> Result<u64, Failure> {
    let mut stream = SealStream::new(Ssrc(PUBLISHER_SSRC));
    let mut frames = tokio::time::interval(source.frame_interval());
    let mut consent = tokio::time::interval(CONSENT_INTERVAL);
    let (mut buffer, mut sealed) = (Vec::new(), Vec::new());
    let mut incoming = [0; MAX_DATAGRAM_BYTES];
    let mut published = 0;
    let end = Instant::now() + duration;
    while Instant::now() < end {
        tokio::select! {
            _ = frames.tick() => {
                let mut failed = None;
                source.next_frame(
                    &mut buffer,
                    || epoch.elapsed().as_nanos() as u64,
                    |packet, plan| {
                        packet.resize(plan.len + sfu_core::srtp::MAX_RTP_OVERHEAD, 0);
                        match client.seal.seal_rtp(&mut stream, packet, plan.header_len, plan.len) {
                            Ok(len) => sealed.push(packet[..len].to_vec()),
                            Err(error) => failed = Some(error),
                        }
                    },
                );
                if let Some(error) = failed {
                    return Err(error.into());
                }
                for packet in sealed.drain(..) {
                    client.socket.send(&packet).await?;
                    published += 1;
                }
            }
            _ = consent.tick() => client.consent().await?,
            // Feedback and reports: taken, so that the socket does not fill up.
            received = client.socket.recv(&mut incoming) => drop(received?),
        }
    }
    Ok(published)
}

/// Takes what a subscriber is sent until told to stop. With an epoch, returns the latency of each packet in nanoseconds.
async fn drain(
    client: Client,
    ssrc: Ssrc,
    counts: Arc<Received>,
    epoch: Option<Instant>,
    stop: Arc<Stop>,
) -> Result<Vec<u64>, ClientError> {
    let mut stream = OpenStream::new(ssrc);
    let mut latencies_ns = Vec::new();
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    let mut consent = tokio::time::interval(CONSENT_INTERVAL);
    loop {
        tokio::select! {
            received = client.socket.recv(&mut buffer) => {
                let len = received?;
                let Some(datagram) = buffer.get_mut(..len).filter(|datagram| rtp_ssrc(datagram) == Some(ssrc.0)) else {
                    continue;
                };
                counts.packets.fetch_add(1, Ordering::Relaxed);
                let Some(epoch) = epoch else { continue };
                let arrived_ns = epoch.elapsed().as_nanos() as u64;
                let sent_ns = RtpHeader::parse(datagram).ok().and_then(|header| {
                    let len = client.open.open_rtp(&mut stream, datagram, header.header_len).ok()?;
                    let packet = datagram.get(..len)?;
                    sent_at_ns(packet.get(header.payload_range(packet).ok()?)?)
                });
                latencies_ns.extend(sent_ns.map(|sent_ns| arrived_ns.saturating_sub(sent_ns)));
            }
            _ = consent.tick() => client.consent().await?,
            () = stop.wait() => return Ok(latencies_ns),
        }
    }
}

/// Tells all subscribers at once.
#[derive(Default)]
struct Stop {
    told: AtomicBool,
    notify: Notify,
}

impl Stop {
    fn set(&self) {
        self.told.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    async fn wait(&self) {
        let notified = self.notify.notified();
        if !self.told.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

impl From<Kind> for MediaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self::Audio,
            Kind::Video => Self::Video,
        }
    }
}

impl From<Profile> for ProtectionProfile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::AeadAes128Gcm => Self::AeadAes128Gcm,
            Profile::AeadAes256Gcm => Self::AeadAes256Gcm,
            Profile::Aes128CmSha1_80 => Self::Aes128CmHmacSha1_80,
        }
    }
}
