//! The command line, made from the list of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::secret::Secret;
use super::setting::Setting;
use super::settings::SETTINGS;
use super::sources::{Sources, keys};

/// Names the configuration file.
const CONFIG_VARIABLE: &str = "SLUICE_CONFIG";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Serve until told to stop.
    Serve,
    /// Say what is wrong with the configuration.
    CheckConfig,
    /// Print the annotated reference.
    PrintDefaults,
    /// Print an access token.
    Token,
}

/// The command line's grammar.
pub(crate) fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!("Configuration file, TOML; no other is read [env: {CONFIG_VARIABLE}]"));
    let flags = || SETTINGS.iter().filter(|setting| setting.traits.has_effect).flat_map(flags_of);
    Command::new("sluice")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Sluice, a selective forwarding unit: group audio and video calls for browsers.")
        .after_help("Flags win over the environment, and that over the file.")
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .arg(config.clone())
        .args(flags())
        .subcommand(
            Command::new("check-config")
                .about("Say everything that is wrong with the configuration, and whether this machine is fit for it")
                .arg(config.clone())
                .args(flags()),
        )
        .subcommand(crate::token_command::command().arg(config.clone()))
        .subcommand(
            Command::new("config").about("About the configuration file").arg_required_else_help(true).arg(
                Arg::new("print-defaults")
                    .long("print-defaults")
                    .action(ArgAction::SetTrue)
                    .required(true)
                    .help("Print a configuration file with all settings, what they mean, and their defaults"),
            ),
        )
}

/// What was asked for, and the flags that go with it.
pub(crate) fn action(matches: &ArgMatches) -> (Action, &ArgMatches) {
    match matches.subcommand() {
        Some(("check-config", matches)) => (Action::CheckConfig, matches),
        Some(("token", matches)) => (Action::Token, matches),
        Some((_, matches)) => (Action::PrintDefaults, matches),
        None => (Action::Serve, matches),
    }
}

/// What flags and variables give, and the file that they name.
pub(super) fn sources(
    environment: impl IntoIterator<Item = (String, String)>,
    matches: &ArgMatches,
) -> (Sources, Option<PathBuf>) {
    let mut sources = Sources {
        environment: environment.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
        ..Sources::default()
    };
    for key in SETTINGS.iter().flat_map(keys) {
        // Secrets have no flag of their own.
        if let Ok(Some(text)) = matches.try_get_one::<String>(&key) {
            sources.flags.insert(key, Secret::new(text.clone()));
        }
    }
    let named =
        sources.environment.get(CONFIG_VARIABLE).map(|path| path.expose().trim()).filter(|path| !path.is_empty());
    let file = matches.get_one::<PathBuf>("config").cloned().or_else(|| named.map(PathBuf::from));
    (sources, file)
}

/// A secret is not an argument, for all users of a machine see the arguments of all processes.
fn flags_of(setting: &'static Setting) -> impl Iterator<Item = Arg> {
    let keys = keys(setting).into_iter().skip(usize::from(setting.is_secret()));
    keys.map(|key| {
        let (default, unit) = (setting.default_in_words(), setting.traits.unit);
        let names: Vec<_> = std::iter::once(key.to_ascii_uppercase())
            .chain(setting.traits.aliases.iter().map(ToString::to_string))
            .collect();
        let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
        let file = if setting.is_secret() { "A file with this inside: " } else { "" };
        let about = setting.about.trim().trim_end_matches('.');
        Arg::new(key.clone())
            .long(key.replace('_', "-"))
            .value_name("VALUE")
            .help_heading(setting.group)
            // A negative number is a bad value, not a flag.
            .allow_hyphen_values(true)
            .help(format!("{file}{about}{unit} [env: {}] [default: {default}]", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harm prevented: a password in the list of processes, which everybody on a machine can read.
    #[test]
    fn a_secret_is_no_argument_but_its_file_is() {
        let flags = |name: &str| -> Vec<_> {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).unwrap();
            flags_of(setting).map(|flag| flag.get_long().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(flags("turn_server_password"), ["turn-server-password-file"]);
        assert_eq!(flags("turn_server_url"), ["turn-server-url"]);
    }
}
