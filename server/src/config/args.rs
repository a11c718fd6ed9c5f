//! The command line. Flags win over the environment; their values are judged where the environment's are.

use clap::Parser;

/// Sluice, a selective forwarding unit: group audio and video calls for browsers.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "sluice", version)]
pub(crate) struct Args {
    /// Port of the web client, signalling and HTTP; 0: any that is free [env: PORT] [default: 4000]
    #[arg(long)]
    pub(crate) port: Option<String>,
    /// Addresses for HTTP, separated by commas [env: HTTP_LISTEN_IP] [default: those for media]
    #[arg(long)]
    pub(crate) http_listen_ip: Option<String>,
    /// Addresses for media, separated by commas, IPv4 or IPv6 [env: LISTEN_IP, MEDIASOUP_LISTEN_IP] [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) listen_ip: Option<String>,
    /// Addresses that clients are told instead, separated by commas [env: ANNOUNCED_IP, MEDIASOUP_ANNOUNCED_IP]
    #[arg(long)]
    pub(crate) announced_ip: Option<String>,
    /// First port for media, UDP and TCP [env: RTC_MIN_PORT, MEDIASOUP_RTP_MIN_PORT] [default: 40000]
    #[arg(long)]
    pub(crate) rtc_min_port: Option<String>,
    /// Last port for media [env: RTC_MAX_PORT, MEDIASOUP_RTP_MAX_PORT] [default: 49999]
    #[arg(long)]
    pub(crate) rtc_max_port: Option<String>,
    /// Who gets a port of its own: each `worker`, or each `transport` [env: RTC_PORTS] [default: worker]
    #[arg(long)]
    pub(crate) rtc_ports: Option<String>,
    /// Media worker threads [env: WORKERS] [default: one for each core]
    #[arg(long)]
    pub(crate) workers: Option<String>,
    /// The share of a worker's time, in percent, from which on who joins one of its rooms is served by other workers too; 100:
    /// never [env: SPAN_FROM_PERCENT] [default: 50]
    #[arg(long)]
    pub(crate) span_from_percent: Option<String>,
    /// off, error, warn, info, debug or trace [env: LOG_LEVEL] [default: info]
    #[arg(long)]
    pub(crate) log_level: Option<String>,
    /// Other origins whose pages may use this server, separated by commas [env: FRONTEND_URL] [default: none]
    #[arg(long)]
    pub(crate) frontend_url: Option<String>,
    /// Codecs by name, separated by commas, or the path of a .json file [env: MEDIA_CODECS] [default: all]
    #[arg(long)]
    pub(crate) media_codecs: Option<String>,
    /// Forward the video of this many participants who spoke last, in each room [env: LAST_N] [default: everybody's]
    #[arg(long)]
    pub(crate) last_n: Option<String>,
    /// Forward this many of the loudest microphones, in each room [env: LOUDEST_N] [default: all]
    #[arg(long)]
    pub(crate) loudest_n: Option<String>,
    /// How often rooms are told how loud it is, milliseconds; 0: never [env: AUDIO_LEVEL_INTERVAL_MS] [default: 1000]
    #[arg(long)]
    pub(crate) audio_level_interval_ms: Option<String>,
    /// Whether rooms are told who speaks: `on` or `off` [env: ACTIVE_SPEAKER] [default: on]
    #[arg(long)]
    pub(crate) active_speaker: Option<String>,
    /// How long a call between two rings before it is given up, milliseconds [env: CALL_TIMEOUT_MS] [default: 30000]
    #[arg(long)]
    pub(crate) call_timeout_ms: Option<String>,
    /// What a client's path is taken to carry until it is known, bits per second [env: INITIAL_OUTGOING_BITRATE]
    /// [default: 600000]
    #[arg(long)]
    pub(crate) initial_outgoing_bitrate: Option<String>,
    /// What a client may send on a transport, bits per second [env: MAX_INCOMING_BITRATE] [default: no limit]
    #[arg(long)]
    pub(crate) max_incoming_bitrate: Option<String>,
    /// What a client is sent on a transport, bits per second [env: MAX_OUTGOING_BITRATE] [default: no limit]
    #[arg(long)]
    pub(crate) max_outgoing_bitrate: Option<String>,
}

impl Args {
    /// The flags by name.
    pub(super) fn into_flags(self) -> [(&'static str, Option<String>); 20] {
        [
            ("--port", self.port),
            ("--http-listen-ip", self.http_listen_ip),
            ("--listen-ip", self.listen_ip),
            ("--announced-ip", self.announced_ip),
            ("--rtc-min-port", self.rtc_min_port),
            ("--rtc-max-port", self.rtc_max_port),
            ("--rtc-ports", self.rtc_ports),
            ("--workers", self.workers),
            ("--span-from-percent", self.span_from_percent),
            ("--log-level", self.log_level),
            ("--frontend-url", self.frontend_url),
            ("--media-codecs", self.media_codecs),
            ("--last-n", self.last_n),
            ("--loudest-n", self.loudest_n),
            ("--audio-level-interval-ms", self.audio_level_interval_ms),
            ("--active-speaker", self.active_speaker),
            ("--call-timeout-ms", self.call_timeout_ms),
            ("--initial-outgoing-bitrate", self.initial_outgoing_bitrate),
            ("--max-incoming-bitrate", self.max_incoming_bitrate),
            ("--max-outgoing-bitrate", self.max_outgoing_bitrate),
        ]
    }
}
