use std::time::Duration;

use clap::CommandFactory;
use sfu_core::engine::{AudioLevelOptions, DEFAULT_SPAN_FROM_PERCENT, RouterOptions, WebRtcTransportOptions};

use super::*;

const CORES: usize = 4;

/// Resolves `NAME=value` words; those that begin with `--` are flags.
fn resolve(words: &[&str]) -> Result<(Config, Vec<String>), ConfigError> {
    use clap::Parser;
    let (flags, variables): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with("--"));
    let args = Args::parse_from(std::iter::once(&"sluice").chain(flags));
    let environment = variables.iter().map(|word| {
        let (name, value) = word.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    Config::resolve(Settings::new(environment, args), CORES)
}

fn config(words: &[&str]) -> Config {
    resolve(words).unwrap().0
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn with_nothing_set_it_is_all_on_loopback() {
    let (config, warnings) = resolve(&["PATH=/bin", "NODE_ENV=production"]).unwrap();
    let expected = Config {
        port: 4000,
        http_ips: vec![ip("127.0.0.1")],
        listen_ips: vec![ip("127.0.0.1")],
        announced_ips: vec![],
        rtc_min_port: 40_000,
        rtc_max_port: 49_999,
        rtc_ports: PortMode::PerWorker,
        workers: CORES,
        span_from_percent: DEFAULT_SPAN_FROM_PERCENT,
        log_filter: "info".to_owned(),
        frontend: Origins::List(vec![]),
        media_codecs: CodecSource::List(default_media_codecs()),
        rooms: RoomConfig {
            router: RouterOptions {
                audio_levels: Some(AudioLevelOptions { max_entries: 10, ..AudioLevelOptions::default() }),
                ..RouterOptions::default()
            },
            transport: WebRtcTransportOptions::default(),
        },
        call_timeout: Duration::from_secs(30),
    };
    assert_eq!(config, expected);
    assert!(warnings.is_empty());
}

#[test]
fn flags_win_over_own_names_and_those_over_aliases() {
    assert_eq!(config(&["MEDIASOUP_LISTEN_IP=0.0.0.0"]).listen_ips, [ip("0.0.0.0")]);
    assert_eq!(config(&["MEDIASOUP_ANNOUNCED_IP=192.0.2.1"]).announced_ips, [ip("192.0.2.1")]);
    let documents = config(&["MEDIASOUP_RTP_MIN_PORT=20000", "MEDIASOUP_RTP_MAX_PORT=20020"]);
    assert_eq!((documents.rtc_min_port, documents.rtc_max_port), (20_000, 20_020));

    let (config, warnings) = resolve(&["MEDIASOUP_LISTEN_IP=0.0.0.0", "LISTEN_IP=::1"]).unwrap();
    assert_eq!(config.listen_ips, [ip("::1")]);
    assert_eq!(warnings, ["LISTEN_IP is `::1` and MEDIASOUP_LISTEN_IP is `0.0.0.0`: LISTEN_IP counts"]);
    // The same twice is no conflict, and a flag is meant to overrule.
    assert!(resolve(&["MEDIASOUP_LISTEN_IP=::1", "LISTEN_IP=::1"]).unwrap().1.is_empty());
    let (config, warnings) = resolve(&["PORT=5000", "--port=6000"]).unwrap();
    assert_eq!((config.port, warnings.len()), (6000, 0));
    // Empty is not set.
    let (config, warnings) = resolve(&["LISTEN_IP= ", "MEDIASOUP_LISTEN_IP=::1"]).unwrap();
    assert_eq!((config.listen_ips, warnings.len()), (vec![ip("::1")], 0));
}

#[test]
fn good_values_are_understood() {
    assert_eq!(config(&["LISTEN_IP=127.0.0.1, ::1"]).listen_ips, [ip("127.0.0.1"), ip("::1")]);
    assert_eq!(config(&["LISTEN_IP=[::1]"]).http_ips, [ip("::1")]);
    assert_eq!(config(&["LISTEN_IP=0.0.0.0", "HTTP_LISTEN_IP=127.0.0.1"]).http_ips, [ip("127.0.0.1")]);
    assert_eq!(config(&["RTC_PORTS=transport"]).rtc_ports, PortMode::PerTransport);
    assert_eq!(config(&["WORKERS=1"]).workers, 1);
    assert_eq!(config(&["SPAN_FROM_PERCENT=0"]).span_from_percent, 0);
    assert_eq!(config(&["SPAN_FROM_PERCENT=0", "--span-from-percent=100"]).span_from_percent, 100);
    assert_eq!(config(&["PORT=0"]).port, 0);
    assert_eq!(config(&["PORT=40004"]).port, 40_004);
    assert_eq!(config(&["PORT=40000", "RTC_PORTS=transport"]).port, 40_000);
    assert_eq!(config(&["LOG_LEVEL=WARN"]).log_filter, "warn");
    assert_eq!(config(&["LOG_LEVEL=info,sfu_core::engine=debug"]).log_filter, "info,sfu_core::engine=debug");
    assert_eq!(config(&["FRONTEND_URL=*"]).frontend, Origins::Any);
    let origins = ["http://localhost:5173", "https://meet.example.org"].map(HeaderValue::from_static).to_vec();
    assert_eq!(
        config(&["FRONTEND_URL=http://localhost:5173/, https://Meet.example.org"]).frontend,
        Origins::List(origins)
    );
    assert_eq!(config(&["MEDIA_CODECS=/etc/codecs.json"]).media_codecs, CodecSource::File("/etc/codecs.json".into()));
    let CodecSource::List(codecs) = config(&["MEDIA_CODECS=vp9,opus"]).media_codecs else { panic!("a list") };
    let names: Vec<_> = codecs.iter().map(|codec| codec.mime_type.as_str()).collect();
    assert_eq!(names, ["video/VP9", "video/VP9", "audio/opus"]);
}

#[test]
fn rooms_forward_and_tell_what_is_asked_for() {
    let router = |words: &[&str]| config(words).rooms.router;
    assert_eq!((router(&[]).last_n, router(&[]).loudest_n), (None, None));
    let few = router(&["LAST_N=9", "--loudest-n=3"]);
    assert_eq!((few.last_n, few.loudest_n), (Some(9), Some(3)));
    let interval = |words: &[&str]| router(words).audio_levels.map(|levels| levels.interval);
    assert_eq!(interval(&["AUDIO_LEVEL_INTERVAL_MS=250"]), Some(Duration::from_millis(250)));
    assert_eq!(interval(&["AUDIO_LEVEL_INTERVAL_MS=0"]), None);
    for (word, expected) in [("on", true), ("OFF", false), ("true", true), ("0", false)] {
        assert_eq!(router(&[&format!("ACTIVE_SPEAKER={word}")]).active_speaker, expected, "{word}");
    }
    let words = ["INITIAL_OUTGOING_BITRATE=300000", "MAX_INCOMING_BITRATE=1500000", "MAX_OUTGOING_BITRATE=3000000"];
    let expected = WebRtcTransportOptions {
        initial_outgoing_bps: 300_000,
        max_incoming_bps: Some(1_500_000),
        max_outgoing_bps: Some(3_000_000),
        ..WebRtcTransportOptions::default()
    };
    assert_eq!(config(&words).rooms.transport, expected);
    // Only an estimate that was asked for can contradict the limit.
    assert_eq!(config(&["MAX_OUTGOING_BITRATE=100000"]).rooms.transport.initial_outgoing_bps, 100_000);
}

#[test]
fn calls_ring_for_as_long_as_they_are_let() {
    for (word, expected_ms) in
        [("CALL_TIMEOUT_MS=1000", 1_000), ("CALL_TIMEOUT_MS=600000", 600_000), ("--call-timeout-ms=45000", 45_000)]
    {
        assert_eq!(config(&[word]).call_timeout, Duration::from_millis(expected_ms));
    }
}

#[test]
fn fewer_ports_than_cores_make_fewer_workers_unless_asked_for() {
    let range = ["RTC_MIN_PORT=40000", "RTC_MAX_PORT=40001"];
    assert_eq!(config(&range).workers, 2);
    assert_eq!(config(&[range[0], range[1], "RTC_PORTS=transport"]).workers, CORES);
    let error = resolve(&[range[0], range[1], "WORKERS=3"]).unwrap_err().to_string();
    assert_eq!(error, "WORKERS is `3`: each worker needs a port, and 40000 to 40001 are 2");
}

#[test]
fn a_bad_value_is_named_with_its_variable() {
    for (words, expected) in [
        (&["PORT=http"][..], "PORT is `http`: expected a port, 0 to 65535 (0: any that is free)"),
        (&["PORT=65536"], "PORT is `65536`: expected a port, 0 to 65535 (0: any that is free)"),
        (&["--port=-1"], "--port is `-1`: expected a port, 0 to 65535 (0: any that is free)"),
        (&["PORT=40003"], "PORT is `40003`: that port is for media (4 workers, from 40000 on)"),
        (&["LISTEN_IP=localhost"], "LISTEN_IP is `localhost`: expected IP addresses, separated by commas"),
        (&["LISTEN_IP=::1,::1"], "LISTEN_IP is `::1,::1`: ::1 is there twice"),
        (&["HTTP_LISTEN_IP=x"], "HTTP_LISTEN_IP is `x`: expected IP addresses, separated by commas"),
        (
            &["MEDIASOUP_ANNOUNCED_IP=me.example.org"],
            "MEDIASOUP_ANNOUNCED_IP is `me.example.org`: expected IP addresses, separated by commas",
        ),
        (&["ANNOUNCED_IP=0.0.0.0"], "ANNOUNCED_IP is `0.0.0.0`: nobody can send to that address"),
        (&["ANNOUNCED_IP=2001:db8::1"], "ANNOUNCED_IP is `2001:db8::1`: no listen address is of that family"),
        (&["RTC_MIN_PORT=0"], "RTC_MIN_PORT is `0`: expected a port, 1 to 65535"),
        (&["RTC_MIN_PORT=50000"], "RTC_MIN_PORT is `50000`: the last port of the range is 49999"),
        (&["MEDIASOUP_RTP_MAX_PORT=30000"], "MEDIASOUP_RTP_MAX_PORT is `30000`: the first port of the range is 40000"),
        (
            &["RTC_PORTS=each"],
            "RTC_PORTS is `each`: expected `worker` (a port for each worker) or `transport` (a port for each transport)",
        ),
        (&["WORKERS=0"], "WORKERS is `0`: expected a number of workers, 1 to 256"),
        (&["WORKERS=257"], "WORKERS is `257`: expected a number of workers, 1 to 256"),
        (&["SPAN_FROM_PERCENT=101"], "SPAN_FROM_PERCENT is `101`: expected a share in percent, 0 to 100"),
        (&["CALL_TIMEOUT_MS=30"], "CALL_TIMEOUT_MS is `30`: expected milliseconds, 1000 to 600000"),
        (&["--call-timeout-ms=600001"], "--call-timeout-ms is `600001`: expected milliseconds, 1000 to 600000"),
        (&["CALL_TIMEOUT_MS=30s"], "CALL_TIMEOUT_MS is `30s`: expected milliseconds, 1000 to 600000"),
        (&["WORKERS=two"], "WORKERS is `two`: expected a number of workers, 1 to 256"),
        (&["LOG_LEVEL=loud"], "LOG_LEVEL is `loud`: expected one of off, error, warn, info, debug, trace"),
        (
            &["LOG_LEVEL=info,x=loud"],
            "LOG_LEVEL is `info,x=loud`: expected one of off, error, warn, info, debug, trace",
        ),
        (
            &["FRONTEND_URL=example.org"],
            "FRONTEND_URL is `example.org`: expected origins such as https://example.org, separated by commas, or *",
        ),
        (
            &["FRONTEND_URL=https://example.org/app"],
            "FRONTEND_URL is `https://example.org/app`: expected origins such as https://example.org, separated by commas, or *",
        ),
        (
            &["MEDIA_CODECS=opus,vp7"],
            "MEDIA_CODECS is `opus,vp7`: there is no codec `vp7`, only opus, pcmu, pcma, vp8, vp9, h264, av1, red",
        ),
        (&["LAST_N=0"], "LAST_N is `0`: expected a number, at least 1"),
        (&["--loudest-n=some"], "--loudest-n is `some`: expected a number, at least 1"),
        (
            &["AUDIO_LEVEL_INTERVAL_MS=100"],
            "AUDIO_LEVEL_INTERVAL_MS is `100`: expected milliseconds, 250 to 5000 (0: never)",
        ),
        (&["ACTIVE_SPEAKER=maybe"], "ACTIVE_SPEAKER is `maybe`: expected on or off"),
        (&["MAX_INCOMING_BITRATE=1500"], "MAX_INCOMING_BITRATE is `1500`: expected bits per second, at least 30000"),
        (&["MAX_OUTGOING_BITRATE=3M"], "MAX_OUTGOING_BITRATE is `3M`: expected bits per second, at least 30000"),
        (
            &["INITIAL_OUTGOING_BITRATE=600000", "MAX_OUTGOING_BITRATE=500000"],
            "INITIAL_OUTGOING_BITRATE is `600000`: MAX_OUTGOING_BITRATE is 500000",
        ),
        (&["MEDIA_CODECS=opus,OPUS"], "MEDIA_CODECS is `opus,OPUS`: the codec `OPUS` is there twice"),
    ] {
        assert_eq!(resolve(words).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_bad_codec_file_is_named() {
    let folder = std::env::temp_dir().join(format!("sluice-codecs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let read = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        read_codec_file(&path).map_err(|error| error.to_string())
    };
    let good = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
    assert_eq!(read("good.json", good).unwrap().len(), 1);
    for (name, text, expected) in [
        ("empty.json", "[]", "the list is empty"),
        ("no.json", "[", "EOF while parsing"),
        ("kind.json", r#"[{"kind": "smell", "mimeType": "audio/opus", "clockRate": 48000}]"#, "unknown variant"),
        ("codec.json", r#"[{"kind": "video", "mimeType": "video/theora", "clockRate": 90000}]"#, "theora"),
    ] {
        let error = read(name, text).unwrap_err();
        assert!(error.starts_with("MEDIA_CODECS is `") && error.contains(name) && error.contains(expected), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(read_codec_file(&folder.join("gone.json")).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn nobody_is_told_to_send_to_the_wildcard() {
    let interfaces = [ip("192.0.2.7"), ip("2001:db8::7"), ip("127.0.0.1"), ip("::1")];
    for (listen, announced, expected) in [
        (vec!["127.0.0.1"], vec![], vec![vec![]]),
        (vec!["0.0.0.0"], vec![], vec![vec!["192.0.2.7", "127.0.0.1"]]),
        (vec!["::"], vec![], vec![vec!["2001:db8::7", "::1"]]),
        (vec!["0.0.0.0"], vec!["203.0.113.1"], vec![vec!["203.0.113.1"]]),
        (vec!["0.0.0.0", "::"], vec!["203.0.113.1"], vec![vec!["203.0.113.1"], vec!["2001:db8::7", "::1"]]),
        (vec!["10.0.0.1", "::1"], vec!["203.0.113.1"], vec![vec!["203.0.113.1"], vec![]]),
    ] {
        let ips = |list: &[&str]| list.iter().map(|text| ip(text)).collect::<Vec<_>>();
        let addresses = listen_addresses(&ips(&listen), &ips(&announced), &interfaces);
        let said: Vec<_> = addresses.iter().map(|address| address.announced.clone()).collect();
        assert_eq!(said, expected, "{listen:?} {announced:?}");
        assert_eq!(addresses.iter().map(|address| address.ip).collect::<Vec<_>>(), ips(&listen));
    }
}

#[test]
fn this_machine_has_addresses_and_none_is_the_wildcard() {
    let addresses = interface_addresses().unwrap();
    assert!(!addresses.is_empty());
    assert!(addresses.iter().all(|ip| !ip.is_unspecified()), "{addresses:?}");
}

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}
