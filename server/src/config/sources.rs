//! Where values are from, and which counts: a flag before a variable, a variable before the file.

use std::collections::HashMap;

use super::ConfigError;
use super::secret::Secret;
use super::setting::{Given, Origin, Setting};

/// Ends the name of what names a file with a secret inside.
const FILE_SUFFIX: &str = "_file";

/// Everything that was given. All of it is held as a secret: what is one is known only when it is taken.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By the name of the setting, with [`FILE_SUFFIX`] where that was given.
    pub(super) flags: HashMap<String, Secret>,
    /// By the variable's name.
    pub(super) environment: HashMap<String, Secret>,
    /// By key, with its line.
    pub(super) file: HashMap<String, (Origin, Secret)>,
    /// What was given twice with different values.
    pub(super) warnings: Vec<String>,
}

/// The names that a setting has in the file and, in another spelling, as a flag: its own, and for a secret that of a file.
pub(super) fn keys(setting: &Setting) -> Vec<String> {
    let mut keys = vec![setting.name.to_owned()];
    if setting.is_secret() {
        keys.push(format!("{}{FILE_SUFFIX}", setting.name));
    }
    keys
}

impl Sources {
    /// The value that counts, if any is given. An empty one counts as absent: compose files pass on variables that are not set.
    pub(super) fn take(&mut self, setting: &Setting, problems: &mut Vec<ConfigError>) -> Option<Given> {
        let by_flags = self.by_flags(setting);
        let by_environment = self.by_environment(setting);
        let by_file = self.by_file(setting);
        // A stronger source is there to overrule; two names in one source may disagree by mistake.
        for source in [&by_flags, &by_environment, &by_file] {
            if let [first, others @ ..] = &source[..] {
                let differ = |other: &&Given| other.text != first.text;
                self.warnings.extend(others.iter().filter(differ).map(|other| disagreement(setting, first, other)));
            }
        }
        let strongest = by_flags.into_iter().chain(by_environment).chain(by_file).next()?;
        if setting.is_secret() { read_secret(setting, strongest, problems) } else { Some(strongest) }
    }

    fn by_flags(&self, setting: &Setting) -> Vec<Given> {
        let flag = |key: String| {
            let text = self.flags.get(&key)?;
            given(Origin::Named(format!("--{}", key.replace('_', "-"))), text)
        };
        keys(setting).into_iter().filter_map(flag).collect()
    }

    fn by_environment(&self, setting: &Setting) -> Vec<Given> {
        let own = keys(setting).into_iter().map(|key| key.to_ascii_uppercase());
        let all = own.chain(setting.traits.aliases.iter().map(ToString::to_string));
        all.filter_map(|name| given(Origin::Named(name.clone()), self.environment.get(&name)?)).collect()
    }

    fn by_file(&self, setting: &Setting) -> Vec<Given> {
        let line = |key: String| {
            let (origin, text) = self.file.get(&key)?;
            given(origin.clone(), text)
        };
        keys(setting).into_iter().filter_map(line).collect()
    }
}

fn given(origin: Origin, text: &Secret) -> Option<Given> {
    let text = text.expose().trim();
    (!text.is_empty()).then(|| Given { origin, text: Secret::new(text.to_owned()) })
}

/// The secret itself, where a file was named that has it inside. A line break at its end is the editor's.
fn read_secret(setting: &Setting, given: Given, problems: &mut Vec<ConfigError>) -> Option<Given> {
    if !given.origin.key().to_ascii_lowercase().replace('-', "_").ends_with(FILE_SUFFIX) {
        return Some(given);
    }
    let path = given.text.expose();
    let problem = match std::fs::read_to_string(path).map(Secret::new) {
        Ok(text) if !text.expose().trim().is_empty() => {
            return Some(Given { text: Secret::new(text.expose().trim().to_owned()), ..given });
        }
        Ok(_) => format!("the file `{path}` is empty"),
        Err(error) => format!("the file `{path}` cannot be read: {error}"),
    };
    problems.push(ConfigError::bad_value(setting, Some(&given), problem));
    None
}

fn disagreement(setting: &Setting, first: &Given, other: &Given) -> String {
    let (name, other_name) = (&first.origin, &other.origin);
    if setting.is_secret() {
        return format!("{name} and {other_name} are both set: {name} counts");
    }
    let (value, ignored) = (first.text.expose(), other.text.expose());
    format!("{name} is `{value}` and {other_name} is `{ignored}`: {name} counts")
}
