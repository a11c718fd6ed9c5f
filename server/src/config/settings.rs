//! Which of several names of a setting counts.

use std::collections::HashMap;

use super::{Args, ConfigError};

/// All flags and variables that are not empty.
pub(super) struct Settings {
    values: HashMap<String, String>,
    /// What was given twice with different values.
    pub(super) warnings: Vec<String>,
}

/// One setting: where its value is from.
pub(super) struct Setting {
    /// The flag or variable that counts, or the setting's own name where none is set.
    pub(super) name: String,
    /// Empty: not set.
    pub(super) value: String,
}

impl Settings {
    pub(super) fn new(environment: impl IntoIterator<Item = (String, String)>, args: Args) -> Self {
        let flags = args.into_flags().into_iter().filter_map(|(flag, value)| Some((flag.to_owned(), value?)));
        let all = environment.into_iter().chain(flags);
        let values =
            all.map(|(name, value)| (name, value.trim().to_owned())).filter(|(_, value)| !value.is_empty()).collect();
        Self { values, warnings: Vec::new() }
    }

    /// The setting of that flag and those variables, the first of which is its own name and wins over the others.
    pub(super) fn take(&mut self, flag: &str, variables: &[&str]) -> Setting {
        let names = std::iter::once(flag).chain(variables.iter().copied());
        let mut given = names.filter_map(|name| Some((name, self.values.get(name)?)));
        let Some((name, value)) = given.next() else {
            let own = variables.first().copied().unwrap_or(flag);
            return Setting { name: own.to_owned(), value: String::new() };
        };
        // A flag is given to overrule the environment; two variables may disagree by mistake.
        for (other, ignored) in given.filter(|(_, other)| name != flag && *other != value) {
            self.warnings.push(format!("{name} is `{value}` and {other} is `{ignored}`: {name} counts"));
        }
        Setting { name: name.to_owned(), value: value.clone() }
    }
}

impl Setting {
    pub(super) fn is_set(&self) -> bool {
        !self.value.is_empty()
    }

    /// The value, or the default where none is set.
    pub(super) fn parse_or<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, String>,
        default: T,
    ) -> Result<T, ConfigError> {
        if !self.is_set() {
            return Ok(default);
        }
        parse(&self.value).map_err(|problem| ConfigError::new(self, problem))
    }
}
