//! What a setting is. All there are stand in [`super::settings`], declared with the macro below.

use std::fmt;

use super::ConfigError;
use super::secret::Secret;

/// One setting, as everything that reads or describes settings knows it.
#[derive(Debug)]
pub(crate) struct Setting {
    /// What it is about, for headings.
    pub(super) group: &'static str,
    /// Its key in the file. `rtc_min_port` there is `RTC_MIN_PORT` in the environment and `--rtc-min-port` as a flag.
    pub(super) name: &'static str,
    /// What it means, in one sentence.
    pub(super) about: &'static str,
    /// Its type as it is written in the declaration.
    pub(super) type_name: &'static str,
    pub(super) traits: Traits,
}

/// What a declaration says of a setting besides its name, type and meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    /// As it would be given; empty where not being set is something of its own.
    pub(super) default: &'static str,
    /// What holds then, in words.
    pub(super) absent: &'static str,
    /// A value for the reference, where there is no default to show.
    pub(super) example: &'static str,
    /// What the value counts, where its name does not say so.
    pub(super) unit: &'static str,
    /// Other variables that are read where its own is not set.
    pub(super) aliases: &'static [&'static str],
    /// Whether anything here depends on it. What does not is taken so that an environment made for others can be kept.
    pub(super) has_effect: bool,
}

/// A setting that has this value where it is not set.
pub(super) const fn with(default: &'static str) -> Traits {
    Traits { default, absent: "", example: "", unit: "", aliases: &[], has_effect: true }
}

/// A setting that may be absent, what then holds, and what it could be.
pub(super) const fn without(absent: &'static str, example: &'static str) -> Traits {
    Traits { default: "", absent, example, unit: "", aliases: &[], has_effect: true }
}

impl Traits {
    pub(super) const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn without_effect(self) -> Self {
        Self { has_effect: false, ..self }
    }
}

impl Setting {
    /// Whether its value may not be shown.
    pub(super) fn is_secret(&self) -> bool {
        self.type_name.contains("Secret")
    }

    pub(super) fn variable(&self) -> String {
        self.name.to_ascii_uppercase()
    }
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A flag or a variable.
    Named(String),
    /// The key of a file.
    Line { path: String, line: usize, key: String },
}

impl Origin {
    /// The name that the value was given by.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Line { key, .. } => key,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Line { path, line, key } => write!(f, "{path}:{line}: {key}"),
        }
    }
}

/// A value as somebody wrote it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) origin: Origin,
    pub(super) text: Secret,
}

/// A value that has been read.
#[derive(Debug)]
pub(super) struct Value<T> {
    pub(super) value: T,
    setting: &'static Setting,
    given: Option<Given>,
    is_sound: bool,
}

impl<T> Value<T> {
    /// Reads what was given. A bad value is told to `problems`, and the default stands in for it.
    pub(super) fn read(
        setting: &'static Setting,
        given: Option<Given>,
        parse: impl Fn(&str) -> Result<T, String>,
        problems: &mut Vec<ConfigError>,
    ) -> Self {
        let default = || parse(setting.traits.default).expect("a default is a good value: a test reads them all");
        let (value, is_sound) = match &given {
            None => (default(), true),
            Some(given) => match parse(given.text.expose()) {
                Ok(value) => (value, true),
                Err(problem) => {
                    problems.push(ConfigError::bad_value(setting, Some(given), problem));
                    (default(), false)
                }
            },
        };
        Self { value, setting, given, is_sound }
    }

    pub(super) fn is_set(&self) -> bool {
        self.given.is_some()
    }

    /// The name it was given by, if nothing here depends on it.
    pub(super) fn given_in_vain(&self) -> Option<String> {
        self.given.as_ref().filter(|_| !self.setting.traits.has_effect).map(|given| given.origin.to_string())
    }

    /// Whether it says what somebody meant, so that it can contradict others.
    pub(super) fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// That this value does not go with others.
    pub(super) fn conflict(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::bad_value(self.setting, self.given.as_ref(), problem.into())
    }
}

/// A parser for a setting that may be absent.
pub(super) fn optional<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

/// Declares all settings: the list `SETTINGS`, from which file, variables, flags, help and reference are made, and the struct
/// `Values` that they are read into.
macro_rules! settings {
    ($($group:literal {$(
        $(#[doc = $about:literal])+
        $name:ident: $type:ty = $parse:expr => $traits:expr;
    )+})+) => {
        /// All settings, in the order of the reference.
        pub(crate) static SETTINGS: &[Setting] = &[$($(
            Setting {
                group: $group,
                name: stringify!($name),
                about: concat!($($about),+),
                type_name: stringify!($type),
                traits: $traits,
            },
        )+)+];

        /// All values, each by itself a good one.
        #[derive(Debug)]
        pub(super) struct Values {
            $($(pub(super) $name: Value<$type>,)+)+
        }

        impl Values {
            /// Reads what the sources give for each setting.
            pub(super) fn read(sources: &mut Sources, problems: &mut Vec<ConfigError>) -> Self {
                let mut settings = SETTINGS.iter();
                // In the order of the list, which is the same.
                $($(let $name = {
                    let setting = settings.next().expect("each field has its entry in the list");
                    Value::read(setting, sources.take(setting, problems), $parse, problems)
                };)+)+
                Self { $($($name,)+)+ }
            }

            /// Which were given though nothing here depends on them.
            pub(super) fn given_in_vain(&self) -> Vec<String> {
                [$($(self.$name.given_in_vain(),)+)+].into_iter().flatten().collect()
            }
        }
    };
}

pub(super) use settings;
