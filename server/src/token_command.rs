//! `sluice token`: an access token for trying out.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use signaling::identity::{Grants, KeyError, Publish, RoomGrant, Signer, Source, User};

use crate::config::Config;

/// For how long a token is good if nothing is said, seconds.
const VALID_FOR_S: u64 = 3600;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenCommandError {
    #[error("JWT_SECRET is not set, and --signing-key names no private key: nothing to sign with")]
    NothingToSignWith,
    #[error("--signing-key {path}: {problem}")]
    SigningKey { path: String, problem: String },
    #[error("JWT_SECRET: {0}")]
    Secret(KeyError),
    #[error(transparent)]
    Sign(#[from] KeyError),
}

/// Its grammar.
pub(crate) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let text =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name(name.to_uppercase()).help(help);
    Command::new("token")
        .about("Print an access token, signed with JWT_SECRET or with a private key")
        .arg(text("room", "The room that it opens; `*`: all").required(true))
        .arg(text("name", "The name that others see").required(true))
        .arg(text("user", "The user's id [default: the name]"))
        .arg(
            text("valid-for", "For how long it is good, seconds [default: 3600]")
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(
            text("publish", "What may be published: camera, microphone, screen, screenAudio, or none [default: all]")
                .value_delimiter(',')
                .value_parser(["camera", "microphone", "screen", "screenAudio", "none"]),
        )
        .arg(switch("no-subscribe", "It may not receive media"))
        .arg(switch("no-data", "It may not send messages"))
        .arg(switch("admin", "It may moderate the room"))
        .arg(switch("hidden", "Others do not learn of it"))
        .arg(text("signing-key", "PEM file of a private key, RSA or P-256").value_parser(value_parser!(PathBuf)))
        .arg(text("key-id", "The key's id, for servers with several keys"))
}

/// Makes the token.
pub(crate) fn token(matches: &ArgMatches, config: &Config) -> Result<String, TokenCommandError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let name = text("name").unwrap_or_default();
    let user = User { id: text("user").unwrap_or_else(|| name.clone()), name: Some(name) };
    let valid_for = Duration::from_secs(matches.get_one("valid-for").copied().unwrap_or(VALID_FOR_S));
    let signer = signer(matches.get_one::<PathBuf>("signing-key"), config)?;
    let signed = signer.sign(&user, &grants(matches), SystemTime::now(), valid_for, text("key-id").as_deref());
    Ok(signed?)
}

fn signer(file: Option<&PathBuf>, config: &Config) -> Result<Signer, TokenCommandError> {
    if let Some(path) = file {
        let problem = |problem: String| TokenCommandError::SigningKey { path: path.display().to_string(), problem };
        let pem = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
        return Signer::from_pem(&pem).map_err(|error| problem(error.to_string()));
    }
    let secret = config.tokens.as_ref().and_then(|tokens| tokens.secret.as_ref());
    let secret = secret.ok_or(TokenCommandError::NothingToSignWith)?;
    Signer::from_secret(secret.expose().as_bytes()).map_err(TokenCommandError::Secret)
}

fn grants(matches: &ArgMatches) -> Grants {
    let room = matches.get_one::<String>("room").cloned().unwrap_or_default();
    let source = |name: &String| match name.as_str() {
        "camera" => Some(Source::Camera),
        "microphone" => Some(Source::Microphone),
        "screen" => Some(Source::Screen),
        "screenAudio" => Some(Source::ScreenAudio),
        _ => None,
    };
    let can_publish = matches
        .get_many::<String>("publish")
        .map_or(Publish::All(true), |names| Publish::Only(names.filter_map(source).collect()));
    Grants {
        can_publish,
        can_subscribe: !matches.get_flag("no-subscribe"),
        can_publish_data: !matches.get_flag("no-data"),
        room_admin: matches.get_flag("admin"),
        hidden: matches.get_flag("hidden"),
        ..Grants::for_room(RoomGrant::from(room))
    }
}

#[cfg(test)]
mod tests {
    use signaling::identity::Keys;

    use super::*;
    use crate::config;

    const SECRET: &str = "JWT_SECRET=0123456789abcdef0123456789abcdef";

    fn made(words: &[&str], variable: &str) -> Result<String, TokenCommandError> {
        let (name, value) = variable.split_once('=').unwrap();
        let matches = config::command().get_matches_from(["sluice", "token"].iter().chain(words));
        let (_, matches) = config::action(&matches);
        let (config, _) = Config::load([(name.to_owned(), value.to_owned())], matches).unwrap();
        token(matches, &config)
    }

    #[test]
    fn a_token_says_what_was_asked_for() {
        let mut keys = Keys::new();
        keys.add_secret(SECRET.split_once('=').unwrap().1.as_bytes()).unwrap();
        let plain = made(&["--room", "standup", "--name", "Anna"], SECRET).unwrap();
        let access = keys.verify(&plain, SystemTime::now()).unwrap();
        assert_eq!(access.grants, Grants::for_room(RoomGrant::Only("standup".to_owned())));
        assert_eq!(access.user, Some(User { id: "Anna".to_owned(), name: Some("Anna".to_owned()) }));

        let words = ["--room", "*", "--name", "Bob", "--user", "b", "--publish", "microphone,screen", "--admin"];
        let access = keys.verify(&made(&words, SECRET).unwrap(), SystemTime::now()).unwrap();
        assert_eq!(access.grants.can_publish, Publish::Only(vec![Source::Microphone, Source::Screen]));
        assert!(access.grants.room_admin && access.grants.room == RoomGrant::Any && access.user.unwrap().id == "b");

        let words = ["--room", "r", "--name", "C", "--publish", "none", "--no-subscribe", "--no-data", "--hidden"];
        let grants = keys.verify(&made(&words, SECRET).unwrap(), SystemTime::now()).unwrap().grants;
        assert_eq!((grants.can_publish, grants.can_subscribe), (Publish::Only(vec![]), false));
        assert!(grants.hidden && !grants.can_publish_data);
    }

    #[test]
    fn without_a_key_it_says_what_is_missing() {
        let words = ["--room", "r", "--name", "A"];
        let error = made(&words, "A=b").unwrap_err().to_string();
        assert!(error.contains("JWT_SECRET") && error.contains("--signing-key"), "{error}");
        let words = ["--room", "r", "--name", "A", "--signing-key", "/there/is/none"];
        assert!(made(&words, SECRET).unwrap_err().to_string().starts_with("--signing-key /there/is/none: "));
    }
}
