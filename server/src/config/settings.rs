//! All settings. To add one: a line here, a field of [`super::Config`] that it is resolved into, and the reference and README's
//! table made anew (the tests say how). A value that must not be seen is a [`Secret`]: it then can be read from a file that
//! a variable, flag or key with `_FILE` at its end names, and never is an argument of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use sfu_core::engine::PortMode;

use super::ice_servers;
use super::identity::{self, KeySource};
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
    "Calls between two" {
        /// How long a call rings before it is given up, 1000 to 600000.
        call_timeout_ms: Duration = parse::ring_time => with("30000").unit("milliseconds");
    }
    "STUN and TURN for clients" {
        /// STUN servers that clients are told of, separated by commas.
        stun_server_url: Option<Vec<String>> = optional(ice_servers::stun_urls)
            => without("none", "stun:stun.example.org:3478");
        /// TURN servers that clients are told of, separated by commas; this server itself is reached by UDP and TCP without one.
        turn_server_url: Option<Vec<String>> = optional(ice_servers::turn_urls)
            => without("none", "turn:turn.example.org:3478").aliases(&["NEXT_PUBLIC_TURN_SERVER_URL"]);
        /// The user's name at the TURN servers, the same for all clients.
        turn_server_username: Option<String> = optional(parse::any)
            => without("none", "meet").aliases(&["NEXT_PUBLIC_TURN_SERVER_USERNAME"]);
        /// The user's password there.
        turn_server_password: Option<Secret> = optional(secret)
            => without("none", "a password").aliases(&["NEXT_PUBLIC_TURN_SERVER_PASSWORD"]);
        /// Instead of these, a secret shared with the TURN servers, for passwords that expire (coturn's `static-auth-secret`).
        turn_secret: Option<Secret> = optional(secret) => without("none", "");
        /// For how long such a password is good, 60 to 86400.
        turn_credential_ttl_s: Duration = ice_servers::credential_ttl => with("3600").unit("seconds");
    }
    "Identity" {
        /// Secret that access tokens are signed with (HS256), 32 bytes or more.
        jwt_secret: Option<Secret> = optional(identity::jwt_secret)
            => without("none", "64 random digits, such as `openssl rand -hex 32` prints");
        /// PEM file of the public key that access tokens are signed for (RS256 or ES256).
        jwt_public_key_file: Option<PathBuf> = optional(parse::path) => without("none", "/etc/sluice/tokens.pem");
        /// JSON Web Key Set with such keys: a file, or where to fetch it by https.
        jwt_key_set: Option<KeySource> = optional(identity::key_source)
            => without("none", "https://login.example.org/.well-known/jwks.json");
        /// What access tokens must say of who issued them (`iss`).
        jwt_issuer: Option<String> = optional(parse::any) => without("anybody", "https://login.example.org");
        /// What access tokens must say of whom they are for (`aud`).
        jwt_audience: Option<String> = optional(parse::any) => without("anybody", "sluice");
        /// Whether people without tokens are served also in production and beyond this machine: `on` or `off`.
        allow_anonymous: bool = parse::on_or_off => with("off");
        /// `production` where others depend on it.
        node_env: Option<String> = optional(parse::any) => without("none", "production");
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
    }
}
