use std::time::Duration;

use sfu_core::engine::{AudioLevelOptions, DEFAULT_SPAN_FROM_PERCENT, RouterOptions, WebRtcTransportOptions};

use super::*;

const CORES: usize = 4;

/// What sources give: words that begin with `--` are flags, others are variables.
fn sources(words: &[&str]) -> Sources {
    let (flags, variables): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with("--"));
    let matches = command().try_get_matches_from(std::iter::once(&"sluice").chain(flags)).unwrap();
    let environment = variables.iter().map(|word| {
        let (name, value) = word.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    cli::sources(environment, &matches).0
}

fn resolve(words: &[&str]) -> Result<(Config, Vec<String>), String> {
    Config::resolve(sources(words), Vec::new(), CORES).map_err(in_lines)
}

/// The same with a file.
fn resolve_file(text: &str, words: &[&str]) -> Result<(Config, Vec<String>), String> {
    let mut problems = Vec::new();
    let file = file::parse("s.toml", text, &mut problems);
    Config::resolve(Sources { file, ..sources(words) }, problems, CORES).map_err(in_lines)
}

fn in_lines(problems: Vec<ConfigError>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn config(words: &[&str]) -> Config {
    resolve(words).unwrap().0
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn with_nothing_set_it_is_all_on_loopback() {
    let (config, warnings) = resolve(&["PATH=/bin", "NODE_ENV=development"]).unwrap();
    let expected = Config {
        port: 4000,
        http_ips: vec![ip("127.0.0.1")],
        listen_ips: vec![ip("127.0.0.1")],
        announced: Announced::Addresses(vec![]),
        stun_servers: ["stun.cloudflare.com:3478", "stun.l.google.com:19302"].map(str::to_owned).to_vec(),
        rtc_min_port: 40_000,
        rtc_max_port: 49_999,
        rtc_ports: PortMode::PerWorker,
        workers: CORES,
        span_from_percent: DEFAULT_SPAN_FROM_PERCENT,
        log_filter: "info".to_owned(),
        log_format: LogFormat::Text,
        tls: None,
        drain_timeout: Duration::from_secs(4),
        file: None,
        frontend: Origins::List(vec![]),
        media_codecs: CodecSource::List(default_media_codecs()),
        tokens: None,
        ice_servers: IceServerConfig::default(),
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
    assert_eq!(config(&["MEDIASOUP_LISTEN_IP=0.0.0.0", "ALLOW_ANONYMOUS=on"]).listen_ips, [ip("0.0.0.0")]);
    assert_eq!(config(&["MEDIASOUP_ANNOUNCED_IP=192.0.2.1"]).announced, Announced::Addresses(vec![ip("192.0.2.1")]));
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

/// Harm prevented: a server is put on the internet, and strangers use it.
#[test]
fn a_server_that_others_can_reach_is_open_only_if_that_is_meant() {
    const SECRET: &str = "JWT_SECRET=0123456789abcdef0123456789abcdef";
    for (words, reason) in [
        (&["NODE_ENV=production"][..], "NODE_ENV is `production`"),
        (&["LISTEN_IP=0.0.0.0"], "HTTP_LISTEN_IP (or LISTEN_IP)"),
        (&["HTTP_LISTEN_IP=192.0.2.7"], "HTTP_LISTEN_IP (or LISTEN_IP)"),
        (&["HTTP_LISTEN_IP=127.0.0.1,::"], "HTTP_LISTEN_IP (or LISTEN_IP)"),
    ] {
        let refused = resolve(words).unwrap_err();
        assert!(refused.starts_with(&format!("ALLOW_ANONYMOUS is `off`: {reason}")), "{refused}");
        for enough in [SECRET, "JWT_PUBLIC_KEY_FILE=/k.pem", "JWT_KEY_SET=https://a.example/k", "ALLOW_ANONYMOUS=true"]
        {
            let (config, _) = resolve(&[words, &[enough]].concat()).unwrap();
            assert_eq!(config.tokens.is_none(), enough.starts_with("ALLOW"), "{enough}");
        }
    }
    for words in [&["NODE_ENV=development"][..], &["LISTEN_IP=0.0.0.0", "HTTP_LISTEN_IP=127.0.0.1,::1"]] {
        assert_eq!(config(words).tokens, None, "{words:?}");
    }
    for (word, problem) in [
        ("JWT_SECRET=too short", "JWT_SECRET: expected 32 bytes or more"),
        ("JWT_KEY_SET=http://login.example/keys", "JWT_KEY_SET is `http://login.example/keys`: expected a path, or"),
        ("JWT_KEY_SET=http://127.0.0.1.example/keys", "JWT_KEY_SET is `http://127.0.0.1.example/keys`: expected"),
    ] {
        let refused = resolve(&[word, "NODE_ENV=production"]).unwrap_err();
        assert!(refused.starts_with(problem) && !refused.contains("ALLOW_ANONYMOUS"), "{refused}");
    }
    assert!(config(&["JWT_KEY_SET=http://[::1]:8080/keys"]).tokens.is_some());
}

#[test]
fn clients_are_told_of_stun_and_turn_servers_in_one_way_or_the_other() {
    let secret = |text: &str| Secret::new(text.to_owned());
    let documents = [
        "NEXT_PUBLIC_TURN_SERVER_URL=turn:t.example:3478, turns:t.example",
        "NEXT_PUBLIC_TURN_SERVER_USERNAME=meet",
        "NEXT_PUBLIC_TURN_SERVER_PASSWORD=pw",
        "STUN_SERVER_URL=stun:s.example",
    ];
    let expected = IceServerConfig {
        stun_urls: vec!["stun:s.example".to_owned()],
        turn_urls: vec!["turn:t.example:3478".to_owned(), "turns:t.example".to_owned()],
        turn_auth: Some(TurnAuth::Static { username: "meet".to_owned(), password: secret("pw") }),
    };
    assert_eq!(config(&documents).ice_servers, expected);
    let expiring = TurnAuth::Secret { secret: secret("s"), ttl: Duration::from_secs(600) };
    assert_eq!(config(&["TURN_SECRET=s", "TURN_CREDENTIAL_TTL_S=600"]).ice_servers.turn_auth, Some(expiring));
    for (words, problem) in [
        (&["TURN_SERVER_USERNAME=a"][..], "TURN_SERVER_USERNAME is `a`: TURN_SERVER_PASSWORD is not set"),
        (&["TURN_SERVER_PASSWORD=a"], "TURN_SERVER_PASSWORD: TURN_SERVER_USERNAME is not set"),
        (
            &["TURN_SECRET=a", "TURN_SERVER_USERNAME=a"],
            "TURN_SECRET: TURN_SERVER_USERNAME or TURN_SERVER_PASSWORD is set too",
        ),
        (&["TURN_SERVER_URL=t.example"], "TURN_SERVER_URL is `t.example`: expected addresses such as turn:"),
        (
            &["TURN_SERVER_URL=turn://t.example"],
            "TURN_SERVER_URL is `turn://t.example`: expected addresses such as turn:",
        ),
        (&["STUN_SERVER_URL=turn:t"], "STUN_SERVER_URL is `turn:t`: expected addresses such as stun:"),
        (&["TURN_CREDENTIAL_TTL_S=1"], "TURN_CREDENTIAL_TTL_S is `1`: expected seconds, 60 to 86400"),
    ] {
        let refused = resolve(words).unwrap_err();
        assert!(refused.starts_with(problem), "{refused}");
    }
}

#[test]
fn good_values_are_understood() {
    assert_eq!(config(&["LISTEN_IP=127.0.0.1, ::1"]).listen_ips, [ip("127.0.0.1"), ip("::1")]);
    assert_eq!(config(&["LISTEN_IP=[::1]"]).http_ips, [ip("::1")]);
    assert_eq!(config(&["LISTEN_IP=0.0.0.0", "HTTP_LISTEN_IP=127.0.0.1"]).http_ips, [ip("127.0.0.1")]);
    assert_eq!(config(&["ANNOUNCED_IP=auto", "LISTEN_IP=0.0.0.0", "ALLOW_ANONYMOUS=on"]).announced, Announced::Auto);
    assert_eq!(config(&["STUN_SERVERS=stun:s.example:3478, [::1]:1"]).stun_servers, ["s.example:3478", "[::1]:1"]);
    assert_eq!(config(&["LOG_FORMAT=JSON"]).log_format, LogFormat::Json);
    assert_eq!(config(&["DRAIN_TIMEOUT_MS=0"]).drain_timeout, Duration::ZERO);
    let tls = TlsFiles { cert: "/c.pem".into(), key: "/k.pem".into() };
    assert_eq!(config(&["TLS_CERT=/c.pem", "--tls-key=/k.pem"]).tls, Some(tls));
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
    let (few, warnings) = resolve(&range).unwrap();
    assert_eq!(few.workers, 2);
    assert_eq!(warnings, ["RTC_MIN_PORT to RTC_MAX_PORT hold 2 workers' ports: of 4 cores 2 forward media"]);
    assert_eq!(resolve(&[range[0], range[1], "WORKERS=2"]).unwrap().1, [""; 0]);
    assert_eq!(config(&[range[0], range[1], "RTC_PORTS=transport"]).workers, CORES);
    let error = resolve(&[range[0], range[1], "WORKERS=3"]).unwrap_err();
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
        (&["ANNOUNCED_IP=auto"], "ANNOUNCED_IP is `auto`: media is listened for on loopback alone (LISTEN_IP)"),
        (
            &["STUN_SERVERS=stun.example.org"],
            "STUN_SERVERS is `stun.example.org`: expected at most 8 servers as host:port, separated by commas",
        ),
        (&["LOG_FORMAT=xml"], "LOG_FORMAT is `xml`: expected text or json"),
        (&["DRAIN_TIMEOUT_MS=4s"], "DRAIN_TIMEOUT_MS is `4s`: expected milliseconds, 0 to 3600000"),
        (&["DRAIN_TIMEOUT_MS=3600001"], "DRAIN_TIMEOUT_MS is `3600001`: expected milliseconds, 0 to 3600000"),
        (&["TLS_CERT=/c.pem"], "TLS_CERT is `/c.pem`: TLS_KEY, its private key, is not set"),
        (&["TLS_KEY=/k.pem"], "TLS_KEY is `/k.pem`: TLS_CERT, its certificate, is not set"),
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
        assert_eq!(resolve(words).unwrap_err(), expected);
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
    command().debug_assert();
}

#[test]
fn the_file_gives_way_to_variables_and_those_to_flags() {
    let file = "port = 1\nworkers = 2\nlast_n = 3\n";
    let (config, warnings) = resolve_file(file, &["WORKERS=3", "LAST_N=4", "--last-n=5"]).unwrap();
    assert_eq!((config.port, config.workers, config.rooms.router.last_n), (1, 3, Some(5)));
    // Each source is there to be overruled by the next.
    assert_eq!(warnings, [""; 0]);
    // An alias is a variable like its own name, and an empty one is none.
    assert_eq!(
        resolve_file("listen_ip = '::1'", &["MEDIASOUP_LISTEN_IP=127.0.0.1"]).unwrap().0.listen_ips,
        [ip("127.0.0.1")]
    );
    assert_eq!(resolve_file("listen_ip = '::1'", &["LISTEN_IP="]).unwrap().0.listen_ips, [ip("::1")]);
}

#[test]
fn a_file_has_values_of_its_own_kinds() {
    for (text, expected) in [
        ("rtc_min_port = 0x9C40", "RTC_MIN_PORT=40000"),
        ("rtc_min_port = 20_000", "RTC_MIN_PORT=20000"),
        ("rtc_min_port = '20000'", "RTC_MIN_PORT=20000"),
        ("listen_ip = ['127.0.0.1', '::1']", "LISTEN_IP=127.0.0.1,::1"),
        ("active_speaker = false", "ACTIVE_SPEAKER=off"),
        ("last_n = ''", "LAST_N="),
        ("", "LAST_N="),
    ] {
        assert_eq!(resolve_file(text, &[]).unwrap().0, config(&[expected]), "{text}");
    }
}

/// Harm prevented: a slip in a file is passed over in silence, and the server runs with a default nobody wanted; or who corrects
/// one mistake is told of the next only at the next start.
#[test]
fn everything_wrong_with_a_file_is_told_at_once_with_its_line() {
    for (text, expected) in [
        ("\n\nprot = 4000", "s.toml:3: there is no setting `prot` (did you mean `port`?)"),
        ("PORT = 4000", "s.toml:1: there is no setting `PORT` (did you mean `port`?)"),
        (
            "mediasoup_listen_ip = '::1'",
            "s.toml:1: there is no setting `mediasoup_listen_ip` (did you mean `listen_ip`?)",
        ),
        ("zebra = 1", "s.toml:1: there is no setting `zebra`"),
        ("[http]\nport = 4000", "s.toml:1: there is no table `http`: settings stand at the top of the file"),
        ("port = 4000.5", "s.toml:1: port: expected a string, a whole number, true or false, or a list of strings"),
        (
            "listen_ip = [1]",
            "s.toml:1: listen_ip: expected a string, a whole number, true or false, or a list of strings",
        ),
        (
            "# ports\nport = 70000\nworkers = 0\nzebra = 1",
            "s.toml:4: there is no setting `zebra`\n\
             s.toml:2: port is `70000`: expected a port, 0 to 65535 (0: any that is free)\n\
             s.toml:3: workers is `0`: expected a number of workers, 1 to 256",
        ),
        (
            "rtc_min_port = 50000\nport = 'x'",
            "s.toml:2: port is `x`: expected a port, 0 to 65535 (0: any that is free)\n\
             s.toml:1: rtc_min_port is `50000`: the last port of the range is 49999",
        ),
    ] {
        assert_eq!(resolve_file(text, &[]).unwrap_err(), expected, "{text}");
    }
    for (text, line) in [("port = 1\nport = 2", "s.toml:2: "), ("port = 1\n\n= 4", "s.toml:3: ")] {
        let error = resolve_file(text, &[]).unwrap_err();
        assert!(error.starts_with(line), "{error}");
    }
}

/// Harm prevented: a value that is wrong makes others look wrong too, which are not.
#[test]
fn what_is_wrong_by_itself_contradicts_nothing() {
    for (words, expected) in [
        (&["RTC_MAX_PORT=x", "RTC_MIN_PORT=60000"][..], "RTC_MAX_PORT is `x`: expected a port, 1 to 65535"),
        (&["LISTEN_IP=x", "ANNOUNCED_IP=::1"], "LISTEN_IP is `x`: expected IP addresses, separated by commas"),
        (
            &["INITIAL_OUTGOING_BITRATE=900000", "MAX_OUTGOING_BITRATE=800k"],
            "MAX_OUTGOING_BITRATE is `800k`: expected bits per second, at least 30000",
        ),
    ] {
        assert_eq!(resolve(words).unwrap_err(), expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut problems = Vec::new();
    file::read(std::path::Path::new("/nowhere/s.toml"), &mut problems);
    assert!(in_lines(problems).starts_with("/nowhere/s.toml: cannot be read: "));
}

/// Harm prevented: a password in a log, in an error, in the list of processes.
#[test]
fn secrets_come_from_files_too_and_are_told_nowhere() {
    let folder = std::env::temp_dir().join(format!("sluice-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, empty) = (path("good", "hunter2\n"), path("empty", "\n"));
    let take = |mut sources: Sources| {
        let setting = settings::SETTINGS.iter().find(|setting| setting.name == "turn_server_password").unwrap();
        let mut problems = Vec::new();
        let given = sources.take(setting, &mut problems);
        let shown = format!("{given:?} {sources:?} {problems:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("other"), "{shown}");
        (given.map(|given| given.text.expose().to_owned()), sources.warnings, in_lines(problems))
    };
    let of_variables = |words: &[String]| take(sources(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    let hunter = Some("hunter2".to_owned());

    for words in [
        vec!["TURN_SERVER_PASSWORD=hunter2".to_owned()],
        vec!["NEXT_PUBLIC_TURN_SERVER_PASSWORD=hunter2".to_owned()],
        vec![format!("TURN_SERVER_PASSWORD_FILE={good}")],
    ] {
        assert_eq!(of_variables(&words), (hunter.clone(), vec![], String::new()));
    }
    let file = |text: &str| Sources { file: file::parse("s.toml", text, &mut Vec::new()), ..Sources::default() };
    assert_eq!(take(file("turn_server_password = 'hunter2'")).0, hunter);
    assert_eq!(take(file(&format!("turn_server_password_file = '{good}'"))).0, hunter);

    let both = vec!["TURN_SERVER_PASSWORD=hunter2".to_owned(), "NEXT_PUBLIC_TURN_SERVER_PASSWORD=other".to_owned()];
    let warning = "TURN_SERVER_PASSWORD and NEXT_PUBLIC_TURN_SERVER_PASSWORD are both set: TURN_SERVER_PASSWORD counts"
        .to_owned();
    assert_eq!(of_variables(&both), (hunter, vec![warning], String::new()));

    let (value, _, problem) = of_variables(&[format!("TURN_SERVER_PASSWORD_FILE={empty}")]);
    assert_eq!((value, problem), (None, format!("TURN_SERVER_PASSWORD_FILE: the file `{empty}` is empty")));
    std::fs::remove_dir_all(&folder).unwrap();
    let (value, _, problem) = of_variables(&[format!("TURN_SERVER_PASSWORD_FILE={good}")]);
    assert_eq!(value, None);
    assert!(problem.starts_with("TURN_SERVER_PASSWORD_FILE: the file `") && problem.contains("cannot be read"));

    // What parsing a file has to say does not quote its line.
    let mut problems = Vec::new();
    file::parse("s.toml", "turn_server_password = 'hunter2", &mut problems);
    assert!(!problems.is_empty() && !in_lines(problems).contains("hunter2"));
    // No flag, but for the file.
    let flag = |word: &str| command().try_get_matches_from(["sluice", word]).is_ok();
    assert!(!flag("--turn-server-password=hunter2"));
}

#[test]
fn variables_of_other_systems_are_taken_and_said_to_do_nothing() {
    let words = ["DATABASE_URL=postgres://u:p@h/d", "REDIS_URL=anything"];
    let (changed, warnings) = resolve(&words).unwrap();
    assert_eq!(changed, config(&[]));
    assert_eq!(warnings, ["without effect in this version: REDIS_URL, DATABASE_URL"]);
}

/// Harm prevented: the reference shows another default than the one that holds, or an example that is refused.
#[test]
fn the_reference_is_a_file_that_changes_nothing_and_its_examples_are_good() {
    let (read, warnings) = resolve_file(&annotated_file(), &[]).unwrap();
    assert_eq!((read, warnings.len()), (config(&[]), 0));
    let with_examples: String = annotated_file()
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned() + "\n")
        .collect();
    let (read, _) = resolve_file(&with_examples, &[]).unwrap();
    assert_ne!(read, config(&[]));
    for setting in settings::SETTINGS {
        let line = format!("\n{} = ", setting.name);
        assert!(with_examples.contains(&line), "{}", setting.name);
    }
}

#[test]
fn the_documents_list_the_settings_that_there_are() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    assert!(
        read("docs/sluice.toml") == annotated_file(),
        "docs/sluice.toml is out of date: sluice config --print-defaults > docs/sluice.toml"
    );
    let table = reference::table();
    assert!(read("README.md").contains(&table), "README's table is out of date. As it should be:\n{table}");
}
