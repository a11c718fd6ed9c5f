//! The settings in words: the annotated configuration file, and README's table.

use std::fmt::Write as _;

use super::setting::Setting;
use super::settings::SETTINGS;

const HEAD: &str = "\
# All settings of Sluice with their defaults. What has none is commented out, with an example.
# Flags win over variables, and those over this file: `sluice --config FILE`, or SLUICE_CONFIG=FILE.
# Lists may be written as [\"a\", \"b\"] or \"a,b\"; an empty value is as good as none.
";

/// A configuration file with all settings, what they mean, and their defaults.
pub(crate) fn annotated_file() -> String {
    let mut text = HEAD.to_owned();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            write!(text, "\n# ---- {group} ----\n").ok();
        }
        let Setting { name, traits, .. } = setting;
        write!(text, "\n# {}\n", setting.about_with_unit()).ok();
        writeln!(text, "# Variables: {}.", setting.variables().join(", ")).ok();
        if traits.default.is_empty() {
            writeln!(text, "# Default: {}.\n# {name} = {}", traits.absent, toml_value(traits.example)).ok();
        } else {
            writeln!(text, "{name} = {}", toml_value(traits.default)).ok();
        }
    }
    text
}

impl Setting {
    /// The sentence, with what the value counts.
    fn about_with_unit(&self) -> String {
        let about = self.about.trim().trim_end_matches('.');
        if self.traits.unit.is_empty() { format!("{about}.") } else { format!("{about}; {}.", self.traits.unit) }
    }

    pub(super) fn default_in_words(&self) -> &'static str {
        if self.traits.default.is_empty() { self.traits.absent } else { self.traits.default }
    }

    /// All variables that it is read from.
    fn variables(&self) -> Vec<String> {
        let mut all: Vec<_> = super::sources::keys(self).iter().map(|key| key.to_ascii_uppercase()).collect();
        all.extend(self.traits.aliases.iter().map(ToString::to_string));
        all
    }
}

fn toml_value(text: &str) -> String {
    if text.parse::<i64>().is_ok() { text.to_owned() } else { format!("\"{text}\"") }
}

/// README's table.
#[cfg(test)]
pub(super) fn table() -> String {
    let mut text = "| variable | also read as | default | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in SETTINGS.iter().filter(|setting| setting.traits.has_effect) {
        let code = |name: &String| format!("`{name}`");
        let names: Vec<_> = setting.variables().iter().map(code).collect();
        let others = names[1..].join(", ");
        let others = if others.is_empty() { others } else { format!("{others} ") };
        let default = setting.traits.default;
        let default = if default.is_empty() { setting.traits.absent.to_owned() } else { format!("`{default}`") };
        let about = setting.about_with_unit();
        let about = about.trim_end_matches('.');
        writeln!(text, "| {} | {others}| {default} | {about} |", names[0]).ok();
    }
    text
}
