//! The benchmark itself: a number must never stand for media that did not arrive.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forward-bench"))
        .args(["--subscribers", "3", "--seconds", "1", "--json"])
        .args(arguments)
        .output()
        .expect("the benchmark runs")
}

#[test]
fn every_packet_of_every_subscriber_is_counted() {
    for (kind, least) in [("video", 100), ("audio", 45)] {
        let output = run(&["--kind", kind]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let published = report["packetsPublished"].as_u64().expect("a number");
        assert!(published >= least, "{report}");
        assert_eq!(report["packetsReceived"], published * 3, "{report}");
        assert_eq!(report["latencySamples"], published * 3, "each sampled packet opens and names its moment: {report}");
    }
}

#[test]
fn missing_packets_fail_the_run() {
    // Nothing is lost on an idle loopback interface: what is asked for here is less than nothing.
    assert_eq!(run(&["--max-loss=-1"]).status.code(), Some(1));
}

#[test]
fn each_profile_works() {
    for profile in ["aead-aes-256-gcm", "aes-128-cm-sha1-80"] {
        let output = run(&["--profile", profile]);
        assert!(output.status.success(), "{profile}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
