//! All settings. To add one: a line here, a field of [`super::Config`] that it is resolved into, and the reference and README's
//! table made anew (the tests say how). A value that must not be seen is a [`Secret`]: it then can be read from a file that
//! a variable, flag or key with `_FILE` at its end names, and never is an argument of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use sfu_core::engine::PortMode;

use super::secret::{Secret, secret};
use super::setting::{Setting, Value, optional, settings, with, without};
use super::sources::Sources;
use super::{Announced, CodecSource, ConfigError, LogFormat, Origins, addresses, codecs, parse};

settings! {
    "Web client and signalling" {
        /// Port for HTTP: web client and signalling; 0: any that is free.
        port: u16 = parse::http_port => with("4000");
        /// Addresses for HTTP, separated by commas.
        http_listen_ip: Option<Vec<IpAddr>> = optional(addresses::ip_list) => without("those for media", "127.0.0.1");
        /// The certificate and its chain for HTTPS, a file in PEM that may be replaced at any time; with `TLS_KEY`.
        tls_cert: Option<PathBuf> = optional(parse::path) => without("plain HTTP", "/etc/sluice/cert.pem");
        /// Its private key, a file in PEM.
        tls_key: Option<PathBuf> = optional(parse::path) => without("plain HTTP", "/etc/sluice/key.pem");
        /// Other origins whose pages may use this server (CORS), separated by commas; `*`: any.
        frontend_url: Option<Origins> = optional(parse::origins) => without("none", "https://meet.example.org");
    }
    "Media" {
        /// Addresses for media, separated by commas, IPv4 or IPv6; `0.0.0.0` and `::` mean all.
        listen_ip: Vec<IpAddr> = addresses::ip_list => with("127.0.0.1").aliases(&["MEDIASOUP_LISTEN_IP"]);
        /// Addresses that browsers are told instead (NAT, cloud, container), separated by commas; `auto`: what a STUN server sees.
        announced_ip: Option<Announced> = optional(addresses::announced)
            => without("the addresses listened on", "203.0.113.7").aliases(&["MEDIASOUP_ANNOUNCED_IP"]);
        /// Who is asked for this machine's public address with `ANNOUNCED_IP=auto`, one after the other, as `host:port`.
        stun_servers: Vec<String> = addresses::stun_servers => with("stun.cloudflare.com:3478,stun.l.google.com:19302");
        /// First port for media, UDP and TCP; each worker takes one.
        rtc_min_port: u16 = parse::rtc_port => with("40000").aliases(&["MEDIASOUP_RTP_MIN_PORT"]);
        /// Last port for media.
        rtc_max_port: u16 = parse::rtc_port => with("49999").aliases(&["MEDIASOUP_RTP_MAX_PORT"]);
        /// Who gets a port of its own: each `worker`, or each `transport`.
        rtc_ports: PortMode = parse::port_mode => with("worker");
        /// Threads that forward media.
        workers: Option<usize> = optional(parse::worker_count) => without("one per core", "4");
        /// Share of a worker's time from which on who joins one of its rooms is served by other workers too; 100: never.
        span_from_percent: u8 = parse::percent => with("50");
        /// Codecs by name, separated by commas, or the path of a JSON file.
        media_codecs: Option<CodecSource> = optional(codecs::source) => without("all", "opus,vp8,h264");
        /// What a client's path is taken to carry until that is known.
        initial_outgoing_bitrate: u64 = parse::bitrate => with("600000").unit("bits per second");
        /// What a client may send on a transport.
        max_incoming_bitrate: Option<u64> = optional(parse::bitrate) => without("no limit", "5000000").unit("bits per second");
        /// What a client is sent on a transport.
        max_outgoing_bitrate: Option<u64> = optional(parse::bitrate) => without("no limit", "10000000").unit("bits per second");
    }
    "Rooms" {
        /// In each room, forward the video of this many people who spoke last.
        last_n: Option<usize> = optional(parse::count) => without("everybody's", "9");
        /// In each room, forward this many of the loudest microphones.
        loudest_n: Option<usize> = optional(parse::count) => without("all", "5");
        /// Whether rooms are told who speaks: `on` or `off`.
        active_speaker: bool = parse::on_or_off => with("on");
        /// How often rooms are told how loud it is, 250 to 5000; 0: never.
        audio_level_interval_ms: Option<Duration> = parse::audio_level_interval => with("1000").unit("milliseconds");
    }
    "Operation" {
        /// How long the end waits at most for those in rooms after SIGTERM or SIGINT, up to 3600000, an hour; 0: not at all.
        drain_timeout_ms: Duration = parse::drain_timeout => with("4000").unit("milliseconds");
        /// What is logged: `off`, `error`, `warn`, `info`, `debug`, `trace`, and `module=level` for parts, separated by commas.
        log_level: String = parse::log_filter => with("info");
        /// How it is logged: `text`, or `json`, an object a line.
        log_format: LogFormat = parse::log_format => with("text");
    }
    "Taken from the environment of other systems, without effect in this version" {
        /// Where a Redis server is; this server has its rooms to itself.
        redis_url: Option<Secret> = optional(secret) => without("none", "redis://localhost:6379").without_effect();
        /// Where a database is; this server keeps nothing.
        database_url: Option<Secret> = optional(secret) => without("none", "postgres://localhost/meet").without_effect();
        /// A TURN server for clients; this server is reached by UDP and TCP without one.
        turn_server_url: Option<String> = optional(parse::any)
            => without("none", "turn:turn.example.org:3478").without_effect().aliases(&["NEXT_PUBLIC_TURN_SERVER_URL"]);
        /// The user's name at the TURN server.
        turn_server_username: Option<String> = optional(parse::any)
            => without("none", "meet").without_effect().aliases(&["NEXT_PUBLIC_TURN_SERVER_USERNAME"]);
        /// The user's password at the TURN server.
        turn_server_password: Option<Secret> = optional(secret)
            => without("none", "a password").without_effect().aliases(&["NEXT_PUBLIC_TURN_SERVER_PASSWORD"]);
    }
}
