//! `sluice check-config` and `sluice config`.

use std::net::UdpSocket;
use std::process::Output;

use crate::process::{Folder, run};

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

/// Exit code, lines of standard output, lines of standard error.
fn outcome(output: &Output) -> (Option<i32>, Vec<String>, Vec<String>) {
    (output.status.code(), lines(&output.stdout), lines(&output.stderr))
}

#[test]
fn the_defaults_that_are_printed_are_a_good_configuration() {
    let folder = Folder::new("defaults");
    let (code, _, errors) = outcome(&run(&["config", "--print-defaults"], &[]));
    assert_eq!((code, errors.len()), (Some(0), 0));
    let file = folder.write("s.toml", &String::from_utf8(run(&["config", "--print-defaults"], &[]).stdout).unwrap());
    let environment = [("WORKERS", "1"), ("SLUICE_CONFIG", &file)];
    let (code, out, errors) = outcome(&run(&["check-config"], &environment));
    assert_eq!((code, &errors[..]), (Some(0), &[][..]));
    assert_eq!(out.last().map(String::as_str), Some("the configuration is good"));
}

/// Harm prevented: who sets a server up corrects one mistake a start.
#[test]
fn everything_wrong_is_told_at_once() {
    let folder = Folder::new("wrong");
    let file = folder.write("s.toml", "prot = 80\nlast_n = 0\n");
    let arguments = ["check-config", "--config", &file, "--workers=many"];
    let environment = [("MEDIASOUP_RTP_MIN_PORT", "0")];
    let (code, out, errors) = outcome(&run(&arguments, &environment));
    assert_eq!((code, out.len()), (Some(1), 0));
    let expected = [
        format!("sluice: {file}:1: there is no setting `prot` (did you mean `port`?)"),
        "sluice: MEDIASOUP_RTP_MIN_PORT is `0`: expected a port, 1 to 65535".to_owned(),
        "sluice: --workers is `many`: expected a number of workers, 1 to 256".to_owned(),
        format!("sluice: {file}:2: last_n is `0`: expected a number, at least 1"),
    ];
    assert_eq!(errors, expected);
    // Serving is refused with the same words.
    let (code, _, errors) = outcome(&run(&arguments[1..], &environment));
    assert_eq!((code, &errors[..]), (Some(1), &expected[..]));
}

#[test]
fn what_only_a_look_at_the_machine_shows_is_told_at_once_too() {
    let arguments = [
        "check-config",
        "--listen-ip=198.51.100.1",
        "--http-listen-ip=127.0.0.1",
        "--tls-cert=/nowhere/cert.pem",
        "--tls-key=/nowhere/key.pem",
        "--media-codecs=/nowhere/codecs.json",
    ];
    let (code, _, errors) = outcome(&run(&arguments, &[]));
    assert_eq!(code, Some(1));
    let begins = [
        "sluice: LISTEN_IP: 198.51.100.1 is not an address of this machine",
        "sluice: TLS_CERT is `/nowhere/cert.pem`: cannot be read",
        "sluice: MEDIA_CODECS is `/nowhere/codecs.json`: cannot be read",
    ];
    assert_eq!(errors.len(), begins.len(), "{errors:#?}");
    assert!(errors.iter().zip(begins).all(|(error, begin)| error.starts_with(begin)), "{errors:#?}");
}

#[test]
fn a_file_that_is_not_named_is_not_read() {
    let folder = Folder::new("unnamed");
    folder.write("sluice.toml", "port = 'bad'");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"));
    let output = command.arg("check-config").env_clear().current_dir(folder.path()).output().unwrap();
    assert_eq!(outcome(&output).0, Some(0));
}

#[test]
fn unknown_flags_and_commands_are_errors_and_help_lists_the_settings() {
    for arguments in [&["--prot=1"][..], &["check"], &["config"], &["check-config", "--turn-server-password=x"]] {
        let (code, _, errors) = outcome(&run(arguments, &[]));
        assert_eq!(code, Some(2), "{arguments:?} {errors:?}");
    }
    let (code, help, _) = outcome(&run(&["--help"], &[]));
    assert_eq!(code, Some(0));
    for part in ["--rtc-min-port", "MEDIASOUP_RTP_MIN_PORT", "[default: 40000]", "check-config", "SLUICE_CONFIG"] {
        assert!(help.iter().any(|line| line.contains(part)), "{part}");
    }
}

/// A STUN server that says everybody is 203.0.113.7:1, for as long as the test runs. Its name.
fn stun_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut request = [0; 1_500];
        while let Ok((_, from)) = socket.recv_from(&mut request) {
            // A Binding success, RFC 8489 section 5: the request's cookie and transaction, and one attribute of 12 bytes.
            let mut answer = vec![0x01, 0x01, 0, 12];
            answer.extend(&request[4..20]);
            // XOR-MAPPED-ADDRESS, section 14.2: port and address, each with the cookie in it.
            answer.extend([0x00, 0x20, 0, 8, 0, 1, 0x21, 0x13]);
            answer.extend([203 ^ 0x21, 0x12, 113 ^ 0xA4, 7 ^ 0x42]);
            socket.send_to(&answer, from).ok();
        }
    });
    name
}

#[test]
fn a_public_address_by_stun_is_looked_for_when_asked_for() {
    let server = stun_server();
    let http = ("HTTP_LISTEN_IP", "127.0.0.1");
    let environment = |servers| [("LISTEN_IP", "0.0.0.0"), http, ("ANNOUNCED_IP", "auto"), ("STUN_SERVERS", servers)];
    let (code, out, errors) = outcome(&run(&["check-config"], &environment(&server)));
    assert_eq!((code, errors.len()), (Some(0), 0), "{errors:?}");
    // The answer was read: it has another port.
    assert!(out.iter().any(|line| line.contains("looks like 1: the NAT must pass RTC_MIN_PORT")), "{out:#?}");

    // A port that nobody has refuses at once.
    let (code, _, errors) = outcome(&run(&["check-config"], &environment("127.0.0.1:1")));
    assert_eq!(code, Some(1));
    let begin = "sluice: ANNOUNCED_IP is `auto`, and no STUN server says the address (STUN_SERVERS;";
    assert!(errors[0].starts_with(begin) && errors[0].contains("127.0.0.1:1: "), "{errors:?}");
}
