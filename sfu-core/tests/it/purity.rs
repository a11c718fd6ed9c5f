//! The purity of the core is clippy's to watch; who may say otherwise is watched here.

use std::fs;
use std::path::Path;

/// Every file that speaks of the ban: the worker shell and its async side, which may break it, the page that imposes it, and
/// what gives tests their first instant.
const MENTIONS: [&str; 10] = [
    "engine/mod.rs",
    "lib.rs",
    "test_support.rs",
    "worker/load.rs",
    "worker/own_port.rs",
    "worker/shell.rs",
    "worker/sockets.rs",
    "worker/span.rs",
    "worker/tcp.rs",
    "worker/udp/mod.rs",
];

/// Harm prevented: an `allow` in passing makes a state machine read the clock, and a seed replays nothing any more.
#[test]
fn no_file_outside_the_shell_allows_itself_what_is_banned() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut mentions = Vec::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if mentions_ban(&fs::read_to_string(&path).unwrap()) {
                mentions.push(path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    mentions.sort();
    assert_eq!(mentions, MENTIONS);
}

fn mentions_ban(text: &str) -> bool {
    text.contains("clippy::disallowed_")
}
