//! What was counted before.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Instructions per unit, by case. Compilers make other code for other processors, so each architecture has its own.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Baseline(BTreeMap<String, f64>);

/// A baseline that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub(super) struct BaselineError {
    path: PathBuf,
    reason: String,
}

/// How a count compares.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// By so many percent.
    Grown(f64),
    /// By so many percent.
    Shrunk(f64),
    Same,
}

impl Verdict {
    /// Without anything to compare with it is the same.
    pub(super) fn of(before: Option<f64>, now: f64, max_percent: f64) -> Self {
        let Some(before) = before else { return Self::Same };
        let percent = (now - before) * 100.0 / before;
        if percent > max_percent {
            Self::Grown(percent)
        } else if percent < -max_percent {
            Self::Shrunk(-percent)
        } else {
            Self::Same
        }
    }
}

impl Baseline {
    pub(super) fn of<'a>(cases: impl Iterator<Item = (&'a str, f64)>) -> Self {
        // A tenth of an instruction is more than anybody reads.
        Self(cases.map(|(case, number)| (case.to_owned(), (number * 10.0).round() / 10.0)).collect())
    }

    pub(super) fn get(&self, case: &str) -> Option<f64> {
        self.0.get(case).copied()
    }

    /// That of this architecture; empty where there is none yet.
    pub(super) fn load(folder: &Path) -> Result<Self, BaselineError> {
        let path = path(folder);
        let failed = |reason: String| BaselineError { path: path.clone(), reason };
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Self).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("{} is not there: nothing is compared", path.display());
                Ok(Self::default())
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Returns where it is.
    pub(super) fn save(&self, folder: &Path) -> Result<PathBuf, BaselineError> {
        let path = path(folder);
        let failed = |reason: String| BaselineError { path: path.clone(), reason };
        let text = serde_json::to_string_pretty(&self.0).map_err(|error| failed(error.to_string()))?;
        fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        fs::write(&path, text + "\n").map_err(|error| failed(error.to_string()))?;
        Ok(path)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(format!("{}.json", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_fails_above_the_limit_and_not_below() {
        assert_eq!(Verdict::of(Some(100.0), 104.9, 5.0), Verdict::Same);
        assert!(matches!(Verdict::of(Some(100.0), 105.2, 5.0), Verdict::Grown(_)));
        assert!(matches!(Verdict::of(Some(100.0), 94.0, 5.0), Verdict::Shrunk(_)));
        assert_eq!(Verdict::of(None, 94.0, 5.0), Verdict::Same);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = std::env::temp_dir().join(format!("baseline-{}", std::process::id()));
        assert_eq!(Baseline::load(&folder).unwrap(), Baseline::default());
        let baseline = Baseline::of([("one", 1.26), ("two", 2000.0)].into_iter());
        baseline.save(&folder).unwrap();
        assert_eq!(Baseline::load(&folder).unwrap(), baseline);
        assert_eq!(baseline.get("one"), Some(1.3));
        fs::write(path(&folder), "nonsense").unwrap();
        assert!(Baseline::load(&folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
