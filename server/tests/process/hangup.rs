//! SIGHUP: the file is read again, and what is logged changes.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::process::{Folder, Server};

#[tokio::test]
async fn the_file_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = Folder::new("hangup");
    let file = folder.write("s.toml", "log_level = 'info'\n");
    let mut server = Server::start(&["--config", &file], &[("LOG_FORMAT", "json")]);
    let mut ann = Client::connect(server.port).await;
    ann.ask("joinRoom", json!({"roomId": "r"})).await;

    folder.write("s.toml", "log_level = 'loud'\n");
    server.signal(Signal::SIGHUP);
    let line: Value = serde_json::from_str(&server.logged("stays as it was")).unwrap();
    assert_eq!(
        line["problem"],
        json!(format!("{file}:1: log_level is `loud`: expected one of off, error, warn, info, debug, trace"))
    );

    folder.write("s.toml", "log_level = 'info,signaling=debug'\nlast_n = 3\n");
    server.signal(Signal::SIGHUP);
    let line: Value = serde_json::from_str(&server.logged("read again")).unwrap();
    assert_eq!(line["log_level"], json!("info,signaling=debug"));
    server.logged("waits for the next start");

    // What was not logged before is, and says whose it is.
    ann.ask("noSuchEvent", json!({})).await;
    let line: Value = serde_json::from_str(&server.logged("event refused")).unwrap();
    assert_eq!((&line["level"], &line["target"]), (&json!("DEBUG"), &json!("signaling::session")));
    let spans: Vec<_> = line["spans"].as_array().unwrap().iter().map(|span| span["name"].clone()).collect();
    assert_eq!(spans, ["peer", "room"], "{line}");
    assert_eq!(line["spans"][1]["room"], json!("r"));

    ann.ask("leaveRoom", json!({"roomId": "r"})).await;
    server.signal(Signal::SIGTERM);
    assert!(server.ended().success());
}

/// Harm prevented: a server that was started in a terminal runs on after it was closed.
#[test]
fn without_a_file_it_ends_with_its_terminal() {
    let mut server = Server::start(&[], &[]);
    server.signal(Signal::SIGHUP);
    assert!(!server.ended().success());
}
