//! The generator judges servers, ours among them: a mistake that both shared would not be seen.

use std::fs;
use std::path::{Path, PathBuf};

/// These simulate the media plane itself, or count what it executes, and are no generators.
const NOT_THE_GENERATOR: [&str; 3] = ["bodies", "bwe-table", "instructions"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !NOT_THE_GENERATOR.iter().any(|folder| path.ends_with(folder)) {
                sources(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_generator_has_none_of_the_servers_code() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() > 20, "the sources are found");
    for path in all {
        let text = fs::read_to_string(&path).expect("a source");
        for name in ["sfu_core", "simulation::", "signaling::"] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}
