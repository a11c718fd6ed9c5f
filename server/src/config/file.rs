//! The configuration file: TOML, one key a setting, no tables.

use std::collections::HashMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::secret::Secret;
use super::setting::Origin;
use super::settings::SETTINGS;
use super::sources::keys;

/// How like a known name an unknown one must be to be taken for a slip of it: `prot` is, of `port` (0.92), and what is another word
/// altogether is not.
const SLIP_SIMILARITY_MIN: f64 = 0.8;

/// The values of a file by their keys. Everything that is wrong with it is told to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<ConfigError>) -> HashMap<String, (Origin, Secret)> {
    match std::fs::read_to_string(path).map(Secret::new) {
        Ok(text) => parse(&path.display().to_string(), text.expose(), problems),
        Err(error) => {
            let path = path.display().to_string();
            problems.push(ConfigError::File { path, line: None, problem: format!("cannot be read: {error}") });
            HashMap::new()
        }
    }
}

pub(super) fn parse(path: &str, text: &str, problems: &mut Vec<ConfigError>) -> HashMap<String, (Origin, Secret)> {
    let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let error_at = |offset: usize, problem: String| ConfigError::File {
        path: path.to_owned(),
        line: Some(line_at(offset)),
        problem,
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    // The message alone: with the line there could be a secret.
    let broken =
        |error: toml::de::Error| error_at(error.span().map_or(0, |span| span.start), error.message().to_owned());
    problems.extend(errors.into_iter().map(broken));
    let known: Vec<String> = SETTINGS.iter().flat_map(keys).collect();
    let mut values = HashMap::new();
    let mut entries: Vec<_> = table.into_inner().into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let (offset, key) = (key.span().start, key.into_inner().into_owned());
        if value.get_ref().is_table() {
            problems
                .push(error_at(offset, format!("there is no table `{key}`: settings stand at the top of the file")));
            continue;
        }
        if !known.contains(&key) {
            problems.push(error_at(offset, unknown(&key, &known)));
            continue;
        }
        match text_of(value.get_ref()) {
            Some(text) => {
                let origin = Origin::Line { path: path.to_owned(), line: line_at(offset), key: key.clone() };
                values.insert(key, (origin, text));
            }
            None => problems.push(error_at(
                offset,
                format!("{key}: expected a string, a whole number, true or false, or a list of strings"),
            )),
        }
    }
    values
}

fn unknown(key: &str, known: &[String]) -> String {
    let lower = key.to_ascii_lowercase();
    let alias =
        SETTINGS.iter().find(|setting| setting.traits.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(&lower)));
    let similarity = |name: &&String| strsim::jaro_winkler(&lower, name);
    let slip = || known.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let meant = match alias {
        Some(setting) => Some(setting.name),
        None => slip().filter(|name| similarity(name) >= SLIP_SIMILARITY_MIN).map(String::as_str),
    };
    let hint = meant.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
    format!("there is no setting `{key}`{hint}")
}

/// A value as a flag would have it.
fn text_of(value: &DeValue<'_>) -> Option<Secret> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            items?.join(",")
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => return None,
    };
    Some(Secret::new(text))
}
